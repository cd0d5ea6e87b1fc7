"""What every store of keys does: the memory one, and the embedded one beside it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway import identity, ports
from gateway.errors import ConfigError, NotFound
from tests.stores.registries import BACKENDS, HOUR, NOW, PEPPER, AnyRegistry, filed, mint


@pytest.fixture(params=sorted(BACKENDS))
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyRegistry]:
    """Return an empty registry of each kind."""
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


async def test_a_key_is_found_as_it_was_filed(registry: AnyRegistry) -> None:
    """Every field of it, and through the port."""
    keys: ports.Keys = registry.keys
    plain = mint()
    full = msgspec.structs.replace(
        plain,
        id="abcdefghijkl",
        expires_at=NOW + 0.5,
        principal=msgspec.structs.replace(
            plain.principal,
            key_id="abcdefghijkl",
            role="auditor",
            tenant="acme",
            models=frozenset(),
        ),
    )

    for key in (plain, full):
        registry.add_key(key)

        assert await keys.find(key.id) == key


async def test_an_id_nobody_filed_is_not_found(registry: AnyRegistry) -> None:
    """And is no error."""
    filed(registry)

    assert await registry.keys.find("no-such-key") is None


async def test_a_revoked_key_is_still_filed_and_says_when(registry: AnyRegistry) -> None:
    """Auditors look at it; a second time changes nothing."""
    key = filed(registry)

    first = registry.revoke_key(key.id, NOW + 1)
    again = registry.revoke_key(key.id, NOW + 2)

    assert first == again == msgspec.structs.replace(key, revoked_at=NOW + 1)
    assert await registry.keys.find(key.id) == first


async def test_a_rotated_key_is_a_new_one_for_the_same_principal(registry: AnyRegistry) -> None:
    """The old one is revoked in the same step, and the active task goes along."""
    old = filed(registry)
    registry.set_active(old.id, "PROJ-1", NOW)

    credential, new = registry.rotate_key(old.id, pepper=PEPPER, now=NOW + 1)

    presented = identity.present({b"x-api-key": credential.encode()})
    found = await registry.keys.find(presented.key_id)
    principal = identity.authenticate(presented, found, pepper=PEPPER, now=NOW + 1)
    assert found == new
    assert principal == msgspec.structs.replace(old.principal, key_id=new.id)
    assert registry.keys.get(old.id).revoked_at == NOW + 1
    assert await registry.tasks.recall(principal, "", NOW + 1) == ("", "PROJ-1")


def test_a_key_without_an_active_task_is_rotated_too(registry: AnyRegistry) -> None:
    """And keeps the day it expires on, and its tenant."""
    key = mint()
    key = msgspec.structs.replace(
        key,
        expires_at=NOW + HOUR,
        principal=msgspec.structs.replace(key.principal, tenant="acme"),
    )
    registry.add_key(key)

    new = registry.rotate_key(key.id, pepper=PEPPER, now=NOW)[1]

    assert (new.expires_at, new.principal.tenant) == (NOW + HOUR, "acme")
    assert registry.tasks.active(new.id) == ""


def test_a_dead_key_is_not_rotated(registry: AnyRegistry) -> None:
    """It would come back to life."""
    revoked, expired = filed(registry), msgspec.structs.replace(mint(), expires_at=NOW)
    registry.revoke_key(revoked.id, NOW)
    registry.add_key(expired)

    for key in (revoked, expired):
        with pytest.raises(ConfigError, match="goodgate keys create"):
            registry.rotate_key(key.id, pepper=PEPPER, now=NOW)

    assert len(registry.list_keys()) == 2


def test_what_is_done_to_no_key_is_refused(registry: AnyRegistry) -> None:
    """Each in the same words."""
    with pytest.raises(NotFound, match="goodgate keys list"):
        registry.revoke_key("nobody", NOW)
    with pytest.raises(NotFound, match="goodgate keys list"):
        registry.rotate_key("nobody", pepper=PEPPER, now=NOW)
    with pytest.raises(NotFound, match="goodgate keys list"):
        registry.set_active("nobody", "PROJ-1", NOW)
    with pytest.raises(NotFound, match="goodgate keys list"):
        registry.clear_active("nobody", NOW)

    assert registry.list_keys() == []


def test_keys_are_listed_oldest_first(registry: AnyRegistry) -> None:
    """Whatever the order they were filed in."""
    keys = [msgspec.structs.replace(mint(), created_at=NOW + age) for age in (2, 0, 1)]
    for key in keys:
        registry.add_key(key)

    assert registry.list_keys() == [keys[1], keys[2], keys[0]]


def test_nothing_to_refresh_is_no_change(registry: AnyRegistry) -> None:
    """What this process did itself it has already seen."""
    filed(registry)

    registry.refresh(NOW)

    assert registry.refresh(NOW + 1) is False

"""What is the shared store's alone: how it is spoken to, and what happens while it is away."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.errors import StoreUnavailable
from gateway.stores.redis import packing, scripts
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.quotas import RedisQuotas
from gateway.stores.redis.replies import SHARES_MAX, Seals, Unfit
from gateway.stores.redis.resp import ServerError
from gateway.stores.redis.scripts import Script
from gateway.values import Offer, Usage
from tests.stores import backends
from tests.stores.sightings import NOW, offer, offers, rate, sighting

SECRET = b"s" * 32
TAKEN = packing._READING.pack(1, 9.0, 0.0, 1.0, NOW)


class Scripted:
    """A connection that answers what it is told to, and notes what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, tuple[bytes, ...], tuple[bytes, ...]]] = []

    async def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Any:
        self.asked.append((script.name, tuple(keys), tuple(args)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def store(connection: Scripted) -> RedisQuotas:
    return RedisQuotas(connection, replica="r0", secret=SECRET)


def names(connection: Scripted) -> list[str]:
    return [name for name, _, _ in connection.asked]


async def test_an_observation_is_one_round_trip_and_a_decision_one_more() -> None:
    new = [b"new", 2, TAKEN, b"", b"", b""]
    undecided = [b"undecided", 0, b"", b"", b"", b"", b"\x01c\x01rwww"]
    connection = Scripted(new, undecided, [2, TAKEN, 1])
    quotas = store(connection)
    await quotas.observe(sighting(), offers(), NOW)
    await quotas.observe(sighting("a b"), offers(), NOW)
    await quotas.decide(sighting("a b"), "c", offer(rate()), NOW)
    assert names(connection) == ["observe", "observe", "decide"]
    assert quotas.held == 2


async def test_nothing_is_sent_for_what_went_as_reserved() -> None:
    """A first call that went well, and drew by the call: all of it stands as it was drawn."""
    connection = Scripted([b"new", 2, TAKEN, b"", b"", b""])
    quotas = store(connection)
    found = await quotas.observe(sighting(), offers(), NOW)
    await quotas.settle(found.reservation, Usage(), 0, NOW)
    assert names(connection) == ["observe"]
    assert quotas.held == 0


async def test_nothing_is_asked_for_what_a_rule_forbids() -> None:
    quotas = store(connection := Scripted())
    reservation = await quotas.decide(sighting(), "c", Offer(forbidden=True), NOW)
    assert (reservation.id, names(connection)) == (0, [])


@pytest.mark.parametrize("failed", [True, False])
async def test_an_end_the_store_never_heard_of_fails_nobody(*, failed: bool) -> None:
    """Nor is it sent again: whoever sees the store come back states anew what was used."""
    connection = Scripted([b"exact", 2, TAKEN, b"\x01c\x01r", b"", b""], StoreUnavailable("gone"))
    quotas = store(connection)
    found = await quotas.observe(sighting(), offers(), NOW)
    await quotas.settle(found.reservation, Usage(), 0, NOW, failed=failed)
    await quotas.settle(found.reservation, Usage(), 0, NOW, failed=failed)
    await quotas.flush()
    assert names(connection) == ["observe", "settle"]
    assert connection.asked[1][2][3] == (b"failed" if failed else b"ok")


async def test_a_store_that_does_not_understand_is_heard_of_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = Scripted(TAKEN, ServerError("ERR user_script:7"))
    quotas = store(connection)
    found = await quotas.draw([rate()], NOW)
    with caplog.at_level(logging.ERROR, logger="goodgate.stores"):
        await quotas.release(found, NOW)
        await quotas.flush()
    assert "ERR user_script:7" in caplog.text


async def test_a_draw_while_the_store_is_away_says_so() -> None:
    quotas = store(Scripted(StoreUnavailable("gone")))
    with pytest.raises(StoreUnavailable):
        await quotas.draw([rate()], NOW)
    assert quotas.held == 0


@pytest.mark.parametrize("name", backends.SHARED)
async def test_the_first_end_of_all_is_in_order_too(name: str) -> None:
    """When the server has not seen the script yet, and must be told it."""
    async with backends.opened(name) as quotas:
        for node in backends.clients(name):
            node.script_flush()
        held = await quotas.draw([rate(amount=10)], NOW)
        await quotas.release(held, NOW)
        (reading,) = (await quotas.draw([rate(amount=10)], NOW)).readings
        assert reading.taken


def test_names_are_digests_under_the_deployments_secret() -> None:
    """The same for every replica, other ones for another deployment, tenant, draw or period."""
    keys, same, other = Keys(SECRET), Keys(SECRET), Keys(b"t" * 32)
    draw = rate("near of alice", by_cluster=True)
    key = keys.drawn("acme", draw, "0" * 16)
    assert key == same.drawn("acme", draw, "0" * 16)
    assert key != other.drawn("acme", draw, "0" * 16)
    assert key.startswith(b"gg:{")
    assert key.endswith(b"@" + b"0" * 16)
    assert keys.prefix("acme") != keys.prefix("default")
    assert keys.own("acme", "b", NOW) != keys.own("acme", "b", NOW + 1)
    assert keys.own("acme", "b", NOW, "@c") == keys.own("acme", "b", NOW) + b"@c"
    assert keys.field("r0") != keys.field("r1")


def test_what_is_sealed_opens_for_its_share_alone() -> None:
    seals = Seals(SECRET)
    sealed = seals.close(b"share", b"reply")
    assert Seals(SECRET).open(b"share", sealed) == b"reply"
    for share, found, secret in (
        (b"other", sealed, SECRET),
        (b"share", sealed, b"t" * 32),
        (b"share", sealed[:5], SECRET),
        (b"share", b"", SECRET),
    ):
        with pytest.raises(Unfit):
            Seals(secret).open(share, found)


def test_whose_a_share_is_is_remembered_of_the_latest() -> None:
    seals = Seals(SECRET)
    for number in range(SHARES_MAX + 1):
        share = number.to_bytes(32, "big")
        seals.note(sighting(tenant="acme", share=share))
    assert seals.tenant((0).to_bytes(32, "big")) == "default"
    assert seals.tenant((1).to_bytes(32, "big")) == "acme"


def test_every_script_is_constant_text_under_its_own_name() -> None:
    """And none of them reads all keys, or one that never ends."""
    for path in sorted(scripts.FOLDER.glob("*.lua")):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("-- "), path.name
        assert "'KEYS'" not in text
        assert "'SCAN'" not in text

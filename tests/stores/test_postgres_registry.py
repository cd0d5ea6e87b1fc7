"""The registry on PostgreSQL when its server, its session or another replica fails."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from hypothesis import given, settings

from gateway.errors import ConfigError, RegistryUnavailable
from gateway.stores.memory_registry import MemoryRegistry
from gateway.stores.postgres import connection, registry_rows
from gateway.stores.postgres.registry import Registry
from gateway.values import Key, Task
from tests.stores import postgreses
from tests.stores.registries import NOW, PEPPER, filed, mint
from tests.stores.test_tasks import catalogues
from tests.stores.valkeys import free_port

TASK = Task(id="PROJ-1", spelling="PROJ-1", root_id="PROJ-1", members=frozenset({"alice"}))


@pytest.fixture(scope="module")
def server() -> Iterator[postgreses.Server]:
    """Return a server of this module's own, to be killed and frozen."""
    made = postgreses.Server()
    made.start()
    yield made
    made.discard()


@pytest.fixture
def url(server: postgreses.Server) -> str:
    """Return an empty database on that server, over TCP."""
    return server.fresh(tcp=True)


def _cut(registry: Registry) -> None:
    """End the registry's session as an administrator may, or a proxy."""
    pid = registry._connection.info.backend_pid
    with connection.connect(registry._address) as admin:
        admin.execute(b"SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_a_server_that_was_killed_is_found_again(server: postgreses.Server, url: str) -> None:
    """Meanwhile keys stay as they were, and nothing can be changed; after it all is there."""
    one, other = Registry.open(url), Registry.open(url)
    key = filed(one)
    one.import_tasks([TASK], now=NOW)
    one.set_active(key.id, "PROJ-1", NOW)
    other.refresh(NOW)
    await one.tasks.pin(key.principal, "session-1", "PROJ-1", NOW)

    server.kill()
    for registry in (one, other):
        with pytest.raises(RegistryUnavailable, match="try again"):
            registry.refresh(NOW + 1)
        with pytest.raises(RegistryUnavailable, match="try again"):
            filed(registry)
        assert registry.read_at <= NOW
        assert await registry.keys.find(key.id) == key
    server.start()

    filed(other)
    assert one.refresh(NOW + 2) is True
    assert one.read_at == NOW + 2
    assert one.list_keys() == other.list_keys()
    assert len(one.list_keys()) == 2
    # What was read anew is nothing that anybody did: sessions keep their tasks.
    assert await one.tasks.recall(key.principal, "session-1", NOW) == ("PROJ-1", "PROJ-1")
    one.close()
    other.close()


def test_a_server_that_hangs_is_given_up_and_found_again(
    server: postgreses.Server, url: str
) -> None:
    """Nobody waits for it twice in one try."""
    registry = Registry.open(url)
    key = filed(registry)
    registry._connection.patience_s = 0.05
    server.pause()
    try:
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            registry.refresh(NOW)
    finally:
        server.resume()

    registry.refresh(NOW + 1)
    registry.revoke_key(key.id, NOW + 1)
    assert registry.keys.get(key.id).revoked_at == NOW + 1
    registry.close()


def test_a_session_that_was_cut_is_not_noticed() -> None:
    """It is replaced before anything is asked of it."""
    registry = Registry.open(postgreses.url())
    key = filed(registry)

    _cut(registry)
    registry.set_active(key.id, "PROJ-1", NOW)
    _cut(registry)

    assert registry.refresh(NOW) is True
    assert registry.refresh(NOW) is False
    assert registry.tasks.active(key.id) == "PROJ-1"
    registry.close()


def test_a_session_cut_in_the_middle_of_a_change_leaves_nothing_of_it() -> None:
    """The change can be made again."""
    registry = Registry.open(postgreses.url())

    def cut() -> Iterator[Task]:
        yield TASK
        _cut(registry)

    with pytest.raises(RegistryUnavailable, match="try again"):
        registry.import_tasks(cut(), now=NOW)

    assert registry.list_tasks() == []
    assert registry.import_tasks([TASK], now=NOW).new == 1
    registry.close()


async def test_a_database_that_was_set_back_is_read_from_the_beginning() -> None:
    """A replica that took over with less in it: what it does not hold is not true any more."""
    url = postgreses.url()
    registry = Registry.open(url)
    kept, lost = filed(registry), filed(registry)
    registry.set_active(kept.id, "PROJ-1", NOW)
    registry.set_active(lost.id, "PROJ-2", NOW)
    registry.import_tasks([TASK], now=NOW)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DELETE FROM registry_active WHERE key_id = %s", (lost.id,))
        admin.execute("DELETE FROM registry_key WHERE id = %s", (lost.id,))
        admin.execute("DELETE FROM registry_task")
        admin.execute("UPDATE registry_revision SET last = 1")

    assert registry.refresh(NOW) is True

    assert registry.list_keys() == [kept]
    assert await registry.keys.find(lost.id) is None
    assert registry.list_tasks() == []
    assert registry.tasks.digest == MemoryRegistry().tasks.digest
    assert registry.tasks.active(kept.id) == "PROJ-1"
    assert registry.tasks.active(lost.id) == ""
    registry.close()


def test_a_change_waits_for_anothers_and_not_for_ever() -> None:
    """Revisions are committed in their order, or one that was seen would hide one before it."""
    url = postgreses.url()
    registry, other = Registry.open(url), Registry.open(url)
    registry._connection.execute(b"SET statement_timeout = '50ms'")

    with other._writing(), pytest.raises(RegistryUnavailable, match="QueryCanceled"):
        filed(registry)

    key = filed(registry)
    assert registry.list_keys() == [key]
    registry.close()
    other.close()


def test_a_refresh_reads_as_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is filed while it reads comes with the next, and what its owner works on too."""
    url = postgreses.url()
    registry, other = Registry.open(url), Registry.open(url)
    other.import_tasks([TASK], now=NOW)
    read = registry_rows.task_reader
    keys: list[Key] = []

    def meanwhile() -> Callable[[registry_rows.Row], Task]:
        def after_the_keys(row: registry_rows.Row) -> Task:
            keys.append(filed(other))
            other.set_active(keys[0].id, "PROJ-1", NOW)
            return read()(row)

        monkeypatch.undo()
        return after_the_keys

    monkeypatch.setattr(registry_rows, "task_reader", meanwhile)

    assert registry.refresh(NOW) is True
    assert (registry.list_tasks(), registry.list_keys()) == ([TASK], [])
    assert registry.refresh(NOW) is True
    assert registry.list_keys() == keys
    assert registry.tasks.active(keys[0].id) == "PROJ-1"
    registry.close()
    other.close()


def test_a_refresh_that_takes_too_long_keeps_its_session() -> None:
    """An administrator may hold a table; the next refresh goes on as if nothing had been."""
    url = postgreses.url()
    registry = Registry.open(url)
    session = registry._connection
    session.execute(b"SET statement_timeout = '50ms'")

    with psycopg.connect(url) as admin:
        admin.execute("LOCK TABLE registry_revision")
        with pytest.raises(RegistryUnavailable, match="QueryCanceled"):
            registry.refresh(NOW)

    assert registry.refresh(NOW) is False
    assert registry._connection is session
    registry.close()


def test_a_database_that_lost_what_is_always_there_is_told() -> None:
    """And keys stay as they were."""
    url = postgreses.url()
    registry = Registry.open(url)
    key = filed(registry)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DELETE FROM registry_revision")

    with pytest.raises(RegistryUnavailable, match="DataError"):
        registry.refresh(NOW)

    assert registry.list_keys() == [key]
    registry.close()


def test_a_closed_registry_opens_nothing_again() -> None:
    """The server is stopping, and a refresh may still be under way in its thread."""
    registry = Registry.open(postgreses.url())
    key = filed(registry)

    registry.close()
    registry.close()

    with pytest.raises(RegistryUnavailable, match="stopping"):
        registry.refresh(NOW)
    assert registry.list_keys() == [key]


def test_another_server_in_its_place_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be a mistake in the settings at start is an outage later."""
    registry = Registry.open(postgreses.url())
    _cut(registry)
    monkeypatch.setattr(connection, "VERSION_MIN", 99)

    with pytest.raises(RegistryUnavailable, match="older than PostgreSQL"):
        registry.refresh(NOW)

    monkeypatch.undo()
    assert registry.refresh(NOW) is False
    registry.close()


def test_a_database_that_cannot_be_used_is_told_at_start() -> None:
    """By the address without the password."""
    url = f"postgresql://me:s3cret@127.0.0.1:{free_port()}/x"

    with pytest.raises(ConfigError, match=r"the database at 127\.0\.0\.1:\d+/x") as refused:
        Registry.open(url)

    assert "s3cret" not in str(refused.value)


def test_a_schema_of_a_newer_goodgate_is_refused() -> None:
    """The session is not left open."""
    url = postgreses.url()
    Registry.open(url).close()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("UPDATE goodgate_schema SET version = 99")

    with pytest.raises(ConfigError, match="newer Goodgate wrote the registry"):
        Registry.open(url)


def test_no_credential_is_in_the_database() -> None:
    """Only digests under the pepper."""
    url = postgreses.url()
    registry = Registry.open(url)
    key = mint()
    registry.add_key(key)
    credential, _ = registry.rotate_key(key.id, pepper=PEPPER, now=NOW)
    registry.close()

    with psycopg.connect(url) as admin:
        kept = str(admin.execute("SELECT * FROM registry_key").fetchall())

    assert repr(key.digest) in kept
    assert credential.split("_")[2] not in kept


@pytest.fixture(scope="module")
def held() -> Iterator[Registry]:
    """Return a registry that the examples of one test share."""
    registry = Registry.open(postgreses.url())
    yield registry
    registry.close()


@settings(max_examples=30)
@given(catalogues)
def test_whatever_is_imported_reads_back_as_the_reference_has_it(
    held: Registry, imported: list[Task]
) -> None:
    """One by one, and again by a replica that starts anew."""
    held._connection.execute(b"TRUNCATE registry_task")
    held._connection.execute(b"UPDATE registry_revision SET last = 0")
    held.refresh(NOW)
    reference = MemoryRegistry()
    for task in imported:
        assert reference.import_tasks([task], now=NOW) == held.import_tasks([task], now=NOW)
    fresh = Registry(held._connection, held._address)
    fresh.refresh(NOW)

    assert held.list_tasks() == reference.list_tasks() == fresh.list_tasks()
    assert held.tasks.digest == reference.tasks.digest == fresh.tasks.digest

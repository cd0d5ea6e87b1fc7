"""What every registry does that several processes share: a file's, and a database's."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import msgspec
import pytest

from gateway.errors import ConfigError, NotFound, RegistryUnavailable
from gateway.stores.memory_registry import ImportCounts, MemoryRegistry
from gateway.values import Key, Task
from tests.stores import registries
from tests.stores.registries import BACKENDS, NOW, PEPPER, filed, mint

TASK = Task(id="PROJ-1", spelling="PROJ-1", root_id="PROJ-1", members=frozenset({"alice"}))


@pytest.fixture(params=registries.DURABLE)
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of a kind of registry that outlives its process."""
    return str(request.param)


def test_everything_is_there_when_it_is_opened_again(backend: str, tmp_path: Path) -> None:
    """Keys, tasks and active tasks."""
    registry = BACKENDS[backend](tmp_path)
    key, other = filed(registry), filed(registry)
    registry.import_tasks([TASK], now=NOW)
    registry.set_active(key.id, "PROJ-1", NOW)
    registry.set_active(other.id, "PROJ-1", NOW)
    registry.clear_active(other.id, NOW)
    registry.revoke_key(other.id, NOW)
    kept = (registry.list_keys(), registry.list_tasks(), registry.tasks.digest)
    registry.close()

    reopened = BACKENDS[backend](tmp_path)

    assert (reopened.list_keys(), reopened.list_tasks(), reopened.tasks.digest) == kept
    assert reopened.tasks.active(key.id) == "PROJ-1"
    assert reopened.tasks.active(other.id) == ""
    reopened.close()


async def test_what_another_process_did_is_seen_at_the_next_refresh(
    backend: str, tmp_path: Path
) -> None:
    """A revocation above all."""
    one, other = BACKENDS[backend](tmp_path), BACKENDS[backend](tmp_path)
    key = filed(other)
    assert await one.keys.find(key.id) is None
    assert one.refresh(NOW) is True
    assert await one.keys.find(key.id) == key
    await one.tasks.pin(key.principal, "session-1", "PROJ-9", NOW)

    other.revoke_key(key.id, NOW)
    other.import_tasks([TASK], now=NOW)
    other.set_active(key.id, "PROJ-1", NOW)

    assert one.refresh(NOW) is True
    assert one.refresh(NOW) is False
    assert one.keys.get(key.id).revoked_at == NOW
    assert await one.tasks.find("PROJ-1") == TASK
    assert one.tasks.digest == other.tasks.digest
    # A task was started, so the session is no longer what its owner works on.
    assert await one.tasks.recall(key.principal, "session-1", NOW) == ("", "PROJ-1")

    other.clear_active(key.id, NOW)
    assert one.refresh(NOW) is True
    assert one.tasks.active(key.id) == ""
    one.close()
    other.close()


def test_a_change_starts_from_what_is_there_not_from_what_was_seen(
    backend: str, tmp_path: Path
) -> None:
    """Two processes that write in turn never undo each other's work."""
    one, other = BACKENDS[backend](tmp_path), BACKENDS[backend](tmp_path)
    key = filed(one)

    other.revoke_key(key.id, NOW)
    again = one.revoke_key(key.id, NOW + 60)
    with pytest.raises(ConfigError):
        one.rotate_key(key.id, pepper=PEPPER, now=NOW)

    assert again.revoked_at == NOW
    assert other.refresh(NOW) is True
    assert other.list_keys() == one.list_keys()
    one.close()
    other.close()


def test_a_change_that_fails_leaves_nothing_behind(backend: str, tmp_path: Path) -> None:
    """Neither in the store nor in the snapshot."""
    registry = BACKENDS[backend](tmp_path)
    key = filed(registry)
    bad = Task(id="PROJ-2", spelling="x", status="half-open")  # type: ignore[arg-type]  # on purpose

    with pytest.raises(RegistryUnavailable, match="try again"):
        registry.import_tasks([TASK, bad], now=NOW)
    with pytest.raises(RegistryUnavailable):
        registry.add_key(key)
    with pytest.raises(NotFound):
        registry.revoke_key("nobody", NOW)

    reopened = BACKENDS[backend](tmp_path)
    assert registry.list_tasks() == reopened.list_tasks() == []
    assert registry.list_keys() == reopened.list_keys() == [key]
    registry.close()
    reopened.close()


def test_names_are_data_whatever_they_spell(backend: str, tmp_path: Path) -> None:
    """No quote, brace or percent sign means anything to the store."""
    registry = BACKENDS[backend](tmp_path)
    names = [
        "'); DROP TABLE registry_key; --",
        "%s %(x)s %",
        '{"a",NULL}',
        "\\",
        "$1",
        "ä\u2028\t\n",
    ]
    wanted = [
        Task(id=name, spelling=name, title=name, root_id=name, members=frozenset(names))
        for name in names
    ]
    keys = [_named(name) for name in names]
    for key in keys:
        registry.add_key(key)

    registry.import_tasks(wanted, now=NOW)
    for key in keys:
        registry.set_active(key.id, key.principal.id, NOW)

    reopened = BACKENDS[backend](tmp_path)
    assert {task.id: task for task in reopened.list_tasks()} == {t.id: t for t in wanted}
    assert [reopened.tasks.active(key.id) for key in keys] == names
    assert sorted(reopened.list_keys(), key=_name_of) == sorted(keys, key=_name_of)
    registry.close()
    reopened.close()


def _name_of(key: Key) -> str:
    return key.principal.id


def _named(name: str) -> Key:
    key = mint()
    principal = msgspec.structs.replace(key.principal, id=name, team=name, models=frozenset({name}))
    return msgspec.structs.replace(key, principal=principal)


def test_a_refresh_does_not_wait_for_a_write_of_its_own_process(
    backend: str, tmp_path: Path
) -> None:
    """An import in a thread never holds it up."""
    one, other = BACKENDS[backend](tmp_path), BACKENDS[backend](tmp_path)
    assert not isinstance(one, MemoryRegistry)
    filed(other)

    with one._lock:
        assert one.refresh(NOW) is False

    assert one.refresh(NOW) is True
    one.close()
    other.close()


def test_several_processes_may_begin_a_registry_at_once(backend: str, tmp_path: Path) -> None:
    """Each finds it whole, and none of their keys is lost."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.stores.registries import BACKENDS, filed
        registry = BACKENDS[sys.argv[1]](Path(sys.argv[2]))
        for _ in range(5):
            filed(registry)
        registry.close()
        """
    )
    registries.database(tmp_path)  # an empty one, for the kind that needs one
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, backend, str(tmp_path)], stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60)[1] for process in running]

    registry = BACKENDS[backend](tmp_path)
    assert told == [b"", b"", b""]
    assert len(registry.list_keys()) == 15
    registry.close()


def test_threads_of_one_process_may_write(backend: str, tmp_path: Path) -> None:
    """One after the other."""
    registry = BACKENDS[backend](tmp_path)
    threads = [threading.Thread(target=filed, args=(registry,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.list_keys()) == 8
    registry.close()


def test_two_processes_may_import_at_once(backend: str, tmp_path: Path) -> None:
    """One after the other: each task is new to one of them, and both end with the same."""
    opened = [BACKENDS[backend](tmp_path) for _ in range(2)]
    many = [Task(id=f"P-{n}", spelling=f"P-{n}", root_id=f"P-{n}") for n in range(200)]
    counts: list[ImportCounts] = []
    together = threading.Barrier(2)

    def take_in(number: int) -> None:
        together.wait()
        counts.append(opened[number].import_tasks(many, now=NOW))

    threads = [threading.Thread(target=take_in, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(count.new for count in counts) == [0, 200]
    for registry in opened:
        registry.refresh(NOW)
    assert opened[0].list_tasks() == opened[1].list_tasks()
    assert opened[0].tasks.digest == opened[1].tasks.digest
    for registry in opened:
        registry.close()


def test_the_line_reads_on_while_a_thread_imports(backend: str, tmp_path: Path) -> None:
    """It sees all of the import or nothing of it, and never an error."""
    registry = BACKENDS[backend](tmp_path)
    many = [Task(id=f"P-{n}", spelling=f"P-{n}", root_id=f"P-{n}") for n in range(2000)]
    thread = threading.Thread(target=registry.import_tasks, args=(many,), kwargs={"now": NOW})
    thread.start()
    digests, lengths = {registry.tasks.digest}, {0}
    while thread.is_alive():
        lengths.add(len(registry.list_tasks()))
        digests.add(registry.tasks.digest)
        registry.refresh(NOW)
    thread.join()

    assert len(registry.list_tasks()) == 2000
    assert lengths <= {0, 2000}
    assert len(digests | {registry.tasks.digest}) == 2
    registry.close()


def test_what_came_with_one_change_is_seen_with_one_refresh(backend: str, tmp_path: Path) -> None:
    """While another process rotates a key again and again, one of its keys is alive, not two."""
    one, other = BACKENDS[backend](tmp_path), BACKENDS[backend](tmp_path)
    first = filed(other)
    one.refresh(NOW)
    failed: list[str] = []

    def rotate() -> None:
        key = first
        for _ in range(20):
            _, key = other.rotate_key(key.id, pepper=PEPPER, now=NOW)

    thread = threading.Thread(target=rotate)
    thread.start()
    while thread.is_alive():
        one.refresh(NOW)
        alive = [key.id for key in one.list_keys() if key.revoked_at is None]
        if len(alive) != 1:
            failed.append(f"{len(alive)} keys were alive")
    thread.join()

    one.refresh(NOW)
    assert failed == []
    assert len(one.list_keys()) == 21
    one.close()
    other.close()

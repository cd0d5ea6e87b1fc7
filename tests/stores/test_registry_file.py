"""The embedded registry: one file, several processes, nothing lost."""

import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import apsw
import pytest

from gateway.errors import ConfigError, NotFound, RegistryUnavailable
from gateway.stores.sqlite import connection
from gateway.stores.sqlite.registry import Registry
from gateway.values import Task
from tests.stores.registries import NOW, PEPPER, filed, mint

TASK = Task(id="PROJ-1", spelling="PROJ-1", root_id="PROJ-1", members=frozenset({"alice"}))


def test_everything_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    """Keys, tasks and active tasks."""
    registry = Registry.open(tmp_path, create=True)
    key, other = filed(registry), filed(registry)
    registry.import_tasks([TASK], now=NOW)
    registry.set_active(key.id, "PROJ-1", NOW)
    registry.set_active(other.id, "PROJ-1", NOW)
    registry.clear_active(other.id, NOW)
    registry.revoke_key(other.id, NOW)
    kept = (registry.list_keys(), registry.list_tasks(), registry.tasks.digest)
    registry.close()

    reopened = Registry.open(tmp_path / "registry.sqlite", create=False)

    assert (reopened.list_keys(), reopened.list_tasks(), reopened.tasks.digest) == kept
    assert reopened.tasks.active(key.id) == "PROJ-1"
    assert reopened.tasks.active(other.id) == ""
    reopened.close()


async def test_what_another_process_did_is_seen_at_the_next_refresh(tmp_path: Path) -> None:
    """A revocation above all."""
    server = Registry.open(tmp_path, create=True)
    command = Registry.open(tmp_path, create=False)
    key = filed(command)
    assert await server.keys.find(key.id) is None
    assert server.refresh(NOW) is True
    assert await server.keys.find(key.id) == key
    await server.tasks.pin(key.principal, "session-1", "PROJ-9", NOW)

    command.revoke_key(key.id, NOW)
    command.import_tasks([TASK], now=NOW)
    command.set_active(key.id, "PROJ-1", NOW)

    assert server.refresh(NOW) is True
    assert server.refresh(NOW) is False
    assert server.keys.get(key.id).revoked_at == NOW
    assert await server.tasks.find("PROJ-1") == TASK
    assert server.tasks.digest == command.tasks.digest
    # A task was started, so the session is no longer what its owner works on.
    assert await server.tasks.recall(key.principal, "session-1", NOW) == ("", "PROJ-1")
    server.close()
    command.close()


def test_a_change_starts_from_what_is_in_the_file_not_from_what_was_seen(tmp_path: Path) -> None:
    """Two processes that write in turn never undo each other's work."""
    one = Registry.open(tmp_path, create=True)
    other = Registry.open(tmp_path, create=False)
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


def test_a_change_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither in the file nor in the snapshot."""
    registry = Registry.open(tmp_path, create=True)
    key = filed(registry)
    bad = Task(id="PROJ-2", spelling="x", status="half-open")  # type: ignore[arg-type]  # on purpose

    with pytest.raises(RegistryUnavailable, match="try again"):
        registry.import_tasks([TASK, bad], now=NOW)
    with pytest.raises(RegistryUnavailable):
        registry.add_key(key)
    with pytest.raises(NotFound):
        registry.revoke_key("nobody", NOW)

    reopened = Registry.open(tmp_path, create=False)
    assert registry.list_tasks() == reopened.list_tasks() == []
    assert registry.list_keys() == reopened.list_keys() == [key]
    registry.close()
    reopened.close()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """SQLite may have rolled back by itself then."""
    registry = Registry.open(tmp_path, create=True)
    registry.import_tasks([TASK], now=NOW)
    registry._connection.pragma("max_page_count", 20)
    many = [Task(id=f"P-{n}", spelling="x" * 200, root_id="x") for n in range(1000)]

    with pytest.raises(RegistryUnavailable, match="room"):
        registry.import_tasks(many, now=NOW)

    filed(registry)
    assert registry.list_tasks() == [TASK]
    assert len(registry.list_keys()) == 1
    registry.close()


def test_a_file_another_process_holds_too_long_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is left half done."""
    monkeypatch.setattr(connection, "BUSY_MS", 1)
    registry = Registry.open(tmp_path, create=True)
    other = apsw.Connection(str(tmp_path / "registry.sqlite"))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(RegistryUnavailable, match="no other process holds it"):
        filed(registry)
    other.execute("ROLLBACK")
    key = filed(registry)

    assert registry.list_keys() == [key]
    registry.close()
    other.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """With what SQLite lays beside it, and in a folder made for it."""
    registry = Registry.open(tmp_path / "new" / "data", create=True)
    filed(registry)

    files = sorted((tmp_path / "new" / "data").iterdir())

    assert [file.name for file in files][:1] == ["registry.sqlite"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    registry.close()


def test_what_is_committed_survives_a_power_cut(tmp_path: Path) -> None:
    """WAL with synchronous=FULL, which is 2."""
    opened = connection.connect(_created(tmp_path), [])

    assert opened.pragma("journal_mode") == "wal"
    assert opened.pragma("synchronous") == 2
    opened.close()


def _created(folder: Path) -> Path:
    connection.create(folder / "x.sqlite")
    return folder / "x.sqlite"


def test_a_registry_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    """The message says both ways out."""
    with pytest.raises(ConfigError, match="goodgate keys create"):
        Registry.open(tmp_path, create=False)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_registry_is_refused(tmp_path: Path) -> None:
    """And left as it is."""
    file = tmp_path / "registry.sqlite"
    file.write_bytes(b"something else" * 100)

    with pytest.raises(ConfigError, match="cannot be opened"):
        Registry.open(tmp_path, create=False)

    assert file.read_bytes() == b"something else" * 100


def test_a_file_of_a_newer_goodgate_is_refused(tmp_path: Path) -> None:
    """Writing into a form we do not know would spoil it."""
    Registry.open(tmp_path, create=True).close()
    newer = apsw.Connection(str(tmp_path / "registry.sqlite"))
    newer.pragma("user_version", 99)
    newer.close()

    with pytest.raises(ConfigError, match="newer Goodgate"):
        Registry.open(tmp_path, create=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """In words."""
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="cannot be made"):
        Registry.open(tmp_path / "file" / "data", create=True)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """So that the older program still opens it."""
    file = _created(tmp_path)
    connection.connect(file, ["CREATE TABLE a (x)"]).close()

    with pytest.raises(ConfigError, match="cannot be opened"):
        connection.connect(file, ["CREATE TABLE a (x)", "CREATE TABLE b (x); nonsense"])

    opened = connection.connect(file, ["CREATE TABLE a (x)"])
    assert [row[0] for row in opened.execute("SELECT name FROM sqlite_schema")] == ["a"]
    opened.close()


def test_a_file_that_can_no_longer_be_read_is_said_so(tmp_path: Path) -> None:
    """By a refresh; whoever calls it decides what to do without."""
    registry = Registry.open(tmp_path, create=True)
    registry.close()

    with pytest.raises(RegistryUnavailable, match=r"registry\.sqlite cannot be used now"):
        registry.refresh(NOW)


def test_a_refresh_does_not_wait_for_a_write_of_its_own_process(tmp_path: Path) -> None:
    """An import in a thread never holds the line up."""
    registry = Registry.open(tmp_path, create=True)
    other = Registry.open(tmp_path, create=False)
    filed(other)

    with registry._lock:
        assert registry.refresh(NOW) is False

    assert registry.refresh(NOW) is True
    registry.close()
    other.close()


def test_several_processes_may_begin_a_registry_at_once(tmp_path: Path) -> None:
    """Each finds it whole, and none of their keys is lost."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from gateway.stores.sqlite.registry import Registry
        from tests.stores.registries import filed
        registry = Registry.open(Path(sys.argv[1]), create=True)
        for _ in range(5):
            filed(registry)
        registry.close()
        """
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60)[1] for process in running]

    registry = Registry.open(tmp_path, create=False)
    assert told == [b"", b"", b""]
    assert len(registry.list_keys()) == 15
    registry.close()


def test_threads_of_one_process_may_write(tmp_path: Path) -> None:
    """One after the other."""
    registry = Registry.open(tmp_path, create=True)
    threads = [threading.Thread(target=filed, args=(registry,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.list_keys()) == 8
    registry.close()


def test_no_credential_is_in_the_file(tmp_path: Path) -> None:
    """Only digests under the pepper."""
    registry = Registry.open(tmp_path, create=True)
    key = mint()
    registry.add_key(key)
    credential, _ = registry.rotate_key(key.id, pepper=PEPPER, now=NOW)
    registry.close()

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert key.digest in kept
    assert credential.split("_")[2].encode() not in kept


def test_the_line_reads_on_while_a_thread_imports(tmp_path: Path) -> None:
    """Lists and digests are of some moment, and never an error."""
    registry = Registry.open(tmp_path, create=True)
    many = [Task(id=f"P-{n}", spelling=f"P-{n}", root_id=f"P-{n}") for n in range(2000)]
    thread = threading.Thread(target=registry.import_tasks, args=(many,), kwargs={"now": NOW})
    thread.start()
    seen = {registry.tasks.digest}
    while thread.is_alive():
        assert len(registry.list_tasks()) <= 2000
        seen.add(registry.tasks.digest)
        registry.refresh(NOW)
    thread.join()

    assert len(registry.list_tasks()) == 2000
    assert len(seen | {registry.tasks.digest}) == 2
    registry.close()

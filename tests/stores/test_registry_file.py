"""The embedded registry: one file, several processes, nothing lost."""

import stat
from pathlib import Path

import apsw
import pytest

from gateway.errors import ConfigError, RegistryUnavailable
from gateway.stores.sqlite import connection
from gateway.stores.sqlite.registry import Registry
from gateway.values import Task
from tests.stores.registries import NOW, PEPPER, filed, mint

TASK = Task(id="PROJ-1", spelling="PROJ-1", root_id="PROJ-1", members=frozenset({"alice"}))


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

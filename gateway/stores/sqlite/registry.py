"""
Keys, catalogue and active tasks in one SQLite file that several processes may change.

The line reads a snapshot in memory and never the file. A change by this process is in
the snapshot at once; one by another (a command with `--data` beside a running server)
when `refresh` is called next, which reads only the rows that changed. Session pins stay
in memory: they are worth a day.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from gateway.errors import ConfigError, RegistryUnavailable
from gateway.stores import memory_registry, queries
from gateway.stores.memory_registry import ImportCounts, MemoryKeys, MemoryTasks
from gateway.stores.sqlite import connection, registry_rows
from gateway.stores.sqlite.connection import Connection
from gateway.values import Account, Key, Principal, Task, TaskChange, TaskStatus

SQL = queries.load("registry.sql")
FILE = "registry.sqlite"


class Registry:
    """The registry as the server and the commands use it; `keys` and `tasks` are its ports."""

    def __init__(self, opened: Connection, path: Path) -> None:
        self.keys = MemoryKeys()
        self.tasks = MemoryTasks()
        self._connection = opened
        self._path = path
        self._revision = 0
        self._version = -1
        # One writer of this process at a time: an import may run in a thread of its own.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, *, create: bool) -> "Registry":
        """
        Return the registry in a file, or in `registry.sqlite` of a folder, read and up to date.

        Raises:
            ConfigError: there is none (and `create` is not set), or it is not one of ours.
            RegistryUnavailable: it is, and cannot be read.

        """
        file = path if path.suffix == ".sqlite" else path / FILE
        if create:
            connection.create(file)
        elif not file.exists():
            raise ConfigError(
                f"{file} is not there: name the folder `goodgate serve` was given,"
                " or make a key with `goodgate keys create` to begin one"
            )
        opened = connection.connect(file, queries.migrations(SQL))
        registry = cls(opened, file)
        with registry._told():
            registry._read_changes()
        return registry

    def close(self) -> None:
        """Close the file, once whoever uses it is done; the snapshot stays as it was."""
        with self._lock:
            self._connection.close()

    def refresh(self, now: float) -> bool:
        """
        Take in what other processes changed; return whether anything did. Costs microseconds.

        While this process is writing it does nothing, for then the snapshot is being read anyway.

        Raises:
            RegistryUnavailable: the file cannot be read.

        """
        self.tasks.forget_pins(now)
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self._told():
                version = int(self._connection.pragma("data_version"))
                if version == self._version:
                    return False
                changed = self._read_changes()
                self._version = version
                return changed
        finally:
            self._lock.release()

    def add_key(self, key: Key) -> None:
        """File a new key; raises RegistryUnavailable."""
        with self._writing() as revision:
            self._connection.execute(SQL["add_key"], registry_rows.key_row(key, revision))

    def list_keys(self) -> list[Key]:
        """Return every key, oldest first."""
        return self.keys.listed()

    def revoke_key(self, key_id: str, now: float) -> Key:
        """
        Return a key, revoked now (or before).

        Raises:
            NotFound: there is no such key.
            RegistryUnavailable

        """
        with self._writing() as revision:
            key = memory_registry.revoked(self.keys.get(key_id), now)
            self._connection.execute(SQL["revoke_key"], (key.revoked_at, revision, key.id))
        return key

    def rotate_key(self, key_id: str, *, pepper: bytes, now: float) -> tuple[str, Key]:
        """
        Return a new credential and key in place of one that is revoked now.

        Raises:
            NotFound: there is no such key.
            ConfigError: it is revoked or expired, so there is nothing to replace.
            RegistryUnavailable

        """
        with self._writing() as revision:
            old = self.keys.get(key_id)
            credential, key = memory_registry.rotated(old, pepper=pepper, now=now)
            self._connection.execute(SQL["add_key"], registry_rows.key_row(key, revision))
            self._connection.execute(SQL["revoke_key"], (now, revision, old.id))
            if active := self.tasks.active(key_id):
                self._connection.execute(SQL["put_active"], (key.id, active, now, revision))
        return credential, key

    def import_tasks(self, imported: Iterable[Task], *, now: float) -> ImportCounts:
        """
        Take in a catalogue, all of it or (on an error) nothing; what it does not name stays.

        A task that turns closed without saying when was closed now. Raises RegistryUnavailable.
        """
        with self._writing() as revision:
            changed, counts = memory_registry.difference(self.tasks, imported, now)
            self._connection.executemany(
                SQL["put_task"], (registry_rows.task_row(task, revision) for task in changed)
            )
        return counts

    def follow(
        self,
        changes: Sequence[TaskChange],
        *,
        tracker: str,
        who: Callable[[Account | None], str],
        team: str = "",
    ) -> ImportCounts:
        """
        Take in what a tracker says of tasks; what is older than what is known changes nothing.

        All of it or (on an error) nothing. Raises RegistryUnavailable.
        """
        with self._writing() as revision:
            changed = self.tasks.follow(changes, tracker=tracker, who=who, team=team)
            counts = memory_registry.counted(self.tasks, changed)
            self._connection.executemany(
                SQL["put_task"], (registry_rows.task_row(task, revision) for task in changed)
            )
        return counts

    def list_tasks(
        self, *, principal: Principal | None = None, status: TaskStatus | None = None
    ) -> list[Task]:
        """Return tasks in the order of their ids; with `principal`, those it is a member of."""
        return self.tasks.listed(principal=principal, status=status)

    def set_active(self, key_id: str, task: str, now: float) -> None:
        """
        Make a task the key's active one and unpin its principal's sessions.

        Raises:
            NotFound: there is no such key.
            RegistryUnavailable

        """
        with self._writing() as revision:
            self.keys.get(key_id)
            self._connection.execute(SQL["put_active"], (key_id, task, now, revision))

    def clear_active(self, key_id: str, now: float) -> None:
        """Leave a key without an active task; raises NotFound, RegistryUnavailable."""
        self.set_active(key_id, "", now)

    @contextmanager
    def _writing(self) -> Generator[int]:
        """
        Run a block as one transaction on what is in the file now; yield its revision.

        When it is durable, the snapshot has it too.
        """
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._take_changes()
                yield int(self._connection.execute(SQL["next_revision"]).get)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._read_changes()

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except apsw.Error as error:
            raise RegistryUnavailable(
                f"{self._path.name} cannot be used now ({type(error).__name__}): see that its disk"
                " is well and has room, and that no other process holds it, then try again"
            ) from error

    def _read_changes(self) -> bool:
        """Read, as of one moment, what changed since the snapshot; return whether anything did."""
        self._connection.execute("BEGIN")
        try:
            return self._take_changes()
        finally:
            self._connection.execute("COMMIT")

    def _take_changes(self) -> bool:
        """Bring the snapshot up to the last revision; a transaction is open."""
        run = self._connection.execute
        last = int(run(SQL["last_revision"]).get)
        if last == self._revision:
            return False
        since = (self._revision,)
        for row in run(SQL["keys_since"], since):
            self.keys.put(registry_rows.key(row))
        task = registry_rows.task_reader()
        self.tasks.put(task(row) for row in run(SQL["tasks_since"], since))
        for key_id, spelling in run(SQL["active_since"], since):
            if spelling:
                self.tasks.start(self.keys.get(key_id).principal, spelling)
            else:
                self.tasks.stop(key_id)
        self._revision = last
        return True

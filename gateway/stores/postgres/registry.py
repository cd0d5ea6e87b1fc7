"""
Keys, catalogue and active tasks in PostgreSQL, for several replicas.

The line reads a snapshot in memory and never the database. A change by this replica is in
the snapshot at once; one by another when `refresh` is called next, which reads only the rows
that changed. So with a refresh each second a revoked key is dead everywhere in little more than
a second. While the database is away nothing can be changed, and the snapshot stays as it was
last read, however long that lasts: `read_at` says when that was, and whoever serves from it
decides how old is too old. Session pins stay in memory: they are worth a day.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager

import psycopg
from msgspec import Struct

from gateway.errors import ConfigError, RegistryUnavailable
from gateway.stores import memory_registry, queries
from gateway.stores.memory_registry import ImportCounts, MemoryKeys, MemoryTasks
from gateway.stores.postgres import connection, registry_rows
from gateway.stores.postgres.connection import Address, Connection
from gateway.values import Account, Key, Principal, Task, TaskChange, TaskStatus

FILE = "postgres_registry.sql"
SQL = connection.load(FILE)
_BEFORE_ALL = -1


class _Changes(Struct, frozen=True, kw_only=True):
    """What changed after a revision; after none: everything there is."""

    revision: int
    keys: list[Key]
    tasks: list[Task]
    active: list[tuple[str, str]]


class Registry:
    """The registry as the server and the commands use it; `keys` and `tasks` are its ports."""

    def __init__(self, opened: Connection, address: Address) -> None:
        self.keys = MemoryKeys()
        self.tasks = MemoryTasks()
        self.read_at = 0.0
        """When the snapshot was last known to be what the database holds, Unix seconds."""
        self._connection = opened
        self._address = address
        self._revision = _BEFORE_ALL
        self._closed = False
        # One user of the session at a time: an import may run in a thread of its own.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, url: str) -> "Registry":
        """
        Return the registry in a database, begun if need be, read and up to date.

        Raises:
            ConfigError: there is no such database now, or it cannot be used, or the URL cannot.

        """
        address = connection.read(url)
        with connection.told(address, ConfigError):
            opened = connection.connect(address)
            try:
                connection.migrate(opened, "registry", queries.migrations(queries.load(FILE)))
                registry = cls(opened, address)
                registry._read_changes(opened)
            except BaseException:
                opened.close()
                raise
        registry.read_at = time.time()
        return registry

    def close(self) -> None:
        """End the session, once whoever uses it is done; the snapshot stays as it was."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def refresh(self, now: float) -> bool:
        """
        Take in what other replicas changed; return whether anything did. Takes a round trip.

        Call it from a thread: the line reads on meanwhile. While this process is writing it does
        nothing, for then the snapshot is being read anyway.

        Raises:
            RegistryUnavailable: the database cannot be read; the snapshot stays as it is.

        """
        self.tasks.forget_pins(now)
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self._told():
                session, last = self._begin()
                changed = last != self._revision and self._read_changes(session)
                self.read_at = now
                return changed
        finally:
            self._lock.release()

    def add_key(self, key: Key) -> None:
        """File a new key; raises RegistryUnavailable."""
        with self._writing() as (session, revision):
            session.execute(SQL["add_key"], registry_rows.key_row(key, revision))

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
        with self._writing() as (session, revision):
            key = memory_registry.revoked(self.keys.get(key_id), now)
            session.execute(SQL["revoke_key"], (key.revoked_at, revision, key.id))
        return key

    def rotate_key(self, key_id: str, *, pepper: bytes, now: float) -> tuple[str, Key]:
        """
        Return a new credential and key in place of one that is revoked now.

        Raises:
            NotFound: there is no such key.
            ConfigError: it is revoked or expired, so there is nothing to replace.
            RegistryUnavailable

        """
        with self._writing() as (session, revision):
            old = self.keys.get(key_id)
            credential, key = memory_registry.rotated(old, pepper=pepper, now=now)
            session.execute(SQL["add_key"], registry_rows.key_row(key, revision))
            session.execute(SQL["revoke_key"], (now, revision, old.id))
            if active := self.tasks.active(key_id):
                session.execute(SQL["put_active"], (key.id, active, now, revision))
        return credential, key

    def import_tasks(self, imported: Iterable[Task], *, now: float) -> ImportCounts:
        """
        Take in a catalogue, all of it or (on an error) nothing; what it does not name stays.

        A task that turns closed without saying when was closed now. Raises RegistryUnavailable.
        """
        with self._writing() as (session, revision):
            changed, counts = memory_registry.difference(self.tasks, imported, now)
            with session.cursor() as cursor:
                cursor.executemany(
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
        with self._writing() as (session, revision):
            changed = self.tasks.follow(changes, tracker=tracker, who=who, team=team)
            counts = memory_registry.counted(self.tasks, changed)
            with session.cursor() as cursor:
                cursor.executemany(
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
        with self._writing() as (session, revision):
            self.keys.get(key_id)
            session.execute(SQL["put_active"], (key_id, task, now, revision))

    def clear_active(self, key_id: str, now: float) -> None:
        """Leave a key without an active task; raises NotFound, RegistryUnavailable."""
        self.set_active(key_id, "", now)

    @contextmanager
    def _writing(self) -> Generator[tuple[Connection, int]]:
        """
        Run a block as one transaction on what is in the database now; yield its revision.

        When it is durable, the snapshot has it too. Where the session breaks during the commit,
        nobody knows; the snapshot is read anew with the next session.
        """
        with self._lock, self._told():
            session, _ = self._begin()
            with session.transaction():
                revision = _number(session, "next_revision")  # from here on nobody else commits one
                if self._revision != revision - 1:
                    self._take(_changes(session, self._revision, revision - 1))
                yield session, revision
                written = _changes(session, revision - 1, revision)
            self._take(written)

    @contextmanager
    def _told(self) -> Generator[None]:
        with connection.told(self._address, RegistryUnavailable):
            yield

    def _begin(self) -> tuple[Connection, int]:
        """Return the session and the last revision; a session that broke is replaced."""
        if self._closed:
            raise RegistryUnavailable("the registry is closed: this server is stopping")
        if not self._connection.closed:
            try:
                return self._connection, self._last(self._connection)
            except connection.NoAnswer:
                raise
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
        try:
            self._connection = connection.connect(self._address)
        except ConfigError as error:  # another server stands there now
            raise RegistryUnavailable(str(error)) from None
        # It may be another server, with less in it: everything is read from the beginning.
        self._revision = _BEFORE_ALL
        return self._connection, self._last(self._connection)

    def _last(self, session: Connection) -> int:
        last = _number(session, "last_revision")
        if last < self._revision:  # the database was set back
            self._revision = _BEFORE_ALL
        return last

    def _read_changes(self, session: Connection) -> bool:
        """Read, as of one moment, what changed since the snapshot; return whether anything did."""
        with session.transaction():
            session.execute(SQL["as_of_one_moment"])
            last = _number(session, "last_revision")
            changes = _changes(session, self._revision, last)
        self._take(changes)
        return bool(changes.keys or changes.tasks or changes.active)

    def _take(self, changes: _Changes) -> None:
        """Bring the snapshot up to a revision: nothing here can fail half way."""
        is_all = self._revision == _BEFORE_ALL
        self.keys.take(changes.keys, is_all=is_all)
        self.tasks.take(changes.tasks, is_all=is_all)
        self.tasks.take_active(
            [(self.keys.get(key_id).principal, task) for key_id, task in changes.active],
            is_all=is_all,
        )
        self._revision = changes.revision


def _changes(session: Connection, since: int, revision: int) -> _Changes:
    task = registry_rows.task_reader()
    return _Changes(
        revision=revision,
        keys=[registry_rows.key(row) for row in session.execute(SQL["keys_since"], (since,))],
        tasks=[task(row) for row in session.execute(SQL["tasks_since"], (since,))],
        active=[(row[0], row[1]) for row in session.execute(SQL["active_since"], (since,))],
    )


def _number(session: Connection, query: str) -> int:
    row = session.execute(SQL[query]).fetchone()
    if row is None:
        raise psycopg.DataError("a row that is always there is not")
    return int(row[0])

"""
The ledger's file: opened, brought up to date, and held by one server at a time.

Every connection that writes is in WAL mode with synchronous=FULL, so what was committed
survives a power cut. (NORMAL loses acknowledged records; measured.)
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import apsw

from gateway import __version__, ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger import series
from gateway.ledger.decision_log import Entry
from gateway.stores import queries
from gateway.stores.sqlite import connection

SQL = queries.load("ledger.sql")
FILE = "ledger.sqlite"
LOCK = "ledger.lock"
CACHE_KIB = 16_000
"""Of pages, for who writes; taken up as it is used."""
WITH_TREE = 3
"""The version of the file from which on there is a tree over its leaves."""
WITH_CREDIT = 4
"""… from which on its credit is folded."""
_IN_MEMORY = 2
"""`temp_store`, https://sqlite.org/pragma.html#pragma_temp_store."""


class LogRow(NamedTuple):
    """What the file says of the log it holds."""

    origin: str
    vkey: str
    epoch: int
    replica: str
    secret_mark: str
    pepper_mark: str
    size: int
    retired: int
    ready: int


class Connection(connection.Connection, Protocol):
    """The part of `apsw.Connection` in use, typed in full."""

    def execute(
        self, statements: str, bindings: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Any:
        """Run statements."""
        ...

    def last_insert_rowid(self) -> int:
        """Return the id of the row inserted last."""
        ...

    def total_changes(self) -> int:
        """Return how many rows were changed since the connection was opened."""
        ...

    def set_busy_timeout(self, milliseconds: int) -> None:
        """Set how long is waited for another process that writes."""
        ...

    def set_wal_hook(self, hook: Callable[[Any, str, int], int] | None) -> None:
        """Have each commit told, with the pages in the write-ahead log."""
        ...

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        """Move the write-ahead log into the file."""
        ...


def open_to_write(folder: Path) -> Connection:
    """
    Return a connection that may write, to a file of its owner's alone, its schema up to date.

    Raises:
        ConfigError: the file cannot be opened, or a newer Goodgate wrote it.

    """
    connection.create(folder / FILE)
    opened = connection.connect(folder / FILE, queries.migrations(SQL))
    # A slice changes more pages than SQLite's own cache holds, and what a statement may have to
    # undo went to a file: together, two thirds of all writes (docs/decisions/0019).
    opened.pragma("cache_size", -CACHE_KIB)
    opened.pragma("temp_store", _IN_MEMORY)
    return cast("Connection", opened)


def open_to_read(folder: Path) -> Connection:
    """Return a connection that only reads, beside a running server; raises ConfigError."""
    path = folder / FILE
    if not path.exists():
        raise ConfigError(f"{folder}: there is no ledger here; name the folder `serve` was given")
    try:
        opened = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        opened.set_busy_timeout(connection.BUSY_MS)
        held = cast("Connection", opened)
        held.pragma("user_version")
    except apsw.Error as error:
        raise ConfigError(f"{path}: the ledger cannot be read: {error}") from None
    return held


def hold(folder: Path) -> int:
    """
    Return the descriptor of the lock only one server can hold; closing it lets go.

    Raises:
        ConfigError: another server holds it.

    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(
            f"{folder}: another `goodgate serve` has its ledger here. Stop it, or give this one"
            " a folder of its own with --data."
        ) from None
    return descriptor


def log_row(connection: Connection) -> LogRow | None:
    """Return what a file of this release says of its log; None: nothing yet."""
    found = connection.execute(SQL["log"]).fetchone()
    return None if found is None else LogRow(*found)


def ready(connection: Connection, folder: Path) -> LogRow:
    """
    Return what the file says of its log, once all of its leaves are in the tree.

    Raises:
        ConfigError: an earlier release wrote it, and no server has brought it up to date.

    """
    with_tree = int(connection.pragma("user_version")) >= WITH_TREE
    found = log_row(connection) if with_tree else None
    if found is None or not found.ready:
        raise outdated(folder)
    return found


def outdated(folder: Path) -> ConfigError:
    """Return the error that says a file has to be brought up to date."""
    return ConfigError(
        f"{folder}: an earlier release wrote this ledger: start `goodgate serve` on it once,"
        " which brings it up to date, and ask again when it is ready"
    )


class OfflineLedger:
    """
    What a command with `--data` may append, whether or not a server is running.

    Each record goes to the intake under a replica name of its own, between the start and the
    end of that; the server, or the next one to start, puts them in order.
    """

    def __init__(self, folder: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        self._folder = folder
        self._random = random

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """Return a fresh replica name and the number after that of its start."""
        assert not unlinked
        return "c" + self._random(8).hex(), 2

    def append_now(self, record: ledger.Reveal) -> None:
        """Append a stamped record; it is durable on return. Raises LedgerUnavailable."""
        name, seq = record.replica, record.replica_seq
        started = series.start(name, "command", at_us=record.at_us, version=__version__)
        stopped = series.stopped((name, seq + 1), 0, record.at_us)
        lines = [ledger.encode(each) for each in (started, record, stopped)]
        held = open_to_read(self._folder)
        try:
            ready(held, self._folder)
        finally:
            held.close()
        held = open_to_write(self._folder)
        try:
            held.execute(SQL["add_intake"], (name, b"\n".join(lines)))
        except apsw.Error as error:
            raise LedgerUnavailable(
                f"{self._folder}: the ledger takes no entry ({error}), so nothing is shown"
            ) from None
        finally:
            held.close()

    async def append(self, record: ledger.Record, *, urgent: bool = True) -> str:
        """Append a reveal, the one entry commands make."""
        assert isinstance(record, ledger.Reveal)
        self.append_now(record)
        return ""

    def note(self, record: Entry) -> None:
        """Commands decide nothing, so there is nothing to note."""

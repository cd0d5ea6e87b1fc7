"""
The ledger's file: opened, brought up to date, and held by one server at a time.

Every connection that writes is in WAL mode with synchronous=FULL, so what was committed
survives a power cut. (NORMAL loses acknowledged records; measured.)
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import apsw

from gateway import ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger.decision_log import Entry
from gateway.stores.sqlite import connection, queries

SQL = queries.load("ledger.sql")
FILE = "ledger.sqlite"
LOCK = "ledger.lock"


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
    return cast("Connection", connection.connect(folder / FILE, queries.migrations(SQL)))


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


class OfflineLedger:
    """
    What a command with `--data` may append, whether or not a server is running.

    The records go to the intake under a replica name of their own; the server, or the next
    one to start, puts them in order.
    """

    def __init__(self, folder: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        self._folder = folder
        self._replica = "c" + random(4).hex()
        self._seq = 0

    def stamp(self) -> tuple[str, int]:
        """Return this command's replica name and its next sequence number."""
        self._seq += 1
        return self._replica, self._seq

    def append_now(self, record: ledger.Reveal) -> None:
        """Append a stamped record; it is durable on return. Raises LedgerUnavailable."""
        held = open_to_write(self._folder)
        seq = record.replica_seq
        try:
            line = ledger.encode(record)
            held.execute(SQL["add_intake"], (record.replica, seq, seq, line))
        except apsw.Error as error:
            raise LedgerUnavailable(
                f"{self._folder}: the ledger takes no entry ({error}), so nothing is shown"
            ) from None
        finally:
            held.close()

    async def append(self, record: ledger.Leaf) -> None:
        """Append a reveal, the one entry commands make."""
        assert isinstance(record, ledger.Reveal)
        self.append_now(record)

    def note(self, record: Entry) -> None:
        """Commands decide nothing, so there is nothing to note."""

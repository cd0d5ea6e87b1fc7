"""
The ledger's file: opened, brought up to date, and held by one server at a time.

Every connection that writes is the same: WAL and synchronous=FULL, so what was committed
survives a power cut. (NORMAL loses acknowledged records; measured.)
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import apsw

from gateway import ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.stores.sqlite import queries

SQL = queries.load("ledger.sql")
FILE = "ledger.sqlite"
LOCK = "ledger.lock"
BUSY_MS = 10_000
"""How long a writer waits for another process (a command with `--data`) to commit."""


def open_to_write(folder: Path) -> apsw.Connection:
    """
    Return a connection that may write, its schema up to date.

    Raises:
        ConfigError: the file cannot be opened, or a newer Goodgate wrote it.

    """
    path = folder / FILE
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 2)
        _migrate(connection, path)
    except apsw.Error as error:
        raise ConfigError(f"{path}: the ledger cannot be opened: {error}") from None
    return connection


def open_to_read(folder: Path) -> apsw.Connection:
    """Return a connection that only reads, beside a running server; raises ConfigError."""
    path = folder / FILE
    if not path.exists():
        raise ConfigError(f"{folder}: there is no ledger here; name the folder `serve` was given")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("user_version")
    except apsw.Error as error:
        raise ConfigError(f"{path}: the ledger cannot be read: {error}") from None
    return connection


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
        connection = open_to_write(self._folder)
        seq = record.replica_seq
        try:
            line = ledger.encode(record)
            connection.execute(SQL["add_intake"], (record.replica, seq, seq, line))
        except apsw.Error as error:
            raise LedgerUnavailable(
                f"{self._folder}: the ledger takes no entry ({error}), so nothing is shown"
            ) from None
        finally:
            connection.close()

    async def append(self, record: ledger.Leaf) -> None:
        """Append a reveal, the one entry commands make."""
        assert isinstance(record, ledger.Reveal)
        self.append_now(record)

    def note(self, record: ledger.DecisionRecord) -> None:
        """Commands decide nothing, so there is nothing to note."""


def _migrate(connection: apsw.Connection, path: Path) -> None:
    steps = queries.migrations(SQL)
    version = int(connection.pragma("user_version"))
    if version > len(steps):
        raise ConfigError(f"{path}: a newer Goodgate wrote this ledger; update this one")
    if version == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again: another process may have been here since.
        for step in steps[int(connection.pragma("user_version")) :]:
            connection.execute(step)
        connection.pragma("user_version", len(steps))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")

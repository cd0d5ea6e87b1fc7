"""
The spool: a file of the replica's own, for what the database cannot take now.

Parcels stand in it in order and leave it in order, once the database has them; each is on disk
(synchronous=FULL) before anybody is told so. An error while writing or syncing is not tried
again: after a failed fsync nobody knows what is on the disk, so the process ends. One connection,
used by one thread at a time.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from gateway.errors import ConfigError, LedgerUnavailable
from gateway.stores import queries
from gateway.stores.postgres import parcels
from gateway.stores.postgres.parcels import Parcel
from gateway.stores.sqlite import connection

SQL = queries.load("spool.sql")
FILE = "spool.sqlite"
LOCK = "ledger.lock"


class Spool:
    """What waits in a folder, for the database. Held by one process at a time."""

    def __init__(self, folder: Path, die: Callable[[str], None]) -> None:
        """
        Hold the folder and open its spool.

        Raises:
            ConfigError: another process holds it, or the file cannot be used.

        """
        self._path = folder / FILE
        self._die = die
        self._lock = threading.Lock()
        connection.create(self._path)
        self._held = _hold(folder)
        try:
            self._file = connection.connect(self._path, queries.migrations(SQL))
            self.records = self._count()
            """How many records wait."""
        except BaseException:
            os.close(self._held)
            raise

    def put(self, parcel: Parcel) -> None:
        """Add a parcel; it is durable on return."""
        with self._changing() as file:
            file.execute(SQL["put"], _row(parcel))
        self.records += len(parcel.lines)

    def some(self, after: int = 0, limit: int = 64) -> list[tuple[int, Parcel]]:
        """Return the parcels that follow, each with its place, in order."""
        with self._lock:
            found = list(self._file.execute(SQL["some"], (after, limit)))
        return [(place, parcels.read(*row)) for place, *row in found]

    def all(self) -> list[Parcel]:
        """Return every parcel, in order."""
        found: list[Parcel] = []
        after = 0
        while some := self.some(after):
            after = some[-1][0]
            found += [parcel for _, parcel in some]
        return found

    def remove(self, until: int, records: int) -> None:
        """Let go of the parcels up to a place, which hold so many records."""
        with self._changing() as file:
            file.execute(SQL["remove"], (until,))
        self.records -= records

    def replace(self, kept: Sequence[Parcel], begun: str) -> None:
        """Keep these parcels in place of all there are; a series begins with them."""
        with self._changing() as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute(SQL["begin"], (begun,))
            file.execute(SQL["remove"], (2**62,))
            for parcel in kept:
                file.execute(SQL["put"], _row(parcel))
            file.execute("COMMIT")
        self.records = sum(len(parcel.lines) for parcel in kept)

    def begin(self, series: str) -> None:
        """Note, before the database hears of it, that a series begins."""
        with self._changing() as file:
            file.execute(SQL["begin"], (series,))

    def ended(self, series: Sequence[str]) -> None:
        """Forget series whose ends the database knows."""
        with self._changing() as file:
            for each in series:
                file.execute(SQL["ended"], (each,))

    def begun(self) -> list[str]:
        """Return the series that may have no end yet, in the order they began."""
        with self._lock:
            return [name for (name,) in self._file.execute(SQL["begun"])]

    def belong(self, origin: str) -> None:
        """
        Belong to a log from now on.

        Raises:
            ConfigError: records of another log wait here.

        """
        with self._lock:
            found = [name for (name,) in self._file.execute(SQL["origin"])]
        if found == [origin]:
            return
        if self.records:
            raise ConfigError(
                f"{self._path}: {self.records} records wait here for the log {found[0]}, and this"
                f" database holds {origin}: start once more with the database they are for"
            )
        with self._changing() as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute(SQL["belongs_no_more"])
            file.execute("DELETE FROM series")
            file.execute(SQL["belong"], (origin,))
            file.execute("COMMIT")

    def close(self) -> None:
        """Give the file and the folder back."""
        with self._lock:
            self._file.close()
        os.close(self._held)

    def _count(self) -> int:
        found: Any = self._file.execute(SQL["count"]).get
        return int(found)

    @contextmanager
    def _changing(self) -> Generator[connection.Connection]:
        with self._lock:
            try:
                yield self._file
            except apsw.Error as error:
                if isinstance(error, apsw.IOError):
                    self._die(f"{self._path}: writing failed, and nobody knows what is on disk")
                raise LedgerUnavailable(
                    f"{self._path}: the spool takes no record ({type(error).__name__}): make room"
                    " on the disk of the data folder, then restart the gateway"
                ) from None
            finally:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")


def _row(parcel: Parcel) -> tuple[Any, ...]:
    count = len(parcel.lines)
    return parcel.replica, parcel.group_seq, count, *parcels.packed(parcel)


def _hold(folder: Path) -> int:
    """Return the descriptor of the lock that one process can hold; closing it lets go."""
    held = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise ConfigError(
            f"{folder}: another `goodgate serve` uses this data folder. Stop it, or give this one"
            " a folder of its own with --data."
        ) from None
    return held

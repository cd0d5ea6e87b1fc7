"""
Connections to the registry's file: made private, durable on commit, brought up to date.

WAL and synchronous=FULL: what was committed survives a power cut.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import apsw

from gateway.errors import ConfigError

BUSY_MS = 5_000
"""How long a writer waits for another process to commit."""


class Rows(Protocol):
    """What a statement returns."""

    @property
    def get(self) -> Any:
        """The only value of the only row."""
        ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows."""
        ...


class Connection(Protocol):
    """The part of `apsw.Connection` in use, typed in full."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def execute(self, statements: str, bindings: Sequence[Any] | None = None) -> Rows:
        """Run statements."""
        ...

    def executemany(self, statements: str, rows: Iterable[Sequence[Any]]) -> Rows:
        """Run a statement for each row of bindings."""
        ...

    def pragma(self, name: str, value: int | str | None = None) -> Any:
        """Ask for, or set, a pragma."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def create(file: Path) -> None:
    """
    Make an empty file that its owner alone can read, unless one is there.

    Raises:
        ConfigError: it cannot be made.

    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ConfigError(f"{file}: this file cannot be made: {error.strerror}") from None


def connect(file: Path, migrations: Sequence[str]) -> Connection:
    """
    Return a connection that may write, to a file whose schema is up to date.

    Raises:
        ConfigError: the file cannot be opened, or a newer Goodgate wrote it.

    """
    try:
        opened = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        opened.set_busy_timeout(BUSY_MS)
        connection = cast("Connection", opened)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 2)
        _migrate(connection, file, migrations)
    except apsw.Error as error:
        raise ConfigError(f"{file}: this file cannot be opened: {error}") from None
    return connection


def _migrate(connection: Connection, file: Path, migrations: Sequence[str]) -> None:
    version = int(connection.pragma("user_version"))
    if version > len(migrations):
        raise ConfigError(f"{file}: a newer Goodgate wrote this file: update this one")
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.pragma("user_version"))  # another process may have been faster
        for number, step in enumerate(migrations[version:], version + 1):
            connection.execute(step)
            connection.pragma("user_version", number)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")

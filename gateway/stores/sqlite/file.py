"""A small SQLite file of the data folder: statements by name, one thread at a time."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import apsw

from gateway.errors import RegistryUnavailable
from gateway.stores import queries
from gateway.stores.sqlite import connection
from gateway.stores.sqlite.connection import Rows


class Run(Protocol):
    """Runs a statement of an open transaction."""

    def __call__(self, name: str, bindings: Sequence[Any], /) -> Rows:
        """Return its rows."""
        ...


class File:
    """A file, open; what fails is a RegistryUnavailable that says what to look at."""

    def __init__(self, folder: Path, name: str, sql: dict[str, str]) -> None:
        """Open it, made if need be; raises ConfigError."""
        self._path = folder / name
        connection.create(self._path)
        self._sql = sql
        self._connection = connection.connect(self._path, queries.migrations(sql))
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def ask(self, name: str, bindings: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement by itself, and return its rows."""
        with self._lock, self._told():
            return list(self._connection.execute(self._sql[name], bindings))

    @contextmanager
    def writing(self) -> Generator[Run]:
        """Yield what runs statements of one transaction: all of them hold, or none."""

        def run(name: str, bindings: Sequence[Any], /) -> Rows:
            return self._connection.execute(self._sql[name], bindings)

        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield run
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except apsw.Error as error:
            raise RegistryUnavailable(
                f"{self._path.name} cannot be used now ({type(error).__name__}): see that its disk"
                " is well and has room, and that no other process holds it, then try again"
            ) from error

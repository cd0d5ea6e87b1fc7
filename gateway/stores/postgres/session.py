"""A session with a database, used by one thread at a time; one that broke is replaced."""

import contextlib
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from gateway.errors import ConfigError, RegistryUnavailable
from gateway.stores import queries
from gateway.stores.postgres import connection
from gateway.stores.postgres.connection import Connection


class Session:
    """Statements by name; what fails is a RegistryUnavailable that says what to look at."""

    def __init__(self, url: str, schema: str, package_file: str) -> None:
        """Begin it, its tables made if need be; raises ConfigError."""
        self._address = connection.read(url)
        self._sql = connection.load(package_file)
        self._lock = threading.Lock()
        self._closed = False
        self._what = schema
        with connection.told(self._address, ConfigError):
            opened = connection.connect(self._address)
            try:
                migrations = queries.migrations(queries.load(package_file))
                connection.migrate(opened, schema, migrations)
            except BaseException:
                opened.close()
                raise
        self._connection = opened

    def close(self, last: str = "", given: Sequence[Any] = ()) -> None:
        """End it, with a last statement if the database still answers."""
        with self._lock:
            self._closed = True
            if last:
                with contextlib.suppress(psycopg.Error):
                    self._connection.execute(self._sql[last], given)
            self._connection.close()

    def ask(self, name: str, given: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement by itself, and return its rows."""
        with self.begin() as session:
            found = session.execute(self._sql[name], given)
            return found.fetchall() if found.description else []

    @contextmanager
    def begin(self) -> Generator[Connection]:
        """Yield the connection, a new one if the last broke."""
        with self._lock, connection.told(self._address, RegistryUnavailable):
            if self._closed:
                raise RegistryUnavailable(f"the {self._what} is closed: this server is stopping")
            if self._connection.closed or not _answers(self._connection):
                self._connection.close()
                self._connection = connection.connect(self._address)
            yield self._connection


def _answers(session: Connection) -> bool:
    try:
        session.execute(b"SELECT 1")
    except psycopg.OperationalError:
        return False
    return True

"""
Connections to PostgreSQL: opened from a URL, given up on in time, brought up to date.

Nobody waits for a server for longer than a statement may take and a second more: neither for
one that is slow, nor for one that is gone, nor for one that was stopped where it stood. What
was committed is on disk. The password is in no repr and in no error.
"""

import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from msgspec import Struct
from psycopg import abc, conninfo

from gateway.errors import ConfigError, GatewayError
from gateway.stores import queries

STATEMENT_TIMEOUT_S: Final = 4.0
IDLE_TIMEOUT_S: Final = 5.0
"""How long a transaction may be left open with nothing asked: one who hangs must free its locks."""
ANSWER_S: Final = 1.0
"""How long past its own limit a statement's answer is waited for."""
MIGRATION_S: Final = 600.0
"""How long bringing the schema up to date may take, waiting for another replica included."""
VERSION_MIN: Final = 14

_DEFAULTS: Final = {
    "application_name": "goodgate",
    "client_encoding": "UTF8",
    "connect_timeout": "4",
    # A host that is gone is noticed in about 5 s: asked after 2 s of silence, then each second.
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
    # Of several hosts, the one that may be written to.
    "target_session_attrs": "read-write",
}
# So that the server notices a client that is gone as soon, and frees its locks. A statement's
# commit is waited for until it is on disk, whatever the server's default is.
_SETTINGS: Final = b"""
SELECT set_config('statement_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('tcp_keepalives_idle', '2', false),
    set_config('tcp_keepalives_interval', '1', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '5000', false),
    set_config('synchronous_commit',
        replace(current_setting('synchronous_commit'), 'off', 'on'), false)
"""
_LOCK: Final = int.from_bytes(b"goodgate")
_PLACES: Final = re.compile(r"[A-Za-z0-9._:,/-]*")
_PORTS: Final = re.compile(r"[0-9,]*")
_NAMES: Final = re.compile(r"[^@/?#:]*")
_BAD_URL: Final = (
    "GOODGATE_DATABASE_URL cannot be used: write postgresql://user:password@host[:port]/database"
    "[?sslmode=verify-full], with each of @ : / ? # % in the password as %40 %3A %2F %3F %23 %25"
)

Row: TypeAlias = tuple[Any, ...]
_Result = TypeVar("_Result")


class Address(Struct, frozen=True, kw_only=True):
    """Where a database is, and how to introduce oneself."""

    place: str
    """`host:port/database`, for people."""
    parameters: dict[str, str]
    """libpq's, the password among them."""

    def __repr__(self) -> str:
        """Return the place alone."""
        return self.place


class NoAnswer(psycopg.OperationalError):
    """The server said nothing for too long; the session is closed."""


class Connection(psycopg.Connection[Row]):
    """One session: each statement commits by itself, outside of `transaction()`."""

    patience_s: float = STATEMENT_TIMEOUT_S + ANSWER_S
    """How long silence is borne. TCP alone would wait for ever for a server that hangs."""

    def wait(
        self,
        gen: abc.PQGen[_Result],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> _Result:
        """Wait for an answer; a session that is silent for too long is closed."""
        if timeout is not None:  # the caller has a limit of its own
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(_patiently(gen, self.patience_s), interval)
        except TimeoutError:
            self.close()
            raise NoAnswer("the server does not answer") from None

    @contextmanager
    def patient(self, limit_s: float) -> Generator[None]:
        """Run a transaction whose statements may take longer than others."""
        before_s = self.patience_s
        self.patience_s = limit_s + ANSWER_S
        try:
            with self.transaction():
                limits = ("statement_timeout", _milliseconds(limit_s))
                self.execute(b"SELECT set_config(%s, %s, true)", limits)
                yield
        finally:
            self.patience_s = before_s


def read(url: str) -> Address:
    """
    Return what a URL says: `postgresql://user:password@host:port/database?setting=value`.

    Raises:
        ConfigError: it says something else; what it says is not repeated.

    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(_BAD_URL)
    try:
        asked = {k: str(v) for k, v in conninfo.conninfo_to_dict(url).items() if v is not None}
    except psycopg.Error:
        raise ConfigError(_BAD_URL) from None
    host, port, name = asked.get("host", ""), asked.get("port", ""), asked.get("dbname", "")
    # A password that is not percent-encoded ends up in another part, which would be shown.
    if not (_PLACES.fullmatch(host) and _PORTS.fullmatch(port) and _NAMES.fullmatch(name)):
        raise ConfigError(_BAD_URL)
    place = f"{host or 'localhost'}{port and ':'}{port}/{name}"
    return Address(place=place, parameters=_DEFAULTS | asked)


def connect(
    address: Address,
    *,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
) -> Connection:
    """
    Return a new session.

    Raises:
        psycopg.Error: there is none to be had now; see `told`.
        ConfigError: the server is too old, or the database is not in UTF-8.

    """
    opened = Connection.connect(autocommit=True, prepare_threshold=1, **address.parameters)  # type: ignore[arg-type]  # libpq's parameters are text
    try:
        opened.patience_s = statement_timeout_s + ANSWER_S
        limits = (_milliseconds(statement_timeout_s), _milliseconds(idle_timeout_s))
        opened.execute(_SETTINGS, limits)
        _check(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened


@contextmanager
def told(address: Address, kind: Callable[[str], GatewayError]) -> Generator[None]:
    """Tell what goes wrong with the database as one kind of error, with nobody's data in it."""
    try:
        yield
    except psycopg.Error as error:
        raise kind(
            f"the database at {address.place} cannot be used now ({_reason(error, address)}):"
            " see that it runs, can be reached and has room, and what its log says, then try again"
        ) from None


def load(package_file: str) -> dict[str, bytes]:
    """Return the named statements of a file in `gateway/stores/sql`, as psycopg takes them."""
    return {name: sql.encode() for name, sql in queries.load(package_file).items()}


def migrate(connection: Connection, name: str, steps: Sequence[str]) -> None:
    """
    Bring one of the database's schemas (`registry`, `ledger`) up to date: all of it, or nothing.

    Several replicas may do so at once; the first does it and the others wait for it.

    Raises:
        ConfigError: a newer Goodgate wrote it.
        psycopg.Error: it cannot be done; see `told`.

    """
    if connection.execute(b"SELECT to_regclass('goodgate_schema')").fetchone() != (None,):
        version = _version(connection, name, len(steps))
        if version == len(steps):
            return
    with connection.patient(MIGRATION_S):
        connection.execute(b"SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(
            b"CREATE TABLE IF NOT EXISTS goodgate_schema"
            b" (name text PRIMARY KEY, version integer NOT NULL)"
        )
        version = _version(connection, name, len(steps))
        for step in steps[version:]:
            connection.execute(step.encode())
        connection.execute(
            b"INSERT INTO goodgate_schema VALUES (%s, %s)"
            b" ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (name, len(steps)),
        )


def _patiently(gen: abc.PQGen[_Result], patience_s: float) -> abc.PQGen[_Result]:
    """Pass a generator on until it ends; raises TimeoutError after a silence of `patience_s`."""
    try:
        state = next(gen)
        heard_at = time.monotonic()
        while True:
            ready = yield state
            if ready:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > patience_s:
                raise TimeoutError
            state = gen.send(ready)
    except StopIteration as done:
        result: _Result = done.value
        return result


def _version(connection: Connection, name: str, known: int) -> int:
    row = connection.execute(
        b"SELECT version FROM goodgate_schema WHERE name = %s", (name,)
    ).fetchone()
    version = int(row[0]) if row else 0
    if version > known:
        raise ConfigError(
            f"a newer Goodgate wrote the {name} in this database (its schema is {version}, and this"
            f" one knows {known}): update this one"
        )
    return version


def _check(opened: Connection, address: Address) -> None:
    if opened.info.server_version < VERSION_MIN * 10_000:
        raise ConfigError(
            f"the server at {address.place} is older than PostgreSQL {VERSION_MIN}: update it"
        )
    if opened.info.parameter_status("server_encoding") != "UTF8":
        raise ConfigError(
            f"the database {address.place} is not in UTF-8: make one with"
            " `CREATE DATABASE goodgate ENCODING 'UTF8' TEMPLATE template0`"
        )


def _reason(error: psycopg.Error, address: Address) -> str:
    """Return what may be shown: libpq's text of a failed connection, the name of other errors."""
    if error.sqlstate is not None or not isinstance(error, psycopg.OperationalError):
        return f"{type(error).__name__} {error.sqlstate or ''}".strip()
    text = " ".join(str(error).split())
    password = address.parameters.get("password")
    return (text.replace(password, "…") if password else text)[:300]


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))

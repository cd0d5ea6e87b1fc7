"""Sessions with PostgreSQL: from a URL, never waited for too long, on an up-to-date schema."""

import threading
from collections.abc import Iterator
from urllib.parse import unquote

import psycopg
import pytest

from gateway.errors import ConfigError, GatewayError, LedgerUnavailable, RegistryUnavailable
from gateway.stores.postgres import connection
from gateway.stores.postgres.connection import Connection
from tests.stores import postgreses
from tests.stores.valkeys import free_port

ONE = "CREATE TABLE a (x text); INSERT INTO a VALUES ('100 % sure')"


@pytest.fixture(scope="module")
def server() -> Iterator[postgreses.Server]:
    """Return a server of this module's own, to be stopped and frozen."""
    made = postgreses.Server()
    made.start()
    yield made
    made.discard()


@pytest.fixture
def opened() -> Iterator[Connection]:
    """Return a session on an empty database."""
    session = connection.connect(connection.read(postgreses.url()))
    yield session
    session.close()


def _one(session: Connection, query: bytes) -> object:
    row = session.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_a_url_says_where_and_hides_its_password() -> None:
    """In the text of it, and in all that is shown of it."""
    address = connection.read("postgresql://me:s3cret@db.example:5433/goodgate?sslmode=require")

    assert address.place == "db.example:5433/goodgate"
    assert "s3cret" not in f"{address} {address!r}"
    assert address.parameters["password"] == "s3cret"
    assert address.parameters["sslmode"] == "require"


def test_what_a_url_asks_for_goes_before_our_defaults() -> None:
    """Each of libpq's settings."""
    address = connection.read("postgres:///goodgate?application_name=other&keepalives_idle=9")

    assert address.place == "localhost/goodgate"
    assert address.parameters["application_name"] == "other"
    assert address.parameters["keepalives_idle"] == "9"
    assert address.parameters["tcp_user_timeout"] == "5000"


def test_several_hosts_are_named_as_libpq_names_them() -> None:
    """The one that may be written to is used."""
    address = connection.read("postgresql://a.example:1,b.example:2/goodgate")

    assert address.place == "a.example,b.example:1,2/goodgate"
    assert address.parameters["target_session_attrs"] == "read-write"


@pytest.mark.parametrize("password", ["s3%2Fcret%40", "s3?cret", "s3#cret", "s3:cret"])
def test_signs_that_mean_nothing_in_a_password_may_stand_there(password: str) -> None:
    """As libpq reads it; the others are percent-encoded."""
    address = connection.read(f"postgresql://me:{password}@db/goodgate")

    assert address.parameters["password"] == unquote(password)
    assert address.place == "db/goodgate"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://me:s3cret@db/goodgate",
        "host=db password=s3cret",
        "postgresql://me:s3cret",
        "postgresql://me:s3cret/x@db/goodgate",
        "postgresql://me:12s3cret/x@db/goodgate",
        "postgresql://me:12/s3cret@db/goodgate",
        "postgresql://me:x@s3cret@db/goodgate",
        "postgresql://me:x%s3cret@db/goodgate",
        "postgresql://me:s3cret@db/goodgate?no_such=1",
        "postgresql://me:s3cret@db/goodgate?s3cret",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    """A password with a sign of its own in it lands in some other part."""
    with pytest.raises(ConfigError, match="GOODGATE_DATABASE_URL cannot be used") as refused:
        connection.read(url)

    assert "s3cret" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_session_is_set_up_to_keep_what_it_commits(opened: Connection) -> None:
    """And to notice what is gone."""
    assert opened.autocommit is True
    assert opened.prepare_threshold == 1
    assert _one(opened, b"SHOW synchronous_commit") == "on"
    assert _one(opened, b"SHOW statement_timeout") == "4s"
    assert _one(opened, b"SHOW idle_in_transaction_session_timeout") == "5s"
    assert _one(opened, b"SHOW application_name") == "goodgate"


def test_commits_are_waited_for_though_the_server_would_not(server: postgreses.Server) -> None:
    """Only `off` is changed: what is stronger stays."""
    url = server.fresh()
    for given, kept in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        asked = f"{url}&options=-c%20synchronous_commit%3D{given}"
        session = connection.connect(connection.read(asked))
        assert _one(session, b"SHOW synchronous_commit") == kept
        session.close()


def test_a_wrong_password_is_told_without_it(server: postgreses.Server) -> None:
    """As one kind of error, with no other behind it that would show in a log."""
    address = connection.read(server.tcp_url(password="wr0ng"))

    with (
        pytest.raises(RegistryUnavailable, match="password authentication failed") as refused,
        connection.told(address, RegistryUnavailable),
    ):
        connection.connect(address)

    assert "wr0ng" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_server_that_is_not_there_is_told() -> None:
    """With what to do."""
    address = connection.read(f"postgresql://me:s3cret@127.0.0.1:{free_port()}/x")

    with (
        pytest.raises(ConfigError, match=r"refused.*see that it runs.*try again") as refused,
        connection.told(address, ConfigError),
    ):
        connection.connect(address)

    assert "s3cret" not in str(refused.value)


def test_a_servers_text_that_holds_the_password_is_told_without_it() -> None:
    """Whatever a proxy between here and there may say."""
    address = connection.read("postgresql://me:s3cret@db/x")

    with (
        pytest.raises(LedgerUnavailable, match=r"no such user …") as refused,
        connection.told(address, LedgerUnavailable),
    ):
        raise psycopg.OperationalError("no such\nuser s3cret")

    assert "\n" not in str(refused.value)


def test_data_is_in_no_error(opened: Connection) -> None:
    """PostgreSQL repeats it in the details of many."""
    address = connection.read("postgresql://db/x")
    opened.execute(b"CREATE TABLE a (x text PRIMARY KEY)")
    opened.execute(b"INSERT INTO a VALUES (%s)", ("alice",))

    with (
        pytest.raises(RegistryUnavailable, match=r"UniqueViolation 23505") as refused,
        connection.told(address, RegistryUnavailable),
    ):
        opened.execute(b"INSERT INTO a VALUES (%s)", ("alice",))

    assert "alice" not in str(refused.value)


def test_a_statement_that_takes_too_long_is_ended_by_the_server() -> None:
    """The session goes on."""
    session = connection.connect(connection.read(postgreses.url()), statement_timeout_s=0.05)

    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(b"SELECT pg_sleep(9)")

    assert _one(session, b"SELECT 1") == 1
    session.close()


def test_a_server_that_hangs_is_given_up(
    server: postgreses.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kernel still answers, so TCP alone would wait for ever."""
    monkeypatch.setattr(connection, "ANSWER_S", 0.05)
    session = connection.connect(connection.read(server.fresh(tcp=True)), statement_timeout_s=0.05)
    server.pause()
    try:
        with pytest.raises(connection.NoAnswer), session.transaction():
            session.execute(b"SELECT 1")
        assert session.closed
    finally:
        server.resume()


def test_a_long_answer_that_keeps_coming_is_no_silence(opened: Connection) -> None:
    """An import of many rows is one exchange, and may take longer than any one statement."""
    opened.patience_s = 0.0
    opened.execute(b"CREATE TABLE a (x int)")
    with opened.cursor() as cursor:
        cursor.executemany(b"INSERT INTO a VALUES (%s)", ((n,) for n in range(5_000)))

    assert _one(opened, b"SELECT count(*) FROM a") == 5_000


def test_a_callers_own_limit_goes_first(opened: Connection) -> None:
    """Waiting for a notice is no fault of the server's."""
    opened.patience_s = 0.0

    assert list(opened.notifies(timeout=0.01)) == []
    assert not opened.closed


def test_a_transaction_may_be_given_more_time() -> None:
    """It alone."""
    session = connection.connect(connection.read(postgreses.url()), statement_timeout_s=0.05)

    with session.patient(30.0):
        session.execute(b"SELECT pg_sleep(0.1)")
        assert session.patience_s == 30.0 + connection.ANSWER_S

    assert _one(session, b"SHOW statement_timeout") == "50ms"
    assert session.patience_s == 0.05 + connection.ANSWER_S
    session.close()


def test_a_database_of_another_encoding_is_refused(server: postgreses.Server) -> None:
    """Names of people and tasks would not fit into it."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")

    with pytest.raises(ConfigError, match="ENCODING 'UTF8'"):
        connection.connect(connection.read(server.url("latin")))


def test_a_server_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked of it that it does not know."""
    monkeypatch.setattr(connection, "VERSION_MIN", 99)

    with pytest.raises(ConfigError, match="older than PostgreSQL 99"):
        connection.connect(connection.read(postgreses.url()))


def test_a_schema_is_brought_up_to_date_step_by_step(opened: Connection) -> None:
    """Each one on its own, from wherever it stands."""
    connection.migrate(opened, "ledger", [ONE])
    connection.migrate(opened, "registry", ["CREATE TABLE b (x int)"])
    connection.migrate(
        opened, "ledger", [ONE, "ALTER TABLE a ADD y int", "INSERT INTO a VALUES ('z')"]
    )
    connection.migrate(
        opened, "ledger", [ONE, "ALTER TABLE a ADD y int", "INSERT INTO a VALUES ('z')"]
    )

    rows = opened.execute(b"SELECT name, version FROM goodgate_schema ORDER BY name").fetchall()
    assert rows == [("ledger", 3), ("registry", 1)]
    assert opened.execute(b"SELECT * FROM a").fetchall() == [("100 % sure", None), ("z", None)]


def test_a_schema_of_a_newer_goodgate_is_refused(opened: Connection) -> None:
    """Writing into a form we do not know would spoil it."""
    connection.migrate(opened, "ledger", [ONE, "SELECT 1"])

    with pytest.raises(ConfigError, match="newer Goodgate wrote the ledger"):
        connection.migrate(opened, "ledger", [ONE])


def test_a_migration_that_fails_leaves_the_schema_as_it_was(opened: Connection) -> None:
    """So that the older program still finds what it knows."""
    connection.migrate(opened, "ledger", [ONE])

    with pytest.raises(psycopg.errors.SyntaxError):
        connection.migrate(opened, "ledger", [ONE, "CREATE TABLE b (x int)", "nonsense"])

    assert _one(opened, b"SELECT to_regclass('b')") is None
    assert _one(opened, b"SELECT version FROM goodgate_schema") == 1


def test_replicas_may_bring_a_schema_up_to_date_at_once() -> None:
    """One does it; the others wait for it."""
    address = connection.read(postgreses.url())
    together = threading.Barrier(6)
    failed: list[Exception] = []

    def start() -> None:
        with connection.told(address, GatewayError):
            session = connection.connect(address)
        together.wait()
        try:
            connection.migrate(
                session, "ledger", [ONE, "SELECT pg_sleep(0.05)", "CREATE TABLE b ()"]
            )
        except psycopg.Error as error:
            failed.append(error)
        finally:
            session.close()

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    session = connection.connect(address)
    assert failed == []
    assert _one(session, b"SELECT count(*) FROM a") == 1
    assert _one(session, b"SELECT version FROM goodgate_schema") == 3
    session.close()

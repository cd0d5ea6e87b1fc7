"""The connection to the store: what it sends, what it makes of answers, and how it comes back."""

import asyncio
import datetime
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import errors
from gateway.stores.redis import address, cluster, resp
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.resp import Away, Moved, NoScript, ServerError
from gateway.stores.redis.scripts import Script
from tests.stores import valkeys
from tests.stores.valkeys import back, gone, raw, until, valkey

ECHO = Script.of("echo", "return {KEYS[1], ARGV[1]}")
HELLO = b"*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
OK = b"+OK\r\n"


class Scripted:
    """A server that answers with what the test has laid out, one answer to each read."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.reads: list[bytes] = []
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"redis://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer; None hangs up, and after the last answer it is silent."""
        self._writers.append(writer)
        while data := await reader.read(1 << 20):
            self.reads.append(data)
            answer = self.answers.pop(0) if self.answers else b""
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    async def closed(self) -> None:
        """Hang up on everybody."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def scripted(
    *answers: bytes | None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Scripted]:
    """Give a server that says HELLO, takes the probe, and then answers as told."""
    made = Scripted(HELLO, OK, *answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.closed()
        await server.wait_closed()


@asynccontextmanager
async def connected(url: str, timeout_s: float = 1.0) -> AsyncIterator[Connection]:
    """Give a connection that is up."""
    connection = await Connection.connect(url, timeout_s=timeout_s)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_script_is_run_and_known_afterwards() -> None:
    async with valkey() as server, connected(server.url) as connection:
        for argument in (b"1", b"\x00\xff\r\n"):
            assert await connection.call(ECHO, (b"k",), (argument,)) == [b"k", argument]
        assert await connection.command(b"SCRIPT", b"EXISTS", ECHO.sha1) == [1]
        await connection.command(b"SCRIPT", b"FLUSH")
        assert await connection.call(ECHO, (b"k",), (b"2",)) == [b"k", b"2"]


async def test_it_says_its_name() -> None:
    async with valkey() as server, connected(server.url) as connection:
        assert await connection.command(b"CLIENT", b"GETNAME") == b"goodgate"


async def test_commands_of_one_turn_leave_together_and_are_answered_in_order() -> None:
    answers = b"".join(b":%d\r\n" % n for n in range(100))
    async with scripted(answers) as server, connected(server.url) as connection:
        found = await asyncio.gather(*(connection.command(b"PING") for _ in range(100)))
        assert found == list(range(100))
        assert server.reads[-1] == b"*1\r\n$4\r\nPING\r\n" * 100


async def test_many_at_once_get_their_own_answers() -> None:
    async with valkey() as server, connected(server.url) as connection:

        async def ask(number: int) -> bool:
            """Return whether the answer is ours, whoever else asks."""
            argument = b"%d" % number * (number % 50)
            return bool(await connection.call(ECHO, (b"k",), (argument,)) == [b"k", argument])

        assert all(await asyncio.gather(*map(ask, range(2_000))))


async def test_who_stops_waiting_shifts_nobody_elses_answer() -> None:
    async with valkey() as server, connected(server.url) as connection:
        jobs = [
            asyncio.ensure_future(connection.call(ECHO, (b"k",), (b"%d" % n,))) for n in range(20)
        ]
        await connection.command(b"PING")
        late = [
            asyncio.ensure_future(connection.call(ECHO, (b"k",), (b"%d" % n,))) for n in range(20)
        ]
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn
        for job in late[::2]:
            job.cancel()
        assert [(await job)[1] for job in jobs] == [b"%d" % n for n in range(20)]
        assert [(await job)[1] for job in late[1::2]] == [b"%d" % n for n in range(1, 20, 2)]


@pytest.mark.parametrize("where", ["tcp", "unix"])
async def test_a_password_a_user_and_a_database(where: str) -> None:
    async with valkey("--requirepass", "p@ss:w/rd") as server:
        place = f"127.0.0.1:{server.port}/3" if where == "tcp" else f"{server.socket}?db=3"
        scheme = "redis" if where == "tcp" else "unix"
        async with connected(f"{scheme}://:p%40ss%3Aw%2Frd@{place}") as connection:
            info = await connection.command(b"CLIENT", b"INFO")
            assert b" db=3 " in info
            assert b" user=default " in info
            await connection.command(
                b"ACL", b"SETUSER", b"gate", b"on", b">secret", b"+@all", b"~*"
            )
        async with connected(f"{scheme}://gate:secret@{place}") as connection:
            assert b" user=gate " in await connection.command(b"CLIENT", b"INFO")


async def test_a_credential_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    async with valkey("--requirepass", "right") as server:
        url = server.url.replace("//", "//gate:hunter22@")
        with pytest.raises(errors.StoreUnavailable, match="WRONGPASS") as caught:
            await Connection.connect(url)
        made = Connection(url)
        shown = [str(caught.value), repr(made.address), str(vars(made)), caplog.text]
        assert not any("hunter22" in text for text in shown)


@pytest.mark.parametrize(
    "url",
    [
        "http://hunter22@localhost",
        "redis://",
        "redis://hunter22@host:port",
        "redis://hunter22@host/one",
        "unix://",
        "unix:///socket?db=-1",
        "hunter22",
        "redis://[hunter22",
    ],
)
def test_a_url_that_says_something_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        Connection(url)
    assert "hunter22" not in str(caught.value)
    assert "GOODGATE_REDIS_URL" in str(caught.value)


def test_a_url_says_where_the_store_is() -> None:
    found = address.read("rediss://user:pass@[::1]:7000/2")
    assert (found.host, found.port, found.is_tls, found.db) == ("::1", 7000, True, 2)
    assert (found.username, found.password, found.place) == ("user", "pass", "::1:7000")
    assert address.read("redis://store").place == "store:6379"
    assert address.read("unix:///run/my%20store").place == "/run/my store"
    assert found.at("node:7001").place == "node:7001"
    assert found.at(":7001").place == "::1:7001"
    assert found.at("fe80::2:7001").host == "fe80::2"


async def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(errors.StoreUnavailable, match=r"ConnectionRefusedError.*goodgate doctor"):
        await Connection.connect(f"redis://127.0.0.1:{valkeys.free_port()}")
    with pytest.raises(errors.StoreUnavailable, match="gaierror"):
        await Connection.connect("redis://no-such-host.invalid")
    with pytest.raises(errors.StoreUnavailable, match="FileNotFoundError"):
        await Connection.connect("unix:///no/such/socket")


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with scripted() as server:
        server.answers = []
        with pytest.raises(errors.StoreUnavailable, match=r"no answer in 0\.1 s"):
            await Connection.connect(server.url, timeout_s=0.1)


async def test_a_frozen_server_holds_nobody_for_longer_than_the_limit() -> None:
    async with valkey() as server, connected(server.url, timeout_s=0.3) as connection:
        server.freeze()
        since = time.monotonic()
        jobs = [asyncio.ensure_future(connection.call(ECHO, (b"k",), (b"v",))) for _ in range(50)]
        told = await asyncio.gather(*jobs, return_exceptions=True)
        assert all(isinstance(each, errors.StoreUnavailable) for each in told)
        assert 0.3 <= time.monotonic() - since < 0.8
        assert not connection.up
        with pytest.raises(errors.StoreUnavailable, match=r"no answer in 0\.3 s"):
            await connection.command(b"PING")
        server.thaw()
        await back(connection)
        assert await connection.command(b"PING") == b"PONG"


async def test_our_own_delay_is_not_the_servers() -> None:
    """A loop that was held up reads what has arrived before it judges."""
    async with valkey() as server, connected(server.url, timeout_s=0.1) as connection:
        link = connection._link
        assert link is not None
        answer = link.send(b"PING")
        link._flush()
        until_s = time.monotonic() + 0.3
        while time.monotonic() < until_s:
            pass
        link._look()
        assert await answer == b"PONG"
        assert connection.up


async def test_silence_after_an_answer_is_timed_from_when_each_was_asked() -> None:
    async with scripted(b"+one\r\n") as server, connected(server.url, timeout_s=0.2) as connection:
        assert await connection.command(b"PING") == b"one"
        with pytest.raises(errors.StoreUnavailable, match="no answer"):
            await connection.command(b"PING")


async def test_it_comes_back_and_tells() -> None:
    told: list[str] = []
    async with valkey() as server, connected(server.url) as connection:
        connection.on_down = told.append
        connection.on_up = lambda: told.append("up")
        waiting = asyncio.ensure_future(connection.command(b"BLPOP", b"nothing", b"0"))
        await server.kill()
        with pytest.raises(errors.StoreUnavailable):
            await waiting
        assert not connection.up
        with pytest.raises(errors.StoreUnavailable, match="connection lost"):
            await connection.call(ECHO, (b"k",), (b"v",))
        await server.start()
        await back(connection)
        assert await connection.call(ECHO, (b"k",), (b"v",)) == [b"k", b"v"]
    assert told == ["connection lost", "up", "closed"]


async def test_closing_fails_what_waits_and_ends_the_job() -> None:
    async with valkey() as server:
        connection = await Connection.connect(server.url)
        waiting = asyncio.ensure_future(connection.command(b"BLPOP", b"nothing", b"0"))
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn
        await connection.close()
        await connection.close()
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            await waiting
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            await connection.command(b"PING")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("local a\nreturn a.secret", "user_script:2"),
        ("return redis.call('NONSENSE', ARGV[1])", "user_script:1"),
        ("return redis.call('INCR', KEYS[1])", ""),
        ("return redis.error_reply('MINE a secret of ' .. ARGV[1])", "MINE"),
    ],
)
async def test_a_wrong_script_is_a_bug_and_says_where(text: str, line: str) -> None:
    async with valkey() as server, connected(server.url) as connection:
        await connection.command(b"SET", b"k", b"hunter22")
        with pytest.raises(ServerError, match=rf"wrong\.lua: .*{line}") as caught:
            await connection.call(Script.of("wrong", text), (b"k",), (b"hunter22",))
        assert "hunter22" not in str(caught.value)
        assert "secret" not in str(caught.value)
        assert connection.up
        with pytest.raises(ServerError, match="NONSENSE: ERR"):
            await connection.command(b"NONSENSE", b"hunter22")


@pytest.mark.parametrize("code", sorted(resp.AWAY))
async def test_a_server_that_does_not_do_its_work_is_away(code: str) -> None:
    answer = f"-{code} for some reason\r\n".encode()
    async with scripted(answer) as server, connected(server.url) as connection:
        with pytest.raises(errors.StoreUnavailable, match=code):
            await connection.call(ECHO, (b"k",), (b"v",))
        assert not connection.up


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((b"nonsense\r\n",), "it does not speak RESP"),
        ((None,), "connection lost"),
        ((b"+one\r\n+two\r\n",), "it closes the connection"),
        ((b"-MOVED 1 127.0.0.1:1\r\n",), "it has become a cluster"),
    ],
)
async def test_a_server_out_of_its_mind_is_away(
    answers: tuple[bytes | None, ...], why: str
) -> None:
    async with scripted(*answers) as server, connected(server.url) as connection:
        told = await asyncio.gather(connection.command(b"PING"), return_exceptions=True)
        if told != [b"one"]:
            assert isinstance(told[0], errors.StoreUnavailable)
            assert why in str(told[0])
        assert not connection.up


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        ((b"-ERR unknown command\r\n",), "it refuses HELLO or SELECT: ERR"),
        ((HELLO, b"-ERR unknown command 'SET'\r\n"), "it takes no writes: ERR"),
        ((HELLO, b"-READONLY You can't write\r\n"), "READONLY"),
        ((HELLO, b"-NOSCRIPT what\r\n"), "it takes no writes"),
        ((b"-ERR max number of clients reached\r\n", None), "ERR"),
        ((HELLO, None), "connection lost"),
    ],
)
async def test_who_cannot_be_used_is_not_up(hello: tuple[bytes | None, ...], why: str) -> None:
    async with scripted() as server:
        server.answers = list(hello)
        with pytest.raises(errors.StoreUnavailable, match=why):
            await Connection.connect(server.url)


async def test_too_many_clients_is_away_and_then_not() -> None:
    async with valkey("--maxclients", "1") as server:
        first = await Connection.connect(server.url)
        second = Connection(server.url)
        await second.start()
        assert not second.up
        await first.close()
        await back(second)
        assert await second.command(b"PING") == b"PONG"
        await second.close()


@asynccontextmanager
async def _speaking_tls(folder: Path) -> AsyncIterator[tuple[Scripted, ssl.SSLContext]]:
    """Give a server with a certificate for localhost, and a context that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "cert.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with scripted(b"+PONG\r\n", tls=context) as server:
        yield server, ssl.create_default_context(cafile=str(pem))


async def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _speaking_tls(tmp_path) as (server, trusting):
        with pytest.raises(errors.StoreUnavailable, match="SSLCertVerificationError"):
            await Connection.connect(f"rediss://localhost:{server.port}")
        monkeypatch.setattr(address, "_tls", lambda: trusting)
        with pytest.raises(errors.StoreUnavailable, match="SSLCertVerificationError"):
            await Connection.connect(f"rediss://127.0.0.1:{server.port}")
        async with connected(f"rediss://localhost:{server.port}") as connection:
            assert await connection.command(b"PING") == b"PONG"


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("NOSCRIPT No matching script.", NoScript, ""),
        ("MOVED 3999 127.0.0.1:6381", Moved, ""),
        ("ASK 3999 127.0.0.1:6381", Moved, ""),
        ("OOM command not allowed when used memory > 'maxmemory'.", Away, "OOM"),
        ("ERR unknown command `x`, with args beginning with: `hunter22`", ServerError, "^ERR$"),
        ("what is this hunter22", ServerError, "^ERR$"),
        ("", ServerError, "^ERR$"),
    ],
)
def test_what_an_error_means(text: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said or None):
        raise resp.fault_of(text)


def test_slots_are_those_of_the_specification() -> None:
    assert cluster.slot_of(b"123456789") == 12739
    assert cluster.slot_of(b"foo") == 12182
    assert cluster.slot_of(b"a{foo}b") == 12182
    assert cluster.slot_of(b"{foo}{bar}") == 12182
    assert cluster.slot_of(b"foo{}{bar}") == 8363
    assert cluster.slot_of(b"foo{{bar}}zap") == cluster.slot_of(b"{bar")


def test_masters_are_read_from_what_a_node_says() -> None:
    table = cluster.masters(
        [[0, 1, [b"10.0.0.1", 7000, b"id"], [b"10.0.0.2", 7001, b"id"]], [3, 3, [None, 7002]]],
        "seed",
    )
    assert table[:5] == ["10.0.0.1:7000", "10.0.0.1:7000", "", "seed:7002", ""]


async def test_every_slot_is_reached_from_any_node() -> None:
    async with valkeys.cluster() as nodes:
        for node in nodes:
            async with connected(node.url) as connection:
                assert connection.is_cluster
                for number in range(20):
                    key = b"{%d}" % number
                    assert await connection.call(ECHO, (key,), (b"v",)) == [key, b"v"]
                    assert await connection.command(b"SET", key, b"v") == b"OK"
                assert await connection.command(b"PING") == b"PONG"


async def test_a_slot_on_the_move_is_followed() -> None:
    """ASK while it moves, MOVED afterwards."""
    async with valkeys.cluster() as nodes, connected(nodes[2].url) as connection:
        key = next(b"{%d}" % n for n in range(99) if cluster.slot_of(b"{%d}" % n) < 16384 // 3)
        slot = cluster.slot_of(key)
        source, target = await raw(nodes[0]), await raw(nodes[1])
        ids = await source("CLUSTER", "MYID"), await target("CLUSTER", "MYID")
        await target("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        await source("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        moved: list[int] = []
        connection.on_moved = lambda: moved.append(slot)
        answers = await asyncio.gather(
            connection.command(b"SET", key, b"1"), connection.call(ECHO, (key,), (b"v",))
        )
        assert answers == [b"OK", [key, b"v"]]
        assert not moved
        for client in (target, source):
            await client("CLUSTER", "SETSLOT", slot, "NODE", ids[1])
        assert await connection.command(b"GET", key) == b"1"
        assert moved == [slot]
        assert connection.up

        async def is_known() -> bool:
            await connection.command(b"PING")
            return connection._cluster is not None and moved == [slot]

        await until(is_known)
        assert await connection.command(b"GET", key) == b"1"
        assert moved == [slot]


async def test_a_cluster_that_lost_a_node_is_away() -> None:
    async with valkeys.cluster() as nodes, connected(nodes[0].url) as connection:
        await nodes[1].kill()
        await gone(connection)
        with pytest.raises(errors.StoreUnavailable):
            await connection.command(b"PING")


async def test_a_cluster_without_all_slots_is_not_up() -> None:
    async with valkey("--cluster-enabled", "yes") as server:
        with pytest.raises(errors.StoreUnavailable, match="slots of the cluster have no master"):
            await Connection.connect(server.url)
        client = await raw(server)
        await client("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        connection = Connection(server.url)
        await connection.start()
        await back(connection)
        assert await connection.command(b"SET", b"k", b"v") == b"OK"
        await connection.close()

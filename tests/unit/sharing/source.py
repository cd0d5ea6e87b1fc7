"""A provider's reply that a test lets arrive piece by piece."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable
from typing import Protocol, Self

from gateway import sharing
from gateway.errors import GatewayError, ProviderCut
from gateway.values import Reply

SHARE = b"s" * 32


async def settled() -> None:
    """Let every job run until it waits for something that is not there yet."""
    for _ in range(20):
        await asyncio.sleep(0)


class Source:
    """A body whose pieces arrive when told to; it can be read on by another job."""

    def __init__(self, *pieces: bytes, ended: bool = False) -> None:
        self._waiting: list[bytes] = list(pieces)
        self._end: BaseException | None = StopAsyncIteration() if ended else None
        self._news: asyncio.Event = asyncio.Event()
        self.reads = 0
        self.closed = 0
        self.readers = 0

    def arrive(self, *pieces: bytes) -> None:
        """Let pieces arrive."""
        self._waiting += pieces
        self._news.set()

    def end(self, error: BaseException | None = None) -> None:
        """Let the reply end."""
        self._end = error or StopAsyncIteration()
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        assert self.readers == 0, "two jobs read one reply"
        self.readers += 1
        try:
            while not self._waiting and self._end is None:
                self._news.clear()
                await self._news.wait()
        finally:
            self.readers -= 1
        if self._waiting:
            self.reads += 1
            return self._waiting.pop(0)
        assert self._end is not None
        if isinstance(self._end, StopAsyncIteration):
            raise StopAsyncIteration
        raise self._end

    async def close(self) -> None:
        """Give it up: whoever waits for it is told."""
        self.closed += 1
        if self._end is None:
            self.end(ProviderCut("closed"))

    def reply(self, status: int = 200, *, stream: bool = True, resumable: bool = True) -> Reply:
        """Return the reply with this body."""
        return Reply(
            status=status,
            headers=((b"content-type", b"text/event-stream"),),
            chunks=self if resumable else self._generated(),
            close=self.close,
            stream=stream,
            resumable=resumable,
        )

    async def _generated(self) -> AsyncGenerator[bytes, None]:
        async for piece in self:
            yield piece


class Sends(Protocol):
    """What a leader sends its call with."""

    async def send(self) -> Reply:
        """Return the provider's reply once its head is there."""
        ...


class Caller:
    """A call that shares: the loop every caller runs, and what came of it."""

    def __init__(self, flights: sharing.Flights, name: str, provider: "Sends") -> None:
        self._flights = flights
        self._provider = provider
        self.name = name
        self.got = b""
        self.status = 0
        self.led = False
        self.reply: Reply | None = None
        self.job: asyncio.Future[None] | None = None

    def begin(self) -> Self:
        """Begin in a job of its own."""
        self.job = asyncio.ensure_future(self.call())
        return self

    async def call(self) -> None:
        """Send, or follow, until there is a reply; read it whole."""
        failures = 0
        while True:
            with self._flights.board(SHARE, self.name, failures) as boarding:
                self.led = boarding.leads
                reply = await self._reply(boarding)
                if reply is not None:
                    await self._read(reply)
                    return
                failures = boarding.failures

    async def _reply(self, boarding: sharing.Boarding) -> Reply | None:
        if boarding.leads:
            try:
                return boarding.carry(await self._provider.send())
            except GatewayError as error:
                boarding.fail(error)
                raise
        return boarding.follow() if await boarding.departure() else None

    async def _read(self, reply: Reply) -> None:
        self.reply = reply
        self.status = reply.status
        done = False
        try:
            async for chunk in reply.chunks:
                self.got += chunk
            done = True
        except ProviderCut:
            done = True
            raise
        finally:
            if not done:
                await reply.close()


class Provider:
    """Answers each call with the next reply; counts calls and how many are open at once."""

    def __init__(self, answers: Iterable[Reply | GatewayError] = ()) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.sending = 0
        self.sending_max = 0
        self.gate: asyncio.Event | None = None

    async def send(self) -> Reply:
        """Return the next reply, once the gate is open."""
        self.calls += 1
        self.sending += 1
        self.sending_max = max(self.sending_max, self.sending)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)  # no provider answers without a turn of the loop
            answer = self.answers.pop(0)
        finally:
            self.sending -= 1
        if isinstance(answer, GatewayError):
            raise answer
        return answer


async def outcome(job: Awaitable[None] | None) -> BaseException | None:
    """Return what a job ended with."""
    assert job is not None
    try:
        await job
    except (GatewayError, asyncio.CancelledError) as error:
        return error
    return None

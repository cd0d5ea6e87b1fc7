"""A reply that another replica reads from its provider, as the one who asked for it sees it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Self

import msgspec

from gateway.errors import ProviderCut
from gateway.stores.redis.sealing import Envelope, Kind, Seal, Unfit

HELD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Who is that far behind is cut: the leader does not wait."""


class Head(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What comes before the body."""

    request_id: str
    """Of the call that was sent to the provider."""
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    stream: bool


class Following:
    """One reply followed. Implements `sharing.RemoteFlight`."""

    def __init__(self, seal: Seal, stop: Callable[[], Awaitable[None]]) -> None:
        """Open messages with `seal`; `stop` tells the leader that nobody listens any more."""
        self._seal = seal
        self._stop = stop
        self._parts: deque[bytes] = deque()
        self._held = 0
        self._waiter: asyncio.Future[None] | None = None
        self._head: Head | None = None
        self.answered = False
        """Whether the leader has said anything yet."""
        self.heard_at = asyncio.get_running_loop().time()
        """When it last said something, by the loop's clock."""
        self.over = False
        """Whether nothing more comes."""
        self._whole = False

    @property
    def request_id(self) -> str:
        """Request id of the call the other replica sent."""
        return self.head.request_id

    @property
    def status(self) -> int:
        """HTTP status of the reply."""
        return self.head.status

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers of the reply, as `Reply.headers`."""
        return self.head.headers

    @property
    def stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.head.stream

    @property
    def chunks(self) -> AsyncIterator[bytes]:
        """The body; ends early by raising `errors.ProviderCut`, whoever failed."""
        return self

    @property
    def head(self) -> Head:
        """What came before the body; only once `departed`."""
        assert self._head is not None
        return self._head

    async def answer(self) -> None:
        """Return once the leader has said anything at all, or it is over."""
        while not (self.answered or self.over):
            await self._news()

    async def departed(self) -> bool:
        """Return once the head is there (True), or it is over without one."""
        while self._head is None and not self.over:
            await self._news()
        return self._head is not None

    async def close(self) -> None:
        """Stop following. A second time does nothing; needed unless `chunks` was read out."""
        self._parts.clear()
        if not self.over:
            self.fail()
            await self._stop()

    def fail(self) -> None:
        """Note that nothing more comes, and something is missing."""
        self.over = True
        self._wake()

    def take(self, envelope: Envelope) -> None:
        """Take a message; one that is lost, repeated or forged ends the flow."""
        if self.over:
            return
        try:
            kind, content = self._seal.open(envelope)
            self._note(kind, content)
        except (Unfit, msgspec.MsgspecError):
            self.fail()
        self.heard_at = asyncio.get_running_loop().time()
        self.answered = True
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self._whole:
                raise StopAsyncIteration
            if self.over:
                raise ProviderCut("The reply ended before it was complete; try again")
            await self._news()
        part = self._parts.popleft()
        self._held -= len(part)
        return part

    def _note(self, kind: Kind, content: bytes) -> None:
        if kind is Kind.HEAD:
            self._head = msgspec.msgpack.decode(content, type=Head)
        elif kind is Kind.CHUNK:
            self._parts.append(content)
            self._held += len(content)
            if self._held > HELD_BYTES_MAX:
                raise Unfit
        elif kind is Kind.END:
            self._whole = self.over = True
        elif kind is not Kind.PING:
            self.over = True

    async def _news(self) -> None:
        """Wait for a change. One reader at a time."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

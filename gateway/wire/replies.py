"""
Replies read as they pass.

The rule it keeps: every byte leaves as it came and when it came. The one exception is
the usage chunk the gateway itself asked for (`outgoing`): the caller did not, so it is
dropped, and only for such a reply is an event held until it is whole. (Chunks before it
carry `"usage":null` then; that is left alone, clients do not mind it.)
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from gateway.values import Call, Figures
from gateway.wire import anthropic, openai, outgoing, sse
from gateway.wire.sse import Splitter, Unread
from gateway.wire.tally import Tally

PLAIN_BYTES_MAX: Final = 32 * 1024 * 1024
"""A plain reply larger than this is passed on without being read."""

FAILED_STATUS: Final = 400

EventReading = Callable[[bytes, Tally], bool]
WholeReading = Callable[[bytes, Tally], None]

_EVENTS: Final[Mapping[str, EventReading]] = {
    "chat": openai.chunk,
    "completions": openai.chunk,
    "responses": openai.event,
    "messages": anthropic.event,
}
_WHOLES: Final[Mapping[str, WholeReading]] = {
    "chat": openai.whole,
    "completions": openai.whole,
    "responses": openai.whole,
    "embeddings": openai.whole,
    "messages": anthropic.whole,
    "count_tokens": anthropic.counting,
}


class Reader(Protocol):
    """Watches one reply go by."""

    @property
    def ended(self) -> bool:
        """Whether the reply came to its proper end."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Return what to pass on for a chunk that arrived."""
        ...

    def close(self) -> bytes:
        """Return what was still held, now that nothing more comes."""
        ...

    def figures(self) -> Figures:
        """Return what the reply has told so far."""
        ...


def reader(call: Call, *, status: int, stream: bool) -> Reader:
    """Return what reads a reply of this status to a call, streaming or plain."""
    name = call.inbound.route.name
    if status >= FAILED_STATUS:
        return _Failed()
    if not stream or name not in _EVENTS:
        return _Plain(_WHOLES[name])
    if outgoing.adds_usage(call):
        return _Stripping(_EVENTS[name])
    return _Stream(_EVENTS[name])


class _Stream:
    """Passes a stream on as it comes and reads along."""

    def __init__(self, read: EventReading, event_bytes_max: int = sse.EVENT_BYTES_MAX) -> None:
        self._read = read
        self._splitter = Splitter(event_bytes_max)
        self._told = Tally()

    @property
    def ended(self) -> bool:
        return self._told.ended

    def feed(self, chunk: bytes) -> bytes:
        for event in self._splitter.feed(chunk):
            self._is_extra(event)
        return chunk

    def close(self) -> bytes:
        self._is_extra(self._splitter.close())
        return b""

    def figures(self) -> Figures:
        return self._told.figures()

    def _is_extra(self, event: bytes) -> bool:
        """Read an event, and return whether it only tells usage."""
        payload = b"" if type(event) is Unread else sse.data(event)
        return bool(payload) and self._read(payload, self._told)


class _Stripping(_Stream):
    """Passes a stream on event by event, without the chunk that only tells usage."""

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(
            [event for event in self._splitter.feed(chunk) if not self._is_extra(event)]
        )

    def close(self) -> bytes:
        rest = self._splitter.close()
        return b"" if self._is_extra(rest) else rest


class _Plain:
    """Passes a plain reply on as it comes and reads it once it is whole."""

    def __init__(self, read: WholeReading, bytes_max: int = PLAIN_BYTES_MAX) -> None:
        self._read = read
        self._max = bytes_max
        self._size = 0
        self._chunks: list[bytes] = []
        self._closed = False
        self._told = Tally()

    @property
    def ended(self) -> bool:
        return self._told.ended

    def feed(self, chunk: bytes) -> bytes:
        self._size += len(chunk)
        if self._size <= self._max:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()
        return chunk

    def close(self) -> bytes:
        if not self._closed:
            self._closed = True
            self._told = self._measured()
            self._chunks.clear()
        return b""

    def figures(self) -> Figures:
        return (self._told if self._closed else self._measured()).figures()

    def _measured(self) -> Tally:
        told = Tally()
        if self._size > self._max:
            told.spoke(self._size)
            told.ended = self._closed
        elif self._size:
            self._read(b"".join(self._chunks), told)
        return told


class _Failed:
    """Passes an error on: no provider bills one."""

    def __init__(self) -> None:
        self.ended = False

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def close(self) -> bytes:
        self.ended = True
        return b""

    def figures(self) -> Figures:
        return Figures(ended=self.ended, failed=True)

"""
One HTTP/1.1 connection to a provider: a request goes out, its reply is kept until it is taken.

llhttp does the parsing and is left strict: what can be read in two ways ends the connection
(RFC 9112 section 11.2). The clock is one timer for a connection's whole life, which looks at a
deadline: to set another deadline costs an assignment, not a timer.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from gateway.upstream.connection_limits import Failure, Limits

HEAD_BYTES_MAX = 32 * 1024
"""The largest head; and the most that may arrive without a byte of a body among it."""
HEADERS_MAX = 200
HELD_BYTES_MAX = 256 * 1024
"""When this much was not taken yet, no more is read."""
PIECE_BYTES = 256 * 1024
"""A larger request is written in pieces, so that it never holds up the rest."""

LOST: Final = 0
RESTING: Final = 1
HEAD: Final = 2
BODY: Final = 3
DONE: Final = 4
"""The stages: over; between two calls; awaiting a head; in a body; a reply is there whole."""
_INFORMATIONAL = frozenset(range(100, 200)) - {101}
_FINAL = range(200, 600)
_TE_LENGTH = len(b"transfer-encoding")
_FRAMED_BY = (b"content-length", b"transfer-encoding")


class Connection(asyncio.Protocol):
    """A connection; it serves one call at a time."""

    __slots__ = (
        "_barren",
        "_deadline",
        "_feed",
        "_held",
        "_idle_s",
        "_is_full",
        "_is_paused",
        "_limits",
        "_loop",
        "_now",
        "_on_lost",
        "_parser",
        "_tick_s",
        "_timer",
        "_transport",
        "_unsent",
        "_waiter",
        "failure",
        "headers",
        "is_reusable",
        "on_body",
        "parts",
        "stage",
        "status",
    )

    def __init__(self, limits: Limits, on_lost: Callable[["Connection"], None]) -> None:
        """Keep to `limits`; `on_lost` is told when the connection is over."""
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._limits = limits
        self._idle_s = limits.idle_s
        self._tick_s = min(limits.first_byte_s, limits.idle_s, limits.keep_alive_s)
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self._deadline = 0.0
        self._barren = 0
        self._held = 0
        self._is_full = False
        self._is_paused = False
        self._unsent: memoryview | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.stage = LOST
        self.failure = Failure.BROKEN
        self.is_reusable = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        """Of the body: what has arrived and was not taken."""
        self.on_body = self.parts.append  # the parser calls it: no Python in between
        self._parser = httptools.HttpResponseParser(self)
        self._feed = self._parser.feed_data

    def begin(self, head: bytes, body: bytes) -> None:
        """Send a request: `head` from the request line to the empty line, and its body."""
        self.stage = HEAD
        self.status = 0
        self.headers.clear()
        self.is_reusable = False
        self._barren = self._held = 0
        self._deadline = self._now() + self._limits.first_byte_s
        if len(body) <= PIECE_BYTES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head)
            self._unsent = memoryview(body)
            self._send_on()

    def waiting(self) -> asyncio.Future[None]:
        """Return what is done when the stage changes or something of the body arrives."""
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def take(self) -> bytes:
        """Return what has arrived of the body."""
        parts = self.parts
        chunk = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._held = 0
        if self._is_paused:
            self._is_paused = False
            self._deadline = self._now() + self._idle_s
            self._transport.resume_reading()
        return chunk

    def rest(self) -> None:
        """Wait for the next call, for a while; any byte that arrives now ends the connection."""
        self.stage = RESTING
        self._deadline = self._now() + self._limits.keep_alive_s

    def is_usable(self) -> bool:
        """Return whether a call can be sent now."""
        return (
            self.stage == RESTING
            and self._now() < self._deadline
            and not self._transport.is_closing()
        )

    def abort(self) -> None:
        """End the connection at once; what was not taken is gone, and who waits is woken."""
        self.parts.clear()
        self._fail(Failure.BROKEN)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to watch the clock."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        self.rest()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; the callbacks below keep it."""
        if self.stage <= RESTING:
            self.abort()
            return
        self._barren += len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._misread()
            return
        if not self.parts:
            if self._barren > HEAD_BYTES_MAX:
                self._misread()
            return
        self._barren = 0
        self._deadline = self._now() + self._idle_s
        self._held += len(data)
        if self._waiter is not None:
            self._wake()
        elif self._held > HELD_BYTES_MAX and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Note that the provider sends no more; the transport then closes itself."""
        self._over(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._timer.cancel()
        self._over(exc)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Write no more for now."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Write on."""
        self._is_full = False
        self._send_on()

    def on_message_begin(self) -> None:
        """Refuse a second reply to one request."""
        if self.stage == DONE:
            raise ValueError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are ignored."""
        if self.stage != HEAD:
            return
        self.headers.append((name, value))
        # By the length first: few names have it, and this runs for each of them.
        if (
            len(name) == _TE_LENGTH
            and name.lower() == _FRAMED_BY[1]
            and value.lower() != b"chunked"
        ):
            raise ValueError

    def on_headers_complete(self) -> None:
        """Check the head as a whole. Informational ones are skipped; nobody asked to upgrade."""
        status, headers = self._parser.get_status_code(), self.headers
        if status in _INFORMATIONAL:
            headers.clear()
            return
        if status not in _FINAL or not self._parser.get_http_version().startswith("1."):
            raise ValueError
        if len(headers) > HEADERS_MAX or self._is_head_too_large():
            raise ValueError
        self.status = status
        self.stage = BODY
        self._deadline = self._now() + self._idle_s
        self._wake()

    def on_message_complete(self) -> None:
        """Note that the reply is whole, unless it was an informational one."""
        if self.stage != BODY:
            return
        parser = self._parser
        self.is_reusable = (
            self._unsent is None
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
        )
        self._done()

    def _is_head_too_large(self) -> bool:
        if self._barren <= HEAD_BYTES_MAX:
            return False  # the usual case: not even all that has arrived is too large
        return sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES_MAX

    def _misread(self) -> None:
        if self.stage == DONE:  # the reply was whole before the nonsense began
            self.is_reusable = False
            self._transport.abort()
        else:
            self._fail(Failure.GARBAGE)

    def _over(self, error: Exception | None) -> None:
        self.is_reusable = False
        if self.stage in {DONE, LOST}:
            return
        if self.stage == BODY and error is None and not self._is_framed():
            self._done()
        else:
            self._fail(Failure.BROKEN)

    def _is_framed(self) -> bool:
        return any(name.lower() in _FRAMED_BY for name, _value in self.headers)

    def _done(self) -> None:
        self.stage = DONE
        self._unsent = None
        self._wake()

    def _fail(self, failure: Failure) -> None:
        if self.stage == LOST:
            return
        self.stage = LOST
        self.is_reusable = False
        self.failure = failure
        self._unsent = None
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _send_on(self) -> None:
        while self._unsent is not None and not self._is_full:
            piece, rest = self._unsent[:PIECE_BYTES], self._unsent[PIECE_BYTES:]
            self._unsent = rest if len(rest) else None
            if self.stage == HEAD:
                self._deadline = self._now() + self._limits.first_byte_s
            self._transport.write(piece)

    def _tick(self) -> None:
        now = self._now()
        if self.stage == DONE or self._is_paused:
            self._deadline = now + self._tick_s  # it is not the provider who is waited for
        if now >= self._deadline:
            self._fail(Failure.SILENT)
            return
        # Never later than the shortest limit: a deadline set in between may be that near.
        when = min(self._deadline, now + self._tick_s)
        self._timer = self._loop.call_at(when, self._tick)

"""
One socket to one server, in RESP2: commands go out in order, and their replies come back so.

All that is sent in one turn of the loop leaves in one write. A server that does not answer
one command in time is given up whole, at once: whoever waits hears of it, nobody waits longer.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

import hiredis

from gateway.errors import StoreUnavailable

Answer: TypeAlias = Any
"""What a server answers: bytes, int, None, or a list of these."""

AWAY: Final = frozenset(
    {
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "UNKILLABLE",
        "WRONGPASS",
    }
)
"""Codes of a server that is there and does not do its work (now, or for us)."""
STALL_S: Final = 0.05
"""When a timer is later than this, it is this process that was held up."""
_NOTHING: Final = object()
_CODE = re.compile(r"[A-Z]{2,20}\b")
_PLACE = re.compile(r"user_script:\d+")


class Away(StoreUnavailable):
    """The store is away, for a reason in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the store of quotas and likeness is away ({reason}): see `goodgate doctor`"
        )
        self.reason = reason


class ServerError(Exception):
    """The server refuses a command it should understand: a bug, here or there."""


class NoScript(Exception):
    """The server does not have the script (yet, or any more)."""


class Moved(Exception):
    """Another node of the cluster has the slot."""

    def __init__(self, address: str, *, ask: bool) -> None:
        super().__init__()
        self.address = address
        """`host:port`; the host may be empty: that of the node asked."""
        self.ask = ask
        """Only this once, after ASKING."""


def fault_of(text: str) -> Exception:
    """Return what an error reply means; nothing of a command's arguments is repeated."""
    found = _CODE.match(text)
    code = found.group() if found else "ERR"
    if code in {"MOVED", "ASK"}:
        return Moved(text.split(" ")[2], ask=code == "ASK")
    if code == "NOSCRIPT":
        return NoScript()
    if code in AWAY:
        return Away(code)
    place = _PLACE.search(text)
    return ServerError(f"{code} {place.group()}" if place else code)


class Link(asyncio.Protocol):
    """A connection to one server."""

    __slots__ = (
        "_flushing",
        "_loop",
        "_on_lost",
        "_on_push",
        "_out",
        "_reader",
        "_timeout_s",
        "_timer",
        "_transport",
        "_waiting",
        "lost",
    )

    def __init__(
        self,
        timeout_s: float,
        on_lost: Callable[["Link"], None],
        on_push: Callable[[bytes], None] | None = None,
    ) -> None:
        """Give a command `timeout_s`; `on_push` is given what is published to us."""
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._on_lost = on_lost
        self._on_push = on_push
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[asyncio.Future[Answer], float]] = deque()
        self._out: list[bytes] = []
        self._flushing = False
        self.lost = ""
        """Why it is over; empty while it is not."""

    def send(self, *parts: bytes) -> asyncio.Future[Answer]:
        """Send a command; raises what `fault_of` makes of an error, and StoreUnavailable."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        if self.lost:
            answer.set_exception(Away(self.lost))
            return answer
        now = self._loop.time()
        self._waiting.append((answer, now))
        self._out.append(hiredis.pack_command(parts))  # type: ignore[arg-type] # any length
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._timeout_s, self._look)
        return answer

    def close(self, reason: str = "closed") -> None:
        """End the connection at once; whoever waits hears why."""
        if self.lost:
            return
        self.lost = reason
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            answer, _sent = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(Away(reason))
        self._on_lost(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self.close("connection lost")

    def data_received(self, data: bytes) -> None:
        """Hand each reply to whom it is for."""
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _NOTHING:
                self._take(reply)
        except hiredis.ProtocolError:
            self.close("it does not speak RESP")

    def _take(self, reply: Answer) -> None:
        if self._on_push is not None and isinstance(reply, list) and reply[0] == b"message":
            self._on_push(cast(bytes, reply[2]))
            return
        if not self._waiting:  # an error nobody asked for: too many clients, shutting down
            self.close("it closes the connection")
            return
        answer, _sent = self._waiting.popleft()
        if isinstance(reply, hiredis.ReplyError):
            fault = fault_of(str(reply))
            if not answer.done():
                answer.set_exception(fault)
            if isinstance(fault, Away):
                self.close(fault.reason)
        elif not answer.done():
            answer.set_result(reply)

    def _flush(self) -> None:
        self._flushing = False
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _look(self) -> None:
        """Give up when the command that waits longest waits too long."""
        self._timer = None
        if self.lost or not self._waiting:
            return
        now, due = self._loop.time(), self._waiting[0][1] + self._timeout_s
        if now < due:
            self._timer = self._loop.call_at(due, self._look)
        elif now - due > STALL_S:
            # It was we who did not listen: read first what has arrived meanwhile.
            self._timer = self._loop.call_later(STALL_S, self._judge)
        else:
            self._judge()

    def _judge(self) -> None:
        self._timer = None
        if self._waiting and self._loop.time() - self._waiting[0][1] >= self._timeout_s:
            self.close(f"no answer in {self._timeout_s:g} s")
        elif self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][1] + self._timeout_s, self._look)

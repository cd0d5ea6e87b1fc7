"""
uvicorn's HTTP protocol, with two things it leaves out.

A limit on how long the headers of a request may take: a caller who sends a byte a minute
would hold a connection for ever. And the head of a reply leaves with the first piece of
its body, in one system call instead of two.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_STATUS_LINE = b"HTTP/1.1 "

HEADERS_S = 10.0
"""From the connection, or the first byte of a later request, to the end of its headers."""


class HeadFirst:
    """A transport that keeps the head of a reply until the next write, or the next turn."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        """Be the transport in everything else."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, behind the head if there is one."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines([head, data])
        elif data.startswith(_STATUS_LINE):
            self._head = data
            self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write the head without waiting for more."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        """Close once all is written."""
        self.flush()
        self._transport.close()


class Protocol(HttpToolsProtocol):
    """One connection of a caller."""

    _late: asyncio.TimerHandle | None = None
    _has_headers = False

    def connection_made(self, transport: Any) -> None:  # what uvicorn calls it with
        """Begin to wait for the first request."""
        super().connection_made(cast("asyncio.Transport", HeadFirst(transport, self.loop)))
        self._late = self.loop.call_later(HEADERS_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait only where headers did not come in one piece: almost no request needs the timer."""
        super().data_received(data)
        if self._has_headers:
            self._stop_waiting()
        elif self._late is None:
            self._late = self.loop.call_later(HEADERS_S, self._give_up)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._has_headers = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that its headers are here: what comes now has limits of its own."""
        self._has_headers = True
        super().on_headers_complete()

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        self.transport.close()

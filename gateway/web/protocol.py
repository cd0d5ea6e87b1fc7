"""
uvicorn's HTTP protocol, with a limit on how long the headers of a request may take.

uvicorn has none: a caller who sends a byte a minute would hold a connection for ever.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_S = 10.0
"""From the connection, or the first byte of a later request, to the end of its headers."""


class Protocol(HttpToolsProtocol):
    """One connection of a caller."""

    _late: asyncio.TimerHandle | None = None
    _has_headers = False

    def connection_made(self, transport: Any) -> None:  # what uvicorn calls it with
        """Begin to wait for the first request."""
        super().connection_made(transport)
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

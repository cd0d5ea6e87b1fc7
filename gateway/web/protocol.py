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

    def connection_made(self, transport: Any) -> None:  # what uvicorn calls it with
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._got_headers()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the headers of a request."""
        if self._late is None:
            self._expect_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more: what comes now has limits of its own."""
        self._got_headers()
        super().on_headers_complete()

    def _expect_headers(self) -> None:
        self._late = self.loop.call_later(HEADERS_S, self._give_up)

    def _got_headers(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        self.transport.close()

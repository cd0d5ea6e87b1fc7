"""
The HTTP/1.1 client: a POST goes out once, and its reply's body is read as it arrives.

Just what a gateway needs of one (docs/decisions/0009-own-http1-client.md): no redirect is
followed, nothing decompressed, no cookie kept, no proxy used, nothing sent twice. A reply
that is whole costs no turn of the loop; a stream costs one for what arrived together.
"""

from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

from gateway.upstream.connection import BODY, DONE, HEAD, Connection
from gateway.upstream.connection_limits import Failure, HttpError, Limits
from gateway.upstream.pool import Origin, Pool

__all__ = ["Body", "Client", "Failure", "HttpError", "Limits"]

_PORTS = {"http": 80, "https": 443}


class Client:
    """Sends requests to one origin, and keeps connections to it."""

    __slots__ = ("_pool", "authority", "path")

    def __init__(self, address: str, limits: Limits) -> None:
        """Send to `address`, an http(s) URL with a host and without a query."""
        parts = urlsplit(address)
        host, usual = parts.hostname or "", _PORTS[parts.scheme]
        port = parts.port or usual
        shown = f"[{host}]" if ":" in host else host
        self.authority = (shown if port == usual else f"{shown}:{port}").encode("ascii")
        """What the `host` header says."""
        self.path = parts.path.encode("ascii")
        """What every request's path begins with."""
        self._pool = Pool(Origin(host=host, port=port, is_tls=parts.scheme == "https"), limits)

    async def post(self, head: bytes, body: bytes) -> Connection:
        """
        Send a request and return its connection once the reply's head is there.

        `head` goes from the request line to the empty line. The connection must be put into
        a `Body`, which gives it back.

        Raises:
            HttpError

        """
        connection = await self._pool.take()
        try:
            connection.begin(head, body)
            while connection.stage == HEAD:
                await connection.waiting()
        except BaseException:
            connection.abort()
            self._pool.give_back(connection)
            raise
        if connection.status == 0:  # else there was a head before the connection ended
            self._pool.give_back(connection)
            raise HttpError(connection.failure)
        return connection

    def body(
        self,
        connection: Connection,
        cut: Callable[[Failure], Exception],
        bytes_max: int | None,
    ) -> "Body":
        """Return the body of the reply on a connection; `cut` makes what a failure raises."""
        return Body(connection, self._pool.give_back, cut, bytes_max)

    async def close(self) -> None:
        """Close every connection, once all replies were read or given up."""
        await self._pool.close()


class Body:
    """A reply's body as it arrives; a class because a generator cannot be closed while it waits."""

    __slots__ = ("_bytes_left", "_connection", "_cut", "_failure", "_give_back")

    def __init__(
        self,
        connection: Connection,
        give_back: Callable[[Connection], None],
        cut: Callable[[Failure], Exception],
        bytes_max: int | None,
    ) -> None:
        """Read from `connection` and give it back at the end, of whichever kind."""
        self._connection: Connection | None = connection
        self._give_back = give_back
        self._cut = cut
        self._bytes_left = bytes_max
        self._failure: Failure | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        connection = self._connection
        if connection is None:
            raise self._end()
        if not connection.parts and connection.stage == BODY:
            await connection.waiting()
        if not connection.parts:
            self._over(None if connection.stage == DONE else connection.failure)
            raise self._end()
        chunk = connection.take()
        if self._bytes_left is not None:
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                self._over(Failure.TOO_LARGE)
                raise self._end()
        if connection.stage == DONE:
            self._over(None)
        return chunk

    async def close(self) -> None:
        """Abort the connection, unless the reply was read to its end."""
        self._over(Failure.BROKEN)

    def _over(self, failure: Failure | None) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._failure = failure
        if failure is not None:
            connection.abort()
        self._give_back(connection)

    def _end(self) -> Exception:
        return StopAsyncIteration() if self._failure is None else self._cut(self._failure)

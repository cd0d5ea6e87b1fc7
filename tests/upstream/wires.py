"""A far side that says exactly the bytes it is told, and clients that talk to it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from gateway.upstream.connection import Connection
from gateway.upstream.http1 import Body, Client, Failure, Limits

Far = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PATIENT: dict[str, float] = {"connect_s": 10.0, "first_byte_s": 10.0, "idle_s": 10.0}
END = b"\r\n\r\n"


class CutError(Exception):
    """A body ended early."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@contextlib.asynccontextmanager
async def far_side(far: Far, **served: Any) -> AsyncIterator[str]:
    """Give the address where `far` handles each connection."""
    jobs: set[asyncio.Task[None] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        jobs.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await far(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **served)
    scheme = "https" if served.get("ssl") else "http"
    yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for job in jobs:
        if job is not None:
            job.cancel()
    await asyncio.gather(*(job for job in jobs if job is not None), return_exceptions=True)
    await server.wait_closed()


def saying(*answers: bytes, hold: bool = True) -> Far:
    """Return a far side that says one of these per request, and then keeps the connection."""

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(END)
            writer.write(answer)
            await writer.drain()
        if hold:
            await reader.read()

    return far


@contextlib.asynccontextmanager
async def client(address: str, **limits: float) -> AsyncIterator[Client]:
    """Give a client, which must have nothing under way at the end."""
    found = Client(address, Limits(**{**PATIENT, **limits}))
    yield found
    async with asyncio.timeout(5):
        await found.close()


def request(found: Client, body: bytes = b"") -> bytes:
    """Return the head of a request for a body."""
    return b"POST / HTTP/1.1\r\nhost: %b\r\ncontent-length: %d\r\n\r\n" % (
        found.authority,
        len(body),
    )


async def send(found: Client, body: bytes = b"", bytes_max: int | None = None) -> Body:
    """Return the body of the reply to a request."""
    return found.body(await found.post(request(found, body), body), CutError, bytes_max)


async def whole(found: Client, body: bytes = b"") -> tuple[Connection, bytes]:
    """Return the reply to a request: its connection, as it is after, and its whole body."""
    connection = await found.post(request(found, body), body)
    chunks = found.body(connection, CutError, None)
    return connection, b"".join([chunk async for chunk in chunks])


async def cut(found: Client, body: bytes = b"") -> tuple[bytes, Failure]:
    """Return what arrived of a reply that breaks off, and why it did."""
    chunks, seen = await send(found, body), b""
    try:
        async for chunk in chunks:
            seen += chunk
    except CutError as error:
        return seen, error.failure
    raise AssertionError("the reply came to its end")


def trusting(certificate: str) -> ssl.SSLContext:
    """Return a client's context that trusts one certificate."""
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols(["http/1.1"])
    return context

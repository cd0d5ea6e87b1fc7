"""Providers behind a socket, with nothing of the gateway between: for the real SDKs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway import wire
from gateway.errors import ProviderCut
from gateway.upstream import Providers
from gateway.values import Inbound
from tests.provider_http import read


@contextlib.asynccontextmanager
async def served(upstream: Providers) -> AsyncIterator[str]:
    """Give the address at which a deployment's providers answer."""
    jobs: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        jobs.add(asyncio.current_task())  # type: ignore[arg-type]  # there is one
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ProviderCut
        ):
            while True:
                await _answer(upstream, reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await server.wait_closed()


async def _answer(
    upstream: Providers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    received = await read(reader, 0)
    assert received is not None
    inbound = Inbound(
        route=wire.ROUTES_BY_PATH[received.path],
        path_task="",
        query=received.target.partition("?")[2].encode(),
        headers={name.encode(): value.encode() for name, value in received.headers},
        body=received.body,
    )
    call = wire.parse(inbound)
    reply = await upstream.send(call, upstream.target(call))
    lines = b"".join(b"%b: %b\r\n" % pair for pair in reply.headers)
    head = b"HTTP/1.1 %d Simulated\r\n%btransfer-encoding: chunked\r\n\r\n" % (reply.status, lines)
    writer.write(head)
    async for chunk in reply.chunks:
        writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await writer.drain()
    writer.write(b"0\r\n\r\n")

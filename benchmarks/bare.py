"""
The yardstick: the least a Python proxy can do.

`python -m benchmarks.bare http://127.0.0.1:PORT/v1`. Raw ASGI on uvicorn, aiohttp
behind: read the body, post it, return what comes. No authentication, no task, no
policy, no metering, no ledger; streams pass chunk by chunk.
"""

import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class BareProxy:
    """An ASGI application that forwards every request to one provider."""

    def __init__(self, base_url: str) -> None:
        """Forward to `base_url`, which ends in `/v1`."""
        self._base_url = base_url
        self._client: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Forward one request."""
        if scope["type"] != "http":
            return
        body = await _read(receive)
        client = self._client or self._open()
        url = self._base_url + scope["path"].removeprefix("/v1")
        headers = {"content-type": "application/json"}
        async with client.post(url, data=body, headers=headers) as reply:
            kept = [
                (name.lower().encode(), reply.headers[name].encode())
                for name in ("Content-Type", "Content-Length")
                if name in reply.headers
            ]
            await send({"type": "http.response.start", "status": reply.status, "headers": kept})
            if reply.content_type == "text/event-stream":
                async for chunk in reply.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            else:
                await send({"type": "http.response.body", "body": await reply.read()})

    def _open(self) -> aiohttp.ClientSession:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False
        )
        return self._client


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


def main() -> None:
    """Serve until ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"bare: listening on port {listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        BareProxy(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="error",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()

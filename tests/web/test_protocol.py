"""A caller who is slow to say what it wants does not hold a connection for ever."""

import asyncio
from typing import Any

import pytest
import uvicorn

from gateway.web import protocol


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the port of a server that waits a tenth of a second for headers."""
    monkeypatch.setattr(protocol, "HEADERS_S", 0.1)
    config = uvicorn.Config(
        application, port=0, http=protocol.Protocol, lifespan="off", log_config=None, ws="none"
    )
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: protocol.Protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    yield listening.sockets[0].getsockname()[1]
    listening.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost: a\r\n"])
async def test_a_connection_without_whole_headers_is_closed(server: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(sent)

    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_later_request_has_the_same_limit_and_whole_ones_are_answered(server: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server)
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    answered = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\n")

    async with asyncio.timeout(5):
        assert await reader.read() == b""
    assert answered.startswith(b"HTTP/1.1 204")
    writer.close()

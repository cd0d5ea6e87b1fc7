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


class Recorder:
    """A transport that tells what was written to it, and when it was closed."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.told.append(tuple(parts))

    def close(self) -> None:
        self.told.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.told


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


async def test_a_head_leaves_with_the_first_piece_of_its_body() -> None:
    inner = Recorder()
    transport = protocol.HeadFirst(inner, asyncio.get_running_loop())

    transport.write(HEAD)
    transport.write(b"one")
    transport.write(b"two")
    await asyncio.sleep(0)

    assert inner.told == [(HEAD, b"one"), b"two"]


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    inner = Recorder()
    transport = protocol.HeadFirst(inner, asyncio.get_running_loop())

    transport.write(HEAD)
    await asyncio.sleep(0)

    assert inner.told == [HEAD]


async def test_nothing_is_lost_when_the_connection_is_closed() -> None:
    inner = Recorder()
    transport = protocol.HeadFirst(inner, asyncio.get_running_loop())

    transport.write(HEAD)
    transport.close()

    assert inner.told == [HEAD, "closed"]
    assert transport.is_closing()

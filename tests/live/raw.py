"""HTTP/1.1 by hand, for what no client library would send or would ever do."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Self


class RawCaller:
    """One connection to a gateway, and the bytes that came back so far."""

    def __init__(self, port: int) -> None:
        """Prepare a connection to a port of this machine."""
        self._port = port
        self.received = b""

    async def __aenter__(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up, as abruptly as a caller can: by RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        if raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def post(self, path: str, body: object, headers: Mapping[str, str]) -> None:
        """Send a well-formed POST with a JSON body."""
        await self.send(post(path, body, headers))

    async def read_until(self, wanted: bytes, within_s: float = 10.0) -> bytes:
        """Read until some bytes have come; return all that came."""
        async with asyncio.timeout(within_s):
            while wanted not in self.received:
                part = await self._reader.read(65536)
                assert part, f"it ended without {wanted!r}: {self.received[-500:]!r}"
                self.received += part
        return self.received

    async def read_all(self, within_s: float = 10.0) -> bytes:
        """Read until the other side hangs up; return all that came."""
        async with asyncio.timeout(within_s):
            try:
                while part := await self._reader.read(65536):
                    self.received += part
            except ConnectionError:
                pass  # an abrupt end is an end
        return self.received


def post(path: str, body: object, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a well-formed POST with a JSON body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def statuses(received: bytes) -> list[int]:
    """Return the status of every reply in some bytes."""
    return [int(head[:3]) for head in received.split(b"HTTP/1.1 ")[1:]]

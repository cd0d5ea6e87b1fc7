"""The scripted provider's HTTP/1.1: requests in, replies out, each byte where it is told."""

import asyncio
import gzip
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

_ECHO = (
    ("set-cookie", "a=b"),
    ("server", "secret/1.0"),
    ("x-api-key", "sk-leak"),
    ("x-goog-api-key", "sk-leak"),
    ("date", "Mon, 01 Jan 2026 00:00:00 GMT"),
    ("x-internal", "10.0.0.1"),
    ("openai-organization", "org-secret"),
    ("openai-processing-ms", "12"),
    ("openai-version", "2020-10-01"),
    ("anthropic-organization-id", "org-1"),
    ("anthropic-ratelimit-requests-remaining", "9"),
    ("x-ratelimit-remaining-tokens", "99"),
    ("x-should-retry", "true"),
    ("request-id", "req_anthropic"),
)


@dataclass
class Received:
    """One request as it arrived, and what became of it."""

    method: str
    target: str
    """Path and query, exactly as on the request line."""
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    """Which connection it came on, counted from 0."""
    tokens: int = 0
    """Content events handed to the socket so far."""
    finished: bool = False
    """Whether the whole reply was handed to the socket."""

    @property
    def path(self) -> str:
        """Path without its query."""
        return self.target.partition("?")[0]

    @property
    def json(self) -> dict[str, Any]:
        """Body, decoded."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    def header(self, name: str) -> str | None:
        """Return the first header of a name in lower case."""
        return next((value for key, value in self.headers if key == name), None)


class HangUpError(Exception):
    """The script ends the connection here."""


@dataclass
class Exchange:
    """One request, the script for it, and where the reply goes."""

    received: Received
    script: dict[str, int]
    writer: asyncio.StreamWriter
    model: str = ""

    def arg(self, name: str, default: int) -> int:
        return self.script.get(name, default)


async def read(reader: asyncio.StreamReader, connection: int) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _version = line.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = [(name.lower(), value.strip(" \t")) for name, _colon, value in pairs]
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    body = await reader.readexactly(length)
    if ("transfer-encoding", "chunked") in headers:
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    return Received(method, target, headers, body, connection)


async def send_whole(exchange: Exchange, body: dict[str, Any], tokens: int) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    if "cut" in exchange.script or "reset" in exchange.script:
        await send_head(exchange, 200, "application/json", length=len(content))
        await send_raw(exchange, content[: len(content) // 2])
        await hang_up(exchange)
    longer = exchange.script.get("length", 0)
    await send(exchange, 200, content, length=len(content) + longer)
    exchange.received.tokens += tokens
    if longer:
        raise HangUpError


async def send(
    exchange: Exchange,
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    extra: list[tuple[str, str]] | None = None,
    length: int | None = None,
) -> None:
    size = len(body) if length is None else length
    await send_head(exchange, status, content_type, extra=extra, length=size)
    await send_raw(exchange, body)


async def send_head(
    exchange: Exchange,
    status: int,
    content_type: str,
    *,
    extra: list[tuple[str, str]] | None = None,
    length: int | None = None,
) -> None:
    frame = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
    echo = _ECHO if "echo_headers" in exchange.script else ()
    headers = [
        ("content-type", content_type),
        ("x-request-id", "req_up"),
        frame,
        *(extra or ()),
        *echo,
    ]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    await send_raw(exchange, f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode())


async def send_chunk(exchange: Exchange, event: bytes) -> None:
    if "crlf" in exchange.script:
        event = event.replace(b"\n", b"\r\n")
    if "bytewise" not in exchange.script:
        await send_raw(exchange, b"%x\r\n%b\r\n" % (len(event), event))
        return
    for at in range(len(event)):
        await send_raw(exchange, b"1\r\n%b\r\n" % event[at : at + 1])
        await _one_turn()


async def send_raw(exchange: Exchange, data: bytes) -> None:
    exchange.writer.write(data)
    await exchange.writer.drain()


async def _one_turn() -> None:
    """Let the loop turn once, so that what was written leaves in a packet of its own."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


def _error(exchange: Exchange, kind: str, message: str) -> bytes:
    """Return an error body in the shape of the path's provider."""
    if "/messages" in exchange.received.path:
        error = {"type": kind, "message": message}
        return json.dumps({"type": "error", "error": error, "request_id": "req_up"}).encode()
    error_of_openai = {"message": message, "type": kind, "param": None, "code": None}
    return json.dumps({"error": error_of_openai}).encode()


async def hang_up(exchange: Exchange) -> None:
    if "reset" in exchange.script:
        raw = exchange.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        exchange.writer.transport.abort()
    raise HangUpError


_FAILURES = {
    "429": (429, "rate_limit_error", "Slow down"),
    "500": (500, "api_error", "Something broke"),
    "529": (529, "overloaded_error", "Overloaded"),
    "400": (400, "invalid_request_error", "No such field"),
}


async def answer_otherwise(exchange: Exchange) -> bool:
    """Answer with something that is no normal reply, and say whether that was asked for."""
    script = exchange.script
    if "garbage_head" in script:
        await send_raw(exchange, b"SSH-2.0-OpenSSH_9.6\r\n")
        raise HangUpError
    failure = next((_FAILURES[name] for name in script if name in _FAILURES), None)
    if failure:
        status, kind, message = failure
        wait = [("retry-after", str(script["429"]))] if status == 429 else None
        await send(exchange, status, _error(exchange, kind, message), extra=wait)
    elif "html" in script:
        page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
        await send(exchange, 502, page, content_type="text/html")
    elif "redirect" in script:
        await send(exchange, 302, b"", extra=[("location", "/v1/elsewhere")])
    elif "gzip" in script:
        bomb = gzip.compress(b"\0" * 10_000_000)
        await send(exchange, 200, bomb, extra=[("content-encoding", "gzip")])
    else:
        return False
    return True

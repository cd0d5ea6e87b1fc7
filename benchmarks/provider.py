"""
A provider that answers at once, so that it is never what is measured; or after a fixed time.

`python -m benchmarks.provider --events N --interval-ms MS --latency-ms MS`. It speaks just
enough of `/chat/completions`: a fixed reply of about 600 bytes, or a stream of N events, each
in a write of its own and MS apart, as a model makes them.
"""

import argparse
import asyncio
import json
from functools import partial
from typing import cast

import httptools
import uvloop

MODEL = "gpt-5-mini"
_USAGE = {
    "prompt_tokens": 240,
    "completion_tokens": 80,
    "total_tokens": 320,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 16},
}
_ID = {"id": "chatcmpl-benchmark", "created": 1_767_600_000, "model": MODEL}


def _plain() -> bytes:
    message = {"role": "assistant", "content": "It parses the header before the body. " * 8}
    body = json.dumps(
        {
            **_ID,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _USAGE,
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"x-request-id: req-provider\r\n\r\n" + body


def _event(value: dict[str, object] | None) -> bytes:
    text = b"[DONE]" if value is None else json.dumps(value).encode()
    line = b"data: " + text + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(line), line)


def _delta(text: str, *, usage: bool) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    value = {**_ID, "object": "chat.completion.chunk", "choices": [choice]}
    return _event({**value, "usage": None} if usage else value)


_PLAIN = _plain()
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LAST = _event({**_ID, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
_END = _event(None) + b"0\r\n\r\n"


class FastProvider(asyncio.Protocol):
    """One connection: requests in, canned replies out."""

    def __init__(self, events: int, interval_s: float, latency_s: float) -> None:
        """Answer streams with `events` events, `interval_s` apart; `latency_s` after the call."""
        self._events = events
        self._interval_s = interval_s
        self._latency_s = latency_s
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the request."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer it."""
        body, self._body = self._body, b""
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._answer, body)
        else:
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        if self._transport.is_closing():
            return
        if b'"stream":true' in body or b'"stream": true' in body:
            self._transport.write(_STREAM_HEAD)
            self._tell(self._events, usage=b"include_usage" in body)
        else:
            self._transport.write(_PLAIN)

    def _tell(self, left: int, *, usage: bool) -> None:
        if self._transport.is_closing():
            return
        if left == 0:
            self._transport.write((_LAST if usage else b"") + _END)
            return
        self._transport.write(_delta(f" word{left}", usage=usage))
        later = partial(self._tell, left - 1, usage=usage)
        asyncio.get_running_loop().call_later(self._interval_s, later)


async def _serve(events: int, interval_s: float, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: FastProvider(events, interval_s, latency_s), "127.0.0.1", 0
    )
    print(f"provider: listening on port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provider")
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--interval-ms", type=float, default=2.0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    args = parser.parse_args()
    uvloop.run(_serve(args.events, args.interval_ms / 1000, args.latency_ms / 1000))


if __name__ == "__main__":
    main()

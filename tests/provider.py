"""
A provider that answers from a script: HTTP/1.1 on loopback, exact to the byte.

    async with ScriptedProvider() as provider:
        provider.script.append("cut:3")          # for the next call; or the header x-script,
        ... base_url=f"{provider.url}/v1"        # or a model named "gpt-5-mini!cut:3"
        provider.requests[0].headers             # as they arrived

or as a process: `python -m tests.provider --port 0` prints its address. There `GET
/_requests` lists what arrived and `POST /_go` sets `go`.

A script is made of the following, joined by `+`:

    normal        tokens:N     N content events (default 5)      no_usage
    slow          nothing at all until `go` is set
    stall:K       K content events, then silence until `go` is set
    cut:K         K content events, then the connection is closed (FIN); cut:0 after the head
    reset:K       as cut, by RST (bytes not yet read by the other side are lost with it)
    close         closed without a reply       garbage_head  something that is not HTTP
    429:S         rate limited, retry-after: S              500  529
    html          an HTML page with status 502
    redirect      302 to another path of this server
    gzip          a gzip bomb in a content-encoding: gzip reply
    garbage       events that are no JSON among the good ones, and an unknown event
    comments      comments, pings, ids and retry fields among the events
    crlf          line ends of events are CRLF
    bytewise      every byte of the body is a chunk of its own
    huge          an event of 1 MB in one line
    no_end        the terminal event is missing, but the body ends properly
    length:N      a content-length header N bytes longer than the body
    echo_headers  set-cookie, server, x-api-key, x-ratelimit-* … on the reply

Every content event is one token; `requests[i].tokens` says how many were handed to the
socket. Nothing here sleeps: stalls wait for `go` or for the other side to hang up.
"""

import argparse
import asyncio
import contextlib
import json
import socket
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Self

from tests import provider_bodies
from tests.provider_http import (
    Exchange,
    HangUpError,
    Received,
    answer_otherwise,
    hang_up,
    read,
    send,
    send_chunk,
    send_head,
    send_raw,
    send_whole,
)

_KINDS = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
    ("/messages/count_tokens", "count_tokens"),
    ("/messages", "messages"),
)


class ScriptedProvider:
    """A provider on loopback; see the module for its scripts."""

    def __init__(self, *, port: int = 0, default: str = "normal") -> None:
        self.script: deque[str] = deque()
        self.default = default
        self.requests: list[Received] = []
        self.go = asyncio.Event()
        self.arrived = asyncio.Event()
        """Set whenever a request was read whole; clear it to wait for the next."""
        self.connections = 0
        self.open_connections = 0
        self._port = port
        self._jobs: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        job = asyncio.current_task()
        assert job is not None
        self._jobs.add(job)
        number, self.connections = self.connections, self.connections + 1
        self.open_connections += 1
        try:
            while received := await read(reader, number):
                await self._answer(received, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, HangUpError, asyncio.CancelledError):
            pass  # cancelled by __aexit__ alone; asyncio logs a cancelled connection as a failure
        finally:
            self.open_connections -= 1
            self._jobs.discard(job)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if received.path.startswith("/_"):
            await self._control(received, writer)
            return
        self.requests.append(received)
        asked = received.json if received.body[:1] == b"{" else {}
        model = str(asked.get("model", ""))
        text = received.header("x-script") or model.partition("!")[2] or self.default
        script = _parse(self.script.popleft() if self.script else text)
        exchange = Exchange(received, script, writer, model)
        self.arrived.set()
        if "slow" in script:
            await self._wait(reader)
        if "close" in script:
            raise HangUpError
        if not await answer_otherwise(exchange):
            await self._reply(exchange, asked, reader)
        received.finished = True

    async def _reply(
        self, exchange: Exchange, asked: dict[str, Any], reader: asyncio.StreamReader
    ) -> None:
        received, script = exchange.received, exchange.script
        tokens = exchange.arg("tokens", 5)
        kind = next((kind for end, kind in _KINDS if received.path.endswith(end)), "")
        if received.method == "GET" or not kind:
            models = [{"id": "scripted", "object": "model", "created": 1, "owned_by": "tests"}]
            await send(exchange, 200, json.dumps({"object": "list", "data": models}).encode())
            return
        if not asked.get("stream"):
            usage = "no_usage" not in script
            body = provider_bodies.whole(kind, exchange.model, tokens, usage=usage)
            await send_whole(exchange, body, tokens)
            return
        wanted = (asked.get("stream_options") or {}).get("include_usage", False)
        always = kind in ("responses", "messages")
        usage = "no_usage" not in script and (always or wanted)
        await send_head(exchange, 200, "text/event-stream; charset=utf-8")
        events = provider_bodies.events(kind, exchange.model, tokens, {"usage": usage})
        stop = exchange.arg("cut", exchange.arg("reset", -1))
        if stop == 0:
            await hang_up(exchange)
        held = b""
        for event, count in events:
            if held:
                await send_chunk(exchange, held)
            held = event
            if count:
                await send_chunk(exchange, held)
                held = b""
                received.tokens += count
                await self._between(exchange, reader)
        if held and "no_end" not in script:
            await send_chunk(exchange, held)
        await send_raw(exchange, b"0\r\n\r\n")

    async def _between(self, exchange: Exchange, reader: asyncio.StreamReader) -> None:
        """Do what the script says after a content event."""
        script, tokens = exchange.script, exchange.received.tokens
        if "garbage" in script and tokens == 1:
            await send_chunk(exchange, b"data: {not json\n\n")
            await send_chunk(exchange, b"event: unheard.of\ndata: \xff\xfe\n\n:\n\nnonsense\n\n")
        if "comments" in script:
            await send_chunk(exchange, b": keep-alive\n\n")
            await send_chunk(exchange, b"id: 7\nretry: 1000\n\n")
        if "huge" in script and tokens == 1:
            await send_chunk(exchange, b": " + b"x" * 1_000_000 + b"\n\n")
        if tokens == exchange.arg("stall", -1):
            await self._wait(reader)
        if tokens == exchange.arg("cut", exchange.arg("reset", -1)):
            await hang_up(exchange)

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        """Wait for `go`, or end when the other side hangs up."""
        going = asyncio.ensure_future(self.go.wait())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((going, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
            gone.cancel()
            await asyncio.gather(going, gone, return_exceptions=True)
        if not self.go.is_set():
            raise HangUpError

    async def _control(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/_go":
            self.go.set()
        seen = [
            {
                "target": each.target,
                "headers": each.headers,
                "body": each.body.decode(errors="replace"),
                "tokens": each.tokens,
                "finished": each.finished,
                "connection": each.connection,
            }
            for each in self.requests
        ]
        exchange = Exchange(received, {}, writer)
        await send(exchange, 200, json.dumps(seen).encode())


@contextlib.asynccontextmanager
async def refused() -> AsyncIterator[str]:
    """Give the address of a port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _parse(text: str) -> dict[str, int]:
    parts = (part.partition(":") for part in text.split("+"))
    return {name: int(argument or 1) for name, _colon, argument in parts}


async def _serve(port: int, default: str) -> None:
    async with ScriptedProvider(port=port, default=default) as provider:
        print(provider.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--default", default="normal", help="the script of a call that names none")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, options.default))

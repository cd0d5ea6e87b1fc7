"""A loopback server of a provider with no format of its own here: Ollama's POST /api/chat."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any, Self

from tests.provider_http import Exchange, HangUpError, Received, read, send, send_head, send_raw

WORDS = ("Good ", "evening, ", "wörld")
INPUT_TOKENS = 11


class Ollama:
    """Answers with WORDS, or calls the first tool; `failure` makes it refuse."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.failure: tuple[int, str] | None = None
        self.cut_after: int | None = None
        """Break off after so many lines of a stream."""
        self.go = asyncio.Event()
        self.go.set()
        """Cleared: silence after the first line of a stream."""
        self.silent = False
        """Answer nothing until `go` is set."""
        self.url = ""
        self._server: asyncio.Server | None = None
        self._jobs: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
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
        try:
            while received := await read(reader, 0):
                self.requests.append(received)
                await self._answer(Exchange(received, {}, writer))
        except (ConnectionError, asyncio.IncompleteReadError, HangUpError, asyncio.CancelledError):
            pass  # cancelled by __aexit__ alone; asyncio logs a cancelled connection as a failure
        finally:
            self._jobs.discard(job)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange) -> None:
        asked = exchange.received.json
        if self.silent:
            await self.go.wait()
        if self.failure is not None:
            status, message = self.failure
            body = json.dumps({"error": message}).encode()
            await send(exchange, status, body, extra=[("retry-after", "7")])
            return
        lines = list(_lines(asked))
        if not asked["stream"]:
            whole = lines[-1] | {"message": _whole(asked)}
            await send(exchange, 200, json.dumps(whole).encode())
            return
        await send_head(exchange, 200, "application/x-ndjson")
        for number, line in enumerate(lines):
            data = json.dumps(line).encode() + b"\n"
            await send_raw(exchange, b"%x\r\n%b\r\n" % (len(data), data))
            await self.go.wait()
            if number + 1 == self.cut_after:
                raise HangUpError
        await send_raw(exchange, b"0\r\n\r\n")


def _lines(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    head = {"model": asked["model"], "created_at": "2026-11-22T10:00:00.0Z"}
    message = _whole(asked)
    if asked.get("tools"):
        yield head | {"message": message, "done": False}
    else:
        for word in WORDS:
            yield head | {"message": {"role": "assistant", "content": word}, "done": False}
    counts = {"prompt_eval_count": INPUT_TOKENS, "eval_count": len(WORDS)}
    end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    yield head | end | counts


def _whole(asked: dict[str, Any]) -> dict[str, Any]:
    if not asked.get("tools"):
        return {"role": "assistant", "content": "".join(WORDS)}
    function = {"name": asked["tools"][0]["function"]["name"], "arguments": {"city": "Oslo"}}
    return {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}

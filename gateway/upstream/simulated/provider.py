"""The simulated provider itself: which reply, how late, and how badly."""

import asyncio
from collections.abc import Iterator
from typing import Self

import msgspec

from gateway import settings, wire
from gateway.errors import ProviderCut
from gateway.upstream.headers import addable
from gateway.upstream.simulated import anthropic, openai, requests, responses, speech
from gateway.upstream.simulated.requests import Request
from gateway.values import Call, Reply, Target

_WHOLE = {
    "chat": openai.chat,
    "completions": openai.completions,
    "responses": responses.whole,
    "messages": anthropic.whole,
}
_EVENTS = {
    "chat": openai.chat_events,
    "completions": openai.completions_events,
    "responses": responses.events,
    "messages": anthropic.events,
}
_SENT = "x-simulated-sent-"
_JSON = (b"content-type", b"application/json")
_SSE = (b"content-type", b"text/event-stream; charset=utf-8")


class Simulated:
    """A provider of `format: simulated`."""

    def __init__(self, provider: settings.Provider) -> None:
        self._name = provider.name
        options = provider.options
        self._latency_s = options.get("latency_ms", 0) / 1000
        self._chunk_s = options.get("chunk_ms", 0) / 1000
        self._tokens = options.get("tokens", speech.TOKENS_DEFAULT)
        self._error_rate = options.get("error_rate", 0)
        self._error_status = options.get("error_status", 500)
        self._cut_rate = options.get("cut_rate", 0)

    async def send(self, call: Call, target: Target) -> Reply:
        """Return the reply that the model and the last user text decide."""
        body = wire.outgoing_body(call, target)
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        reply = self._made_up(call, body)
        if not target.headers:
            return reply
        sent = addable(target.headers).items()
        seen = tuple((f"{_SENT}{name}".encode(), value.encode()) for name, value in sent)
        return msgspec.structs.replace(reply, headers=reply.headers + seen)

    def _made_up(self, call: Call, body: bytes) -> Reply:
        name = call.inbound.route.name
        try:
            if name == "embeddings":
                return self._reply([openai.embeddings(requests.EMBEDDING_REQUEST.decode(body))])
            request = requests.REQUEST.decode(body)
        except msgspec.DecodeError:
            return self._error(call, 400, "The request is not of the shape this route takes")
        # A retry is another throw of the dice, as with a real provider.
        retries = call.inbound.headers.get(b"x-stainless-retry-count", b"0").decode("latin-1")
        seed = speech.digest(request)
        luck = speech.digest(request, retries) if self._error_rate or self._cut_rate else seed
        if _share(luck[:4]) < self._error_rate:
            return self._error(call, self._error_status, "Simulated failure; try again")
        cut = _share(luck[4:8]) < self._cut_rate
        return self._answer(name, request, seed, cut=cut)

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    def _answer(self, name: str, request: Request, seed: bytes, *, cut: bool) -> Reply:
        input_tokens = requests.input_tokens(request)
        if name == "count_tokens":
            return self._reply([anthropic.count(input_tokens)], cut=cut)
        said = speech.speeches(request, seed, self._tokens)
        if request.stream:
            steps = _EVENTS[name](request, said, input_tokens)
            length = sum(len(each.pieces) for each in said)
            return self._reply(steps, cut=cut, stream=True, length=length)
        return self._reply([_WHOLE[name](request, said, input_tokens)], cut=cut)

    def _error(self, call: Call, status: int, message: str) -> Reply:
        wire_format = call.inbound.route.wire_format
        code = "invalid_request" if status == 400 else "simulated_failure"  # noqa: PLR2004 - HTTP
        body = wire.problem(
            wire_format, status=status, code=code, message=message, request_id="req_simulated"
        )
        return self._reply([body], status=status)

    def _reply(
        self,
        steps: "list[bytes] | Iterator[bytes]",
        *,
        status: int = 200,
        cut: bool = False,
        stream: bool = False,
        length: int = 0,
    ) -> Reply:
        stop_after = length // 2 + 1 if cut else -1
        chunks = _Chunks(iter(steps), self._name, self._chunk_s if stream else 0.0, stop_after)
        return Reply(
            status=status,
            headers=(_SSE if stream else _JSON,),
            chunks=chunks,
            close=chunks.close,
            stream=stream,
            resumable=True,
        )


class _Chunks:
    """A body as it is made up, chunk by chunk."""

    def __init__(
        self, steps: Iterator[bytes], provider: str, chunk_s: float, stop_after: int
    ) -> None:
        self._steps = steps
        self._provider = provider
        self._chunk_s = chunk_s
        self._left = stop_after
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._chunk_s:
            await asyncio.sleep(self._chunk_s)
        if self._left == 0 or self._closed:
            raise ProviderCut(
                f"The provider {self._provider!r} broke off in the middle of its reply"
            )
        chunk = next(self._steps, b"")
        if not chunk:
            raise StopAsyncIteration
        self._left -= 1
        if self._left == 0 and len(chunk) > 1:
            return chunk[: len(chunk) // 2]
        return chunk

    async def close(self) -> None:
        """Say no more."""
        self._closed = True


def _share(four: bytes) -> float:
    """Return four bytes as a number from 0 to 1 (1 excluded)."""
    return int.from_bytes(four, "big") / 2**32

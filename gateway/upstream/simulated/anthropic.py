"""What a simulated provider answers in the format of Anthropic's messages API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.upstream.simulated.requests import Request
from gateway.upstream.simulated.speech import Speech

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


def whole(request: Request, said: list[Speech], input_tokens: int) -> bytes:
    """Return a message. (This API knows no `n`: there is one answer.)"""
    each = said[0]
    body = _message(request, each, [_block(each)], _usage(input_tokens, len(each.pieces)))
    return _encode(body | {"stop_reason": _stop(each)})


def events(request: Request, said: list[Speech], input_tokens: int) -> Iterator[bytes]:
    """Yield the events of a streamed message."""
    each = said[0]
    empty: dict[str, Any] = {"input": {}} if each.tool else {"text": ""}
    opened = _block(each) | empty
    message = _message(request, each, [], _usage(input_tokens, 1))
    yield _event("message_start", {"message": message})
    yield _event("content_block_start", {"index": 0, "content_block": opened})
    yield _event("ping", {})
    kind, field = ("input_json_delta", "partial_json") if each.tool else ("text_delta", "text")
    for piece in each.pieces:
        yield _event("content_block_delta", {"index": 0, "delta": {"type": kind, field: piece}})
    yield _event("content_block_stop", {"index": 0})
    delta = {"stop_reason": _stop(each), "stop_sequence": None}
    usage = _usage(input_tokens, len(each.pieces))
    yield _event("message_delta", {"delta": delta, "usage": usage})
    yield _event("message_stop", {})


def count(input_tokens: int) -> bytes:
    """Return the answer of `count_tokens`."""
    return _encode({"input_tokens": input_tokens})


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode({"type": name} | fields))


def _message(
    request: Request, said: Speech, content: list[dict[str, Any]], usage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": f"msg_{said.id}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _block(said: Speech) -> dict[str, Any]:
    if not said.tool:
        return {"type": "text", "text": said.text}
    arguments: dict[str, Any] = {} if said.cut_short else _decode(said.text)
    return {"type": "tool_use", "id": f"toolu_{said.id}", "name": said.tool, "input": arguments}


def _stop(said: Speech) -> str:
    if said.cut_short:
        return "max_tokens"
    return "tool_use" if said.tool else "end_turn"


def _usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }

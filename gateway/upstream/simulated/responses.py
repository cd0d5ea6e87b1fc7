"""What a simulated provider answers in the format of OpenAI's responses API."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.upstream.simulated.openai import CREATED
from gateway.upstream.simulated.requests import Request
from gateway.upstream.simulated.speech import Speech

_encode = msgspec.json.Encoder().encode


def whole(request: Request, said: list[Speech], input_tokens: int) -> bytes:
    """Return a response. (This API knows no `n`: there is one answer.)"""
    return _encode(_response(request, said[0], input_tokens, ended=True))


def events(request: Request, said: list[Speech], input_tokens: int) -> Iterator[bytes]:
    """Yield the events of a streamed response."""
    each = said[0]
    for number, (name, fields) in enumerate(_steps(request, each, input_tokens)):
        body = {"type": name, "sequence_number": number} | fields
        yield b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(body))


def _steps(
    request: Request, said: Speech, input_tokens: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    opened = {"response": _response(request, said, input_tokens, ended=False)}
    yield "response.created", opened
    yield "response.in_progress", opened
    yield from _call_steps(said) if said.tool else _text_steps(said)
    ended = _response(request, said, input_tokens, ended=True)
    yield f"response.{ended['status']}", {"response": ended}


def _text_steps(said: Speech) -> Iterator[tuple[str, dict[str, Any]]]:
    item, part = _item(said), _part(said.text)
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    opened: dict[str, Any] = item | {"status": "in_progress", "content": []}
    yield "response.output_item.added", {"output_index": 0, "item": opened}
    yield "response.content_part.added", place | {"part": _part("")}
    for piece in said.pieces:
        yield "response.output_text.delta", place | {"delta": piece, "logprobs": []}
    yield "response.output_text.done", place | {"text": said.text, "logprobs": []}
    yield "response.content_part.done", place | {"part": part}
    yield "response.output_item.done", {"output_index": 0, "item": item}


def _call_steps(said: Speech) -> Iterator[tuple[str, dict[str, Any]]]:
    item = _item(said)
    place = {"item_id": item["id"], "output_index": 0}
    opened = item | {"status": "in_progress", "arguments": ""}
    yield "response.output_item.added", {"output_index": 0, "item": opened}
    for piece in said.pieces:
        yield "response.function_call_arguments.delta", place | {"delta": piece}
    done = place | {"arguments": said.text, "name": said.tool}
    yield "response.function_call_arguments.done", done
    yield "response.output_item.done", {"output_index": 0, "item": item}


def _item(said: Speech) -> dict[str, Any]:
    status = "incomplete" if said.cut_short else "completed"
    if said.tool:
        return {
            "id": f"fc_{said.id}",
            "type": "function_call",
            "status": status,
            "call_id": f"call_{said.id}",
            "name": said.tool,
            "arguments": said.text,
        }
    return {
        "id": f"msg_{said.id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [_part(said.text)],
    }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(request: Request, said: Speech, input_tokens: int, *, ended: bool) -> dict[str, Any]:
    status = "incomplete" if said.cut_short else "completed"
    reason = {"reason": "max_output_tokens"} if said.cut_short else None
    return {
        "id": f"resp_{said.id}",
        "object": "response",
        "created_at": CREATED,
        "status": status if ended else "in_progress",
        "error": None,
        "incomplete_details": reason if ended else None,
        "instructions": request.instructions,
        "metadata": {},
        "model": request.model,
        "output": [_item(said)] if ended else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "max_output_tokens": request.tokens_max,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "text": {"format": {"type": "text"}},
        "truncation": "disabled",
        "usage": _usage(said, input_tokens) if ended else None,
    }


def _usage(said: Speech, input_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": len(said.pieces),
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + len(said.pieces),
    }

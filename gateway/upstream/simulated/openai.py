"""What a simulated provider answers in OpenAI's chat, completions and embeddings formats."""

import base64
import hashlib
import math
from array import array
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.upstream.simulated.requests import EmbeddingRequest, Request
from gateway.upstream.simulated.speech import Speech

CREATED = 1_760_000_000
"""A constant, so that a reply is the same each time."""
DIMENSIONS = 16
DIMENSIONS_MAX = 4_096
TEXTS_MAX = 2_048
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


def chat(request: Request, said: list[Speech], input_tokens: int) -> bytes:
    """Return a chat completion."""
    choices = [
        {
            "index": index,
            "message": _message(each),
            "logprobs": None,
            "finish_reason": _finish(each),
        }
        for index, each in enumerate(said)
    ]
    body = _head(f"chatcmpl-{said[0].id}", "chat.completion", request.model)
    body["choices"] = choices
    body["usage"] = _usage(said, input_tokens)
    body["system_fingerprint"] = "fp_simulated"
    return _encode(body)


def chat_events(request: Request, said: list[Speech], input_tokens: int) -> Iterator[bytes]:
    """Yield the events of a streamed chat completion."""
    wanted = request.stream_options is not None and request.stream_options.include_usage
    head = _head(f"chatcmpl-{said[0].id}", "chat.completion.chunk", request.model)
    tail = {"usage": None} if wanted else {}
    for index, each in enumerate(said):
        yield _chunk(head, index, _opening(each), None, tail)
        # Only the words differ from event to event; everything around them is encoded once.
        before, after = _around(head, index, each, tail)
        for piece in each.pieces:
            yield before + _encode(piece) + after
        yield _chunk(head, index, {}, _finish(each), tail)
    if wanted:
        yield _event(head | {"choices": [], "usage": _usage(said, input_tokens)})
    yield DONE


def completions(request: Request, said: list[Speech], input_tokens: int) -> bytes:
    """Return a text completion."""
    body = _head(f"cmpl-{said[0].id}", "text_completion", request.model)
    body["choices"] = [
        {"index": index, "text": each.text, "logprobs": None, "finish_reason": _finish(each)}
        for index, each in enumerate(said)
    ]
    body["usage"] = _usage(said, input_tokens)
    return _encode(body)


def completions_events(request: Request, said: list[Speech], input_tokens: int) -> Iterator[bytes]:
    """Yield the events of a streamed text completion."""
    wanted = request.stream_options is not None and request.stream_options.include_usage
    head = _head(f"cmpl-{said[0].id}", "text_completion", request.model)
    tail = {"usage": None} if wanted else {}
    for index, each in enumerate(said):
        for at, piece in enumerate(each.pieces):
            finish = _finish(each) if at == len(each.pieces) - 1 else None
            choice = {"index": index, "text": piece, "logprobs": None, "finish_reason": finish}
            yield _event(head | {"choices": [choice]} | tail)
    if wanted:
        yield _event(head | {"choices": [], "usage": _usage(said, input_tokens)})
    yield DONE


def embeddings(request: EmbeddingRequest) -> bytes:
    """Return embeddings: unit vectors that a hash of each text decides."""
    texts = request.texts[:TEXTS_MAX]
    size = min(max(1, request.dimensions or DIMENSIONS), DIMENSIONS_MAX)
    as_text = request.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _packed(vector) if as_text else vector.tolist(),
        }
        for index, vector in enumerate(_vector(request.model, text, size) for text in texts)
    ]
    tokens = max(1, sum(len(text) for text in texts) // 4)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": data, "model": request.model, "usage": usage})


def _head(id_: str, object_: str, model: str) -> dict[str, Any]:
    return {"id": id_, "object": object_, "created": CREATED, "model": model}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + _encode(body) + b"\n\n"


def _chunk(
    head: dict[str, Any],
    index: int,
    delta: dict[str, Any],
    finish: str | None,
    tail: dict[str, Any],
) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _event(head | {"choices": [choice]} | tail)


def _opening(said: Speech) -> dict[str, Any]:
    if not said.tool:
        return {"role": "assistant", "content": "", "refusal": None}
    function = {"name": said.tool, "arguments": ""}
    call = {"index": 0, "id": f"call_{said.id}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _around(
    head: dict[str, Any], index: int, said: Speech, tail: dict[str, Any]
) -> tuple[bytes, bytes]:
    """Return an event with content, in two parts: what stands before the words, and after."""
    mark = "\N{REPLACEMENT CHARACTER}here"
    delta: dict[str, Any] = {"content": mark}
    if said.tool:
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": mark}}]}
    before, _mark, after = _chunk(head, index, delta, None, tail).rpartition(_encode(mark))
    return before, after


def _message(said: Speech) -> dict[str, Any]:
    if not said.tool:
        return {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    function = {"name": said.tool, "arguments": said.text}
    call = {"id": f"call_{said.id}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}


def _finish(said: Speech) -> str:
    if said.cut_short:
        return "length"
    return "tool_calls" if said.tool else "stop"


def _usage(said: list[Speech], input_tokens: int) -> dict[str, Any]:
    output_tokens = sum(len(each.pieces) for each in said)
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _vector(model: str, text: str, size: int) -> "array[float]":
    said = f"{model}\0{text}".encode("utf-8", "replace")
    raw = hashlib.shake_128(said).digest(size)
    length = math.sqrt(sum((byte - 127.5) ** 2 for byte in raw))
    return array("f", [(byte - 127.5) / length for byte in raw])


def _packed(vector: "array[float]") -> str:
    return base64.b64encode(vector.tobytes()).decode("ascii")

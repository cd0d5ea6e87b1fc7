"""
What the scripted provider says: exact bytes in the formats callers speak.

`whole` is a reply in one piece; `events` is the same reply as server-sent events, each
with the number of tokens it carries (1 for an event with content, 0 for any other).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

INPUT_TOKENS = 7
CACHED_TOKENS = 2
CREATED = 1_700_000_000

Event = tuple[bytes, int]


def words(tokens: int) -> list[str]:
    """Return `tokens` words, one per token; the third has characters of several bytes."""
    return [f"wört{index} " if index == 2 else f"word{index} " for index in range(tokens)]


def whole(kind: str, model: str, tokens: int, *, usage: bool) -> dict[str, Any]:
    """Return a reply in one piece, of the format the path `kind` is in."""
    text = "".join(words(tokens))
    body: dict[str, Any]
    if kind == "chat":
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        body = _openai("chatcmpl-1", "chat.completion", model) | {"choices": [choice]}
    elif kind == "completions":
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
        body = _openai("cmpl-1", "text_completion", model) | {"choices": [choice]}
    elif kind == "responses":
        body = response(model, text, tokens, "completed")
    elif kind == "embeddings":
        datum = {"object": "embedding", "index": 0, "embedding": [0.5, -0.25, 0.125]}
        body = {"object": "list", "model": model, "data": [datum]}
    elif kind == "count_tokens":
        return {"input_tokens": INPUT_TOKENS}
    else:
        body = message_of(model, [{"type": "text", "text": text}], tokens)
    if not usage:
        body.pop("usage", None)
    elif kind not in ("responses", "messages"):
        body["usage"] = openai_usage(0 if kind == "embeddings" else tokens)
    return body


def events(kind: str, model: str, tokens: int, asked: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events of a streamed reply; `asked` says whether usage is in it."""
    stream = {"chat": _chat, "completions": _completions, "responses": _responses}
    return stream.get(kind, _messages)(model, tokens, usage=bool(asked.get("usage", True)))


def sse(data: object, name: str = "") -> bytes:
    """Return one server-sent event, with its name if it has one."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


def openai_usage(tokens: int) -> dict[str, Any]:
    """Return the usage of a chat reply of that many tokens."""
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": INPUT_TOKENS + tokens,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def response(model: str, text: str, tokens: int, status: str) -> dict[str, Any]:
    """Return the `response` object of OpenAI's responses API."""
    part = {"type": "output_text", "text": text, "annotations": []}
    output = [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [part],
        }
    ]
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "model": model,
        "output": output if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": CACHED_TOKENS},
            "output_tokens": tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT_TOKENS + tokens,
        }
        if done
        else None,
    }


def message_of(model: str, content: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    """Return Anthropic's `message` object."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "end_turn" if content else None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS - CACHED_TOKENS,
            "cache_read_input_tokens": CACHED_TOKENS,
            "cache_creation_input_tokens": 0,
            "output_tokens": tokens,
        },
    }


def _openai(id_: str, object_: str, model: str) -> dict[str, Any]:
    return {"id": id_, "object": object_, "created": CREATED, "model": model}


def _chat(model: str, tokens: int, *, usage: bool) -> Iterator[Event]:
    head = _openai("chatcmpl-1", "chat.completion.chunk", model)

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        extra = {"usage": None} if usage else {}
        return sse(head | {"choices": [choice]} | extra)

    yield chunk({"role": "assistant", "content": ""}), 0
    for word in words(tokens):
        yield chunk({"content": word}), 1
    yield chunk({}, "stop"), 0
    if usage:
        yield sse(head | {"choices": [], "usage": openai_usage(tokens)}), 0
    yield sse("[DONE]"), 0


def _completions(model: str, tokens: int, *, usage: bool) -> Iterator[Event]:
    head = _openai("cmpl-1", "text_completion", model)
    for word in words(tokens):
        choice = {"index": 0, "text": word, "logprobs": None, "finish_reason": None}
        yield sse(head | {"choices": [choice]}), 1
    last = {"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}
    yield sse(head | {"choices": [last]}), 0
    if usage:
        yield sse(head | {"choices": [], "usage": openai_usage(tokens)}), 0
    yield sse("[DONE]"), 0


def _responses(model: str, tokens: int, *, usage: bool) -> Iterator[Event]:
    text = "".join(words(tokens))
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    done = response(model, text, tokens, "completed")
    if not usage:
        done["usage"] = None
    item = done["output"][0]
    part = item["content"][0]
    opened = item | {"status": "in_progress", "content": []}
    steps: list[tuple[str, dict[str, Any], int]] = [
        ("response.created", {"response": response(model, "", 0, "in_progress")}, 0),
        ("response.output_item.added", {"output_index": 0, "item": opened}, 0),
        ("response.content_part.added", place | {"part": part | {"text": ""}}, 0),
        *(
            ("response.output_text.delta", place | {"delta": word, "logprobs": []}, 1)
            for word in words(tokens)
        ),
        ("response.output_text.done", place | {"text": text, "logprobs": []}, 0),
        ("response.content_part.done", place | {"part": part}, 0),
        ("response.output_item.done", {"output_index": 0, "item": item}, 0),
        ("response.completed", {"response": done}, 0),
    ]
    for number, (name, fields, count) in enumerate(steps):
        yield sse({"type": name, "sequence_number": number} | fields, name), count


def _messages(model: str, tokens: int, *, usage: bool) -> Iterator[Event]:
    start = message_of(model, [], 1)
    if not usage:
        start["usage"] = {"input_tokens": 0, "output_tokens": 0}
    block = {"type": "text", "text": ""}
    yield sse({"type": "message_start", "message": start}, "message_start"), 0
    opened = {"type": "content_block_start", "index": 0, "content_block": block}
    yield sse(opened, "content_block_start"), 0
    yield sse({"type": "ping"}, "ping"), 0
    for word in words(tokens):
        delta = {"type": "text_delta", "text": word}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        yield sse(event, "content_block_delta"), 1
    yield sse({"type": "content_block_stop", "index": 0}, "content_block_stop"), 0
    ended: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    }
    if usage:
        ended["usage"] = {"output_tokens": tokens}
    yield sse(ended, "message_delta"), 0
    yield sse({"type": "message_stop"}, "message_stop"), 0

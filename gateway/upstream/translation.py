"""
What goes into litellm, and what comes out of it, as bytes. Knows nothing of litellm itself.

litellm takes a call's fields as arguments, beside its own (`api_base`, `mock_response`,
`fallbacks`, …), and it fetches what messages point at. So only the fields of the caller's
API that cannot steer it pass, and content is refused that would have to be fetched from
here: a caller must never choose where the gateway connects. Other fields are left out.
"""

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from gateway.errors import InvalidRequest

Body = dict[str, Any]

_CHAT = """
audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens
max_tokens messages modalities n parallel_tool_calls prediction presence_penalty
reasoning_effort response_format seed stop stream stream_options temperature tool_choice
tools top_logprobs top_p user verbosity
"""
_MESSAGES = """
max_tokens messages output_config output_format stop_sequences stream system temperature
thinking tool_choice tools top_k top_p
"""
FIELDS = {"chat": frozenset(_CHAT.split()), "messages": frozenset(_MESSAGES.split())}
DEPTH_MAX = 8

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|(?:https?|ftp|file|gs|s3):)", re.IGNORECASE)
_FREE_TEXT = {"text", "arguments", "input", "thinking", "signature", "data", "title", "context"}
_TOOL_TYPES = {None, "function", "custom"}

encode = msgspec.json.Encoder().encode


def arguments(route: str, body: bytes) -> Body:
    """
    Return the fields of a request that litellm gets.

    Raises:
        InvalidRequest: it points at something to fetch, or uses a tool the provider would run.

    """
    asked = msgspec.json.decode(body, type=dict[str, Any])
    fields = FIELDS[route]
    kept = {name: value for name, value in asked.items() if name in fields and value is not None}
    for name in ("messages", "system"):
        if _points_elsewhere(kept.get(name), 0):
            raise InvalidRequest(
                f"{name!r} holds the address of something to fetch (or is nested too deeply). A "
                "model served through litellm takes images and files only as data: send them "
                "base64-encoded"
            )
    if not _are_functions(kept.get("tools", [])):
        raise InvalidRequest(
            "A model served through litellm takes only function tools: leave out the others"
        )
    if route == "messages" and not isinstance(kept.get("max_tokens"), int):
        raise InvalidRequest("'max_tokens' is missing: this API demands it")
    return kept


def chat(answer: Body, model: str) -> bytes:
    """Return a whole chat completion, from what litellm made of the provider's answer."""
    for choice in _choices(answer):
        message = choice.setdefault("message", {})
        message.setdefault("content", None)
        message.pop("provider_specific_fields", None)
    return encode(answer | {"model": model})


class ChatStream:
    """A streamed chat completion as events: one id, one model, usage in a chunk of its own."""

    def __init__(self, model: str) -> None:
        self._fixed: Body = {"model": model}

    def event(self, chunk: Body) -> bytes:
        """Return the event of one chunk."""
        if "id" not in self._fixed:
            self._fixed |= {"id": chunk.get("id", ""), "created": chunk.get("created", 0)}
        choices = _choices(chunk)
        for choice in choices:
            choice.setdefault("finish_reason", None)
            cast("Body", choice.get("delta", {})).pop("provider_specific_fields", None)
        if chunk.get("usage") and not any(_says_something(choice) for choice in choices):
            chunk["choices"] = []
        return b"data: " + encode(chunk | self._fixed) + b"\n\n"

    def end(self) -> bytes:
        """Return the terminal event."""
        return b"data: [DONE]\n\n"


def message(answer: Body, model: str) -> bytes:
    """Return a whole Anthropic message, without the empty text litellm puts before tools."""
    content = cast("list[Body]", answer.get("content") or [])
    kept = [block for block in content if block.get("type") != "text" or block.get("text")]
    return encode(answer | {"model": model, "content": kept})


def is_error_event(chunk: bytes) -> bool:
    """Return whether a chunk of Anthropic events is litellm's own report of a failure."""
    return chunk.startswith(b"event: error")


def explained(error: BaseException, secret: str) -> str:
    """Return a provider's error text in one line, without the provider's key in it."""
    text = str(getattr(error, "message", "") or "")
    text = re.sub(r"^litellm\.\w+: ", "", text)
    if secret:
        text = text.replace(secret, "…")
    return " ".join("".join(c if c.isprintable() else " " for c in text[:500]).split())


def _choices(answer: Body) -> list[Body]:
    return cast("list[Body]", answer.get("choices") or [])


def _says_something(choice: Body) -> bool:
    return bool(choice.get("finish_reason")) or any(choice.get("delta", {}).values())


def _are_functions(tools: object) -> bool:
    return isinstance(tools, list) and all(
        isinstance(tool, dict) and cast("Body", tool).get("type") in _TOOL_TYPES
        for tool in cast("list[object]", tools)
    )


def _points_elsewhere(value: object, depth: int) -> bool:
    """Return whether content holds an address anywhere but in text a person or model wrote."""
    if depth > DEPTH_MAX:
        return True
    return any(
        _ADDRESS.match(inner) is not None
        if isinstance(inner, str)
        else _points_elsewhere(inner, depth + 1)
        for inner in _inner(value)
    )


def _inner(value: object) -> Iterator[object]:
    """Yield what a piece of content is made of, but for free text."""
    if isinstance(value, list):
        for item in cast("list[object]", value):
            if not isinstance(item, str):  # a string in a list of content is text
                yield item
    elif isinstance(value, dict):
        for name, item in cast("Body", value).items():
            is_text = name in _FREE_TEXT or (name == "content" and isinstance(item, str))
            if not is_text:
                yield item

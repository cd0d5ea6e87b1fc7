"""
What the gateway says itself, in the caller's own shape.

Sources: https://platform.openai.com/docs/guides/error-codes and
https://platform.claude.com/docs/en/api/errors, and what the SDKs read of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.values import WireFormat

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_SERVER_ERROR: Final = 500
_OWNER: Final = "goodgate"
_SINCE: Final = "1970-01-01T00:00:00Z"
"""Both formats demand a date of creation; the gateway knows of none."""


def problem(
    wire_format: WireFormat, *, status: int, code: str, message: str, request_id: str
) -> bytes:
    """Return the body of an error. `code` is stable; `message` is one line for a person."""
    kind = "api_error" if status >= _SERVER_ERROR else _TYPES.get(status, "invalid_request_error")
    error: dict[str, Any] = {"message": message, "type": kind, "param": None, "code": code}
    body: dict[str, Any] = {"error": error}
    if wire_format == "anthropic":
        error = {"type": kind, "message": message, "details": {"error_code": code}}
        body = {"type": "error", "error": error, "request_id": request_id}
    return msgspec.json.encode(body)


def models(wire_format: WireFormat, names: Sequence[str]) -> bytes:
    """Return the list of models, in the order given, all on one page."""
    entries = [_entry(wire_format, name) for name in names]
    if wire_format == "anthropic":
        page = {
            "data": entries,
            "has_more": False,
            "first_id": names[0] if names else None,
            "last_id": names[-1] if names else None,
        }
        return msgspec.json.encode(page)
    return msgspec.json.encode({"object": "list", "data": entries})


def model(wire_format: WireFormat, name: str) -> bytes:
    """Return one model."""
    return msgspec.json.encode(_entry(wire_format, name))


def _entry(wire_format: WireFormat, name: str) -> dict[str, Any]:
    if wire_format == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": _SINCE}
    return {"id": name, "object": "model", "created": 0, "owned_by": _OWNER}

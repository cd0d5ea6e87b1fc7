"""
Which path is which route.

The rule it keeps: a path is looked up in one exact table, as the bytes the caller
sent. Nothing is normalised (`//`, `/../` and `%2e%2e` name nothing), so no spelling
of a path is metered differently from another.
"""

from functools import lru_cache
from itertools import product
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.values import Route

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        name="chat",
        path="/v1/chat/completions",
        wire_format="openai",
        upstream_path="/chat/completions",
    ),
    Route(
        name="completions",
        path="/v1/completions",
        wire_format="openai",
        upstream_path="/completions",
    ),
    Route(
        name="responses",
        path="/v1/responses",
        wire_format="openai",
        upstream_path="/responses",
    ),
    Route(
        name="embeddings",
        path="/v1/embeddings",
        wire_format="openai",
        upstream_path="/embeddings",
    ),
    Route(
        name="messages",
        path="/v1/messages",
        wire_format="anthropic",
        upstream_path="/messages",
    ),
    Route(
        name="count_tokens",
        path="/v1/messages/count_tokens",
        wire_format="anthropic",
        upstream_path="/messages/count_tokens",
        metered=False,
    ),
)
"""Every POST route that reaches a provider."""

ROUTES_BY_PATH: Final[dict[str, Route]] = {route.path: route for route in ROUTES}

MODELS: Final = "/v1/models"
"""Answered by the gateway itself, under the same prefixes as the routes."""

PATH_BYTES_MAX: Final = 2048
TASK_PREFIX: Final = b"/t/"


def _spellings() -> dict[bytes, str]:
    """Return every way a known path may be written, without its task."""
    formats = [(route.path, route.wire_format) for route in ROUTES]
    formats += [(MODELS, "openai"), (MODELS, "anthropic")]
    return {
        (prefix + written).encode(): path
        for path, wire_format in formats
        for prefix, written in product(("", f"/{wire_format}"), (path, path.removeprefix("/v1")))
    }


_PLAIN: Final = _spellings()
_MODEL_PREFIXES: Final = tuple(
    written + b"/" for written, plain in _PLAIN.items() if plain == MODELS
)


def locate(raw_path: bytes) -> tuple[str, str]:
    """
    Return the task a path names (percent-decoded; empty for none) and its plain path.

    `raw_path` is what stood on the request line, without the query. `/t/{task}` and then
    `/openai` or `/anthropic` are taken off, and `/v1` is put back where a client dropped
    it. A path that is no model route comes back as it was written.
    """
    if len(raw_path) > PATH_BYTES_MAX:
        return "", raw_path.decode("latin-1")
    return _locate(raw_path)


@lru_cache(maxsize=4096)
def _locate(raw_path: bytes) -> tuple[str, str]:
    task, path = "", raw_path
    if raw_path.startswith(TASK_PREFIX):
        segment, slash, rest = raw_path.removeprefix(TASK_PREFIX).partition(b"/")
        task, path = _task(segment), slash + rest
    plain = _plain(path)
    if plain is None or (path is not raw_path and not task):
        return "", raw_path.decode("latin-1")
    return task, plain


def _task(segment: bytes) -> str:
    """Return the task one path segment spells; empty when it spells none."""
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return ""


def _plain(path: bytes) -> str | None:
    """Return the plain form of a path without its task; None when it is no model route."""
    plain = _PLAIN.get(path)
    if plain is not None:
        return plain
    for prefix in _MODEL_PREFIXES:
        if path.startswith(prefix) and len(path) > len(prefix):
            return f"{MODELS}/{path[len(prefix) :].decode('latin-1')}"
    return None

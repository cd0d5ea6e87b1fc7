"""
The body that goes to a provider.

The rule it keeps: byte for byte what the caller sent, but for four splices, and only
where each is needed. `stream_options.include_usage` becomes true on an OpenAI stream
whose caller did not ask (else it could not be metered); `model` becomes the provider's
name for it; the gateway's own `task` is cut; and towards Anthropic, whose API refuses
unknown metadata, `metadata.task_id` is cut too (and `metadata` when that leaves it
empty). Nothing is ever serialised again.
"""

from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

import msgspec

from gateway.values import Call, Target
from gateway.wire import objects
from gateway.wire.objects import Entry

Edit: TypeAlias = tuple[int, int, bytes]
"""From, to, and what stands there instead."""

USAGE_CHUNK_ROUTES: Final = frozenset({"chat", "completions"})
"""Routes whose streams tell usage only when asked, in a chunk of its own."""

_ASK: Final = b'"include_usage":true'
_ASK_ALL: Final = b'{"include_usage":true}'


def adds_usage(call: Call) -> bool:
    """Return whether the gateway asks for a usage chunk its caller did not ask for."""
    return call.stream and not call.include_usage and call.inbound.route.name in USAGE_CHUNK_ROUTES


def outgoing_body(call: Call, target: Target) -> bytes:
    """Return the bytes to send for a call: the caller's own wherever nothing must change."""
    body = call.inbound.body
    strict = target.format == "anthropic" or call.inbound.route.wire_format == "anthropic"
    renamed = call.model != target.model
    asks = adds_usage(call)
    if not (renamed or asks or call.body_task):
        return body
    model = target.model if renamed else None
    cut = {"task"} if call.body_task else set[str]()
    return _spliced(body, model, cut, asks=asks, strict=strict and bool(cut))


def _spliced(body: bytes, model: str | None, cut: set[str], *, asks: bool, strict: bool) -> bytes:
    entries = objects.entries(body, objects.read(body))
    edits: list[Edit] = []
    seen = False
    for entry in entries:
        start, end = entry.value_start, entry.end
        if entry.name == "model" and model is not None:
            edits.append((start, end, msgspec.json.encode(model)))
        elif entry.name == "stream_options" and asks:
            edits.append(_ask(body, start, end))
            seen = True
        elif entry.name == "metadata" and strict:
            edits += _without_task_id(body, start, end, cut)
    if asks and not seen:
        first = body.index(b"{") + 1
        edits.append((first, first, b'"stream_options":' + _ASK_ALL + b","))
    edits += _cuts(entries, cut)
    return _apply(body, edits)


def _ask(body: bytes, start: int, end: int) -> Edit:
    """Return the edit that makes `include_usage` true in the `stream_options` given."""
    value = body[start:end]
    if value == b"null":
        return start, end, _ASK_ALL
    entries = objects.entries(value, objects.read(value))
    for entry in entries:
        if entry.name == "include_usage":
            return start + entry.value_start, start + entry.end, b"true"
    place = start + 1
    return place, place, _ASK + (b"," if entries else b"")


def _without_task_id(body: bytes, start: int, end: int, cut: set[str]) -> list[Edit]:
    """Return the edits that cut `task_id` from `metadata`; all of it when that is all it has."""
    value = body[start:end]
    if value == b"null":
        return []
    entries = objects.entries(value, objects.read(value))
    if [entry.name for entry in entries] == ["task_id"]:
        cut.add("metadata")
        return []
    edits = _cuts(entries, {"task_id"})
    return [(start + first, start + last, text) for first, last, text in edits]


def _cuts(entries: Sequence[Entry], names: Collection[str]) -> list[Edit]:
    """
    Return the edits that cut entries, each with one of the commas beside it.

    At least one entry stays: callers cut whole objects otherwise, and a body has a model.
    """
    edits: list[Edit] = []
    kept_end: int | None = None
    for place, entry in enumerate(entries):
        if entry.name not in names:
            kept_end = entry.end
        elif kept_end is not None:
            previous = entries[place - 1]
            edits.append((previous.end, entry.end, b""))
        else:
            edits.append((entry.start, entries[place + 1].start, b""))
    return edits


def _apply(body: bytes, edits: list[Edit]) -> bytes:
    """Return a body with edits made; they do not overlap, but may touch."""
    pieces: list[bytes] = []
    position = 0
    for start, end, text in sorted(edits):
        pieces += (body[position:start], text)
        position = end
    pieces.append(body[position:])
    return b"".join(pieces)

"""
The body that goes to a provider.

The rule it keeps: byte for byte what the caller sent, but for five splices, and only
where each is needed. `stream_options.include_usage` becomes true on an OpenAI stream
whose caller did not ask (else it could not be metered); `model` becomes the provider's
name for it; the gateway's own `task` is cut; towards Anthropic, whose API refuses
unknown metadata, `metadata.task_id` is cut too (and `metadata` when that leaves it
empty); and an answer is bounded where a rule says so (see `ceilings`). Nothing is ever
serialised again.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from gateway.values import Call, Target
from gateway.wire import ceilings, objects
from gateway.wire.objects import Edit, Entry

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
    renamed = call.model != target.model
    asks = adds_usage(call)
    capped = target.output_tokens_max is not None and ceilings.bounds(call, target)
    if not (renamed or asks or capped or call.body_task):
        return body
    entries = objects.entries(body, objects.read(body))
    cut = {"task"} if call.body_task else set[str]()
    edits: list[Edit] = []
    if renamed:
        name = msgspec.json.encode(target.model)
        edits += [(each.value_start, each.end, name) for each in entries if each.name == "model"]
    if asks:
        edits.append(_usage_asked(body, entries))
    if capped:
        edits += ceilings.edits(call, target, entries, cut)
    strict = target.format == "anthropic" or call.inbound.route.wire_format == "anthropic"
    if strict and call.body_task:
        edits += _without_task_id(body, entries, cut)
    return _apply(body, edits + _cuts(entries, cut))


def _usage_asked(body: bytes, entries: Sequence[Entry]) -> Edit:
    """Return the edit that makes a body ask for the usage chunk."""
    for entry in entries:
        if entry.name == "stream_options":
            return _ask(body, entry.value_start, entry.end)
    first = body.index(b"{") + 1
    return first, first, b'"stream_options":' + _ASK_ALL + b","


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


def _without_task_id(body: bytes, entries: Sequence[Entry], cut: set[str]) -> list[Edit]:
    """Return the edits that cut `task_id` from `metadata`; all of it when that is all it has."""
    for entry in entries:
        if entry.name != "metadata" or body[entry.value_start : entry.end] == b"null":
            continue
        value = body[entry.value_start : entry.end]
        inner = objects.entries(value, objects.read(value))
        if [each.name for each in inner] == ["task_id"]:
            cut.add("metadata")
            continue
        start = entry.value_start
        return [
            (start + first, start + last, text) for first, last, text in _cuts(inner, {"task_id"})
        ]
    return []


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

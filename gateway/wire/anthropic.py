"""
Replies of Anthropic's routes.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming. Usage arrives in
parts: the input with `message_start`, the output as running totals with
`message_delta`. Anthropic's `input_tokens` leaves out what was read from and written to
the cache; ours has it in (OpenTelemetry GenAI conventions).
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.values import Usage
from gateway.wire import tally
from gateway.wire.tally import NOTHING, UNREADABLE, Tally


class _Piece(Struct, gc=False):
    text: Any = None
    thinking: Any = None
    partial_json: Any = None


class _Message(Struct, gc=False):
    usage: Raw = NOTHING


class _Event(Struct, gc=False):
    type: str = ""
    delta: _Piece | None = None
    content_block: _Piece | None = None
    message: _Message | None = None
    usage: Raw = NOTHING


class _Whole(Struct, gc=False):
    type: str = ""
    usage: Raw = NOTHING
    content: Raw = NOTHING


_event: Final = msgspec.json.Decoder(_Event)
_whole: Final = msgspec.json.Decoder(_Whole)
_anything: Final = msgspec.json.Decoder()


def event(payload: bytes, told: Tally) -> bool:
    """Read one event of a messages stream; none of them is ever to be hidden."""
    try:
        read = _event.decode(payload)
    except UNREADABLE:
        return False
    piece = read.delta or read.content_block
    if piece is not None:
        told.spoke(
            tally.size(piece.text) + tally.size(piece.thinking) + tally.size(piece.partial_json)
        )
    if read.message is not None and read.message.usage != NOTHING:
        told.report(_at_the_start(usage(read.message.usage, told.usage)))
    if read.usage != NOTHING:
        told.report(usage(read.usage, told.usage))
    if read.type == "message_stop":
        told.ended = True
    elif read.type == "error":
        told.fail()
    return False


def whole(body: bytes, told: Tally) -> None:
    """Read a plain reply: its usage, or where it reports none, the text it holds."""
    try:
        read = _whole.decode(body)
        told.ended = True
        told.failed = read.type == "error"
        told.report(usage(read.usage, None))
        if told.usage is None:
            told.spoke(tally.spoken(_anything.decode(read.content)))
    except UNREADABLE:
        told.spoke(len(body))


def counting(body: bytes, told: Tally) -> None:
    """Read the answer of count_tokens: it is free, whatever it says."""
    told.usage = Usage()
    try:
        _whole.decode(body)
        told.ended = True
    except UNREADABLE:
        # Cut short, or no JSON: still free.
        return


def _at_the_start(report: Usage | None) -> Usage | None:
    """Return what `message_start` reports as what it is: its output is not counted yet."""
    return None if report is None else msgspec.structs.replace(report, basis="estimated")


def usage(raw: Raw, before: Usage | None) -> Usage | None:
    """
    Return a report, laid over the one before it; None when there is nothing to believe yet.

    A figure the report leaves out, or that cannot be, stays as it was.
    """
    report = tally.decode(raw)
    plain = tally.counted(report, "input_tokens")
    read = tally.counted(report, "cache_read_input_tokens")
    written = tally.counted(report, "cache_creation_input_tokens")
    made = tally.counted(report, "output_tokens")
    if before is None:
        if plain is None:
            return None
        before = Usage()
    if plain is None:
        plain = before.input_tokens - before.cache_read_tokens - before.cache_write_tokens
    read = before.cache_read_tokens if read is None else read
    written = before.cache_write_tokens if written is None else written
    return Usage(
        input_tokens=plain + read + written,
        output_tokens=before.output_tokens if made is None else made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        basis=before.basis if made is None else "reported",
    )

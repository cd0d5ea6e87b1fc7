"""
Replies of OpenAI's routes, and of the many servers that imitate them.

Sources: the API references of chat, completions, responses and embeddings at
https://platform.openai.com/docs/api-reference. Usage arrives whole, in one report; a
server that reports with every chunk sends running totals, so the last one counts.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.values import Usage
from gateway.wire import tally
from gateway.wire.tally import NOTHING, UNREADABLE, Tally

DONE: Final = b"[DONE]"


class _Function(Struct, gc=False):
    arguments: Any = None
    input: Any = None


class _ToolCall(Struct, gc=False):
    function: _Function | None = None
    custom: _Function | None = None


class _Delta(Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None


class _Choice(Struct, gc=False):
    delta: _Delta | None = None
    text: Any = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Raw = NOTHING
    error: Raw = NOTHING


class _OddChunk(Struct, gc=False):
    """A chunk whose choices have a shape of their own."""

    choices: Raw = NOTHING
    usage: Raw = NOTHING
    error: Raw = NOTHING


class _Event(Struct, gc=False):
    type: str = ""
    delta: Any = None
    response: Raw = NOTHING


class _Whole(Struct, gc=False):
    usage: Raw = NOTHING
    error: Raw = NOTHING
    choices: Raw = NOTHING
    output: Raw = NOTHING


_chunk: Final = msgspec.json.Decoder(_Chunk)
_odd_chunk: Final = msgspec.json.Decoder(_OddChunk)
_event: Final = msgspec.json.Decoder(_Event)
_whole: Final = msgspec.json.Decoder(_Whole)
_anything: Final = msgspec.json.Decoder()


def chunk(payload: bytes, told: Tally) -> bool:
    """
    Read one event of a chat or completions stream.

    Returns whether it is the chunk that tells usage and nothing else: the one a caller who
    did not ask for it must not see.
    """
    if payload == DONE:
        told.ended = True
        return False
    try:
        read = _chunk.decode(payload)
    except msgspec.ValidationError:
        return _odd(payload, told)
    except UNREADABLE:
        return False
    if read.choices:
        told.spoke(sum(map(_chosen, read.choices)))
    if read.error != NOTHING:
        told.fail()
    if read.usage == NOTHING:
        return False
    told.report(usage(read.usage))
    return read.choices == []


def _odd(payload: bytes, told: Tally) -> bool:
    """Read a chunk whose choices have a shape of their own: as they stand, they are text."""
    try:
        read = _odd_chunk.decode(payload)
    except UNREADABLE:
        return False
    told.spoke(len(read.choices))
    if read.error != NOTHING:
        told.fail()
    told.report(usage(read.usage))
    return False


def _chosen(choice: _Choice) -> int:
    return tally.size(choice.text) if choice.delta is None else _said(choice.delta)


def _said(delta: _Delta) -> int:
    """Return the bytes of generated content in a delta."""
    size = tally.size(delta.content)
    if delta.tool_calls:
        for call in delta.tool_calls:
            size += _called(call.function) + _called(call.custom)
    if delta.refusal or delta.function_call:
        size += tally.size(delta.refusal) + _called(delta.function_call)
    if delta.reasoning_content or delta.reasoning:
        # Two names for one text: some servers send both.
        size += max(tally.size(delta.reasoning_content), tally.size(delta.reasoning))
    return size


def _called(function: _Function | None) -> int:
    return 0 if function is None else tally.size(function.arguments) + tally.size(function.input)


_ENDINGS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_SOUND: Final = "response.audio.delta"


def event(payload: bytes, told: Tally) -> bool:
    """Read one event of a responses stream; none of them is ever to be hidden."""
    try:
        read = _event.decode(payload)
    except UNREADABLE:
        told.ended = told.ended or payload == DONE
        return False
    kind = read.type
    if kind.endswith(".delta"):
        told.spoke(tally.size(read.delta) if kind != _SOUND else 0)
    elif kind in _ENDINGS:
        told.ended = True
        told.failed = told.failed or kind == "response.failed"
        told.report(usage(_report(read.response)))
    elif kind == "error":
        told.fail()
    return False


def _report(response: Raw) -> Raw:
    try:
        return _whole.decode(response).usage
    except UNREADABLE:
        return NOTHING


def whole(body: bytes, told: Tally) -> None:
    """Read a plain reply: its usage, or where it reports none, the text it holds."""
    try:
        read = _whole.decode(body)
        told.ended = True
        told.failed = read.error != NOTHING
        told.report(usage(read.usage))
        if told.usage is None:
            told.spoke(
                tally.spoken(_anything.decode(read.choices))
                + tally.spoken(_anything.decode(read.output))
            )
    except UNREADABLE:
        told.spoke(len(body))


def usage(raw: Raw) -> Usage | None:
    """
    Return a report of usage, normalised; None when it is none or cannot be believed.

    Servers that leave reasoning out of the output count it in the total: the larger holds.
    """
    report = tally.decode(raw)
    spent = tally.counted(report, "prompt_tokens")
    made = tally.counted(report, "completion_tokens") or 0
    into, out_of = "prompt_tokens_details", "completion_tokens_details"
    if spent is None:
        spent = tally.counted(report, "input_tokens")
        made = tally.counted(report, "output_tokens") or 0
        into, out_of = "input_tokens_details", "output_tokens_details"
    if spent is None:
        return None
    made = max(made, (tally.counted(report, "total_tokens") or 0) - spent)
    details = tally.inner(report, into)
    read = min(spent, tally.counted(details, "cached_tokens") or 0)
    written = tally.counted(details, "cache_write_tokens") or 0
    thought = tally.counted(tally.inner(report, out_of), "reasoning_tokens") or 0
    return Usage(
        input_tokens=spent,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=min(spent - read, written),
        reasoning_tokens=min(made, thought),
    )

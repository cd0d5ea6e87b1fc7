"""
A body made to ask for no longer an answer than a rule allows.

The rule it keeps: nobody gets more than the ceiling, and who asked for less gets what they
asked for. The field the caller uses is lowered. Where there is none (`null` is none), the
API's own is put first:

chat: `max_completion_tokens`, which OpenAI's reasoning models need (they refuse the older
`max_tokens`, and no model takes both; https://platform.openai.com/docs/api-reference/chat/create).
Servers that imitate OpenAI may know only `max_tokens` and pass over the other in silence
(Ollama does): where a target has a `limit_field`, it is that one that stands in the body.
completions: `max_tokens`. OpenAI's own default is 16, other servers have none at all.
responses: `max_output_tokens` (OpenAI refuses less than 16).
messages: `max_tokens`. Anthropic wants 1024 <= `thinking.budget_tokens` < `max_tokens`
(https://platform.claude.com/docs/en/build-with-claude/extended-thinking), so a budget that
does not fit is lowered with it; under a ceiling with room for none, `thinking` is cut.
embeddings, count_tokens: they make no output.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.values import Call, Target
from gateway.wire import calls, objects
from gateway.wire.objects import Edit, Entry

THINKING_TOKENS_MIN: Final = 1024
"""The smallest `thinking.budget_tokens` Anthropic takes."""

_count: Final = msgspec.json.Decoder(int)
_number: Final = msgspec.json.Decoder(float)


def bounds(call: Call, target: Target) -> bool:
    """Return whether a target's ceiling, if it has one, changes what a call asks for."""
    ceiling, asked = target.output_tokens_max, call.output_tokens_max
    route = call.inbound.route.name
    if ceiling is None or not calls.limits(route):
        return False
    if asked is None or asked > ceiling:
        return True
    # Where only one field is obeyed, it must be seen whether that is the one that asks for less.
    return route == "chat" and target.limit_field != ""


def edits(call: Call, target: Target, entries: Sequence[Entry], cut: set[str]) -> list[Edit]:
    """
    Return the edits that bound the answer; names of entries to cut are added to `cut`.

    Raises:
        InvalidRequest: `thinking` is no object, or says a name twice.

    """
    ceiling = target.output_tokens_max
    assert ceiling is not None
    body, route = call.inbound.body, call.inbound.route.name
    named = {entry.name: entry for entry in entries}
    asked = {
        name: _count.decode(value)
        for name in calls.limits(route)
        if name in named and (value := _value(body, named[name])) != b"null"
    }
    made = [_set(named[name], ceiling) for name, value in asked.items() if value > ceiling]
    field = target.limit_field if route == "chat" else ""
    if not asked or (field and field not in asked):
        field = field or calls.limits(route)[0]
        cut.update(asked)
        made = [_given(body, named, field, min([ceiling, *asked.values()]))]
    if route == "messages" and "thinking" in named:
        made += _less_thinking(body, named["thinking"], ceiling, cut)
    return made


def _given(body: bytes, named: Mapping[str, Entry], field: str, most: int) -> Edit:
    """Return the edit that sets a field that is null, or not there yet."""
    if field in named:
        return _set(named[field], most)
    first = body.index(b"{") + 1
    return first, first, b'"%b":%d,' % (field.encode(), most)


def _less_thinking(body: bytes, entry: Entry, ceiling: int, cut: set[str]) -> list[Edit]:
    """Return the edit that makes a thinking budget fit under the ceiling; or cut `thinking`."""
    value = _value(body, entry)
    if value == b"null":
        return []
    fields = objects.read(value, "`thinking`")
    try:
        budget = _number.decode(fields.get("budget_tokens", b"0"))
    except msgspec.DecodeError:
        return []  # no number: the provider says so
    if budget < ceiling:
        return []
    if ceiling <= THINKING_TOKENS_MIN:
        cut.add(entry.name)
        return []
    inner = {each.name: each for each in objects.entries(value, fields)}["budget_tokens"]
    start = entry.value_start
    return [(start + inner.value_start, start + inner.end, b"%d" % (ceiling - 1))]


def _set(entry: Entry, most: int) -> Edit:
    return entry.value_start, entry.end, b"%d" % most


def _value(body: bytes, entry: Entry) -> bytes:
    return body[entry.value_start : entry.end]

"""What holds of the last turn of any conversation, and of anything in its place."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.values import Turn
from gateway.wire import turns
from tests.unit.wire.calls import ROUTES, inbound

TEXTS = st.text(
    st.sampled_from('a{}[]"\\,: \n\u00e9\U0001f600') | st.characters(exclude_categories=["Cs"]),
    max_size=40,
)
SPOKEN = TEXTS.map(lambda text: f"x{text}")
NAMES = st.sampled_from(
    [
        *("role", "type", "content", "text", "output", "source", "data", "url", "input"),
        *("image_url", "file", "tool_calls", "function", "arguments", "name", "reason"),
    ]
)
WORDS = st.sampled_from(
    [
        *("user", "assistant", "tool", "system", "text", "tool_result", "document", "image"),
        *("function_call_output", "function_call", "reasoning", "image_url", "base64", "content"),
        "data:x;base64,QQ",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | TEXTS | WORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES | TEXTS, inner, max_size=5),
    max_leaves=25,
)
FIELDS = {"chat": "messages", "messages": "messages", "count_tokens": "messages"}


def _blocks(kind: str) -> st.SearchStrategy[object]:
    return SPOKEN | st.lists(
        SPOKEN.map(lambda text: {"type": kind, "text": text}), min_size=1, max_size=3
    )


def _said(role: str) -> st.SearchStrategy[dict[str, object]]:
    pairs = _blocks("text").map(lambda content: [("role", role), ("content", content)])
    return st.tuples(pairs, st.booleans()).map(
        lambda made: dict(reversed(made[0]) if made[1] else made[0])
    )


USER, ASSISTANT, SYSTEM = _said("user"), _said("assistant"), _said("system")
TOOL = _said("tool")
HISTORY = st.lists(USER | ASSISTANT | SYSTEM | TOOL | JSON, max_size=8)
NEWEST = st.lists(USER | TOOL, min_size=1, max_size=4)
LONG = {"role": "user", "content": 'long "ago" {' * 500}


def read(said: list[object], *, indent: int = 0) -> Turn:
    encoded = msgspec.json.encode(said)
    return turns.messages(msgspec.json.format(encoded, indent=indent or -1))


@given(HISTORY, ASSISTANT, NEWEST, st.lists(ASSISTANT | SYSTEM, max_size=3), st.booleans())
def test_no_history_and_no_prefill_changes_the_turn(history, answer, newest, prefill, long):
    alone = read([answer, *newest])
    assert alone.texts or alone.results
    before: list[object] = [LONG, *history] if long else history
    assert read([*before, answer, *newest, *prefill]) == alone
    assert read([*before, answer, *newest, *prefill], indent=2) == alone


@given(NEWEST, ASSISTANT)
def test_a_turn_holds_all_that_was_said_in_it_in_order(newest, answer):
    turn = read([answer, *newest])
    for role, found in (("user", "\n".join(turn.texts)), ("tool", "\n".join(turn.results))):
        contents = [each["content"] for each in newest if each["role"] == role]
        pieces = [
            part if isinstance(part, str) else part["text"]
            for content in contents
            for part in (content if isinstance(content, list) else [content])
        ]
        assert found == "\n".join(pieces)


@given(JSON, st.sampled_from(sorted(ROUTES)), st.booleans(), st.booleans())
def test_nothing_in_place_of_a_conversation_fails(content, route, long, kept):
    if long and isinstance(content, list):
        content = [LONG, *content]
    name = FIELDS.get(route) or ("prompt" if route == "completions" else "input")
    body: dict[str, object] = {"model": "m", name: content}
    if kept:
        body["previous_response_id"] = "r"
    turn = wire.parse(inbound(route, msgspec.json.encode(body))).turn
    assert all(isinstance(text, str) and text.strip() for text in turn.texts)
    assert all(len(each) == 32 for each in turn.attachments)
    assert len(turn.before) <= turns.BEFORE_CHARS_MAX


@pytest.mark.parametrize("read_", [turns.messages, turns.items, turns.continued, turns.prompts])
@given(content=st.text(st.sampled_from('[]{}",:\\ 0123456789aertuy\u00e9'), max_size=60))
def test_nothing_at_all_fails(read_, content):
    assert isinstance(read_(content.encode()), Turn)


@given(st.lists(USER | JSON, max_size=4))
def test_what_reads_as_the_rest_of_an_array_is_its_rest(history):
    body = msgspec.json.encode(history)
    whole = turns._decoded(body) or []
    for place in range(1, len(body)):
        if body[place : place + 2] == b'{"':
            rest = turns._decoded(b"[" + body[place:])
            assert rest is None or rest == whole[len(whole) - len(rest) :]

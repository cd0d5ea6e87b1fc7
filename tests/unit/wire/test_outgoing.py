"""The body that goes to a provider."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.values import Target
from tests.unit.wire.calls import ANTHROPIC, OPENAI, parse
from tests.unit.wire.test_objects import written

OTHER = Target(provider="openai", model='other"ü', format="openai")


def test_nothing_changes_where_nothing_must():
    body = b' { "model" : "m", "messages": [ ], "odd": 1.50, "stream": false }\n'
    call = parse("chat", body)
    assert wire.outgoing_body(call, OPENAI) is body


@pytest.mark.parametrize(
    ("route", "target", "sent", "received"),
    [
        ("chat", OTHER, '{"model":"m","a":1.0}', '{"model":"other\\"ü","a":1.0}'),
        (
            "chat",
            OPENAI,
            '{"model":"m","stream":true}',
            '{"stream_options":{"include_usage":true},"model":"m","stream":true}',
        ),
        (
            "completions",
            OPENAI,
            '{"stream_options": null,"model":"m", "stream":true}',
            '{"stream_options": {"include_usage":true},"model":"m", "stream":true}',
        ),
        (
            "chat",
            OPENAI,
            '{"model":"m","stream":true,"stream_options":{ }}',
            '{"model":"m","stream":true,"stream_options":{"include_usage":true }}',
        ),
        (
            "chat",
            OPENAI,
            '{"model":"m","stream":true,"stream_options":{"x" : false}}',
            '{"model":"m","stream":true,"stream_options":{"include_usage":true,"x" : false}}',
        ),
        (
            "chat",
            OPENAI,
            '{"model":"m","stream":true,"stream_options":{"include_usage" : false,"x":1}}',
            '{"model":"m","stream":true,"stream_options":{"include_usage" : true,"x":1}}',
        ),
        ("responses", OPENAI, '{"model":"m","stream":true}', '{"model":"m","stream":true}'),
        ("messages", ANTHROPIC, '{"model":"m","stream":true}', '{"model":"m","stream":true}'),
        ("chat", OPENAI, '{"task":"P-1", "model":"m"}', '{"model":"m"}'),
        ("chat", OPENAI, '{"model":"m" , "task":"P-1" }', '{"model":"m" }'),
        ("chat", OPENAI, '{"a":1,"task":"P-1","model":"m"}', '{"a":1,"model":"m"}'),
        ("chat", OPENAI, '{"t\\u0061sk":"P-1","model":"m"}', '{"model":"m"}'),
        (
            "chat",
            OPENAI,
            '{"model":"m","metadata":{"task_id":"P-1"}}',
            '{"model":"m","metadata":{"task_id":"P-1"}}',
        ),
        ("messages", ANTHROPIC, '{"metadata":{"task_id":"P-1"},"model":"m"}', '{"model":"m"}'),
        (
            "messages",
            ANTHROPIC,
            '{"task":"P-1","metadata":{ "task_id":"P-1" },"model":"m"}',
            '{"model":"m"}',
        ),
        (
            "messages",
            ANTHROPIC,
            '{"model":"m","task":"P-1","metadata":{"task_id":"P-1"}}',
            '{"model":"m"}',
        ),
        (
            "messages",
            ANTHROPIC,
            '{"model":"m","metadata":{"user_id":"u", "task_id":"P-1"}}',
            '{"model":"m","metadata":{"user_id":"u"}}',
        ),
        (
            "messages",
            ANTHROPIC,
            '{"model":"m","metadata":{"task_id":"P-1", "user_id":"u"}}',
            '{"model":"m","metadata":{"user_id":"u"}}',
        ),
        (
            "messages",
            ANTHROPIC,
            '{"model":"m","metadata":null,"task":"P-1"}',
            '{"model":"m","metadata":null}',
        ),
        (
            "chat",
            OTHER,
            '{"task":"P-1","model":"m","stream":true}',
            '{"stream_options":{"include_usage":true},"model":"other\\"ü","stream":true}',
        ),
    ],
)
def test_only_the_splices_change(route, target, sent, received):
    assert wire.outgoing_body(parse(route, sent.encode()), target).decode() == received


plain_names = st.text(st.characters(exclude_categories=["Cs", "Lu"]), min_size=1, max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_names, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """Draw a chat body with any of what is spliced, in any order, written in any way."""
    held: dict[str, Any] = {
        f"x-{k}": v for k, v in draw(st.dictionaries(plain_names, anything, max_size=3)).items()
    }
    held["model"] = "m"
    optional: dict[str, Any] = {
        "stream": True,
        "task": "P-1",
        "metadata": draw(st.dictionaries(st.sampled_from(["task_id", "user_id"]), st.just("P-1"))),
        "stream_options": draw(
            st.none() | st.dictionaries(st.sampled_from(["include_usage", "x"]), st.booleans())
        ),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        held[name] = optional[name]
    order = draw(st.permutations(sorted(held)))
    held = {name: held[name] for name in order}
    return held, draw(written(list(held.items())))


@given(bodies(), st.sampled_from([OPENAI, OTHER, ANTHROPIC]))
def test_every_other_value_reaches_the_provider_as_it_was(case, target):
    held, body = case
    call = parse("chat", body)
    sent = json.loads(wire.outgoing_body(call, target))
    expected = dict(held, model=target.model)
    expected.pop("task", None)
    if "stream" in held:
        options = held.get("stream_options") or {}
        expected["stream_options"] = {**options, "include_usage": True}
    if target is ANTHROPIC and "task_id" in held.get("metadata", {}):
        expected["metadata"] = {k: v for k, v in held["metadata"].items() if k != "task_id"}
        if not expected["metadata"]:
            del expected["metadata"]
    assert sent == expected

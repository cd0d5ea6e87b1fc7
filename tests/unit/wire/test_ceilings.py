"""A body that asks for no longer an answer than a rule allows."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.errors import InvalidRequest
from gateway.values import Target
from gateway.wire import calls
from tests.unit.wire.calls import ANTHROPIC, OPENAI, parse
from tests.unit.wire.test_objects import written

ASKING = '{"include_usage":true}'


def capped(target: Target, most: int, field: str = "") -> Target:
    return msgspec.structs.replace(target, output_tokens_max=most, limit_field=field)


def sent(route: str, body: str, most: int, *, field: str = "") -> str:
    target = ANTHROPIC if route == "messages" else OPENAI
    return wire.outgoing_body(parse(route, body.encode()), capped(target, most, field)).decode()


@pytest.mark.parametrize(
    ("route", "body", "received"),
    [
        ("chat", '{"model":"m"}', '{"max_completion_tokens":9,"model":"m"}'),
        ("chat", '{ "model":"m", "max_tokens" : 10 }', '{ "model":"m", "max_tokens" : 9 }'),
        (
            "chat",
            '{"max_completion_tokens":10,"model":"m"}',
            '{"max_completion_tokens":9,"model":"m"}',
        ),
        (
            "chat",
            '{"model":"m","max_tokens":10,"max_completion_tokens":11}',
            '{"model":"m","max_tokens":9,"max_completion_tokens":9}',
        ),
        (
            "chat",
            '{"model":"m","max_tokens":8,"max_completion_tokens":11}',
            '{"model":"m","max_tokens":8,"max_completion_tokens":9}',
        ),
        (
            "chat",
            '{"model":"m","max_tokens":null,"max_completion_tokens":11}',
            '{"model":"m","max_tokens":null,"max_completion_tokens":9}',
        ),
        (
            "chat",
            '{"model":"m","max_completion_tokens": null}',
            '{"model":"m","max_completion_tokens": 9}',
        ),
        (
            "chat",
            '{"model":"m","max_tokens":null}',
            '{"max_completion_tokens":9,"model":"m","max_tokens":null}',
        ),
        ("chat", '{"model":"m","max\\u005ftokens":10}', '{"model":"m","max\\u005ftokens":9}'),
        (
            "chat",
            '{"n":1,"stream":true,"model":"m"}',
            '{"max_completion_tokens":9,"stream_options":'
            + ASKING
            + ',"n":1,"stream":true,"model":"m"}',
        ),
        ("chat", '{"task":"P-1","model":"m"}', '{"max_completion_tokens":9,"model":"m"}'),
        ("completions", '{"model":"m","prompt":"x"}', '{"max_tokens":9,"model":"m","prompt":"x"}'),
        (
            "completions",
            '{"model":"m","max_tokens":16,"n":2}',
            '{"model":"m","max_tokens":9,"n":2}',
        ),
        (
            "responses",
            '{"model":"m","input":"x"}',
            '{"max_output_tokens":9,"model":"m","input":"x"}',
        ),
        (
            "responses",
            '{"model":"m","max_output_tokens":100}',
            '{"model":"m","max_output_tokens":9}',
        ),
        ("messages", '{"model":"m"}', '{"max_tokens":9,"model":"m"}'),
        ("messages", '{"model":"m","max_tokens":1000}', '{"model":"m","max_tokens":9}'),
    ],
)
def test_the_callers_own_field_is_lowered_and_one_is_put_where_there_is_none(route, body, received):
    assert sent(route, body, 9) == received


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("chat", b'{ "model":"m", "max_tokens":9 }'),
        ("chat", b'{"model":"m","max_tokens":0,"max_completion_tokens":null}'),
        ("completions", b'{"model":"m","max_tokens":1}'),
        ("responses", b'{"model":"m","max_output_tokens":9}'),
        ("messages", b'{"model":"m","max_tokens":9,"thinking":{"budget_tokens":5000}}'),
        ("embeddings", b'{"model":"m","input":"x"}'),
        ("count_tokens", b'{"model":"m","messages":[]}'),
    ],
)
def test_who_asks_for_no_more_is_passed_on_byte_for_byte(route, body):
    call = parse(route, body)
    assert wire.outgoing_body(call, capped(OPENAI, 9)) is body


@pytest.mark.parametrize(
    ("body", "received"),
    [
        ('{"model":"m"}', '{"max_tokens":9,"model":"m"}'),
        ('{"model":"m","max_tokens":null}', '{"model":"m","max_tokens":9}'),
        ('{"model":"m","max_tokens":10}', '{"model":"m","max_tokens":9}'),
        ('{"model":"m","max_tokens":3}', '{"model":"m","max_tokens":3}'),
        ('{"model":"m","max_completion_tokens":10}', '{"max_tokens":9,"model":"m"}'),
        ('{"model":"m","max_completion_tokens":3}', '{"max_tokens":3,"model":"m"}'),
        (
            '{"max_completion_tokens":3,"model":"m","max_tokens":null}',
            '{"model":"m","max_tokens":3}',
        ),
        (
            '{"model":"m","max_tokens":10,"max_completion_tokens":3}',
            '{"model":"m","max_tokens":9,"max_completion_tokens":3}',
        ),
    ],
)
def test_where_only_one_field_is_obeyed_it_is_that_one_that_says_so(body, received):
    """A server that passes over `max_completion_tokens` would answer without end."""
    assert sent("chat", body, 9, field="max_tokens") == received


def test_without_a_ceiling_the_field_a_caller_uses_stays():
    body = b'{"model":"m","max_completion_tokens":10}'
    target = msgspec.structs.replace(OPENAI, limit_field="max_tokens")
    assert wire.outgoing_body(parse("chat", body), target) is body


@pytest.mark.parametrize(
    ("most", "thinking", "received"),
    [
        (
            1025,
            '{"type":"enabled", "budget_tokens" : 1e4 }',
            '{"type":"enabled", "budget_tokens" : 1024 }',
        ),
        (2000, '{"budget_tokens":2000.0}', '{"budget_tokens":1999}'),
        (2000, '{"budget_tokens":1999}', '{"budget_tokens":1999}'),
        (2000, '{"budget_tokens":1999.5}', '{"budget_tokens":1999.5}'),
        (2000, '{"type":"adaptive"}', '{"type":"adaptive"}'),
        (2000, '{"budget_tokens":"many"}', '{"budget_tokens":"many"}'),
        (2000, '{"budget_tokens":null}', '{"budget_tokens":null}'),
        (2000, "null", "null"),
    ],
)
def test_a_thinking_budget_stays_below_the_most_tokens(most, thinking, received):
    body = '{"model":"m","max_tokens":20000,"thinking":%s,"x":1}'
    expected = f'{{"model":"m","max_tokens":{most},"thinking":{received},"x":1}}'
    assert sent("messages", body % thinking, most) == expected


def test_under_a_ceiling_with_no_room_for_thinking_there_is_none():
    body = '{"thinking":{"type":"enabled","budget_tokens":1024},"model":"m","max_tokens":2000}'
    assert sent("messages", body, 1024) == '{"model":"m","max_tokens":1024}'


@pytest.mark.parametrize("thinking", ['"much"', '{"budget_tokens":1,"budget_tokens":9000}'])
def test_thinking_that_can_be_read_in_two_ways_is_refused(thinking):
    body = f'{{"model":"m","max_tokens":20000,"thinking":{thinking}}}'
    with pytest.raises(InvalidRequest, match="`thinking`"):
        sent("messages", body, 2000)


@pytest.mark.parametrize("number", ["1e3", "2000.0", "9.5", '"9"', "-1", "true"])
def test_a_limit_that_is_no_whole_number_never_gets_so_far(number):
    with pytest.raises(InvalidRequest, match="whole number"):
        parse("chat", f'{{"model":"m","max_tokens":{number}}}'.encode())


COUNTS = st.none() | st.integers(0, 40)


@st.composite
def limited(draw: st.DrawFn) -> tuple[str, dict[str, Any], bytes]:
    """Draw a body of any route with any of the fields that limit an answer."""
    route = draw(st.sampled_from(["chat", "completions", "responses", "messages", "embeddings"]))
    held: dict[str, Any] = {"model": "m", "x": {"max_tokens": 99}, "y": "max_tokens"}
    for name in calls.limits(route):
        if draw(st.booleans()):
            held[name] = draw(COUNTS)
    others = {"stream": True, "task": "P-1"}
    held |= {name: others[name] for name in draw(st.sets(st.sampled_from(sorted(others))))}
    if draw(st.booleans()):
        held["thinking"] = {"type": "enabled", "budget_tokens": draw(st.integers(0, 40))}
    held = {name: held[name] for name in draw(st.permutations(sorted(held)))}
    return route, held, draw(written(list(held.items())))


@given(limited(), st.integers(1, 40), st.sampled_from(["", "max_tokens"]))
def test_nobody_gets_more_than_the_ceiling_or_than_they_asked_for(case, most, field):
    route, held, body = case
    call = parse(route, body)
    target = capped(ANTHROPIC if route == "messages" else OPENAI, most, field)
    received = json.loads(wire.outgoing_body(call, target))
    names = calls.limits(route)
    given_max = call.output_tokens_max
    said = [received[name] for name in names if received.get(name) is not None]
    if names:
        assert said
        assert max(said) <= most
        assert max(said) == (most if given_max is None else min(most, given_max))
    if names and route == "chat" and field:
        assert received[field] is not None
    touched = {*names, "task", "stream_options", "thinking"}
    assert {k: v for k, v in received.items() if k not in touched} == {
        k: v for k, v in held.items() if k not in touched
    }

"""A call read from a file: some of its facts, or the body an SDK sends."""

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway import metering
from gateway.errors import ConfigError, InvalidRequest
from gateway.rehearsal.explanations import request
from gateway.rehearsal.explanations.request import Request

NOW = 1_772_445_600.0
"""Monday, 2026-03-02, 10:00 UTC."""
PRICES = metering.PriceBook({})
ASK = [{"role": "user", "content": "Write a function that parses dates."}]


def read(text: str, route: str = "", **given: str | float) -> Request:
    facts = {name.replace("__", "."): value for name, value in given.items()}
    return request.read("call", text, given=facts, route=route, prices=PRICES, now=NOW)


def body(route: str = "", given: dict[str, str | float] | None = None, **fields: Any) -> Request:
    text = json.dumps({"model": "gpt-5", **fields})
    return request.read("call", text, given=given or {}, route=route, prices=PRICES, now=NOW)


def test_some_facts_make_a_whole_call() -> None:
    found = read("facts: {task.evidence: none, call.model: gpt-6, call.cost_usd_max: 0.5}")
    assert (found.facts["task.evidence"], found.facts["task.evidence_rank"]) == ("none", 0)
    assert (found.facts["call.model"], found.facts["now.weekday"]) == ("gpt-6", "monday")
    assert (found.reserve.cost_usd, found.reserve.input_tokens) == (Decimal("0.5"), 1_000)
    assert (found.now, found.notes) == (NOW, ())


def test_a_file_may_say_when_and_a_later_word_wins() -> None:
    found = read("at: 2026-03-07T23:30:00Z\nfacts: {}")
    assert (found.facts["now.weekday"], found.facts["now.hour"]) == ("saturday", 23)
    moved = request.at(found, NOW)
    assert (moved.now, moved.facts["now.weekday"], moved.facts["now.hour"]) == (NOW, "monday", 10)


def test_what_is_given_beside_a_file_wins() -> None:
    found = read("facts: {task.value: 3, principal.team: web}", "messages", task__value=0.1)
    assert (found.facts["task.value"], found.facts["principal.team"]) == (0.1, "web")
    assert found.facts["call.route"] == "messages"


def test_every_mistake_in_a_file_of_facts_is_told() -> None:
    with pytest.raises(ConfigError) as told:
        read("facts: {task.evidnce: none, call.stream: 1}\nwhen: now")
    assert [line.partition(": ")[0] for line in str(told.value).splitlines()] == [
        *("call:1:9", "call:1:42", "call:2:1")
    ]
    assert "did you mean 'task.evidence'?" in str(told.value)


@pytest.mark.parametrize("text", ['{"foo": 1}', "[1]", "hello", ""])
def test_what_is_neither_says_what_it_could_be(text: str) -> None:
    with pytest.raises(ConfigError, match=r"facts: \{task.evidence: none\}"):
        read(text)


def test_a_body_tells_of_the_call_and_the_rest_is_taken_and_said() -> None:
    found = body(messages=ASK, max_tokens=50, stream=True, n=2)
    facts = found.facts
    assert (facts["call.model"], facts["call.route"], facts["call.stream"]) == (
        *("gpt-5", "chat", True),
    )
    assert (facts["call.choices"], facts["call.output_tokens_max"]) == (2, 100)
    assert found.reserve.output_tokens == 100
    assert found.reserve.cost_usd > 0
    assert (facts["task.evidence"], facts["task.id"]) == ("none", "")
    assert len(found.notes) == 1
    assert "Taken as a call of alice of payments for no task: --principal, " in found.notes[0]


def test_a_task_that_is_named_is_taken_as_verified() -> None:
    told = body(messages=ASK, metadata={"task_id": "proj-7"})
    assert (told.facts["task.id"], told.facts["task.source"]) == ("PROJ-7", "body")
    assert told.facts["task.evidence"] == "verified"
    assert "for the task PROJ-7 (verified)" in told.notes[0]
    given = body(messages=ASK, task="PROJ-7", given={"task.id": "X-1", "task.evidence": "claimed"})
    assert (given.facts["task.id"], given.facts["task.evidence_rank"]) == ("X-1", 2)
    assert given.facts["task.source"] == "header"


@pytest.mark.parametrize(
    ("fields", "route"),
    [
        ({"messages": ASK}, "chat"),
        ({"messages": ASK, "max_tokens": 5}, "chat"),
        ({"messages": ASK, "max_tokens": 5, "system": "Be brief."}, "messages"),
        ({"messages": ASK, "max_tokens": 5, "model": "claude-sonnet-5"}, "messages"),
        ({"messages": ASK, "model": "claude-sonnet-5"}, "chat"),
        ({"input": "Hello there."}, "responses"),
        ({"input": "Hello there.", "model": "text-embedding-3-small"}, "embeddings"),
        ({"prompt": "Hello there."}, "completions"),
        ({}, "chat"),
    ],
)
def test_the_route_of_a_body_is_guessed(fields: dict[str, Any], route: str) -> None:
    assert body(**fields).facts["call.route"] == route
    assert body("count_tokens", **fields).facts["call.metered"] is False


def test_a_turn_of_tool_results_alone_is_one() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    turn = [{"role": "user", "content": [result]}]
    both = [{"role": "user", "content": [result, {"type": "text", "text": "Go on."}]}]
    assert body("messages", messages=turn, max_tokens=5).facts["call.tool_results_only"] is True
    assert body("messages", messages=both, max_tokens=5).facts["call.tool_results_only"] is False


def test_names_that_are_none_say_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match="there is no route 'chta'; did you mean 'chat'"):
        body("chta", messages=ASK)
    with pytest.raises(InvalidRequest, match="there is no route 'zzz'; it is one of chat, "):
        read("facts: {}", "zzz")
    with pytest.raises(InvalidRequest, match="never 'nome'; did you mean 'none'"):
        read("facts: {}", task__evidence="nome")
    with pytest.raises(InvalidRequest, match="never 'zzz'; it is one of developer, admin"):
        read("facts: {}", principal__role="zzz")


def test_a_body_that_is_no_call_is_refused_as_the_line_refuses_it() -> None:
    with pytest.raises(InvalidRequest, match="`model`"):
        read('{"model": 1, "messages": []}')

"""Conditions: what is accepted, what is refused with which words, and what they say of facts."""

import pytest

from gateway.policy.conditions import cel
from tests.unit.policy import cases


def mistakes(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(cel.Mistakes) as caught:
        cel.compile_condition(text)
    return [(each.line, each.col, each.message) for each in caught.value.found]


ACCEPTED = [
    'task.evidence in ["none", "inferred"] && call.metered',
    '"none" == task.evidence',
    'task.problem != ""',
    "task.evidence_rank >= 2",
    "task.value < 0.2",
    'call.model.startsWith("gpt-5") || call.model.matches("^o[0-9]")',
    '[1, 2].exists(x, [3, 4].all(y, x < y)) && call.model != ""',
    'now.weekday in ["saturday", "sunday"] && now.hour < 6',
    "principal.team == task.team",
    'call.model != "has(this)" && call.model != "it\'s has(that)"',
    "call.choices in [" + ",".join(str(number) for number in range(1000)) + "]",
    "true",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_sound_condition_says_true_or_false(text: str) -> None:
    condition = cel.compile_condition(text)
    assert condition.holds(cel.activation(cases.facts())) in (True, False)


def test_a_condition_says_which_facts_it_reads() -> None:
    condition = cel.compile_condition('task.id == "A-1" || call.stream')
    assert condition.reads == {"task.id", "call.stream"}


def test_arithmetic_that_fails_is_neither_true_nor_false() -> None:
    condition = cel.compile_condition("call.choices / 0 == 1")
    assert condition.holds(cel.activation(cases.facts())) is None


REFUSED = [
    ("((" * 50, 1, 1, "read '(' that is never closed"),
    ("(" * 50 + "true" + ")" * 50, 1, 1, "this is no CEL: nested deeper than 32"),
    ("+".join(["1"] * 300), 1, 1, "this is no CEL: nested deeper than 32"),
    ("x" * 5000, 1, 1, "an expression of 5000 characters, expected at most 4096: split it"),
    (" && ".join(["[1].all(a, true)"] * 200), 1, 1, "an expression of far more than 500 parts"),
    ("call.choices", 1, 1, "call.choices is a whole number, expected true or false: compare it"),
    ("[1]", 1, 1, "the condition is a value, expected true or false: compare it"),
    ("b''", 1, 1, "the condition is a value, expected true or false: compare it"),
    ('call.stream || has(call.model) == ""', 1, 16, "has() is never needed"),
    ("has(call.stream)", 1, 1, "has() is never needed"),
    ('call.model.matches("(")', 1, 20, "missing ): (, expected RE2 syntax"),
]


@pytest.mark.parametrize(("text", "line", "col", "said"), REFUSED)
def test_an_unsound_condition_is_refused_with_place_and_remedy(
    text: str, line: int, col: int, said: str
) -> None:
    (found,) = mistakes(text)
    assert found[:2] == (line, col)
    assert said in found[2]


def test_what_can_be_read_from_a_condition_has_a_cost() -> None:
    plain = cel.compile_condition('call.model == "gpt-5"').cost
    assert 100 < plain < 500
    assert cel.compile_condition('call.model == "gpt-é"').cost > plain + 200
    assert cel.compile_condition('call.model.matches("a{900}")').cost > plain + 3_000


@pytest.mark.parametrize(
    "text", ["call.model == gpt", "call.model = ''", "call.model.matches('[')", "'\x00' == ''"]
)
def test_a_mistaken_condition_costs_more_than_a_sound_one(text: str) -> None:
    with pytest.raises(cel.Mistakes) as caught:
        cel.compile_condition(text)
    assert caught.value.cost >= len(text) * cel.MISTAKEN_COST


def test_a_condition_in_force_is_compiled_once() -> None:
    first = cel.compile_condition('call.model == "in force"')
    assert cel.compile_condition('call.model == "in force"') is first


def test_a_text_that_is_no_unicode_is_neither_true_nor_false() -> None:
    condition = cel.compile_condition('call.model == "m"')
    assert condition.holds(cel.activation({"call.model": "\ud800"})) is None


def test_a_part_of_a_condition_comes_to_a_value_or_says_why_it_errs() -> None:
    asked = cel.activation({**cases.facts(), "call.choices": 3})
    assert cel.evaluate("call.choices + 1", asked) == 4
    assert cel.evaluate("call.choices / 0", asked) == cel.Erred("divide by zero")
    broken = cel.activation({"call.model": "\ud800"})
    assert cel.evaluate("call.model", broken) == cel.Erred("a text that is not Unicode")

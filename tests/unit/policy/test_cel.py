"""Conditions: what is accepted, what is refused with which words, and what they say of facts."""

import pytest

from gateway.policy import cel
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
    ("task.value > 1", 1, 12, "'>' cannot be applied to (double, int); write 1.0"),
    ("2 < task.value", 1, 3, "'<' cannot be applied to (int, double); write 2.0"),
    ("call.choices == 1.0", 1, 14, "'==' cannot be applied to (int, double); write 1"),
    ("call.choices > 1.5", 1, 14, "; write a whole number"),
    ("task.value > call.choices", 1, 12, "; convert one: double(…) or int(…)"),
    ("call.model == 1", 1, 12, "'==' cannot be applied to (string, int)"),
    ('task.evidnce == ""', 1, 1, "unknown fact 'task.evidnce'; did you mean 'task.evidence'?"),
    ("call.stream\n  && tsk.lenient", 2, 6, "did you mean 'task.lenient'?"),
    ('likeness.knd == "new"', 1, 1, "unknown fact 'likeness.knd'; did you mean 'likeness.kind'?"),
    ('colour.kind == "x"', 1, 1, "unknown fact 'colour.kind'; policies/README.md lists"),
    ('evidence == "none"', 1, 1, "did you mean 'task.evidence'?"),
    ('call.model.startswith("x")', 1, 12, "did you mean 'startsWith'?"),
    ("frobnicate(1)", 1, 1, "unknown function 'frobnicate'; policies/README.md lists"),
    ("1.string() == '1'", 1, 3, "unknown function 'string'; policies/README.md lists"),
    ("call.metered &&", 1, 16, "this is no CEL: Syntax error: mismatched input '<EOF>'"),
    ("", 1, 1, "this is no CEL"),
    ("((" * 50, 1, 1, "this is no CEL: Expression recursion limit exceeded"),
    ("+".join(["1"] * 300), 1, 1, "this is no CEL: Exceeded max recursion depth"),
    ("x" * 5000, 1, 1, "an expression of 5000 characters, expected at most 4096"),
    ("call.choices", 1, 1, "the condition is a value (int), expected true or false"),
    ('call.stream || has(call.model) == ""', 1, 16, "has() is never needed"),
    ("has(call.stream)", 1, 1, "has() is never needed"),
    ('call.model.matches("(")', 1, 20, "missing ): (, expected RE2 syntax"),
    ("[1].map(x, x).all(x, [1].all(y, y == x)) && {1: 2}.all(k, k > 1.0)", 1, 0, "write 1"),
    ('call.model.split("").all(x, true)', 1, 0, "unknown function 'split'"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "col", "said"), REFUSED)
def test_an_unsound_condition_is_refused_with_place_and_remedy(
    text: str, line: int, col: int, said: str
) -> None:
    found = mistakes(text)
    assert any(said in message for _, _, message in found), found
    assert all("\n" not in message for _, _, message in found)
    if col:
        assert (line, col) in [(at, column) for at, column, message in found if said in message]


def test_a_text_that_is_no_unicode_is_neither_true_nor_false() -> None:
    condition = cel.compile_condition('call.model == "m"')
    assert condition.holds(cel.activation({"call.model": "\ud800"})) is None

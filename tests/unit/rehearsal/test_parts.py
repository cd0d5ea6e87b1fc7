"""Conditions taken apart: the value of each part, what decided, and what nobody needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.conditions import cel, printing
from gateway.rehearsal.explanations.parts import Part, Taker, shown
from gateway.rehearsal.trials import situations
from tests.unit.policy.test_printing import flag, tree_of

NOW = 1_772_445_600.0
FACTS = situations.whole({"call.choices": 0, "task.lenient": False, "call.metered": True}, NOW)


def take(text: str, **facts: object) -> Part:
    return Taker({**FACTS, **facts}).take(tree_of(text))


def told(part: Part) -> list[str]:
    """Return each part as a line: what it is, and the marks on it."""
    marks = ">" * part.decided + "-" * (not part.needed)
    lines = [f"{marks}{part.text} = {part.shown}"]
    return lines + [f" {line}" for below in part.below for line in told(below)]


def test_the_first_false_side_of_an_and_decides_and_the_rest_is_not_needed() -> None:
    assert told(take('call.metered && task.evidence == "none" && !task.lenient')) == [
        'call.metered && task.evidence == "none" && !task.lenient = false',
        " call.metered = true",
        ' >task.evidence == "none" = false',
        '  task.evidence = "verified"',
        " -!task.lenient = true",
        "  -task.lenient = false",
    ]


def test_every_side_of_a_true_and_decides() -> None:
    assert told(take("call.metered && !task.lenient"))[1:] == [
        " >call.metered = true",
        " >!task.lenient = true",
        "  task.lenient = false",
    ]


def test_the_first_true_side_of_an_or_decides_and_of_a_false_one_every_side() -> None:
    assert told(take("task.lenient || call.metered || call.stream"))[1:] == [
        " task.lenient = false",
        " >call.metered = true",
        " -call.stream = false",
    ]
    assert told(take("task.lenient || call.stream"))[1:] == [
        " >task.lenient = false",
        " >call.stream = false",
    ]


def test_what_errs_says_so_and_decides_only_where_nothing_else_does() -> None:
    erring = "1 / call.choices > 2"
    assert told(take(erring)) == [
        ">1 / call.choices > 2 = error: divide by zero",
        " 1 / call.choices = error: divide by zero",
        "  call.choices = 0",
    ]
    assert take(f"{erring} && task.lenient").value is False
    assert [each.decided for each in take(f"{erring} && task.lenient").below] == [False, True]
    assert [each.decided for each in take(f"{erring} && call.metered").below] == [True, False]
    assert take(f"{erring} && call.metered").error == "divide by zero"


def test_a_denied_chain_is_taken_apart_and_a_denied_fact_is_not() -> None:
    assert told(take("!(call.metered && call.stream)")) == [
        "!(call.metered && call.stream) = true",
        " call.metered && call.stream = false",
        "  call.metered = true",
        "  >call.stream = false",
    ]
    assert take("!(call.metered && call.stream)").connects == "!"
    assert take("!call.stream").connects == ""


def test_of_a_choice_only_one_side_is_needed() -> None:
    assert told(take("call.metered ? call.stream : task.lenient"))[1:] == [
        " >call.metered = true",
        " >call.stream = false",
        " -task.lenient = false",
    ]
    marked = take("1 / call.choices > 2 ? call.stream : task.lenient").below
    assert [each.decided for each in marked] == [True, False, False]


def test_inside_a_macro_nothing_is_taken_apart_but_its_facts_are_told() -> None:
    text = '["a", "b"].exists(x, call.model.startsWith(x) && call.stream)'
    assert told(take(text)) == [
        f">{text} = false",
        ' call.model = "gpt-5"',
        " call.stream = false",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("call.choices + 1", 1),
        ("uint(7)", 7),
        ("1.0 / 0.0", "inf"),
        ("[1, 2].map(x, x * 2)", [2, 4]),
        ('{"a": [1.5]}', {"a": [1.5]}),
        ('b"\\x00a"', "0061"),
        ("timestamp(0)", "1970-01-01T00:00:00+00:00"),
        ('duration("90s")', "90.0s"),
        ("null", None),
    ],
)
def test_every_value_of_cel_is_told_as_json_can_hold_it(text: str, value: object) -> None:
    assert take(text).value == value


def test_values_are_shown_as_cel_writes_them() -> None:
    assert shown({"a": [True, None, 'x"', 1.5]}) == '{"a": [true, null, "x\\"", 1.5]}'


def test_a_text_that_is_no_unicode_is_an_error_and_no_crash() -> None:
    part = take('call.model == "x"', **{"call.model": "\ud800"})
    assert part.error == "a text that is not Unicode"


@given(flag(3), st.sampled_from([True, False]), st.integers(0, 2))
def test_the_whole_comes_to_what_the_condition_does_and_some_part_decides(
    text: str, stream: object, choices: int
) -> None:
    facts = {**FACTS, "call.stream": stream, "call.choices": choices}
    try:
        tree = tree_of(text)
    except RuntimeError:
        return
    part = Taker(facts).take(tree)
    said = cel.evaluate(text, cel.activation(facts))
    assert part.error == (said.why if isinstance(said, cel.Erred) else "")
    assert part.error or part.value is said
    deciding = list(decided(part))
    assert deciding
    assert all(each.needed for each in deciding)
    assert part.text == printing.text(tree)


def decided(part: Part) -> list[Part]:
    found = [part] if part.decided else []
    return found + [each for below in part.below for each in decided(below)]

"""What an admin reads of a condition that is wrong: whole messages, with their places."""

from pathlib import Path

import pytest

from gateway.policy.conditions import cel, slips, wording

TABLE = Path(__file__).parent / "wrong_conditions.txt"
"""A condition a line (\\n is a line break), and below it, indented, all that is told of it."""


def table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    condition = ""
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("    "):
            found[condition].append(line.strip())
        else:
            condition = line.replace("\\n", "\n")
            found[condition] = []
    return found


def told(text: str) -> list[str]:
    with pytest.raises(cel.Mistakes) as caught:
        cel.compile_condition(text)
    return [f"{each.line}:{each.col}: {each.message}" for each in caught.value.found]


@pytest.mark.parametrize(("text", "expected"), table().items())
def test_a_wrong_condition_is_told_with_what_to_write(text: str, expected: list[str]) -> None:
    assert told(text) == expected


def test_the_table_is_long() -> None:
    assert len(table()) > 100


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("call.metered\x00", "1:13", "U+0000"),
        ("call.metered\n && \u2028", "2:5", "U+2028"),
        ('"\ud800" == ""', "1:2", "U+D800"),
    ],
)
def test_a_character_nobody_sees_is_told_with_its_number(text: str, place: str, code: str) -> None:
    assert told(text) == [
        f"{place}: read the character {code}, which nobody sees, expected to see it"
    ]


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "// nothing"])
def test_nothing_is_no_condition(text: str) -> None:
    said = "read nothing, expected a condition (a rule without 'when' matches always)"
    assert told(text) == [f"1:1: {said}"]


def test_only_the_first_mistakes_of_an_expression_are_told() -> None:
    assert len(told(" || ".join(f"x{number}" for number in range(15)))) == slips.MISTAKES_MAX
    assert len(told(" = ".join(["x"] * 30))) == slips.MISTAKES_MAX


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("INTERNAL: something new [INTERNAL]", "something new [INTERNAL]"),
        ("something new", "something new"),
        ("ERROR: <input>:1:1: Exceeded max recursion depth of 32", "nested deeper than 32"),
        ("ERROR: <input>:1:1: Syntax error: extraneous input 'a' expecting {<EOF>}", "read 'a',"),
        ("ERROR: <input>:1:1: mismatched input '<EOF>' [INVALID_ARGUMENT]", "read its end,"),
    ],
)
def test_what_the_checker_may_say_one_day_is_told_as_it_is(said: str, told: str) -> None:
    (found,) = wording.explained("true", said)
    assert found.message.startswith(f"this is no CEL: {told}")

"""What conditions demand, and which two rules can match one call."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy.conjuncts import Conjuncts, can_both, demands, overlaps
from gateway.policy.rules import Rule


def rule(when: str, *, team: str = "") -> Rule:
    written = f"{{id: r, when: {when!r}, effect: permit}}" if when else "{id: r, effect: permit}"
    files = f"version: 1\n{f'team: {team}' if team else ''}\nrules:\n  - {written}\n"
    return policy.load([("a.yaml", files)]).rule("r")


FLAGS = {"call.metered": {True}, "call.stream": {False}}


@pytest.mark.parametrize(
    ("when", "needs"),
    [
        ('task.id == "A"', {"task.id": {"A"}}),
        ('"A" == task.id', {"task.id": {"A"}}),
        ('task.id in ["A", "B"]', {"task.id": {"A", "B"}}),
        ('task.id in ["A", "B"] && "B" == task.id', {"task.id": {"B"}}),
        ("call.metered && !call.stream", FLAGS),
        ("call.metered == true && call.stream != true", FLAGS),
        ("!!call.metered && (call.stream == false)", FLAGS),
        ('!(task.id != "A") && call.choices == 2', {"task.id": {"A"}, "call.choices": {2}}),
        ("call.metered || call.stream", {}),
        ("!(call.metered && call.stream)", {}),
        ('task.id == "A" ? call.metered : call.stream', {}),
        ("call.model == task.id", {}),
        ("task.id in [call.model]", {}),
        ('"A" in [task.id]', {}),
        ("task.value < 1.0 && 1 < 2", {}),
        ('task.id.startsWith("A") && true', {}),
        ("", {}),
    ],
)  # fmt: skip
def test_the_values_a_condition_demands(when: str, needs: Mapping[str, set[Any]]) -> None:
    assert demands(rule(when)).needs == needs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('task.id == "A"', 'task.id == "B" && call.metered'),
        ('task.id in ["A", "B"]', 'task.id in ["C", "D"]'),
        ("call.metered", "!call.metered"),
        ("call.metered == true", "call.metered != true"),
        ('task.evidence == "none"', 'task.evidence != "none"'),
        ('call.model in ["a", "b"]', '!(call.model in ["b", "a", "c"])'),
        ("call.choices < 3", "call.choices >= 3"),
        ("call.choices < 3", "3 <= call.choices"),
        ("call.choices > 2", "call.choices < 3"),
        ("call.choices <= 2", "!(call.choices <= 2)"),
        ("call.choices == 2", "call.choices > 2"),
        ("call.choices in [1, 2]", "call.choices >= 3 && call.metered"),
        ("task.value < 0.5", "task.value >= 0.5"),
        ("task.value < 0.5", "task.value > 0.5"),
        ("task.value <= 0.5", "0.5 < task.value"),
        ("task.value == 0.5", "task.value > 0.5"),
        ('task.id == "A" && task.id == "B"', ""),
        ('task.id in ["A", "B"] && task.id != "A"', 'task.id != "B"'),
        ('task.id in ["A", "B"]', 'task.id != "A" && task.id != "B"'),
        ("call.choices > 2 && call.choices < 3", "call.metered"),
    ],
)
def test_two_rules_that_no_call_matches_both_of(one: str, other: str) -> None:
    assert not can_both(rule(one), rule(other))
    assert not can_both(rule(other), rule(one))
    assert list(overlaps([rule(one), rule(other)])) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ('task.id == "A"', ""),
        ('task.id == "A"', 'task.root == "B"'),
        ('task.id in ["A", "B"]', 'task.id in ["B", "C"]'),
        ('task.id != "A"', 'task.id != "B"'),
        ("call.choices <= 3", "call.choices >= 3"),
        ("call.choices in [1, 3]", "call.choices > 2"),
        ("task.value > 2.0", "task.value < 3.0"),
        ("task.value <= 0.5", "task.value >= 0.5"),
        # A number that is none is neither below another nor above it.
        ("!(task.value < 0.5)", "!(task.value > 0.4)"),
        # What is not read is taken to be possible.
        ("call.metered || call.stream", "!call.metered && !call.stream"),
        ('task.id.startsWith("A")', 'task.id.startsWith("B")'),
        ("call.choices < call.input_tokens", "call.choices > call.input_tokens"),
    ],
)
def test_two_rules_that_one_call_may_match(one: str, other: str) -> None:
    first, second = rule(one), rule(other)
    assert can_both(first, second)
    assert can_both(second, first)
    assert list(overlaps([first, second])) == [(first, second)]


def test_rules_of_two_teams_never_match_one_call() -> None:
    mine, theirs, everybodys = rule("", team="web"), rule("", team="core"), rule("")
    assert not can_both(mine, theirs)
    assert can_both(mine, mine)
    assert can_both(mine, everybodys)
    assert not can_both(mine, rule('principal.team == "core"'))
    assert can_both(mine, rule('principal.team in ["core", "web"]'))


PARTS = (
    *('task.id == "A"', 'task.id in ["A", "B"]', 'task.id != "A"', 'task.id == "C"'),
    *("call.metered", "!call.metered", "call.choices < 2", "call.choices >= 2"),
    *("task.value > 0.5", "task.value <= 0.5", 'call.model in ["a", "b"]', 'call.model == "b"'),
)
RULES = [rule(f"{one} && {two}") for one, two in combinations(PARTS, 2)] + [rule("")]


@given(st.lists(st.sampled_from(RULES), max_size=8))
def test_all_pairs_that_overlap_are_found_and_no_others(rules: list[Rule]) -> None:
    wanted = [
        (one, two) for late, two in enumerate(rules) for one in rules[:late] if can_both(one, two)
    ]
    assert list(overlaps(rules)) == wanted


def test_a_thousand_rules_for_a_thousand_tasks_are_hardly_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [rule(f'task.id == "A-{number}" && call.metered') for number in range(300)]
    compared: list[object] = []
    meets = Conjuncts.meets

    def counted(one: Conjuncts, other: Conjuncts) -> bool:
        if one is not other:
            compared.append(other)
        return meets(one, other)

    monkeypatch.setattr(Conjuncts, "meets", counted)
    assert list(overlaps(many)) == []
    assert compared == []
    assert len(list(overlaps([*many, rule("call.stream")]))) == len(compared) == len(many)

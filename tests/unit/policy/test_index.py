"""Which conditions are evaluated for a call, and that no other could have held."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy import index
from gateway.policy.conditions import cel
from gateway.policy.conditions.cel import Condition
from gateway.policy.index import Index
from gateway.policy.rules import Rule
from gateway.values import TaskLink
from tests.unit.policy import cases

HALF_A_PAIR = "\ud800"
"""No Unicode text: whatever condition looks at it errs."""


def rules(*conditions: str) -> list[Rule]:
    """Return rules with some conditions, in their order."""
    written = [
        f"{{id: r{at:04}, when: {when!r}, effect: permit}}" for at, when in enumerate(conditions)
    ]
    return list(cases.load(*written).rules)


def indexed(*conditions: str) -> Index:
    return Index(list(enumerate(rules(*conditions))))


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that the text of each condition is added to when it is evaluated."""
    found: list[str] = []
    holds = Condition.holds

    def counted(condition: Condition, activation: Any) -> bool | None:
        found.append(condition.text)
        return holds(condition, activation)

    monkeypatch.setattr(Condition, "holds", counted)
    return found


TASKS = [f'task.id == "PROJ-{number}" && call.metered' for number in range(300)]


def test_of_many_rules_for_many_tasks_only_those_for_a_calls_own_are_evaluated(
    evaluated: list[str],
) -> None:
    asked = indexed(*TASKS, 'task.id in ["PROJ-1", "PROJ-7"] && 1 / call.choices == 2')
    assert asked.ask(cases.facts()) == (1,)
    assert evaluated == [TASKS[1], 'task.id in ["PROJ-1", "PROJ-7"] && 1 / call.choices == 2']
    assert asked.ask(cases.facts(TaskLink())) == ()
    assert len(evaluated) == 2


def test_what_demands_no_value_is_always_evaluated(evaluated: list[str]) -> None:
    asked = indexed("call.choices > 0", "call.choices > 1", *TASKS)
    assert asked.ask(cases.facts(TaskLink())) == (0,)
    assert evaluated == ["call.choices > 0", "call.choices > 1"]


def test_of_several_demands_the_one_fewest_calls_fulfil_is_looked_up(evaluated: list[str]) -> None:
    asked = indexed(
        'call.metered && task.id == "A"',
        'task.evidence in ["claimed", "verified"] && principal.id in ["alice", "bob"]',
        'principal.team == "payments" && task.root == "X"',
        'call.model == "gpt-5-mini" && call.metered && task.evidence == "verified"',
        '!call.metered && task.evidence in ["claimed", "verified"]',
    )
    assert sorted(asked.ask(cases.facts())) == [1, 3]
    assert len(evaluated) == 2


def test_a_rule_of_a_team_is_neither_evaluated_nor_matches_for_others(
    evaluated: list[str],
) -> None:
    errs = "{id: b, when: 1 / (call.choices - 1) == 0, effect: permit}"
    mine = "{id: c, when: 'task.id == \"PROJ-1\"', effect: permit}"
    written = f"version: 1\nteam: core\nrules: [{{id: a, effect: permit}}, {errs}, {mine}]\n"
    asked = Index(list(enumerate(policy.load([("core.yaml", written)]).rules)))
    assert asked.ask(cases.facts()) == ()
    assert evaluated == []
    assert asked.ask(cases.facts() | {"principal.team": "core"}) == (0, ~1, 2)


def test_more_conditions_than_a_few_are_given_all_facts_at_once() -> None:
    many = [f"call.choices == {number} || call.model == 'm'" for number in range(-10, 3)]
    assert len(many) > index.TOGETHER_MAX
    assert indexed(*many).ask(cases.facts()) == (11,)
    assert indexed(*many).ask(cases.facts(model="m")) == tuple(range(13))


def test_no_rules_match_nothing() -> None:
    assert not Index([])
    assert Index([]).ask(cases.facts()) == ()


BAD = (
    'task.id == "A" && call.metered',
    'call.metered && task.id == "A"',
    '!call.metered && task.id == "A"',
    'task.id in ["A", "B"]',
    'principal.id == "alice" && call.model == "x"',
    'principal.id == "bob" && task.root != "x"',
    "1 / (call.choices - 1) == 0 && principal.id == 'bob'",
)


@given(
    conditions=st.lists(st.sampled_from(BAD), min_size=1, max_size=12),
    texts=st.lists(
        st.sampled_from(["A", "bob", "alice", "ü", HALF_A_PAIR]), min_size=4, max_size=4
    ),
    metered=st.booleans(),
)
def test_a_text_that_is_not_unicode_errs_with_an_index_as_it_does_without(
    *, conditions: list[str], texts: list[str], metered: bool
) -> None:
    names = ("task.id", "principal.id", "call.model", "task.root")
    facts = cases.facts() | dict(zip(names, texts, strict=True)) | {"call.metered": metered}
    every = rules(*conditions)
    expected: list[int] = []
    for number, condition in enumerate(each.condition for each in every):
        assert condition is not None
        verdict = condition.holds(cel.activation({n: facts[n] for n in condition.reads}))
        if verdict is not False:
            expected.append(number if verdict else ~number)
    assert sorted(Index(list(enumerate(every))).ask(facts)) == sorted(expected)

"""What is ordinary, and what follows from what is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.facts import DECLARED
from gateway.rehearsal.trials import situations
from gateway.values import Facts

TYPES = {"text": str, "whole": int, "number": float, "flag": bool}


@given(st.floats(min_value=0, max_value=4e9))
def test_every_declared_fact_is_there_and_of_its_type(now: float) -> None:
    found = situations.whole({}, now)

    assert set(found) == set(DECLARED)
    for name, fact in DECLARED.items():
        assert type(found[name]) is TYPES[fact.type], name
        assert not fact.members or found[name] in fact.members, name


def test_the_ordinary_call_is_on_a_monday_at_ten() -> None:
    found = situations.whole({}, situations.AT)

    assert (found["now.weekday"], found["now.hour"], found["now.minute"]) == ("monday", 10, 0)
    assert (found["now.year"], found["now.month"], found["now.day"]) == (2026, 3, 2)
    assert (found["task.evidence"], found["task.evidence_rank"]) == ("verified", 3)


@pytest.mark.parametrize(
    ("given_", "follows"),
    [
        (
            {"task.evidence": "none"},
            {"task.evidence_rank": 0, "task.id": "", "task.root": "", "task.source": ""},
        ),
        ({"task.evidence": "none"}, {"task.team": "", "task.value": 0.0}),
        ({"task.evidence": "none", "task.value": 2.0}, {"task.value": 2.0, "task.id": ""}),
        ({"task.evidence": "inferred"}, {"task.evidence_rank": 1, "task.source": "branch"}),
        ({"task.evidence_rank": 0}, {"task.evidence": "none", "task.id": ""}),
        ({"task.evidence_rank": 2}, {"task.evidence": "claimed", "task.id": "PROJ-123"}),
        ({"task.problem": "closed"}, {"task.evidence": "claimed", "task.root": "PROJ-100"}),
        (
            {"task.problem": "unknown"},
            {"task.evidence_rank": 2, "task.root": "", "task.value": 0.0},
        ),
        ({"task.problem": ""}, {"task.evidence": "verified"}),
        ({"call.route": "count_tokens"}, {"call.metered": False}),
        ({"call.route": "count_tokens", "call.metered": True}, {"call.metered": True}),
        ({"call.route": "messages"}, {"call.metered": True}),
        ({"likeness.kind": "short"}, {"likeness.cluster": ""}),
        ({"likeness.kind": "continuation"}, {"likeness.cluster": ""}),
        ({"likeness.kind": "near"}, {"likeness.cluster": "a"}),
    ],
)
def test_what_must_follow_from_a_fact_does(given_: Facts, follows: Facts) -> None:
    found = situations.whole(given_, situations.AT)

    assert {name: found[name] for name in follows} == follows

"""What is an acceptance, and how long it stands."""

from typing import Any

import pytest

from gateway import credit
from gateway.credit.acceptance import Standing, event_of, standing
from tests.unit.credit.stories import ACCEPTED, DAY_US, LATER_US, NOW_US, call, outcome, stated

DAY_1, DAY_2, DAY_3, DAY_30 = (NOW_US + days * DAY_US for days in (1, 2, 3, 30))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"creator": "bot"}, ""),
        ({"creator": ""}, ""),
        ({"reviewers": ("alice", "bob")}, ""),
        ({"beneficiaries": ("alice",)}, ""),
        ({"linked_by": "ambiguous", "task_id": ""}, "ambiguous"),
        ({"linked_by": "nothing", "task_id": ""}, "not_linked"),
        ({"linked_by": "nothing"}, "not_linked"),
        ({"task_id": ""}, "not_linked"),
        ({"author": ""}, "unknown_author"),
        ({"reviewers": ()}, "no_reviewer"),
        ({"reviewers": ("alice",)}, "self_review"),
        ({"creator": "alice", "beneficiaries": ("alice",)}, "sole_beneficiary"),
        ({"beneficiaries": ()}, "sole_beneficiary"),
    ],
)
def test_an_outcome_is_an_acceptance_or_says_why_not(changes: dict[str, Any], reason: str) -> None:
    made = outcome(**changes)
    assert credit.judged(made) == reason
    assert (event_of(made) is None) == bool(reason)
    folded = credit.Credit()
    folded.take(made)
    assert folded.roots["PAY-1"].refused == bool(reason)


@pytest.mark.parametrize("event", ["merged", "closed", "accepted"])
def test_each_way_to_take_something_counts(event: str) -> None:
    assert stated([*call(1, {1}), ACCEPTED[0], outcome(event=event)]).roots[0].accepted == 1


def test_an_event_that_stands_for_no_task_and_no_root_changes_nothing() -> None:
    folded = credit.Credit()
    assert folded.take(outcome(root_id="", task_id="")) == ""
    assert folded.take(outcome(1, "reverted", root_id="", task_id="")) == ""
    assert folded.roots == {}


def test_what_is_undone_stands_no_more_until_it_is_taken_again() -> None:
    taken, undone = outcome(1, at_us=DAY_1), outcome(2, "reverted", at_us=DAY_2)
    again = outcome(3, at_us=DAY_3)
    assert standing_of(taken) == Standing(DAY_1, 0)
    assert standing_of(undone, taken) == Standing(None, DAY_2)
    assert standing_of(again, undone, taken) == Standing(DAY_3, DAY_2)


def test_another_subject_still_stands_but_not_when_the_task_was_reopened() -> None:
    first, second = outcome(1, at_us=DAY_1), outcome(2, at_us=DAY_2, subject="ACME.WEB-8")
    undone = outcome(3, "reversed", at_us=DAY_3)
    assert standing_of(first, second, undone) == Standing(DAY_2, DAY_3)
    reopened = outcome(4, "reopened", at_us=DAY_3, subject="PAY-1")
    assert standing_of(first, second, reopened) == Standing(None, DAY_3)


def test_at_the_same_moment_the_undoing_comes_last() -> None:
    assert standing_of(outcome(1, "reverted"), outcome(2)).since_us is None


def test_what_is_told_twice_stands_since_it_was_first_known() -> None:
    assert standing_of(outcome(1, at_us=DAY_2), outcome(2, at_us=DAY_1)).since_us == DAY_1


def standing_of(*outcomes: Any) -> Standing:
    found = [event_of(each) for each in outcomes]
    return standing(each for each in found if each is not None)


def test_an_acceptance_is_provisional_until_its_hold_has_passed_and_settled_then() -> None:
    leaves = [*call(1, range(64)), *ACCEPTED]
    early, late = (stated(leaves, DAY_1 + days * DAY_US - 1).roots[0] for days in (7, 8))
    assert early.provisional > 0 == early.settled
    assert late.settled == early.provisional
    assert late.provisional == 0
    undone = stated([*leaves, outcome(5, "reopened", at_us=DAY_30)], LATER_US).roots[0]
    assert undone.reversed == late.settled
    assert undone.settled == undone.accepted == 0

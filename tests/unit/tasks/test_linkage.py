"""Grading the tie between a call and a task."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tasks import is_member, link
from gateway.values import Claim, TaskLink, TaskSource
from tests.unit.tasks.calls import HOUR, NOW, principal, task

EXPLICIT: tuple[TaskSource, ...] = ("credential", "path", "header", "body", "foreign")
NAMED: tuple[TaskSource, ...] = (*EXPLICIT, "session", "active")


def linked(source: TaskSource = "header", text: str = "proj-1", **fields: Any) -> TaskLink:
    """Return alice's link to a task of the catalogue with these fields."""
    return link(Claim(source=source, text=text), task(**fields), principal(), NOW)


@pytest.mark.parametrize("source", NAMED)
def test_an_open_task_of_the_callers_is_verified_however_it_was_named(source: TaskSource) -> None:
    """Pins and active tasks count as much as a header."""
    made = linked(source)

    assert made == TaskLink(task_id="PROJ-1", root_id="PROJ-1", evidence="verified", source=source)


def test_a_link_carries_what_policies_ask_for() -> None:
    """The owning team, the root and the value."""
    made = linked(root_id="PROJ-100", team="payments", value=Decimal("0.25"))

    assert (made.root_id, made.team, made.value) == ("PROJ-100", "payments", 0.25)


def test_a_task_without_a_root_is_its_own() -> None:
    """So that no entry lacks one."""
    assert linked(root_id="").root_id == "PROJ-1"


def test_a_branch_is_a_guess_and_stays_one() -> None:
    """Even when the task is open and the caller's."""
    made = linked("branch")

    assert (made.task_id, made.evidence, made.problem) == ("PROJ-1", "inferred", "")
    assert link(Claim(source="branch", text="X-1"), None, principal(), NOW).evidence == "inferred"


def test_no_claim_is_no_link() -> None:
    """Nor is one that names no id."""
    assert link(None, None, principal(), NOW) == TaskLink()
    assert link(Claim(source="active", text="#12"), None, principal(), NOW) == TaskLink()


def test_an_unknown_task_is_claimed_and_says_so() -> None:
    """The id is kept so that auditors can see what was claimed."""
    made = link(Claim(source="header", text="proj-9"), None, principal(), NOW)

    assert made == TaskLink(
        task_id="PROJ-9", evidence="claimed", problem="unknown", source="header"
    )


def test_a_task_of_others_is_claimed_and_not_the_callers() -> None:
    """Membership decides before anything else is told about the task."""
    for status in ("open", "closed"):
        made = linked(members=frozenset({"bob"}), team="billing", status=status, closed_at=NOW - 1)

        assert (made.evidence, made.problem, made.lenient) == ("claimed", "not_yours", False)


def test_the_members_are_those_named_and_the_team_and_with_neither_nobody() -> None:
    """An empty team is no team, not one that everybody without a team is in."""
    assert is_member(principal(), task())
    assert is_member(principal(), task(members=frozenset(), team="payments"))
    assert not is_member(principal(), task(members=frozenset(), team="billing"))
    assert not is_member(principal(), task(members=frozenset()))
    assert not is_member(principal(team=""), task(members=frozenset()))


@pytest.mark.parametrize("closed_at", [NOW, NOW - 23.9 * HOUR, NOW + 1])
def test_a_task_closed_lately_is_served_but_not_verified(closed_at: float) -> None:
    """A merge must not break the next turn."""
    made = linked(status="closed", closed_at=closed_at)

    assert (made.evidence, made.problem, made.lenient) == ("claimed", "closed", True)


@pytest.mark.parametrize("closed_at", [NOW - 24 * HOUR, None])
def test_a_task_closed_long_ago_is_not_served(closed_at: float | None) -> None:
    """Nor one of which nobody knows when it was closed."""
    made = linked(status="closed", closed_at=closed_at)

    assert (made.evidence, made.problem, made.lenient) == ("claimed", "closed", False)


def test_a_stale_tracker_makes_nothing_verified_and_nothing_refused() -> None:
    """What it says may be out of date, either way."""
    assert (linked(stale=True).evidence, linked(stale=True).problem) == ("claimed", "stale")
    assert linked(stale=True).lenient
    assert linked(stale=True, status="closed").lenient
    assert linked(stale=True, members=frozenset({"bob"})).lenient


@given(
    source=st.sampled_from((*NAMED, "branch")),
    member=st.sampled_from(("alice", "bob")),
    status=st.sampled_from(("open", "closed")),
    stale=st.sampled_from((False, True)),
    closed_at=st.none() | st.floats(NOW - 100 * HOUR, NOW),
)
def test_verified_means_named_open_fresh_and_a_members(
    source: TaskSource, member: str, **fields: Any
) -> None:
    """In all combinations; and whatever is less than verified and named says why."""
    made = linked(source, members=frozenset({member}), **fields)

    good = member == "alice" and fields["status"] == "open" and not fields["stale"]
    assert (made.evidence == "verified") == (good and source != "branch")
    assert (made.problem != "") == (made.evidence == "claimed")
    assert made.task_id == "PROJ-1"

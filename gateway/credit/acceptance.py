"""
Whether somebody else took what was done, and whether that still stands.

One entry is judged by itself. How a task stands follows from all of its entries by the times its
tracker gave them, so that late, repeated and reordered deliveries change nothing.
"""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway.ledger import Outcome

Reason: TypeAlias = Literal[
    "",
    "not_linked",
    "ambiguous",
    "unknown_author",
    "no_reviewer",
    "self_review",
    "sole_beneficiary",
]
"""Why something is no acceptance; empty: it is one."""

BOT: Final = "bot"
_TAKEN: Final = frozenset(("merged", "closed", "accepted"))


class Event(Struct, frozen=True, order=True, array_like=True, gc=False):
    """What an entry says of one task: an acceptance, or the undoing of one or of all."""

    occurred_at_us: int
    at_us: int
    kind: Literal["accepted", "undone", "reopened"]
    subject: str
    policy: str


class Standing(Struct, frozen=True):
    """How a task stands."""

    since_us: int | None
    """When the gateway learnt of the acceptance that stands; None: none does."""
    until_us: int
    """When it learnt of the last undoing; 0: there was none."""


def judged(outcome: Outcome) -> Reason:
    """Return why an event that takes something is no acceptance; empty when it is one."""
    if outcome.linked_by == "ambiguous":
        return "ambiguous"
    if not outcome.task_id or outcome.linked_by == "nothing":
        return "not_linked"
    if not outcome.author:
        return "unknown_author"
    if not outcome.reviewers:
        return "no_reviewer"
    if set(outcome.reviewers) == {outcome.author}:
        return "self_review"
    others = set(outcome.beneficiaries) - {outcome.creator}
    return "" if others else "sole_beneficiary"


def event_of(outcome: Outcome) -> Event | None:
    """Return what an entry says of its task; None when it is no acceptance and undoes nothing."""
    kind: Literal["accepted", "undone", "reopened"]
    if outcome.event in _TAKEN:
        if judged(outcome):
            return None
        kind = "accepted"
    elif not outcome.task_id:
        return None
    else:
        kind = "reopened" if outcome.event == "reopened" else "undone"
    return Event(outcome.occurred_at_us, outcome.at_us, kind, outcome.subject, outcome.policy)


def standing(events: Iterable[Event]) -> Standing:
    """Return how a task stands by all that was said of it, in any order."""
    stands: dict[str, int] = {}
    until_us = 0
    # Of two things at one moment the undoing comes last: who cannot be sure has no credit.
    for event in sorted(events, key=lambda each: (each.occurred_at_us, each.kind != "accepted")):
        if event.kind == "accepted":
            known = stands.get(event.subject, event.at_us)
            stands[event.subject] = min(known, event.at_us)
            continue
        until_us = max(until_us, event.at_us)
        if event.kind == "undone":
            stands.pop(event.subject, None)
        else:
            stands.clear()
    return Standing(min(stands.values(), default=None), until_us)

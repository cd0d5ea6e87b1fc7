"""
Whether the policies that were in force give back what was recorded.

It is the test of every replay: each call is decided again by the very policies that decided it,
and must come out the same. Where it does not, something was counted that the log does not hold:
another replica, a period that began before it, a line lost in a crash.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from gateway import policy
from gateway.ledger import DecisionRecord, StartedRecord
from gateway.ledger.decision_log import Entry
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.recorded import Places, Recorded
from gateway.rehearsal.replays.rerun import Rerun
from gateway.rehearsal.simulation import Decided

EXAMPLES_MAX: Final = 5
KEPT_MAX: Final = 16
"""Policies kept ready at a time."""


class Verified(Struct, frozen=True, kw_only=True):
    """How many decisions came out as they were recorded."""

    calls: int
    same: int
    unknown: int
    """Calls whose policies are not known any more: they are in neither of the others."""
    differing: Sequence[str]
    """Request ids of the first few that came out otherwise."""


class Verification:
    """One pass over a log, each call under the policies that decided it."""

    def __init__(
        self, policies: Callable[[str], policy.PolicySet | None], people: People | None = None
    ) -> None:
        """Keep `policies`, which finds those of a digest (None: not known), and who is known."""
        self._policies = policies
        self._found: dict[str, policy.PolicySet | None] = {}
        self._recorded = Recorded(people or People(), Places(), None)
        self._rerun: Rerun | None = None
        self._calls = self._same = self._unknown = 0
        self._differing: list[str] = []

    def add(self, entry: Entry) -> None:
        """Take in the next line of the log."""
        if isinstance(entry, DecisionRecord):
            self._decide(entry)
        elif self._rerun is None:
            pass  # nothing is drawn yet
        elif isinstance(entry, StartedRecord):
            self._rerun.restart(entry)
        else:
            self._rerun.settle(entry, entry.cost_nano_usd)

    def found(self) -> Verified:
        """Return what came out so far."""
        return Verified(
            calls=self._calls,
            same=self._same,
            unknown=self._unknown,
            differing=tuple(self._differing),
        )

    def _decide(self, entry: DecisionRecord) -> None:
        policies = self._of(entry.policy)
        if policies is None:
            self._unknown += 1
            return
        if self._rerun is None:
            self._rerun = Rerun(policies, policies, self._recorded)
        self._rerun.under(policies)
        self._calls += 1
        if same(entry, self._rerun.decide(entry)):
            self._same += 1
        elif len(self._differing) < EXAMPLES_MAX:
            self._differing.append(entry.request_id)

    def _of(self, digest: str) -> policy.PolicySet | None:
        if digest not in self._found:
            if len(self._found) >= KEPT_MAX:
                del self._found[next(iter(self._found))]
            self._found[digest] = self._policies(digest)
        return self._found[digest]


def verify(
    records: Iterable[Entry],
    policies: Callable[[str], policy.PolicySet | None],
    people: People | None = None,
) -> Verified:
    """Return how many recorded decisions the policies that made them give back."""
    made = Verification(policies, people)
    for record in records:
        made.add(record)
    return made.found()


def same(record: DecisionRecord, decided: Decided) -> bool:
    """Return whether a decision is the recorded one: effect, rules, code, route."""
    decision = decided.decision
    code = "" if decision.refusal is None else decision.refusal.code
    return (
        decision.effect == record.effect
        and decision.reasons == record.reasons
        and decision.would_have == record.would_have
        and code == record.code
        and decision.terms.rule == record.route
    )

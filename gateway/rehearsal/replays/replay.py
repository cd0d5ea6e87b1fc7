"""
Recorded calls decided again, under other policies, with quotas simulated in their order.

What comes out is the difference to what was recorded, with the money, and in plain words what
a replay cannot know (`doubts`). It takes one pass and constant memory, however many calls
there are.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from gateway import metering, policy
from gateway.ledger import DecisionRecord, SettledRecord, StartedRecord
from gateway.ledger.decision_log import Entry
from gateway.rehearsal.replays import obligations
from gateway.rehearsal.replays.doubts import Doubt, Doubts
from gateway.rehearsal.replays.people import Distinct, People
from gateway.rehearsal.replays.recorded import Places, Recorded
from gateway.rehearsal.replays.rerun import Rerun
from gateway.rehearsal.replays.tallies import Change, Row, Tally, usd
from gateway.rehearsal.simulation import Decided

ChangeKind: TypeAlias = Literal[
    "newly_refused",
    "newly_allowed",
    "slowed_instead",
    "stopped_instead",
    "other_reason",
    "rerouted",
    "other_obligations",
]
KINDS: Final[Sequence[ChangeKind]] = (
    "newly_refused",
    "newly_allowed",
    "slowed_instead",
    "stopped_instead",
    "other_reason",
    "rerouted",
    "other_obligations",
)

WAITED_S: Final = 86_400.0
"""How long the end of a call is waited for."""
DIGESTS_MAX: Final = 1_000


class Report(Struct, frozen=True, kw_only=True):
    """What would be decided otherwise."""

    policy: str
    """Digest of the policies replayed under."""
    recorded_under: Mapping[str, int]
    """Calls by the digest of the policies they were decided by."""
    first_us: int
    """When the first call was received, Unix microseconds; 0 when there was none."""
    last_us: int
    calls: int
    people: int
    cost_usd: Decimal
    """What the calls had cost."""
    permitted_then: int
    permitted_now: int
    unchanged: int
    unnamed: int
    """Calls of people whose weekly pseudonym could not be resolved."""
    changes: Mapping[ChangeKind, Change]
    doubts: Sequence[Doubt]


class _Waiting(Struct, frozen=True):
    """A call that is decided otherwise, and whose end is to come."""

    at: float
    rows: tuple[Row, ...]
    model: str
    """Where it would be sent instead; empty: where it was sent."""


class Replay:
    """One pass over a log."""

    def __init__(
        self,
        new: policy.PolicySet,
        *,
        old: policy.PolicySet | None = None,
        prices: metering.PriceBook | None = None,
        people: People | None = None,
        places: Places | None = None,
        shared: bool = False,
    ) -> None:
        """
        Begin with nothing drawn.

        Args:
            new: the policies to decide by.
            old: those most of the log was decided by, if they are known.
            prices: what models cost.
            people: who pseudonyms stand for.
            places: who answers which model.
            shared: whether the gateway shares its quotas with replicas that have other logs.

        """
        self._new = new
        self._recorded = Recorded(people or People(), places or Places(), prices)
        self._rerun = Rerun(new, old, self._recorded)
        self._duties = obligations.Comparison(old, new)
        self._doubts = Doubts(old, new, self._recorded, shared=shared)
        self._tallies: dict[ChangeKind, Tally] = {kind: Tally() for kind in KINDS}
        self._people = Distinct()
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._calls = self._then = self._now = self._unchanged = self._settlements = 0
        self._under: Counter[str] = Counter()
        self._cost_nano_usd = 0
        self._first_us = self._last_us = 0

    def add(self, entry: Entry) -> None:
        """Take in the next line of the log."""
        if isinstance(entry, DecisionRecord):
            self._decide(entry)
        elif isinstance(entry, SettledRecord):
            self._settle(entry)
        else:
            self._start(entry)

    def report(self) -> Report:
        """Return what was found so far."""
        found: dict[ChangeKind, Change] = {
            kind: tally.found() for kind, tally in self._tallies.items()
        }
        return Report(
            policy=self._new.digest,
            recorded_under=dict(self._under),
            first_us=self._first_us,
            last_us=self._last_us,
            calls=self._calls,
            people=len(self._people),
            cost_usd=usd(self._cost_nano_usd),
            permitted_then=self._then,
            permitted_now=self._now,
            unchanged=self._unchanged,
            unnamed=self._recorded.unnamed,
            changes=found,
            doubts=self._doubts.found(
                {kind: change.calls for kind, change in found.items()},
                unsettled=max(0, self._then - self._settlements),
                first=self._first_us / 1e6,
                last=self._last_us / 1e6,
            ),
        )

    def _decide(self, record: DecisionRecord) -> None:
        decided = self._rerun.decide(record)
        self._count(record, decided)
        self._doubts.note(record, decided)
        kinds = self._kinds(record, decided)
        if not kinds:
            self._unchanged += 1
            return
        rows: list[Row] = []
        for kind in kinds:
            rows += self._tally(kind, record, decided)
        if kinds[0] == "newly_allowed":
            cost = self._rerun.let_through(record, decided)
            for row in rows:
                row.cost_nano_usd += cost
        elif record.effect == "permit":
            elsewhere = self._place(record, decided) if "rerouted" in kinds else ""
            self._wait(record, _Waiting(record.at_us / 1e6, tuple(rows), elsewhere))

    def _count(self, record: DecisionRecord, decided: Decided) -> None:
        self._calls += 1
        if record.effect == "permit":
            self._then += 1
        if decided.decision.effect == "permit":
            self._now += 1
        if record.policy in self._under or len(self._under) < DIGESTS_MAX:
            self._under[record.policy] += 1
        self._first_us = self._first_us or record.at_us
        self._last_us = max(self._last_us, record.at_us)
        self._people.add(decided.facts["principal.id"])

    def _kinds(self, record: DecisionRecord, decided: Decided) -> Sequence[ChangeKind]:
        """Return in which ways a call is decided otherwise."""
        then, now = record.effect, decided.decision.effect
        if then == now == "permit":
            found: list[ChangeKind] = []
            if self._is_sent_elsewhere(record, decided):
                found.append("rerouted")
            if self._duties.differ(record, decided):
                found.append("other_obligations")
            return found
        if "permit" in (then, now):
            return ("newly_refused",) if then == "permit" else ("newly_allowed",)
        if then != now:
            return ("slowed_instead",) if now == "throttle" else ("stopped_instead",)
        refusal = decided.decision.refusal
        same = refusal is not None and refusal.code == record.code
        return () if same else ("other_reason",)

    def _is_sent_elsewhere(self, record: DecisionRecord, decided: Decided) -> bool:
        terms = decided.decision.terms
        if not (terms.rule or record.route):
            return False
        place = self._recorded.place(record, terms)
        if place.provider and record.provider not in ("", place.provider):
            return True
        return place.model != record.model

    def _place(self, record: DecisionRecord, decided: Decided) -> str:
        return self._recorded.place(record, decided.decision.terms).model

    def _tally(self, kind: ChangeKind, record: DecisionRecord, decided: Decided) -> tuple[Row, ...]:
        facts = decided.facts
        return self._tallies[kind].add(
            record.request_id,
            rules=self._rules(kind, record, decided),
            person=facts["principal.id"],
            team=facts["principal.team"],
            task=facts["task.id"],
        )

    def _rules(
        self, kind: ChangeKind, record: DecisionRecord, decided: Decided
    ) -> Sequence[tuple[str, str]]:
        """Return the rules a change is put down to, each with its code."""
        if kind == "newly_allowed":
            return [(rule, record.code) for rule in record.reasons]
        if kind == "rerouted":
            return [(decided.decision.terms.rule or record.route, "")]
        if kind == "other_obligations":
            return [(rule, "") for rule in self._duties.rules(record, decided)]
        return [(rule, self._new.rule(rule).refusal.code) for rule in decided.decision.reasons]

    def _wait(self, record: DecisionRecord, waiting: _Waiting) -> None:
        """Remember a call until it is settled, or a day has gone by."""
        self._waiting[record.request_id] = waiting
        while True:
            first = next(iter(self._waiting))
            if self._waiting[first].at + WAITED_S > waiting.at:
                break
            del self._waiting[first]

    def _start(self, started: StartedRecord) -> None:
        self._rerun.restart(started)
        if self._calls and not started.shared:
            self._doubts.restarts += 1

    def _settle(self, settled: SettledRecord) -> None:
        waiting = self._waiting.pop(settled.request_id, None)
        self._cost_nano_usd += settled.cost_nano_usd
        self._settlements += waiting is not None or not settled.released
        cost = settled.cost_nano_usd if waiting is None else self._spread(settled, waiting)
        self._rerun.settle(settled, cost)

    def _spread(self, settled: SettledRecord, waiting: _Waiting) -> int:
        """Add what a call had cost to the rows it belongs to; return what it would cost."""
        later: int | None = settled.cost_nano_usd
        if waiting.model and settled.cost_nano_usd:
            later = self._recorded.cost_nano_usd(
                waiting.model, settled.input_tokens, settled.output_tokens
            )
        if later is None:
            self._tallies["rerouted"].unpriced += 1
            later = settled.cost_nano_usd
        for row in waiting.rows:
            row.cost_nano_usd += settled.cost_nano_usd
            if waiting.model:
                row.later_nano_usd += later
        return later


def replay(
    records: Iterable[Entry],
    old: policy.PolicySet | None,
    new: policy.PolicySet,
    prices: metering.PriceBook | None,
    people: People | None = None,
    *,
    places: Places | None = None,
    shared: bool = False,
) -> Report:
    """Return what would have been decided otherwise about recorded calls; see `Replay`."""
    made = Replay(new, old=old, prices=prices, people=people, places=places, shared=shared)
    for record in records:
        made.add(record)
    return made.report()

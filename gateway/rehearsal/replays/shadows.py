"""
What shadow rules would have done, as it was recorded when they did not do it.

Every shadow rule in force is told of, also one that would have done nothing: that is what an
admin wants to know before it is enforced.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from gateway import policy
from gateway.ledger import DecisionRecord, SettledRecord, StartedRecord
from gateway.ledger.decision_log import Entry
from gateway.rehearsal.replays.people import Distinct, People
from gateway.rehearsal.replays.tallies import Row, usd

WAITED_S: Final = 86_400.0
"""How long the end of a call is waited for."""


class Shadow(Struct, frozen=True, kw_only=True):
    """What one shadow rule would have done."""

    rule: str
    place: str
    """Its file:line."""
    does: Literal["refuse", "send elsewhere"]
    calls: int
    people: int
    teams: int
    cost_usd: Decimal
    """What the calls had cost."""


class Shadows(Struct, frozen=True, kw_only=True):
    """What all shadow rules in force would have done."""

    policy: str
    """Digest of the policies in force."""
    rules: Sequence[Shadow]
    """By id."""


class _Counted:
    """A rule as it is being counted."""

    def __init__(self, rule: policy.Rule) -> None:
        self.rule = rule
        self.row = Row(rule.id)
        self.people = Distinct()
        self.teams = Distinct()

    def add(self, record: DecisionRecord, person: str) -> None:
        self.row.calls += 1
        self.people.add(person)
        self.teams.add(record.facts.get("principal.team", ""))

    def found(self) -> Shadow:
        return Shadow(
            rule=self.rule.id,
            place=self.rule.refusal.place,
            does="refuse" if self.rule.route is None else "send elsewhere",
            calls=self.row.calls,
            people=len(self.people),
            teams=len(self.teams),
            cost_usd=usd(self.row.cost_nano_usd),
        )


def shadows(
    records: Iterable[Entry], policies: policy.PolicySet, people: People | None = None
) -> Shadows:
    """Return what each shadow rule in force would have done about recorded calls."""
    known = people or People()
    counted = {rule.id: _Counted(rule) for rule in policies.rules if rule.shadow}
    waiting: OrderedDict[str, tuple[float, list[_Counted]]] = OrderedDict()
    for record in records:
        if isinstance(record, SettledRecord):
            for each in waiting.pop(record.request_id, (0.0, []))[1]:
                each.row.cost_nano_usd += record.cost_nano_usd
            continue
        if isinstance(record, StartedRecord):
            continue
        touched = [counted[rule] for rule in record.would_have if rule in counted]
        if touched:
            person = known.names(record.at_us).get(record.principal, record.principal)
            for each in touched:
                each.add(record, person)
            _wait(waiting, record, touched)
    return Shadows(
        policy=policies.digest,
        rules=tuple(counted[rule].found() for rule in sorted(counted)),
    )


def _wait(
    waiting: OrderedDict[str, tuple[float, list[_Counted]]],
    record: DecisionRecord,
    touched: list[_Counted],
) -> None:
    """Remember a call until it is settled, or a day has gone by."""
    now = record.at_us / 1e6
    waiting[record.request_id] = (now, touched)
    while next(iter(waiting.values()))[0] + WAITED_S <= now:
        waiting.popitem(last=False)

"""
What was used of budgets before a replay begins, as the log itself tells.

A record says what was left of each budget its call drew on, and what `usage.*` facts were. So a
budget whose period began before the first call need not begin empty: the first record that
speaks of a counter says where it stood.
"""

from gateway import policy
from gateway.ledger import DecisionRecord, Level
from gateway.policy import drawing
from gateway.rehearsal.simulation import Simulation
from gateway.values import Draw, Facts

_NANO = 10**9


class Seeds:
    """Puts counters where the log says they stood."""

    def __init__(self, simulation: Simulation, old: policy.PolicySet | None) -> None:
        """Keep the simulation, and the policies by which levels are read; None: unknown."""
        self._simulation = simulation
        self._old = old
        self._alike = {} if old is None else _alike(old, simulation.policies)
        self._first: float | None = None
        self._sown: set[tuple[str, float]] = set()

    def under(self, policies: policy.PolicySet) -> None:
        """Go on under policies that are both the simulation's and the log's."""
        self._old = policies
        self._alike = _alike(policies, policies)

    def sow(self, record: DecisionRecord, facts: Facts, now: float) -> None:
        """Take in what a record says of budgets that began before the first call."""
        if self._first is None:
            self._first = now
        policies = self._simulation.policies
        if not (self._alike or policies.meters):
            return
        if self._alike and self._old is not None and record.policy == self._old.digest:
            for level in record.levels:
                allowed = self._alike.get(level.rule)
                if allowed is not None:
                    draw = drawing.draw(policies.rule(level.rule), facts, 0, now)
                    self._put(draw, _used(level, allowed), self._first)
        if policies.meters:
            self._sow_meters(record, facts, now, self._first)

    def _sow_meters(self, record: DecisionRecord, facts: Facts, now: float, first: float) -> None:
        for draw in self._simulation.policies.usage_draws(facts, now):
            told = record.facts.get(draw.rule)
            if told is not None:
                self._put(draw, round(told * _NANO) if draw.unit == "cost_usd" else told, first)

    def _put(self, draw: Draw, used: int, first: float) -> None:
        start = draw.period_start
        assert start is not None
        if start >= first or (draw.key, start) in self._sown:
            return
        self._sown.add((draw.key, start))
        if used > 0:
            self._simulation.seed(draw, used)


def _alike(old: policy.PolicySet, new: policy.PolicySet) -> dict[str, int]:
    """Return the budgets that both count alike, with what the old one allows."""
    counted = {(each.prefix, each.by) for each in new.budgets}
    return {
        rule.id: rule.limit.amount
        for rule in old.draw_rules
        if rule.limit is not None
        and rule.limit.period is not None
        and (rule.limit.prefix, rule.limit.by) in counted
    }


def _used(level: Level, limit: int) -> int:
    """Return what was used of a budget before the call."""
    return limit - level.remaining - (level.amount if level.taken else 0)

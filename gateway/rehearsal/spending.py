"""
What a ledger would hold of calls, as far as budgets are counted again from it after a restart.

The line's counter of a budget and the ledger need not agree: a counter knows only the calls its
rule matched, the ledger knows them all, but names nobody on calls without a verified task. So
whoever simulates a restart keeps these sums beside the counters, for the budgets in force.
"""

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from msgspec import Struct

from gateway.policy.rules import Budget, Period
from gateway.values import BudgetUnit, Facts, Usage

NAMES: Final = frozenset({"principal.id", "task.id", "task.root"})
"""What the ledger does not know of a call without a verified task."""


class Spent(Struct):
    """What the calls of one counter came to."""

    calls: int = 0
    tokens: int = 0
    cost_nano_usd: int = 0

    def add(self, used: Usage, cost_nano_usd: int) -> None:
        """Count a call that has ended."""
        self.calls += 1
        self.tokens += used.input_tokens + used.output_tokens
        self.cost_nano_usd += cost_nano_usd

    def of(self, unit: BudgetUnit) -> int:
        """Return the sum in a unit."""
        if unit == "calls":
            return self.calls
        return self.tokens if unit == "tokens" else self.cost_nano_usd


class _Kept(Struct):
    """The sums of one calendar period, by the values of some facts."""

    budget: Budget
    pick: Callable[[Facts], Any]
    linked_only: bool
    began: float = 0.0
    ends: float = 0.0
    sums: dict[Any, Spent] = {}


class Spending:
    """The sums of the current period, for each sort of budget in force."""

    def __init__(self) -> None:
        """Begin with nothing spent, and no budget."""
        self._kept: dict[tuple[Period, tuple[str, ...]], _Kept] = {}

    def under(self, budgets: Sequence[Budget]) -> None:
        """Keep sums for these budgets from now on; those kept already go on."""
        earlier = self._kept
        self._kept = {}
        for budget in budgets:
            sort = (budget.period, budget.by)
            self._kept[sort] = earlier.get(sort) or _Kept(
                budget, _picker(budget.by), linked_only=not NAMES.isdisjoint(budget.by)
            )

    def of_call(self, facts: Facts, now: float) -> Sequence[Spent]:
        """Return the sums a call received now belongs to, once it has ended."""
        found: list[Spent] = []
        is_linked = facts["task.evidence"] == "verified"
        for kept in self._kept.values():
            if now >= kept.ends:
                kept.began, kept.ends = kept.budget.bounds(now)
                kept.sums = {}
            if now < kept.began or (kept.linked_only and not is_linked):
                continue
            values = kept.pick(facts)
            spent = kept.sums.get(values)
            if spent is None:
                spent = kept.sums[values] = Spent()
            found.append(spent)
        return found

    def of_budget(self, budget: Budget, began: float) -> Iterator[tuple[str, int]]:
        """Yield the counters of a budget in the period that began then, and what was spent."""
        kept = self._kept[budget.period, budget.by]
        if kept.began != began:
            return
        for values, spent in kept.sums.items():
            every = (values,) if len(budget.by) == 1 else values
            yield budget.key(every), spent.of(budget.unit)


def _picker(by: tuple[str, ...]) -> Callable[[Facts], Any]:
    getter: Any = itemgetter
    return getter(*by) if by else _everything


def _everything(_facts: Facts) -> tuple[()]:
    return ()

"""
After a start or a reload: what budgets have already spent, counted from the ledger.

A budget's counter lives in the store of quotas, and that may be lost; the ledger is the
record. What is under way while a reload adds a budget was let through without it, and
counts for it from the next start on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from gateway import policy
from gateway.app.stores import Ledger
from gateway.values import DrawUnit


class Seeds(Protocol):
    """A store of quotas that can be told what was spent before."""

    def seed(
        self, draw_key: str, unit: DrawUnit, period_start: float, used: int
    ) -> Awaitable[None] | None:
        """Count at least so much of a budget as used."""
        ...


class Seeding:
    """Counts each budget once per process: afterwards its counter is exact by itself."""

    def __init__(self, quotas: Seeds, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._quotas = quotas
        self._ledger = ledger
        self._clock = clock
        self._seeded: set[str] = set()

    async def seed(self, policies: policy.PolicySet) -> None:
        """Seed the budgets of a policy set that have no counter yet."""
        for budget in policies.budgets:
            if budget.prefix in self._seeded:
                continue
            began, _ = budget.bounds(self._clock())
            for values, used in await asyncio.to_thread(self._spent, budget, began):
                told = self._quotas.seed(budget.key(values), budget.unit, began, used)
                if told is not None:
                    await told
            self._seeded.add(budget.prefix)

    def _spent(self, budget: policy.Budget, began: float) -> Sequence[tuple[tuple[str, ...], int]]:
        return self._ledger.spent(
            since_us=int(began * 1_000_000), columns=budget.by, unit=budget.unit
        )

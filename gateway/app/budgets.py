"""
After a start or a reload: what budgets have already spent, counted from the ledger.

A budget's counter lives in the store of quotas, and that may be lost; the ledger is the
record. What is under way while a reload adds a budget was let through without it, and
counts for it from the next start on.
"""

import asyncio
from collections.abc import Callable, Sequence

from gateway import policy
from gateway.stores.memory import MemoryQuotas
from gateway.stores.sqlite.ledger import Ledger


class Seeding:
    """Counts each budget once per process: afterwards its counter is exact by itself."""

    def __init__(self, quotas: MemoryQuotas, ledger: Ledger, clock: Callable[[], float]) -> None:
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
                self._quotas.seed(budget.key(values), budget.unit, began, used)
            self._seeded.add(budget.prefix)

    def _spent(self, budget: policy.Budget, began: float) -> Sequence[tuple[tuple[str, ...], int]]:
        return self._ledger.spent(
            since_us=int(began * 1_000_000), columns=budget.by, unit=budget.unit
        )

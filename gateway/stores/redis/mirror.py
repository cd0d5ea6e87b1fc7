"""
What this replica has taken from each budget, by its own count: true whether or not the store is.

In the store each replica has a field of its own in a budget, and the sum of them is what was
used. After an outage (in which calls were settled, or the store lost everything) each replica
sets its field from here, so nothing stays reserved and nothing is forgotten.
"""

from typing import Final, NamedTuple

from msgspec import Struct

from gateway.values import Draw, DrawUnit

SLACK_S: Final = 7_200.0
"""How long after its period a budget is remembered: for clocks that differ."""
PERIOD_S_MAX: Final = 31 * 86_400.0


class BudgetKey(NamedTuple):
    """One budget in one period."""

    tenant: str
    draw_key: str
    cluster: str
    """Empty unless it is part of the key."""
    period_start: float


class Own(Struct):
    """What one replica knows of one budget."""

    unit: DrawUnit
    ends: float
    amount: int = 0
    """What this replica has taken: reserved, or used where it is settled."""
    total: int = 0
    """What all replicas had taken when the store last said so, …"""
    local: int = 0
    """Of `amount`, all that was ever taken without asking the store, …"""
    base: int = 0
    """… and how much of that `total` holds already."""
    outage: int = 0
    held: int = 0
    """Reservations made without the store that are not settled."""


class Mirror:
    """The budgets of this replica."""

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self._own: dict[BudgetKey, Own] = {}
        self.dirty: set[BudgetKey] = set()
        """Budgets whose field in the store may not be what is here."""

    def __len__(self) -> int:
        """Return how many budgets are known."""
        return len(self._own)

    def of(self, key: BudgetKey) -> Own | None:
        """Return what is known of a budget."""
        return self._own.get(key)

    def doubt(self, key: BudgetKey, draw: Draw) -> None:
        """Note that what a draw on a budget came to in the store is not known."""
        self._of(key, draw)
        self.dirty.add(key)

    def soil(self) -> None:
        """Take every field in the store for wrong."""
        self.dirty.update(self._own)

    def count(self, key: BudgetKey, unit: DrawUnit, used: int) -> None:
        """Count at least this much as ours: what the ledger says after a start."""
        own = self._own.setdefault(key, Own(unit, key.period_start + PERIOD_S_MAX))
        if used > own.amount:
            own.total = max(own.total, own.total + used - own.amount)
            own.amount = used
        self.dirty.add(key)

    def read(self, key: BudgetKey, draw: Draw, remaining: int) -> bool:
        """Note what the store says is left of a budget; return whether it can be right."""
        own = self._of(key, draw)
        own.total = draw.limit - remaining
        own.base = own.local
        if own.total >= own.amount:
            return True
        self.dirty.add(key)  # less than we alone have taken: it has lost something
        return False

    def take(self, key: BudgetKey, draw: Draw, *, is_local: bool) -> None:
        """Note that this replica has taken the amount of a draw."""
        own = self._of(key, draw)
        own.amount += draw.amount
        if is_local:
            own.local += draw.amount
            own.held += 1
            self.dirty.add(key)

    def settle(self, key: BudgetKey, draw: Draw, actual: int, *, is_local: bool) -> None:
        """Replace the amount of a draw that was taken by what was used."""
        own = self._own.get(key)
        if own is None:
            return
        change = actual - draw.amount
        own.amount += change
        if is_local:
            own.local += change
            own.held -= 1
            self.dirty.add(key)
        else:
            own.total += change

    def limit(self, key: BudgetKey, draw: Draw, replicas: int, outage: int) -> int:
        """
        Return up to where the local counter of a budget (`Own.local`) may rise in this outage.

        That is an even share of what was left when the store was last heard of, and at least
        1. A larger draw fits too while it fits what was left, less of the share was used than
        there is, and nothing is held: one at a time, so that no call is too large to ever fit.
        """
        own = self._of(key, draw)
        if own.outage != outage:
            own.outage = outage
            own.total += own.local - own.base
            own.base = own.local
        left = draw.limit - own.total
        if left <= 0:
            return own.base
        share, used = max(1, left // replicas), own.local - own.base
        is_alone = own.held == 0 and used < share
        if is_alone and share - used < draw.amount <= left - used:
            return own.local + draw.amount
        return own.base + share

    def sweep(self, now: float) -> None:
        """Forget budgets whose period is over."""
        for key in [key for key, own in self._own.items() if own.ends + SLACK_S < now]:
            del self._own[key]
            self.dirty.discard(key)

    def _of(self, key: BudgetKey, draw: Draw) -> Own:
        own = self._own.get(key)
        if own is None:
            own = self._own[key] = Own(draw.unit, key.period_start + draw.window_s)
        return own

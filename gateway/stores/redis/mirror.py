"""
What this replica has taken from each budget, by its own count: true whether or not the store is.

In the store each replica has a field of its own in a budget, and the sum of them is what was
used. After an outage (in which calls were settled, or the store lost everything) each replica
sets its field from here, so nothing stays reserved and nothing is forgotten. So it is with
calls under way: what was taken is then how many this replica has.
"""

from math import inf
from typing import Final, NamedTuple

from msgspec import Struct

from gateway.values import Draw, DrawUnit

SLACK_S: Final = 7_200.0
"""How long after its period a budget is remembered: for clocks that differ."""
PERIOD_S_MAX: Final = 31 * 86_400.0


class CounterKey(NamedTuple):
    """One budget in one period, or one count of calls under way."""

    tenant: str
    draw_key: str
    suffix: str
    """The cluster after an "@", where it is part of the key."""
    period_start: float | None
    """None: calls under way."""

    @property
    def ends(self) -> float:
        """Return when a budget of unknown length can last be drawn on; calls have no end."""
        return inf if self.period_start is None else self.period_start + PERIOD_S_MAX


class Own(Struct):
    """What one replica knows of one counter."""

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
    """The budgets of this replica, and its calls under way."""

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self._own: dict[CounterKey, Own] = {}
        self.dirty: set[CounterKey] = set()
        """Counters whose field in the store may not be what is here."""

    def __len__(self) -> int:
        """Return how many counters are known."""
        return len(self._own)

    def of(self, key: CounterKey) -> Own | None:
        """Return what is known of a counter."""
        return self._own.get(key)

    def doubt(self, key: CounterKey, draw: Draw) -> None:
        """Note that what a draw on a counter came to in the store is not known."""
        self._of(key, draw)
        self.dirty.add(key)

    def soil(self) -> None:
        """Take every field in the store for wrong."""
        self.dirty.update(self._own)

    def soil_calls(self, tenant: str | None = None) -> None:
        """Take every field of calls under way (of a tenant, or all) for wrong."""
        self.dirty.update(
            key for key in self._own if key.period_start is None and tenant in (None, key.tenant)
        )

    def tenants(self) -> set[str]:
        """Return those that have calls under way here which are counted."""
        return {
            key.tenant for key, own in self._own.items() if key.period_start is None and own.amount
        }

    def count(self, key: CounterKey, unit: DrawUnit, used: int) -> None:
        """Count at least this much as ours: what the ledger says after a start."""
        own = self._own.setdefault(key, Own(unit, key.ends))
        if used > own.amount:
            own.total = max(own.total, own.total + used - own.amount)
            own.amount = used
        self.dirty.add(key)

    def read(self, key: CounterKey, draw: Draw, remaining: int) -> bool:
        """Note what the store says is left to a draw; return whether it can be right."""
        own = self.hear(key, draw, draw.limit - remaining)
        if own.total >= own.amount:
            return True
        self.dirty.add(key)  # less than we alone have taken: it has lost something
        return False

    def hear(self, key: CounterKey, draw: Draw, total: int) -> Own:
        """Note what the store says all have taken, and return all that is known."""
        own = self._of(key, draw)
        own.total, own.base = total, own.local
        return own

    def level(self, key: CounterKey) -> int:
        """Return what all have taken of a counter, as far as this replica knows."""
        own = self._own.get(key)
        return own.total + own.local - own.base if own is not None else 0

    def take(self, key: CounterKey, draw: Draw, *, is_local: bool) -> None:
        """Note that this replica has taken the amount of a draw."""
        own = self._of(key, draw)
        own.amount += draw.amount
        if is_local:
            own.local += draw.amount
            own.held += 1
            self.dirty.add(key)

    def settle(self, key: CounterKey, draw: Draw, actual: int, *, is_local: bool) -> None:
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

    def limit(self, key: CounterKey, draw: Draw, replicas: int, outage: int) -> int:
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

    def room(self, key: CounterKey, draw: Draw, replicas: int) -> int:
        """
        Return how many calls may be under way that were let through without the store.

        With those that the store let through they are an even share of the limit, and at
        least 1; negative when that is passed already.
        """
        own = self._own.get(key)
        asked = own.amount - own.local if own is not None else 0
        return max(1, draw.limit // replicas) - asked

    def sweep(self, now: float) -> None:
        """Forget budgets whose period is over, and calls none of which is under way."""
        for key in [key for key, own in self._own.items() if self._is_over(key, own, now)]:
            del self._own[key]
            self.dirty.discard(key)

    def _is_over(self, key: CounterKey, own: Own, now: float) -> bool:
        if key.period_start is None:
            return not own.amount and key not in self.dirty
        return own.ends + SLACK_S < now

    def _of(self, key: CounterKey, draw: Draw) -> Own:
        own = self._own.get(key)
        if own is None:
            start = key.period_start
            ends = key.ends if start is None else start + draw.window_s
            own = self._own[key] = Own(draw.unit, ends)
        return own

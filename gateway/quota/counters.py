"""
Counters in memory: every quota's bucket, every budget's sum, every count of calls under way.

Memory is bounded by what is in use: with every few draws some counters are looked at, and
those that say nothing any more (a quota that ran dry, a budget whose period is over) are
forgotten. A bucket that ran dry is as good as a new one, so nobody can tell. A count of calls
under way is forgotten with the last of them.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct

from gateway.quota.bucket import Bucket, actual, retry_after_s, stand
from gateway.values import Draw, Reading, Usage

SWEPT_PER_NEW: Final = 2
SWEPT_LEAST: Final = 2
"""
How many counters of each sort a sweep looks at, for each that has begun since the last sweep,
and at least: so there are never more than about twice as many as have a say.
"""
FORGOTTEN_FREE: Final = 24
"""How many a sweep may forget besides: after a quiet time there are many."""
PERIOD_S_MAX: Final = 31 * 86_400.0
CLOCK_SLACK_S: Final = 3_600.0
AWAIT_END_S: Final = 1.0
"""When to ask again while too many calls are under way: nobody knows when one will end."""

CounterKey: TypeAlias = tuple[str, str]
"""The tenant, and the draw's key with its cluster: no two tenants share a counter."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class _Used(Struct):
    """The state of one budget in one period."""

    amount: int
    ends: float


class Held(Struct, frozen=True):
    """One draw that was taken and is not settled."""

    draw: Draw
    key: CounterKey
    taken: Bucket | None
    """A quota's bucket as the draw left it; None for a budget, and for calls under way."""


class Drawn(Struct, frozen=True):
    """What came of one row of draws."""

    readings: tuple[Reading, ...]
    held: tuple[Held, ...]
    is_refused: bool


class Counters:
    """Quotas, budgets and calls under way of one process."""

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self._buckets: OrderedDict[CounterKey, Bucket] = OrderedDict()
        self._used: OrderedDict[tuple[CounterKey, float], _Used] = OrderedDict()
        self._under_way: dict[CounterKey, int] = {}
        self._buckets_begun = self._used_begun = 0
        """Counters made since the last sweep."""

    def __len__(self) -> int:
        """Return how many counters are remembered."""
        return len(self._buckets) + len(self._used) + len(self._under_way)

    def draw(self, tenant: str, draws: Sequence[Draw], cluster: str, now: float) -> Drawn:
        """
        Take from every quota and budget, or (when one refuses) from none.

        No two draws are on one counter: each rule has its own.
        """
        room: list[tuple[Draw, CounterKey, Bucket | None, int]] = []
        refused = False
        for draw in draws:
            key = (tenant, f"{draw.key}@{cluster}" if draw.by_cluster else draw.key)
            bucket = None
            period_start = draw.period_start
            if period_start is not None:
                used = self._used.get((key, period_start))
                left = draw.limit if used is None else draw.limit - used.amount
            elif draw.unit == "concurrent":
                left = draw.limit - self._under_way.get(key, 0)
            else:
                found = self._buckets.get(key)
                if found is None:
                    bucket, left = Bucket(0.0, now, draw.limit, draw.window_s, now), draw.limit
                else:
                    bucket = stand(found, draw.limit, draw.window_s, now)
                    left = bucket.remaining
            if left < draw.amount and not draw.shadow:
                refused = True
            room.append((draw, key, bucket, left))
        readings: list[Reading] = []
        held: list[Held] = []
        for draw, key, bucket, left in room:
            amount = draw.amount
            if refused or left < amount:
                wait_s = _wait_s(draw, bucket, now) if left < amount else 0.0
                readings.append(
                    Reading(draw=draw, taken=False, retry_after_s=wait_s, remaining=left)
                )
            else:
                held.append(Held(draw, key, self._take(draw, key, bucket)))
                readings.append(Reading(draw=draw, taken=True, remaining=left - amount))
        return Drawn(tuple(readings), tuple(held), refused)

    def used(self, key: CounterKey, period_start: float) -> int:
        """Return what is used of a budget, in its unit, in the period that began then."""
        found = self._used.get((key, period_start))
        return found.amount if found is not None else 0

    def settle(self, held: Held, used: Usage, cost_nano_usd: int, now: float) -> None:
        """Replace what one draw reserved by what was used."""
        draw = held.draw
        amount = actual(draw, used, cost_nano_usd)
        if amount != draw.amount:
            self._adjust(held, amount, now)

    def release(self, held: Held, now: float) -> None:
        """Give back what one draw reserved."""
        self._adjust(held, 0, now)

    def abandon(self, held: Held, now: float) -> None:
        """Leave what one draw reserved as it is: nobody will settle it. A call is over."""
        if held.draw.unit == "concurrent":
            self._adjust(held, 0, now)

    def seed(self, key: CounterKey, period_start: float, used: int) -> None:
        """Count at least this much in a budget's period that began then."""
        ends = period_start + PERIOD_S_MAX
        state = self._used.setdefault((key, period_start), _Used(0, ends))
        state.amount = max(state.amount, used)

    def sweep(self, now: float) -> None:
        """Look at a few of the counters longest not looked at, and forget those with no say."""
        _look(self._buckets, self._buckets_begun, lambda bucket: bucket.is_dry(now))
        _look(self._used, self._used_begun, lambda used: used.ends + CLOCK_SLACK_S <= now)
        self._buckets_begun = self._used_begun = 0

    def _take(self, draw: Draw, key: CounterKey, bucket: Bucket | None) -> Bucket | None:
        if bucket is not None:
            # One that is as it was made was made just now, or has run dry and begins anew.
            self._buckets_begun += bucket.level <= 0
            taken = self._buckets[key] = bucket.take(draw.amount)
            return taken
        if draw.period_start is None:
            self._under_way[key] = self._under_way.get(key, 0) + draw.amount
            return None
        at = key, draw.period_start
        state = self._used.get(at)
        if state is None:
            self._used_begun += 1
            self._used[at] = _Used(draw.amount, draw.period_start + draw.window_s)
        else:
            state.amount += draw.amount
        return None

    def _adjust(self, held: Held, amount: int, now: float) -> None:
        """Replace what one draw reserved by an amount."""
        draw = held.draw
        if held.taken is not None:
            self._refill(held.key, held.taken, amount - draw.amount, now)
        elif draw.period_start is None:
            left = self._under_way.get(held.key, 0) + amount - draw.amount
            if left > 0:
                self._under_way[held.key] = left
            else:
                self._under_way.pop(held.key, None)
        else:
            state = self._used.get((held.key, draw.period_start))
            if state is not None:
                state.amount += amount - draw.amount

    def _refill(self, key: CounterKey, taken: Bucket, more: int, now: float) -> None:
        """Take more from a quota, or (when it is negative) give back."""
        found = self._buckets.get(key)
        if more > 0:
            limit, window_s = (found or taken).limit, (found or taken).window_s
            self._buckets[key] = stand(found, limit, window_s, now).take(more)
        elif found is not None and more < 0:
            self._buckets[key] = found.drained(now).give_back(taken, -more)


def _wait_s(draw: Draw, bucket: Bucket | None, now: float) -> float:
    """Return when a draw that does not fit now will; 0 for never."""
    if draw.unit == "concurrent":
        return AWAIT_END_S
    if draw.amount > draw.limit:
        return 0.0
    if bucket is not None:
        return retry_after_s(bucket.wait_s(draw.amount, now))
    assert draw.period_start is not None
    return retry_after_s(draw.period_start + draw.window_s - now)


def _look(counters: OrderedDict[_K, _V], begun: int, is_over: Callable[[_V], bool]) -> None:
    """Look at those longest not looked at, and forget those that are over."""
    looks = min(SWEPT_LEAST + SWEPT_PER_NEW * begun, len(counters))
    free = FORGOTTEN_FREE
    while looks > 0 and counters:
        key, state = counters.popitem(last=False)
        if not is_over(state):
            counters[key] = state
            looks -= 1
        elif free:
            free -= 1
        else:
            looks -= 1

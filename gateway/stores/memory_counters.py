"""
Counters in memory: every quota's bucket, every budget's sum.

Memory is bounded by what is in use: with every few draws some counters are looked at, and
those that say nothing any more (a quota that ran dry, a budget whose period is over) are
forgotten. A bucket that ran dry is as good as a new one, so nobody can tell.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from gateway import quota
from gateway.quota import Bucket
from gateway.values import Draw, Reading, Usage

SWEPT_AT_ONCE: Final = 24
"""How many counters of each sort a sweep looks at: faster than draws can make them."""
PERIOD_S_MAX: Final = 31 * 86_400.0
CLOCK_SLACK_S: Final = 3_600.0

CounterKey: TypeAlias = tuple[str, str]
"""The tenant, and the draw's key with its cluster: no two tenants share a counter."""


class _Used(Struct):
    """The state of one budget in one period."""

    amount: int
    ends: float


class Held(Struct, frozen=True):
    """One draw that was taken and is not settled."""

    draw: Draw
    key: CounterKey
    taken: Bucket | None
    """A quota's bucket as the draw left it; None for a budget."""


class Drawn(Struct, frozen=True):
    """What came of one row of draws."""

    readings: tuple[Reading, ...]
    held: tuple[Held, ...]
    is_refused: bool


class Counters:
    """Quotas and budgets of one process."""

    def __init__(self) -> None:
        """Begin with nothing drawn."""
        self._buckets: OrderedDict[CounterKey, Bucket] = OrderedDict()
        self._used: OrderedDict[tuple[CounterKey, float], _Used] = OrderedDict()

    def __len__(self) -> int:
        """Return how many counters are remembered."""
        return len(self._buckets) + len(self._used)

    def draw(self, tenant: str, draws: Sequence[Draw], cluster: str, now: float) -> Drawn:
        """
        Take from every quota and budget, or (when one refuses) from none.

        No two draws are on one counter: each rule has its own.
        """
        room: list[tuple[CounterKey, Bucket | None, int]] = []
        refused = False
        for draw in draws:
            key = (tenant, f"{draw.key}@{cluster}" if draw.by_cluster else draw.key)
            if draw.period_start is None:
                bucket = quota.stand(self._buckets.get(key), draw.limit, draw.window_s, now)
                left = bucket.remaining
            else:
                used = self._used.get((key, draw.period_start))
                bucket, left = None, draw.limit - (used.amount if used else 0)
            refused = refused or (left < draw.amount and not draw.shadow)
            room.append((key, bucket, left))
        readings: list[Reading] = []
        held: list[Held] = []
        for draw, (key, bucket, left) in zip(draws, room, strict=True):
            if refused or left < draw.amount:
                wait_s = _wait_s(draw, bucket, now) if left < draw.amount else 0.0
                readings.append(
                    Reading(draw=draw, taken=False, retry_after_s=wait_s, remaining=left)
                )
            else:
                held.append(Held(draw, key, self._take(draw, key, bucket)))
                readings.append(Reading(draw=draw, taken=True, remaining=left - draw.amount))
        return Drawn(tuple(readings), tuple(held), refused)

    def settle(self, held: Held, used: Usage, cost_nano_usd: int, now: float) -> None:
        """Replace what one draw reserved by what was used."""
        self._adjust(held, quota.actual(held.draw, used, cost_nano_usd), now)

    def release(self, held: Held, now: float) -> None:
        """Give back what one draw reserved."""
        self._adjust(held, 0, now)

    def seed(self, key: CounterKey, period_start: float, used: int) -> None:
        """Count at least this much in a budget's period that began then."""
        ends = period_start + PERIOD_S_MAX
        state = self._used.setdefault((key, period_start), _Used(0, ends))
        state.amount = max(state.amount, used)

    def sweep(self, now: float) -> None:
        """Look at a few of the counters longest not looked at, and forget those with no say."""
        for _ in range(min(SWEPT_AT_ONCE, len(self._buckets))):
            key, bucket = self._buckets.popitem(last=False)
            if bucket.drained(now).level > 0:
                self._buckets[key] = bucket
        for _ in range(min(SWEPT_AT_ONCE, len(self._used))):
            period, used = self._used.popitem(last=False)
            if used.ends + CLOCK_SLACK_S > now:
                self._used[period] = used

    def _take(self, draw: Draw, key: CounterKey, bucket: Bucket | None) -> Bucket | None:
        if bucket is not None:
            taken = self._buckets[key] = bucket.take(draw.amount)
            return taken
        assert draw.period_start is not None
        ends = draw.period_start + draw.window_s
        state = self._used.setdefault((key, draw.period_start), _Used(0, ends))
        state.amount += draw.amount
        return None

    def _adjust(self, held: Held, actual: int, now: float) -> None:
        draw = held.draw
        if held.taken is None:
            assert draw.period_start is not None
            state = self._used.get((held.key, draw.period_start))
            if state is not None:
                state.amount += actual - draw.amount
            return
        found = self._buckets.get(held.key)
        if actual > draw.amount:
            limit, window_s = (found or held.taken).limit, (found or held.taken).window_s
            bucket = quota.stand(found, limit, window_s, now)
            self._buckets[held.key] = bucket.take(actual - draw.amount)
        elif found is not None and actual < draw.amount:
            bucket = found.drained(now).give_back(held.taken, draw.amount - actual)
            self._buckets[held.key] = bucket


def _wait_s(draw: Draw, bucket: Bucket | None, now: float) -> float:
    """Return when a draw that does not fit now will; 0 for never."""
    if draw.amount > draw.limit:
        return 0.0
    if bucket is not None:
        return quota.retry_after_s(bucket.wait_s(draw.amount, now))
    assert draw.period_start is not None
    return quota.retry_after_s(draw.period_start + draw.window_s - now)

"""
Quotas and budgets in memory: the reference every other store is held to.

Nothing here awaits, so each call is atomic. Memory is bounded by what is in use: with
every few draws some counters are looked at, and those that say nothing any more (a quota
with nothing spoken for, a budget whose period is over) are forgotten.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

from msgspec import Struct

from gateway import quota
from gateway.quota import Quota
from gateway.values import Draw, DrawUnit, Reading, Reservation, Usage

SWEPT_EVERY = 8
"""Draws between two looks at the counters longest not looked at, …"""
SWEPT_AT_ONCE = 24
"""… and how many are looked at then: faster than draws can make them."""
HELD_S_MAX = 86_400.0
PERIOD_S_MAX = 31 * 86_400.0
CLOCK_SLACK_S = 3_600.0


class _Spoken(Struct):
    """The state of one quota."""

    until: int
    limit: int


class _Used(Struct):
    """The state of one budget in one period."""

    amount: int
    ends: float


class _Held(Struct, frozen=True):
    """One draw that was taken and is not settled."""

    draw: Draw
    until: int
    """For a quota: what was spoken for when it was drawn."""


class MemoryQuotas:
    """Counters of one process. Implements `ports.Quotas`."""

    def __init__(self) -> None:
        self._spoken: OrderedDict[str, _Spoken] = OrderedDict()
        self._used: OrderedDict[tuple[str, float], _Used] = OrderedDict()
        self._held: OrderedDict[int, tuple[float, tuple[_Held, ...]]] = OrderedDict()
        self._last_id = 0

    async def draw(self, draws: Sequence[Draw], now: float) -> Reservation:
        """Take from every quota and budget, or (when one refuses) from none."""
        at = quota.instant_ns(now)
        if self._last_id % SWEPT_EVERY == 0:
            self._sweep(at, now)
        room: list[int] = []
        refused = False
        for draw in draws:
            left = self._remaining(draw, at)
            room.append(left)
            refused = refused or (left < draw.amount and not draw.shadow)
        readings: list[Reading] = []
        held: list[_Held] = []
        for draw, left in zip(draws, room, strict=True):
            if refused or left < draw.amount:
                wait_s = self._wait_s(draw, at, now) if left < draw.amount else 0.0
                readings.append(
                    Reading(draw=draw, taken=False, retry_after_s=wait_s, remaining=left)
                )
            else:
                held.append(self._take(draw, at, draw.amount))
                readings.append(Reading(draw=draw, taken=True, remaining=left - draw.amount))
        self._last_id += 1
        if held:
            self._held[self._last_id] = (now, tuple(held))
        return Reservation(id=self._last_id, readings=tuple(readings))

    async def settle(
        self, reservation: Reservation, used: Usage, cost_nano_usd: int, now: float
    ) -> None:
        """Replace what was reserved by what was used. A second time does nothing."""
        at = quota.instant_ns(now)
        for held in self._let_go(reservation):
            self._adjust(held, quota.actual(held.draw, used, cost_nano_usd), at)

    async def release(self, reservation: Reservation, now: float) -> None:
        """Give back all that was reserved. A second time does nothing."""
        at = quota.instant_ns(now)
        for held in self._let_go(reservation):
            self._adjust(held, 0, at)

    def seed(self, draw_key: str, unit: DrawUnit, period_start: float, used: int) -> None:
        """
        Set what the ledger says was used of a budget, in `unit`, in the period that began then.

        Before the first draw, after a restart; never lowers what is counted already.
        """
        state = self._used.setdefault(
            (draw_key, period_start), _Used(0, period_start + PERIOD_S_MAX)
        )
        state.amount = max(state.amount, used)

    @property
    def counters(self) -> int:
        """Return how many counters are remembered."""
        return len(self._spoken) + len(self._used)

    @property
    def held(self) -> int:
        """Return how many reservations are not settled."""
        return len(self._held)

    def _let_go(self, reservation: Reservation) -> tuple[_Held, ...]:
        return self._held.pop(reservation.id, (0.0, ()))[1]

    def _remaining(self, draw: Draw, at: int) -> int:
        if draw.period_start is not None:
            state = self._used.get((draw.key, draw.period_start))
            return draw.limit - (state.amount if state else 0)
        return _quota(draw).remaining(self._until(draw), at)

    def _until(self, draw: Draw) -> int:
        """Return until when a quota is spoken for, under the limit in force now."""
        state = self._spoken.get(draw.key)
        return quota.rescale(state.until, state.limit, draw.limit) if state else 0

    def _wait_s(self, draw: Draw, at: int, now: float) -> float:
        if draw.amount > draw.limit:
            return 0.0
        if draw.period_start is None:
            wait_ns = _quota(draw).wait_ns(self._until(draw), at, draw.amount)
            return quota.retry_after_s(wait_ns)
        left_s = draw.period_start + draw.window_s - now
        return quota.retry_after_s(quota.instant_ns(left_s))

    def _take(self, draw: Draw, at: int, amount: int) -> _Held:
        if draw.period_start is not None:
            ends = draw.period_start + draw.window_s
            state = self._used.setdefault((draw.key, draw.period_start), _Used(0, ends))
            state.amount += amount
            return _Held(draw, 0)
        until = _quota(draw).take(self._until(draw), at, amount)
        self._spoken[draw.key] = _Spoken(until, draw.limit)
        return _Held(draw, until)

    def _adjust(self, held: _Held, actual: int, at: int) -> None:
        draw = held.draw
        if draw.period_start is not None:
            state = self._used.get((draw.key, draw.period_start))
            if state is not None:
                state.amount += actual - draw.amount
        elif actual > draw.amount:
            self._charge(draw, at, actual - draw.amount)
        elif draw.key in self._spoken:
            self._give_back(held, at, draw.amount - actual)

    def _charge(self, draw: Draw, at: int, amount: int) -> None:
        """Add what was used beyond the reservation, under the limit in force now."""
        state = self._spoken.get(draw.key)
        limit = state.limit if state else draw.limit
        until = state.until if state else 0
        rate = _quota_of(limit, draw.window_s)
        self._spoken[draw.key] = _Spoken(rate.take(until, at, amount), limit)

    def _give_back(self, held: _Held, at: int, amount: int) -> None:
        state = self._spoken[held.draw.key]
        rate = _quota_of(state.limit, held.draw.window_s)
        until = quota.rescale(held.until, held.draw.limit, state.limit)
        state.until = rate.give_back(state.until, until, at, amount)

    def _sweep(self, at: int, now: float) -> None:
        """Look at a few of the counters longest not looked at, and forget those with no say."""
        for _ in range(min(SWEPT_AT_ONCE, len(self._spoken))):
            key, spoken = self._spoken.popitem(last=False)
            if spoken.until > at * spoken.limit:
                self._spoken[key] = spoken
        for _ in range(min(SWEPT_AT_ONCE, len(self._used))):
            period, used = self._used.popitem(last=False)
            if used.ends + CLOCK_SLACK_S > now:
                self._used[period] = used
        while self._held:
            first = next(iter(self._held))
            if self._held[first][0] + HELD_S_MAX > now:
                break
            del self._held[first]


def _quota(draw: Draw) -> Quota:
    return _quota_of(draw.limit, draw.window_s)


@lru_cache(maxsize=1024)
def _quota_of(limit: int, window_s: float) -> Quota:
    return Quota(limit, quota.instant_ns(window_s))

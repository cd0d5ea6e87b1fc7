"""What every store of quotas must hold. The memory store is the reference."""

import asyncio
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.stores.memory import HELD_S_MAX, SWEPT_EVERY, MemoryQuotas
from gateway.values import Draw, DrawUnit, Reservation, Usage

NOW = 1_795_348_800.25
DAY_S = 86_400.0
BACKENDS: dict[str, Callable[[], MemoryQuotas]] = {"memory": MemoryQuotas}


@pytest.fixture(name="quotas", params=BACKENDS)
def _quotas(request: pytest.FixtureRequest) -> MemoryQuotas:
    return BACKENDS[request.param]()


def rate(
    amount: int = 1,
    *,
    limit: int = 10,
    window_s: float = 60,
    key: str = "rate",
    unit: DrawUnit = "calls",
    shadow: bool = False,
) -> Draw:
    return Draw(
        rule=key, key=key, unit=unit, amount=amount, limit=limit, window_s=window_s, shadow=shadow
    )


def budget(
    amount: int = 1,
    *,
    limit: int = 10,
    key: str = "budget",
    unit: DrawUnit = "calls",
    start: float = NOW - 100,
    shadow: bool = False,
) -> Draw:
    return Draw(
        rule=key,
        key=key,
        unit=unit,
        amount=amount,
        limit=limit,
        window_s=DAY_S,
        period_start=start,
        shadow=shadow,
    )


def tokens(used: int) -> Usage:
    return Usage(input_tokens=used)


def taken(reservation: Reservation) -> list[bool]:
    return [reading.taken for reading in reservation.readings]


async def look_at_counters(quotas: MemoryQuotas, now: float) -> None:
    """Draw often enough that the store looks for what it may forget."""
    for _ in range(SWEPT_EVERY):
        await quotas.draw([], now)


async def test_a_quota_admits_its_limit_at_once_and_says_when_one_more_fits(
    quotas: MemoryQuotas,
) -> None:
    for left in range(9, -1, -1):
        (reading,) = (await quotas.draw([rate()], NOW)).readings
        assert (reading.taken, reading.remaining) == (True, left)
    (reading,) = (await quotas.draw([rate()], NOW)).readings
    assert not reading.taken
    assert reading.remaining == 0
    assert reading.retry_after_s == pytest.approx(6.0, abs=0.002)
    assert taken(await quotas.draw([rate()], NOW + reading.retry_after_s)) == [True]
    assert taken(await quotas.draw([rate()], NOW + reading.retry_after_s)) == [False]


async def test_a_budget_is_exact_in_its_period_and_begins_anew(quotas: MemoryQuotas) -> None:
    assert taken(await quotas.draw([budget(10)], NOW)) == [True]
    (reading,) = (await quotas.draw([budget()], NOW + 1000)).readings
    assert not reading.taken
    assert reading.retry_after_s == pytest.approx(DAY_S - 100 - 1000, abs=0.002)
    following = budget(start=NOW - 100 + DAY_S)
    assert taken(await quotas.draw([following], NOW + 1000 + reading.retry_after_s)) == [True]


async def test_all_are_drawn_or_none(quotas: MemoryQuotas) -> None:
    found = await quotas.draw([rate(), budget(11), rate(key="other")], NOW)
    assert taken(found) == [False, False, False]
    assert [reading.remaining for reading in found.readings] == [10, 10, 10]
    assert [reading.retry_after_s > 0 for reading in found.readings] == [False, False, False]
    found = await quotas.draw([rate(10), budget(10), rate(10, key="other")], NOW)
    assert taken(found) == [True, True, True]


@pytest.mark.parametrize("draw", [rate(11), budget(11)])
async def test_what_can_never_fit_is_refused_without_a_wait(
    quotas: MemoryQuotas, draw: Draw
) -> None:
    (reading,) = (await quotas.draw([draw], NOW)).readings
    assert not reading.taken
    assert reading.retry_after_s == 0
    assert reading.remaining == 10


@pytest.mark.parametrize("make", [rate, budget])
async def test_concurrent_draws_never_pass_a_limit(
    quotas: MemoryQuotas, make: Callable[..., Draw]
) -> None:
    found = await asyncio.gather(
        *(quotas.draw([make(unit="cost_usd", amount=1)], NOW) for _ in range(200))
    )
    assert sum(taken(each)[0] for each in found) == 10


@pytest.mark.parametrize("make", [rate, budget])
@pytest.mark.parametrize(("used", "left"), [(0, 10), (2, 8), (6, 4), (8, 2), (10, 0), (13, -3)])
async def test_what_was_used_replaces_what_was_reserved_once(
    quotas: MemoryQuotas, make: Callable[..., Draw], used: int, left: int
) -> None:
    held = await quotas.draw([make(6, unit="tokens")], NOW)
    await quotas.settle(held, tokens(used), 0, NOW)
    await quotas.settle(held, tokens(0), 0, NOW)
    await quotas.release(held, NOW)
    (reading,) = (await quotas.draw([make(11, unit="tokens")], NOW)).readings
    assert reading.remaining == left


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_call_never_made_gives_all_back_once(
    quotas: MemoryQuotas, make: Callable[..., Draw]
) -> None:
    other = await quotas.draw([make(2)], NOW)
    held = await quotas.draw([make(6)], NOW)
    await quotas.release(held, NOW)
    await quotas.release(held, NOW)
    await quotas.settle(held, tokens(9), 9, NOW)
    (reading,) = (await quotas.draw([make(8)], NOW)).readings
    assert (reading.taken, reading.remaining) == (True, 0)
    assert taken(other) == [True]


async def test_each_draw_is_settled_in_its_unit(quotas: MemoryQuotas) -> None:
    units: tuple[DrawUnit, ...] = ("calls", "tokens", "cost_usd")
    draws = [rate(5, key=unit, unit=unit) for unit in units]
    draws += [budget(5, key=f"b-{unit}", unit=unit) for unit in units]
    held = await quotas.draw(draws, NOW)
    await quotas.settle(held, Usage(input_tokens=1, output_tokens=2), 7, NOW)
    after = await quotas.draw(draws, NOW)
    assert [reading.remaining for reading in after.readings] == [5, 7, 3, 5, 7, 3]


async def test_a_refused_draw_has_nothing_to_settle(quotas: MemoryQuotas) -> None:
    held = await quotas.draw([rate(11)], NOW)
    await quotas.settle(held, tokens(99), 99, NOW)
    assert taken(await quotas.draw([rate(10)], NOW)) == [True]


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_shadow_draw_counts_and_never_refuses(
    quotas: MemoryQuotas, make: Callable[..., Draw]
) -> None:
    shadow = make(6, key="shadow", shadow=True)
    assert taken(await quotas.draw([shadow, rate()], NOW)) == [True, True]
    found = await quotas.draw([shadow, rate()], NOW)
    assert taken(found) == [False, True]
    assert found.readings[0].remaining == 4
    assert found.readings[0].retry_after_s > 0


async def test_a_shadow_draw_is_not_taken_when_another_refuses(quotas: MemoryQuotas) -> None:
    shadow = rate(6, key="shadow", shadow=True)
    found = await quotas.draw([shadow, rate(11)], NOW)
    assert taken(found) == [False, False]
    assert found.readings[0].remaining == 10


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_limit_that_changes_keeps_what_was_drawn(
    quotas: MemoryQuotas, make: Callable[..., Draw]
) -> None:
    held = await quotas.draw([make(10, unit="tokens")], NOW)
    (reading,) = (await quotas.draw([make(100, limit=10, unit="tokens")], NOW)).readings
    assert reading.remaining == 0
    (reading,) = (await quotas.draw([make(1, limit=20, unit="tokens")], NOW)).readings
    assert reading.taken is (make is budget)
    await quotas.settle(held, tokens(0), 0, NOW)
    (reading,) = (await quotas.draw([make(1, limit=20, unit="tokens")], NOW)).readings
    assert reading.taken


async def test_a_quota_charged_after_it_was_forgotten_is_charged(quotas: MemoryQuotas) -> None:
    held = await quotas.draw([rate(1, unit="tokens")], NOW)
    late = NOW + 100
    await look_at_counters(quotas, late)
    await quotas.settle(held, tokens(8), 0, late)
    (reading,) = (await quotas.draw([rate(11, unit="tokens")], late)).readings
    assert reading.remaining == 3


@pytest.mark.parametrize("draw", [rate(8, unit="tokens"), budget(8, start=NOW - DAY_S + 10)])
async def test_nothing_is_given_back_to_what_was_forgotten(
    quotas: MemoryQuotas, draw: Draw
) -> None:
    held = await quotas.draw([draw], NOW)
    late = NOW + 5_000
    await look_at_counters(quotas, late)
    assert quotas.counters == 0
    await quotas.release(held, late)
    assert quotas.counters == 0
    assert quotas.held == 0


async def test_what_the_ledger_says_was_used_counts_after_a_restart(quotas: MemoryQuotas) -> None:
    start = NOW - 100
    quotas.seed("budget", "calls", start, 7)
    quotas.seed("budget", "calls", start, 7)
    (reading,) = (await quotas.draw([budget(3)], NOW)).readings
    assert (reading.taken, reading.remaining) == (True, 0)
    quotas.seed("budget", "calls", start, 7)
    assert taken(await quotas.draw([budget()], NOW)) == [False]


async def test_memory_is_bounded_by_what_is_in_use(quotas: MemoryQuotas) -> None:
    for number in range(2_000):
        now = NOW + number
        await quotas.draw([rate(key=f"r{number}", window_s=10), budget(key=f"b{number}")], now)
    assert quotas.counters < 2_100
    late = NOW + 3 * DAY_S
    for number in range(1_000):
        await quotas.draw([], late + number)
    assert quotas.counters == 0
    assert quotas.held == 0


async def test_a_counter_in_use_is_never_forgotten(quotas: MemoryQuotas) -> None:
    await quotas.draw([rate(10, window_s=DAY_S), budget(10)], NOW)
    for number in range(500):
        await quotas.draw([rate(key=f"r{number}", window_s=1)], NOW + number)
    found = await quotas.draw([rate(window_s=DAY_S), budget(key="other")], NOW + 500)
    assert found.readings[0].remaining == 0
    found = await quotas.draw([budget()], NOW + 500)
    assert found.readings[0].remaining == 0


async def test_a_reservation_nobody_settles_is_settled_as_reserved_in_a_day(
    quotas: MemoryQuotas,
) -> None:
    lost = await quotas.draw([budget(6, unit="tokens")], NOW)
    later = await quotas.draw([budget(1, unit="tokens")], NOW + 10)
    assert quotas.held == 2
    late = NOW + HELD_S_MAX + 1
    await look_at_counters(quotas, late)
    assert quotas.held == 1
    await quotas.settle(lost, tokens(0), 0, late)
    await quotas.settle(later, tokens(1), 0, late)
    (reading,) = (await quotas.draw([budget(11, unit="tokens")], late)).readings
    assert reading.remaining == 3


async def test_waiting_with_much_reserved_gains_nothing(quotas: MemoryQuotas) -> None:
    """Ten calls held open, each reserving a whole window, used nothing: one window is free."""
    held = []
    for number in range(10):
        held.append(await quotas.draw([rate(10, unit="tokens")], NOW + 60 * number))
        assert taken(held[-1]) == [True]
    now = NOW + 600
    admitted = 0
    for each in held:
        admitted += taken(await quotas.draw([rate(10, unit="tokens")], now))[0]
        await quotas.settle(each, tokens(0), 0, now)
    assert admitted == 1


class Naive:
    """The same promises as plain as can be: a leaking bucket in fractions, and a sum."""

    def __init__(self) -> None:
        self.levels: dict[str, tuple[Fraction, Fraction]] = {}
        self.sums: dict[tuple[str, float], int] = {}
        self.open: dict[int, list[tuple[Draw, Fraction]]] = {}

    def level(self, draw: Draw, at: Fraction) -> Fraction:
        level, since = self.levels.get(draw.key, (Fraction(0), at))
        return max(Fraction(0), level - (at - since) * self.leak(draw))

    @staticmethod
    def leak(draw: Draw) -> Fraction:
        return draw.limit / Fraction(draw.window_s)

    def left(self, draw: Draw, at: Fraction) -> int:
        if draw.period_start is not None:
            return draw.limit - self.sums.get((draw.key, draw.period_start), 0)
        return int((draw.limit - self.level(draw, at)) // 1)

    def add(self, draw: Draw, at: Fraction, amount: Fraction | int) -> Fraction:
        """Add an amount, and return when all there is will have leaked out."""
        if draw.period_start is not None:
            key = draw.key, draw.period_start
            self.sums[key] = self.sums.get(key, 0) + int(amount)
            return at
        self.levels[draw.key] = self.level(draw, at) + amount, at
        return at + self.levels[draw.key][0] / self.leak(draw)

    def draw(self, number: int, draws: list[Draw], at: Fraction) -> list[tuple[bool, int]]:
        left = [self.left(draw, at) for draw in draws]
        fits = [draw.amount <= each for draw, each in zip(draws, left, strict=True)]
        refused = any(not fit and not d.shadow for fit, d in zip(fits, draws, strict=True))
        wins = [(d, n) for d, n, fit in zip(draws, left, fits, strict=True) if fit and not refused]
        self.open[number] = [(draw, self.add(draw, at, draw.amount)) for draw, _ in wins]
        won = {draw.key for draw, _ in wins}
        return [
            (draw.key in won, each - draw.amount * (draw.key in won))
            for draw, each in zip(draws, left, strict=True)
        ]

    def settle(self, number: int, used: int | None, at: Fraction) -> None:
        for draw, until in self.open.pop(number, []):
            calls = draw.amount if used is not None else 0
            change = Fraction((calls if draw.unit == "calls" else used or 0) - draw.amount)
            if draw.period_start is None and change < 0:
                change = -min(-change, max(Fraction(0), until - at) * self.leak(draw))
            self.add(draw, at, change)


KINDS = (
    rate(limit=7, key="seven"),
    rate(limit=3, window_s=1, key="three", unit="tokens"),
    rate(limit=1000, window_s=3600, key="many", unit="tokens"),
    rate(limit=5, key="shadow", shadow=True, unit="tokens"),
    budget(limit=40, key="sum", unit="tokens"),
    budget(limit=9, key="count"),
    budget(limit=30, key="quiet", shadow=True, unit="tokens"),
)


class Quotas(RuleBasedStateMachine):
    """Random draws, settlements and pauses: the store answers as the naive one does."""

    backend = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = BACKENDS[self.backend]()
        self.naive = Naive()
        self.now_ms = 0
        self.reservations: list[Reservation] = []

    def run(self, job: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(job)

    @property
    def now(self) -> float:
        return NOW + self.now_ms / 1024

    @property
    def at(self) -> Fraction:
        return Fraction(round(self.now * 10**9), 10**9)

    @rule(ms=st.integers(1, 3_000) | st.integers(3_000, 4_000_000))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(
        kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique_by=lambda draw: draw.key),
        amount=st.integers(0, 12),
    )
    def draw(self, kinds: list[Draw], amount: int) -> None:
        draws = [
            Draw(**{name: getattr(kind, name) for name in Draw.__struct_fields__} | {"amount": n})
            for kind in kinds
            for n in [1 if kind.unit == "calls" else amount]
        ]
        found = self.run(self.store.draw(draws, self.now))
        wanted = self.naive.draw(len(self.reservations), draws, self.at)
        assert [(reading.taken, reading.remaining) for reading in found.readings] == wanted
        self.reservations.append(found)
        for reading in found.readings:
            if reading.retry_after_s > 0 and reading.draw.period_start is None:
                later = Fraction(round((self.now + reading.retry_after_s) * 10**9), 10**9)
                assert self.naive.left(reading.draw, later) >= reading.draw.amount
                sooner = later - Fraction(3, 1000)
                if sooner > self.at:
                    assert self.naive.left(reading.draw, sooner) < reading.draw.amount

    @precondition(lambda self: bool(self.reservations))
    @rule(data=st.data(), used=st.none() | st.integers(0, 20))
    def settle(self, data: st.DataObject, used: int | None) -> None:
        number = data.draw(st.integers(0, len(self.reservations) - 1))
        found = self.reservations[number]
        if used is None:
            self.run(self.store.release(found, self.now))
        else:
            self.run(self.store.settle(found, tokens(used), used, self.now))
        self.naive.settle(number, used, self.at)

    @invariant()
    def nothing_is_held_that_is_settled(self) -> None:
        assert self.store.held == sum(1 for held in self.naive.open.values() if held)

    def teardown(self) -> None:
        self.loop.close()


Quotas.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestQuotas = Quotas.TestCase

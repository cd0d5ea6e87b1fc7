"""What every store of quotas must hold. The memory store is the reference."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs

from gateway.stores.memory import HELD_S_MAX, SWEPT_EVERY, MemoryQuotas
from gateway.stores.redis.mirror import CounterKey, Own
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Draw, DrawUnit, Reservation, Usage
from tests.stores import backends
from tests.stores.backends import AnyQuotas
from tests.stores.draws import DAY_S, NOW, budget, concurrent, meter, rate, taken, tokens


@pytest.fixture(name="quotas", params=backends.BACKENDS)
async def _quotas(request: pytest.FixtureRequest) -> AsyncIterator[AnyQuotas]:
    async with backends.opened(request.param) as store:
        yield store


@pytest.fixture(name="memory")
def _memory() -> MemoryQuotas:
    """The reference alone: for how it forgets, which the others leave to their server."""
    return MemoryQuotas()


@pytest.fixture(name="shared", params=backends.SHARED)
async def _shared(request: pytest.FixtureRequest) -> AsyncIterator[tuple[RedisQuotas, RedisQuotas]]:
    """Two replicas of one store."""
    backends.empty(request.param)
    async with (
        backends.another(request.param, "r0") as one,
        backends.another(request.param, "r1") as other,
    ):
        yield one, other


async def look_at_counters(quotas: MemoryQuotas, now: float) -> None:
    """Draw often enough that the store looks for what it may forget."""
    for _ in range(SWEPT_EVERY):
        await quotas.draw([], now)


async def test_a_quota_admits_its_limit_at_once_and_says_when_one_more_fits(
    quotas: AnyQuotas,
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


async def test_a_budget_is_exact_in_its_period_and_begins_anew(quotas: AnyQuotas) -> None:
    assert taken(await quotas.draw([budget(10)], NOW)) == [True]
    (reading,) = (await quotas.draw([budget()], NOW + 1000)).readings
    assert not reading.taken
    assert reading.retry_after_s == pytest.approx(DAY_S - 100 - 1000, abs=0.002)
    following = budget(start=NOW - 100 + DAY_S)
    assert taken(await quotas.draw([following], NOW + 1000 + reading.retry_after_s)) == [True]


async def test_all_are_drawn_or_none(quotas: AnyQuotas) -> None:
    found = await quotas.draw([rate(), budget(11), rate(key="other")], NOW)
    assert taken(found) == [False, False, False]
    assert [reading.remaining for reading in found.readings] == [10, 10, 10]
    assert [reading.retry_after_s > 0 for reading in found.readings] == [False, False, False]
    found = await quotas.draw([rate(10), budget(10), rate(10, key="other")], NOW)
    assert taken(found) == [True, True, True]


@pytest.mark.parametrize("draw", [rate(11), budget(11)])
async def test_what_can_never_fit_is_refused_without_a_wait(quotas: AnyQuotas, draw: Draw) -> None:
    (reading,) = (await quotas.draw([draw], NOW)).readings
    assert not reading.taken
    assert reading.retry_after_s == 0
    assert reading.remaining == 10


@pytest.mark.parametrize("make", [rate, budget])
async def test_concurrent_draws_never_pass_a_limit(
    quotas: AnyQuotas, make: Callable[..., Draw]
) -> None:
    found = await asyncio.gather(
        *(quotas.draw([make(unit="cost_usd", amount=1)], NOW) for _ in range(200))
    )
    assert sum(taken(each)[0] for each in found) == 10


@pytest.mark.parametrize("make", [rate, budget])
@pytest.mark.parametrize(("used", "left"), [(0, 10), (2, 8), (6, 4), (8, 2), (10, 0), (13, -3)])
async def test_what_was_used_replaces_what_was_reserved_once(
    quotas: AnyQuotas, make: Callable[..., Draw], used: int, left: int
) -> None:
    held = await quotas.draw([make(6, unit="tokens")], NOW)
    await quotas.settle(held, tokens(used), 0, NOW)
    await quotas.settle(held, tokens(0), 0, NOW)
    await quotas.release(held, NOW)
    (reading,) = (await quotas.draw([make(11, unit="tokens")], NOW)).readings
    assert reading.remaining == left


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_call_never_made_gives_all_back_once(
    quotas: AnyQuotas, make: Callable[..., Draw]
) -> None:
    other = await quotas.draw([make(2)], NOW)
    held = await quotas.draw([make(6)], NOW)
    await quotas.release(held, NOW)
    await quotas.release(held, NOW)
    await quotas.settle(held, tokens(9), 9, NOW)
    (reading,) = (await quotas.draw([make(8)], NOW)).readings
    assert (reading.taken, reading.remaining) == (True, 0)
    assert taken(other) == [True]


async def test_each_draw_is_settled_in_its_unit(quotas: AnyQuotas) -> None:
    units: tuple[DrawUnit, ...] = ("calls", "tokens", "cost_usd")
    draws = [rate(5, key=unit, unit=unit) for unit in units]
    draws += [budget(5, key=f"b-{unit}", unit=unit) for unit in units]
    held = await quotas.draw(draws, NOW)
    await quotas.settle(held, Usage(input_tokens=1, output_tokens=2), 7, NOW)
    after = await quotas.draw(draws, NOW)
    assert [reading.remaining for reading in after.readings] == [5, 7, 3, 5, 7, 3]


async def test_a_refused_draw_has_nothing_to_settle(quotas: AnyQuotas) -> None:
    held = await quotas.draw([rate(11)], NOW)
    await quotas.settle(held, tokens(99), 99, NOW)
    assert taken(await quotas.draw([rate(10)], NOW)) == [True]


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_shadow_draw_counts_and_never_refuses(
    quotas: AnyQuotas, make: Callable[..., Draw]
) -> None:
    shadow = make(6, key="shadow", shadow=True)
    assert taken(await quotas.draw([shadow, rate()], NOW)) == [True, True]
    found = await quotas.draw([shadow, rate()], NOW)
    assert taken(found) == [False, True]
    assert found.readings[0].remaining == 4
    assert found.readings[0].retry_after_s > 0


async def test_a_shadow_draw_is_not_taken_when_another_refuses(quotas: AnyQuotas) -> None:
    shadow = rate(6, key="shadow", shadow=True)
    found = await quotas.draw([shadow, rate(11)], NOW)
    assert taken(found) == [False, False]
    assert found.readings[0].remaining == 10


@pytest.mark.parametrize("make", [rate, budget])
async def test_a_limit_that_changes_keeps_what_was_drawn(
    quotas: AnyQuotas, make: Callable[..., Draw]
) -> None:
    held = await quotas.draw([make(10, unit="tokens")], NOW)
    (reading,) = (await quotas.draw([make(100, limit=10, unit="tokens")], NOW)).readings
    assert reading.remaining == 0
    (reading,) = (await quotas.draw([make(1, limit=20, unit="tokens")], NOW)).readings
    assert reading.taken is (make is budget)
    await quotas.settle(held, tokens(0), 0, NOW)
    (reading,) = (await quotas.draw([make(1, limit=20, unit="tokens")], NOW)).readings
    assert reading.taken


async def test_a_quota_charged_after_it_was_forgotten_is_charged(memory: MemoryQuotas) -> None:
    held = await memory.draw([rate(1, unit="tokens")], NOW)
    late = NOW + 100
    await look_at_counters(memory, late)
    await memory.settle(held, tokens(8), 0, late)
    (reading,) = (await memory.draw([rate(11, unit="tokens")], late)).readings
    assert reading.remaining == 3


@pytest.mark.parametrize("draw", [rate(8, unit="tokens"), budget(8, start=NOW - DAY_S + 10)])
async def test_nothing_is_given_back_to_what_was_forgotten(
    memory: MemoryQuotas, draw: Draw
) -> None:
    held = await memory.draw([draw], NOW)
    late = NOW + 5_000
    await look_at_counters(memory, late)
    assert memory.counters == 0
    await memory.release(held, late)
    assert memory.counters == 0
    assert memory.held == 0


async def test_what_the_ledger_says_was_used_counts_after_a_restart(quotas: AnyQuotas) -> None:
    start = NOW - 100
    await backends.seed(quotas, "budget", "calls", start, 7)
    await backends.seed(quotas, "budget", "calls", start, 7)
    (reading,) = (await quotas.draw([budget(3)], NOW)).readings
    assert (reading.taken, reading.remaining) == (True, 0)
    await backends.seed(quotas, "budget", "calls", start, 7)
    assert taken(await quotas.draw([budget()], NOW)) == [False]


async def test_memory_is_bounded_by_what_is_in_use(memory: MemoryQuotas) -> None:
    for number in range(2_000):
        now = NOW + number
        await memory.draw([rate(key=f"r{number}", window_s=10), budget(key=f"b{number}")], now)
    assert memory.counters < 2_100
    late = NOW + 3 * DAY_S
    for number in range(1_000):
        await memory.draw([], late + number)
    assert memory.counters == 0
    assert memory.held == 0


async def test_a_counter_in_use_is_never_forgotten(memory: MemoryQuotas) -> None:
    await memory.draw([rate(10, window_s=DAY_S), budget(10)], NOW)
    for number in range(500):
        await memory.draw([rate(key=f"r{number}", window_s=1)], NOW + number)
    found = await memory.draw([rate(window_s=DAY_S), budget(key="other")], NOW + 500)
    assert found.readings[0].remaining == 0
    found = await memory.draw([budget()], NOW + 500)
    assert found.readings[0].remaining == 0


async def test_a_reservation_nobody_settles_is_settled_as_reserved_in_a_day(
    memory: MemoryQuotas,
) -> None:
    lost = await memory.draw([budget(6, unit="tokens")], NOW)
    later = await memory.draw([budget(1, unit="tokens")], NOW + 10)
    assert memory.held == 2
    late = NOW + HELD_S_MAX + 1
    await look_at_counters(memory, late)
    assert memory.held == 1
    await memory.settle(lost, tokens(0), 0, late)
    await memory.settle(later, tokens(1), 0, late)
    (reading,) = (await memory.draw([budget(11, unit="tokens")], late)).readings
    assert reading.remaining == 3


async def test_waiting_with_much_reserved_gains_nothing(quotas: AnyQuotas) -> None:
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


async def test_a_bucket_that_ran_dry_gives_nothing_back(quotas: AnyQuotas) -> None:
    """Time has given all of it back; what was drawn since is somebody else's."""
    first = await quotas.draw([rate(5, unit="tokens")], NOW)
    second = await quotas.draw([rate(5, unit="tokens")], NOW)
    await quotas.release(first, NOW)
    await quotas.draw([rate(5, unit="tokens")], NOW + 31)
    await quotas.release(second, NOW + 31)
    (reading,) = (await quotas.draw([rate(11, unit="tokens")], NOW + 31)).readings
    assert reading.remaining == 5


async def test_a_clock_that_steps_back_drains_nothing_and_loses_nothing(quotas: AnyQuotas) -> None:
    await quotas.draw([rate(4)], NOW + 3_600)
    (reading,) = (await quotas.draw([rate(11)], NOW)).readings
    assert reading.remaining == 6
    assert taken(await quotas.draw([rate(6)], NOW)) == [True]
    (reading,) = (await quotas.draw([rate(1)], NOW)).readings
    assert reading.retry_after_s == pytest.approx(3_606, abs=0.01)


async def test_another_tenant_has_counters_of_its_own(quotas: AnyQuotas) -> None:
    await quotas.draw([rate(10), budget(10)], NOW)
    assert taken(await quotas.draw([rate(10), budget(10)], NOW, tenant="acme")) == [True, True]
    assert taken(await quotas.draw([rate()], NOW, tenant="acme")) == [False]


async def test_large_amounts_of_money_are_exact(quotas: AnyQuotas) -> None:
    """A million dollars in nano-dollars, and one."""
    limit = 10**15
    for make in (rate, budget):
        assert taken(await quotas.draw([make(limit - 1, limit=limit)], NOW)) == [True]
        (reading,) = (await quotas.draw([make(2, limit=limit)], NOW)).readings
        assert (reading.taken, reading.remaining) == (False, 1)
        assert taken(await quotas.draw([make(1, limit=limit)], NOW)) == [True]
        assert taken(await quotas.draw([make(1, limit=limit)], NOW)) == [False]


@pytest.mark.parametrize("make", [rate, budget])
async def test_replicas_draw_on_the_same_counters(
    shared: tuple[RedisQuotas, RedisQuotas], make: Callable[..., Draw]
) -> None:
    """200 calls at two replicas, 10 left: 10 pass; what one gives back the other has."""
    found = await asyncio.gather(
        *(shared[number % 2].draw([make(unit="tokens")], NOW) for number in range(200))
    )
    won = [(number, each) for number, each in enumerate(found) if taken(each)[0]]
    assert len(won) == 10
    number, reservation = won[0]
    await shared[number % 2].settle(reservation, tokens(0), 0, NOW)
    await shared[number % 2].flush()
    assert taken(await shared[1 - number % 2].draw([make()], NOW)) == [True]


async def test_each_replica_sets_its_own_part_of_a_budget(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    """After the store has come back empty, say; the other's part stays."""
    one, other = shared
    await one.draw([budget(3)], NOW)
    await other.draw([budget(2)], NOW)
    key = CounterKey("default", "budget", "", NOW - 100)
    ends = NOW - 100 + DAY_S
    await one.account.put(key, Own("calls", ends, 1))
    await one.account.put(key, Own("calls", ends, 1))
    (reading,) = (await one.draw([budget(99, limit=99)], NOW)).readings
    assert reading.remaining == 96
    await other.account.seed(key, 1)
    await other.account.seed(key, 7)
    (reading,) = (await one.draw([budget(99, limit=99)], NOW)).readings
    assert reading.remaining == 91
    near = CounterKey("default", "near", "@" + "0" * 16, NOW - 100)
    await one.account.put(near, Own("calls", ends, 4))
    (reading,) = (await one.draw([budget(10, key="near")], NOW)).readings
    assert reading.remaining == 0
    assert reading.taken


@pytest.mark.parametrize("name", backends.SHARED)
async def test_every_key_expires_and_names_nobody(name: str) -> None:
    """And all keys of a tenant have one hash tag."""
    async with backends.opened(name) as store:
        held = await store.draw([rate(3, key="alice"), budget(3, key="alice")], NOW)
        await store.settle(held, tokens(1), 0, NOW)
        await backends.seed(store, "seeded by alice", "calls", NOW - 100, 1)
    every = backends.keys(name)
    assert len(every) == 3
    assert not [key for key in every if b"alice" in key]
    assert len({key[: key.index(b"}")] for key in every}) == 1
    assert all(node.pttl(key) > 0 for key, node in every.items())


@pytest.mark.parametrize("name", backends.SHARED)
async def test_the_stores_own_clock_can_be_used(name: str) -> None:
    """Then the caller's says nothing."""
    backends.empty(name)
    async with backends.another(name, server_time=True) as store:
        assert taken(await store.draw([rate(10)], NOW)) == [True]
        held = await store.draw([budget(4, unit="tokens", start=4e9)], NOW)
        assert taken(await store.draw([rate(10)], NOW + 1e6)) == [False]
        await store.settle(held, tokens(1), 0, NOW)
        (reading,) = (await store.draw([budget(11, start=4e9)], NOW)).readings
        assert reading.remaining == 9


class Naive:
    """The same promises as plain as can be: a leaking bucket in fractions, and a sum."""

    def __init__(self) -> None:
        self.levels: dict[str, tuple[Fraction, Fraction, Fraction]] = {}
        self.sums: dict[tuple[str, float | None], int] = {}
        self.open: dict[int, list[tuple[Draw, Fraction, Fraction]]] = {}

    def level(self, draw: Draw, at: Fraction) -> tuple[Fraction, Fraction]:
        """Return what is in a bucket, and since when it was never empty."""
        level, since, born = self.levels.get(draw.key, (Fraction(0), at, at))
        level -= (at - since) * self.leak(draw)
        return (level, born) if level > 0 else (Fraction(0), at)

    @staticmethod
    def leak(draw: Draw) -> Fraction:
        return draw.limit / Fraction(draw.window_s)

    def left(self, draw: Draw, at: Fraction) -> Fraction:
        if draw.period_start is not None or draw.unit == "concurrent":
            return Fraction(draw.limit - self.sums.get((draw.key, draw.period_start), 0))
        return draw.limit - self.level(draw, at)[0]

    def add(self, draw: Draw, at: Fraction, amount: Fraction | int) -> Fraction:
        """Add an amount, and return when all there is will have leaked out."""
        if draw.period_start is not None or draw.unit == "concurrent":
            key = draw.key, draw.period_start
            self.sums[key] = self.sums.get(key, 0) + int(amount)
            return at
        level, born = self.level(draw, at)
        self.levels[draw.key] = max(Fraction(0), level + amount), at, born
        return at + (level + amount) / self.leak(draw)

    def draw(self, number: int, found: Reservation, at: Fraction) -> None:
        """Check what a store said, to within what doubles can say, and do the same."""
        draws = [reading.draw for reading in found.readings]
        before = [each.remaining + each.draw.amount * each.taken for each in found.readings]
        for draw, left in zip(draws, before, strict=True):
            exact = self.left(draw, at)
            assert floor(exact - TOLERANCE) <= left <= floor(exact + TOLERANCE)
        fits = [draw.amount <= each for draw, each in zip(draws, before, strict=True)]
        refused = any(not fit and not d.shadow for fit, d in zip(fits, draws, strict=True))
        assert taken(found) == [fit and not refused for fit in fits]
        self.open[number] = [
            (each.draw, self.add(each.draw, at, each.draw.amount), at)
            for each in found.readings
            if each.taken
        ]

    def settle(self, number: int, used: int | None, at: Fraction) -> None:
        for draw, until, since in self.open.pop(number, []):
            calls = draw.amount if used is not None else 0
            change = Fraction((calls if draw.unit == "calls" else used or 0) - draw.amount)
            if draw.unit == "concurrent":
                change = Fraction(-1)
            elif draw.period_start is None and change < 0:
                if since < self.level(draw, at)[1]:
                    continue
                change = -min(-change, max(Fraction(0), until - at) * self.leak(draw))
            self.add(draw, at, change)


TOLERANCE = Fraction(1, 100_000)
KINDS = (
    rate(limit=7, key="seven"),
    rate(limit=3, window_s=1, key="three", unit="tokens"),
    rate(limit=1000, window_s=3600, key="many", unit="tokens"),
    rate(limit=5, key="shadow", shadow=True, unit="tokens"),
    budget(limit=40, key="sum", unit="tokens"),
    budget(limit=9, key="count"),
    budget(limit=30, key="quiet", shadow=True, unit="tokens"),
    concurrent(3),
    concurrent(2, key="at once, quiet", shadow=True),
    meter(),
)
BUDGETS = tuple(kind for kind in KINDS if kind.period_start is not None)


class Quotas(RuleBasedStateMachine):
    """Random draws, settlements and pauses: all stores answer alike, and as the naive one does."""

    other = "valkey"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.stores = self.run(self.open())
        self.naive = Naive()
        self.now_ms = 0
        self.reservations: list[list[Reservation]] = []

    async def open(self) -> list[AnyQuotas]:
        """Open the reference, and another store."""
        names = ("memory", self.other)
        return [await self.stack.enter_async_context(backends.opened(name)) for name in names]

    def run(self, job: Any) -> Any:
        return self.runner.run(job)

    @property
    def now(self) -> float:
        return NOW + self.now_ms / 1024

    @property
    def at(self) -> Fraction:
        return Fraction(self.now)

    @precondition(lambda self: self.now_ms < 80_000_000)
    @rule(ms=st.integers(1, 3_000) | st.integers(3_000, 4_000_000))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(
        kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique_by=lambda draw: draw.key),
        amount=st.integers(0, 12),
    )
    def draw(self, kinds: list[Draw], amount: int) -> None:
        draws = [
            structs.replace(kind, amount=amount if kind.unit == "tokens" else 1) for kind in kinds
        ]
        found = [self.run(store.draw(draws, self.now)) for store in self.stores]
        assert found[1].readings == found[0].readings
        self.naive.draw(len(self.reservations), found[0], self.at)
        self.reservations.append(found)
        for reading in found[0].readings:
            if reading.draw.unit == "concurrent":
                assert reading.retry_after_s in (0.0, 1.0)
            elif reading.retry_after_s > 0 and reading.draw.period_start is None:
                later = Fraction(self.now + reading.retry_after_s)
                assert self.naive.left(reading.draw, later) >= reading.draw.amount - TOLERANCE
                sooner = later - Fraction(3, 1000)
                if sooner > self.at:
                    left = self.naive.left(reading.draw, sooner)
                    assert left < reading.draw.amount + TOLERANCE

    @rule(kind=st.sampled_from(KINDS), limit=st.integers(1, 50))
    def change_a_limit(self, kind: Draw, limit: int) -> None:
        """A reload; the stores alone: the naive one would need all of their arithmetic."""
        changed = structs.replace(kind, key=f"{kind.key}, changing", limit=limit, amount=2)
        found = [self.run(store.draw([changed], self.now)) for store in self.stores]
        assert found[1].readings == found[0].readings
        self.naive.open[len(self.reservations)] = []
        self.reservations.append(found)

    @rule(kinds=st.lists(st.sampled_from(BUDGETS)))
    def look(self, kinds: list[Draw]) -> None:
        """At what is used, and change nothing."""
        exact = tuple(self.naive.sums.get((kind.key, kind.period_start), 0) for kind in kinds)
        for store in self.stores:
            assert self.run(store.levels(kinds, self.now)) == exact

    @precondition(lambda self: bool(self.reservations))
    @rule(data=st.data(), used=st.none() | st.integers(0, 20))
    def settle(self, data: st.DataObject, used: int | None) -> None:
        number = data.draw(st.integers(0, len(self.reservations) - 1))
        for store, found in zip(self.stores, self.reservations[number], strict=True):
            if used is None:
                self.run(store.release(found, self.now))
            else:
                self.run(store.settle(found, tokens(used), used, self.now))
        self.naive.settle(number, used, self.at)

    @invariant()
    def the_same_is_held(self) -> None:
        assert self.stores[0].held == self.stores[1].held

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()


class QuotasWithFallback(Quotas):
    """What holds when its store does not, while it does."""

    other = "fallback"

    @invariant()
    def the_same_is_held(self) -> None:
        """A call that took nothing and was not refused is settled too: it may be remembered."""
        assert self.stores[0].held <= self.stores[1].held


class QuotasAlone(QuotasWithFallback):
    """What holds when its store does not, without one."""

    other = "alone"


STEPS = settings(max_examples=100, stateful_step_count=40, deadline=None)
FEWER = settings(STEPS, max_examples=50)
Quotas.TestCase.settings = STEPS
QuotasWithFallback.TestCase.settings = FEWER
QuotasAlone.TestCase.settings = FEWER
TestQuotas = Quotas.TestCase
TestQuotasWithFallback = QuotasWithFallback.TestCase
TestQuotasAlone = QuotasAlone.TestCase

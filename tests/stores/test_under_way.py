"""Calls under way at once: what every store must hold, and what replicas hold together."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.stores.memory import HELD_S_MAX, SWEPT_EVERY
from gateway.stores.redis.heartbeat import LEASE_S
from gateway.stores.redis.mirror import CounterKey, Own
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Offer, Offers, Usage
from tests.stores import backends
from tests.stores.backends import AnyQuotas
from tests.stores.draws import NOW, budget, concurrent, meter, rate, taken, tokens
from tests.stores.sightings import sighting

AT_ONCE = CounterKey("default", "at once", "", None)


@pytest.fixture(name="quotas", params=backends.BACKENDS)
async def _quotas(request: pytest.FixtureRequest) -> AsyncIterator[AnyQuotas]:
    async with backends.opened(request.param) as store:
        yield store


@pytest.fixture(name="shared", params=backends.SHARED)
async def _shared(request: pytest.FixtureRequest) -> AsyncIterator[tuple[RedisQuotas, RedisQuotas]]:
    """Two replicas of one store."""
    backends.empty(request.param)
    async with (
        backends.another(request.param, "r0") as one,
        backends.another(request.param, "r1") as other,
    ):
        yield one, other


async def left(quotas: AnyQuotas, now: float = NOW, limit: int = 10) -> int:
    """Return how many more fit, and leave it so."""
    found = await quotas.draw([concurrent(limit)], now)
    await quotas.release(found, now)
    return found.readings[0].remaining + found.readings[0].taken


async def test_of_200_calls_at_once_as_many_pass_as_may_be_under_way(quotas: AnyQuotas) -> None:
    found = await asyncio.gather(*(quotas.draw([concurrent()], NOW) for _ in range(200)))
    assert sum(taken(each)[0] for each in found) == 10
    assert sorted(each.readings[0].remaining for each in found if taken(each)[0]) == [*range(10)]


async def test_who_finds_too_many_under_way_may_ask_again_in_a_second(quotas: AnyQuotas) -> None:
    await quotas.draw([concurrent(1)], NOW)
    (reading,) = (await quotas.draw([concurrent(1)], NOW + 3_600)).readings
    assert (reading.taken, reading.remaining, reading.retry_after_s) == (False, 0, 1.0)


@pytest.mark.parametrize("failed", [True, False])
async def test_a_call_that_ends_makes_room_for_one_and_only_once(
    quotas: AnyQuotas, *, failed: bool
) -> None:
    held = [await quotas.draw([concurrent(3)], NOW) for _ in range(3)]
    await quotas.settle(held[0], tokens(500), 9, NOW, failed=failed)
    await quotas.settle(held[0], tokens(500), 9, NOW, failed=failed)
    await quotas.release(held[0], NOW)
    assert await left(quotas, limit=3) == 1
    await quotas.release(held[1], NOW)
    await quotas.release(held[1], NOW)
    await quotas.settle(held[1], tokens(500), 9, NOW)
    assert await left(quotas, limit=3) == 2
    await quotas.settle(held[2], Usage(), 0, NOW)
    assert await left(quotas, limit=3) == 3


async def test_time_alone_ends_no_call(quotas: AnyQuotas) -> None:
    held = await quotas.draw([concurrent(1)], NOW)
    assert taken(await quotas.draw([concurrent(1)], NOW + 80_000)) == [False]
    await quotas.settle(held, Usage(), 0, NOW + 80_000)
    assert taken(await quotas.draw([concurrent(1)], NOW + 80_000)) == [True]


async def test_a_call_nobody_ends_is_over_in_a_day(quotas: AnyQuotas) -> None:
    lost = await quotas.draw([concurrent(1), budget(3)], NOW)
    late = NOW + HELD_S_MAX + 1
    for _ in range(SWEPT_EVERY):
        await quotas.draw([rate(limit=100)], late)
    assert await left(quotas, late, 1) == 1
    await quotas.settle(lost, Usage(), 0, late)
    await quotas.release(lost, late)
    assert await left(quotas, late, 1) == 1
    assert await quotas.levels([budget()], late) == (3,)


async def test_all_are_drawn_or_none(quotas: AnyQuotas) -> None:
    full = [concurrent(2), rate(11), budget(key="b")]
    found = await quotas.draw(full, NOW)
    assert taken(found) == [False, False, False]
    assert [each.remaining for each in found.readings] == [2, 10, 10]
    held = [await quotas.draw([concurrent(2), rate(), budget()], NOW) for _ in range(3)]
    assert [taken(each) for each in held] == [[True] * 3, [True] * 3, [False] * 3]
    assert [each.remaining for each in held[2].readings] == [0, 8, 8]
    assert [each.retry_after_s for each in held[2].readings] == [1.0, 0.0, 0.0]
    await quotas.release(held[0], NOW)
    found = await quotas.draw([concurrent(2), rate(), budget()], NOW)
    assert [each.remaining for each in found.readings] == [0, 8, 8]


async def test_a_shadow_counts_and_never_refuses(quotas: AnyQuotas) -> None:
    shadow = concurrent(1, key="shadow", shadow=True)
    held = await quotas.draw([shadow, rate()], NOW)
    assert taken(held) == [True, True]
    found = await quotas.draw([shadow, rate()], NOW)
    assert taken(found) == [False, True]
    assert found.readings[0].retry_after_s == 1.0
    await quotas.settle(found, Usage(), 0, NOW)  # it had no part in it
    assert taken(await quotas.draw([shadow], NOW)) == [False]
    await quotas.settle(held, Usage(), 0, NOW)
    assert taken(await quotas.draw([shadow], NOW)) == [True]


async def test_a_limit_that_is_lowered_ends_no_call(quotas: AnyQuotas) -> None:
    held = [await quotas.draw([concurrent(5)], NOW) for _ in range(5)]
    (reading,) = (await quotas.draw([concurrent(2)], NOW)).readings
    assert (reading.taken, reading.remaining, reading.retry_after_s) == (False, -3, 1.0)
    for each in held[:4]:
        await quotas.settle(each, Usage(), 0, NOW)
    assert await left(quotas, limit=2) == 1


async def test_counters_are_apart(quotas: AnyQuotas) -> None:
    """By their keys, their tenants, and from a quota and a budget of the same key."""
    same = "near of alice"
    await quotas.draw([concurrent(1, key=same)], NOW)
    others = [rate(10, key=same), budget(10, key=same), concurrent(1, key="near of bob")]
    assert taken(await quotas.draw(others, NOW)) == [True] * 3
    assert taken(await quotas.draw([concurrent(1, key=same)], NOW, tenant="acme")) == [True]
    assert taken(await quotas.draw([concurrent(1, key=same)], NOW)) == [False]


async def test_calls_of_one_cluster_are_counted_together(quotas: AnyQuotas) -> None:
    """Also those that repeat a call: they are of its cluster, not of their own."""
    draws = (concurrent(2, by_cluster=True),)
    offers = Offers(**dict.fromkeys(("new", "exact", "retry", "shared"), Offer(draws=draws)))
    near = "0" * 16
    first = await quotas.decide(sighting("a b c"), near, offers.new, NOW)
    again = (await quotas.observe(sighting("a b c", number=2), offers, NOW)).reservation
    third = await quotas.decide(sighting("a b d", number=3), near, offers.new, NOW)
    other = (await quotas.observe(sighting("something else"), offers, NOW)).reservation
    assert [taken(each) for each in (first, again, third, other)] == [
        [True],
        [True],
        [False],
        [True],
    ]
    await quotas.settle(again, Usage(), 0, NOW)
    more = (await quotas.observe(sighting("a b c", number=4), offers, NOW)).reservation
    assert taken(more) == [True]
    await quotas.release(first, NOW)
    assert taken(await quotas.decide(sighting("a b d"), near, offers.new, NOW)) == [True]
    assert taken(await quotas.decide(sighting("a b e"), near, offers.new, NOW)) == [False]


async def test_levels_are_what_is_used_or_may_be_and_change_nothing(quotas: AnyQuotas) -> None:
    assert await quotas.levels((), NOW) == ()
    tokens_ = budget(0, unit="tokens", limit=100)
    await backends.seed(quotas, "seeded", "tokens", NOW - 100, 7)
    held = await quotas.draw([budget(30, unit="tokens", limit=100), meter(5)], NOW)
    asked = [budget(99, key="seeded"), tokens_, meter(0), budget(key="never drawn on")]
    for _ in range(3):
        assert await quotas.levels(asked, NOW) == (7, 30, 5, 0)
    await quotas.settle(held, tokens(12), 0, NOW)
    assert await quotas.levels(asked, NOW) == (7, 12, 12, 0)
    assert await quotas.levels([budget(start=NOW - 99)], NOW) == (0,)
    assert await quotas.levels(asked, NOW, tenant="acme") == (0, 0, 0, 0)


async def test_a_meter_counts_and_never_refuses(quotas: AnyQuotas) -> None:
    for number in range(3):
        held = await quotas.draw([meter(10**12)], NOW)
        assert taken(held) == [True]
        await quotas.settle(held, tokens(number), 0, NOW)
    assert await quotas.levels([meter(0)], NOW) == (3,)


async def test_levels_are_of_all_replicas(shared: tuple[RedisQuotas, RedisQuotas]) -> None:
    one, other = shared
    await one.draw([budget(3), meter(2)], NOW)
    await other.draw([budget(4), meter(5)], NOW)
    assert await one.levels([budget(0), meter(0)], NOW) == (7, 7)
    large = budget(2**52 - 1, limit=2**53, key="large")
    await one.draw([large], NOW)
    await other.draw([large], NOW)
    assert await other.levels([large], NOW) == (2**53 - 2,)


@pytest.mark.parametrize("name", backends.SHARED)
async def test_levels_leave_every_key_as_it_is(name: str) -> None:
    async with backends.opened(name) as store:
        await store.draw([budget(3)], NOW)
        ((key, node),) = backends.keys(name).items()
        node.pexpire(key, 1_000_000)
        assert await store.levels([budget(), budget(key="other")], NOW) == (3, 0)
        assert set(backends.keys(name)) == {key}
        assert node.pttl(key) <= 1_000_000
        assert node.hvals(key) == [b"3"]


async def test_replicas_hold_one_limit_together(shared: tuple[RedisQuotas, RedisQuotas]) -> None:
    """200 calls at two replicas, 10 at once; where one ends, another begins elsewhere."""
    found = await asyncio.gather(
        *(shared[number % 2].draw([concurrent()], NOW) for number in range(200))
    )
    won = [(number, each) for number, each in enumerate(found) if taken(each)[0]]
    assert len(won) == 10
    number, reservation = won[0]
    await shared[number % 2].settle(reservation, Usage(), 0, NOW)
    await shared[number % 2].flush()
    assert taken(await shared[1 - number % 2].draw([concurrent()], NOW)) == [True]
    assert taken(await shared[number % 2].draw([concurrent()], NOW)) == [False]


async def test_the_calls_of_a_replica_that_died_are_over_with_its_lease(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    one, dead = shared
    for _ in range(6):
        await dead.draw([concurrent()], NOW)
    assert await left(one) == 4
    assert await left(one, NOW + LEASE_S - 0.01) == 4
    assert await left(one, NOW + LEASE_S) == 10
    assert await left(one, NOW + LEASE_S + 1) == 10


async def test_a_sign_of_life_keeps_calls_counted(shared: tuple[RedisQuotas, RedisQuotas]) -> None:
    """With no draw in between: a long stream is under way still."""
    one, other = shared
    held = await other.draw([concurrent()], NOW)
    for number in range(1, 6):
        now = NOW + number * (LEASE_S - 1)
        await other.draw([], now)  # it is that late there
        assert await other.account.hold("default")
        assert await left(one, now) == 9
    await other.settle(held, Usage(), 0, now)
    await other.flush()
    assert await left(one, now) == 10


async def test_a_replica_that_was_thought_dead_hears_of_it_and_has_its_calls_again(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    """It stood still for longer than its lease."""
    one, other = shared
    held = [await other.draw([concurrent()], NOW) for _ in range(2)]
    late = NOW + LEASE_S + 5
    assert await left(one, late) == 10
    await other.draw([], late)
    assert not await other.account.hold("default")
    await other.account.put(AT_ONCE, Own("concurrent", 0, 2))
    assert await other.account.hold("default")
    assert await left(one, late) == 8
    for each in held:
        await other.settle(each, Usage(), 0, late)
    await other.flush()
    assert await left(one, late) == 10


@pytest.mark.parametrize("name", backends.SHARED)
async def test_a_replica_that_restarts_has_none_of_its_old_calls(name: str) -> None:
    """Nor does the end of one of those end one of its new ones."""
    backends.empty(name)
    async with (
        backends.another(name, "r0") as one,
        backends.another(name, "r1") as old,
        backends.another(name, "r1") as new,
    ):
        held = [await old.draw([concurrent()], NOW) for _ in range(6)]
        assert await left(one) == 4
        for remaining in (9, 8):
            (reading,) = (await new.draw([concurrent()], NOW)).readings
            assert reading.remaining == remaining
        assert await left(one) == 8
        await old.settle(held[0], Usage(), 0, NOW)
        await old.release(held[1], NOW)
        await old.flush()
        assert await left(one) == 8


async def test_who_begins_anew_leaves_all_behind_but_what_it_says(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    """The store may remember what has ended."""
    one, other = shared
    ended = await other.draw([concurrent(), concurrent(key="more")], NOW)
    held = await other.draw([concurrent()], NOW)
    other.account.begin_anew()
    await other.account.put(AT_ONCE, Own("concurrent", 0, 1))
    found = await one.draw([concurrent(), concurrent(key="more")], NOW)
    assert [each.remaining for each in found.readings] == [8, 9]
    await one.release(found, NOW)
    await other.settle(held, Usage(), 0, NOW)
    await other.flush()
    assert await left(one) == 10
    await other.account.put(AT_ONCE, Own("concurrent", 0, 0))
    assert await left(one) == 10
    await other.release(ended, NOW)


@pytest.mark.parametrize("name", backends.SHARED)
async def test_every_key_expires_names_nobody_and_stays_small(name: str) -> None:
    """Whoever comes and goes: what a dead replica had is struck off by the next that draws."""
    async with backends.opened(name) as store:
        for number in range(20):
            async with backends.another(name, f"gone {number}") as gone:
                await gone.draw([concurrent(1000, key="alice")], NOW)
        held = await store.draw([concurrent(1000, key="alice")], NOW + LEASE_S)
        assert held.readings[0].remaining == 999
        every = backends.keys(name)
        assert len(every) == 2
        assert [node.hlen(key) for key, node in every.items()] == [1, 1]
        assert not [key for key in every if b"alice" in key]
        assert len({key[: key.index(b"}")] for key in every}) == 1
        assert all(node.pttl(key) > 0 for key, node in every.items())
        await store.settle(held, Usage(), 0, NOW + LEASE_S)
        await store.flush()
        (last,) = backends.keys(name)
        assert last.endswith(b":l")


@pytest.mark.parametrize("name", backends.SHARED)
async def test_the_stores_own_clock_can_be_used(name: str) -> None:
    """Then a lease is of its seconds, whatever callers say."""
    backends.empty(name)
    async with (
        backends.another(name, "r0", server_time=True) as one,
        backends.another(name, "r1", server_time=True) as other,
    ):
        held = await other.draw([concurrent(1)], NOW)
        assert taken(await one.draw([concurrent(1)], NOW + 1e6)) == [False]
        assert await other.account.hold("default")
        await other.settle(held, Usage(), 0, NOW)
        await other.flush()
        assert taken(await one.draw([concurrent(1)], NOW)) == [True]

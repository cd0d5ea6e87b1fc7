"""Calls under way while the store dies, freezes, forgets, or remembers what is no longer true."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stores.redis.fallback import HELD_S_MAX, SharedQuotas
from gateway.stores.redis.mirror import CounterKey, Mirror
from gateway.values import Draw, Offer, Offers, Reservation, Usage
from tests.stores.draws import meter
from tests.stores.outages import (
    NOW,
    START,
    Load,
    all_settled,
    at_once,
    away,
    budget,
    come_back,
    fields,
    is_taken,
    listed,
    none_under_way,
    several,
    sharing,
    under_way_in,
)
from tests.stores.sightings import sighting
from tests.stores.valkeys import Valkey, raw, until, valkey

LIMIT = 10


async def taken(quotas: SharedQuotas, count: int, draw: Draw) -> list[Reservation]:
    """Return the calls that were let through of so many."""
    made = [await quotas.draw((draw,), NOW) for _ in range(count)]
    return [each for each in made if is_taken(each)]


async def end(quotas: SharedQuotas, made: list[Reservation]) -> None:
    """End calls; each twice."""
    for each in made:
        await quotas.settle(each, Usage(), 0, NOW)
        await quotas.release(each, NOW)


async def counted(number: int, *nodes: Valkey) -> None:
    """Wait until the store counts so many calls under way."""

    async def is_right() -> bool:
        return await under_way_in(*nodes) == number

    await until(is_right)


async def test_alone_each_replica_lets_through_its_share_of_what_it_has_open() -> None:
    """Whoever let those through; a call that ends makes room here."""
    async with valkey() as server, several(server.url, 2) as replicas:
        before = await taken(replicas[0], 3, at_once(LIMIT))
        await server.kill()
        await away(replicas)
        alone = [await taken(quotas, 20, at_once(LIMIT)) for quotas in replicas]
        assert [len(each) for each in alone] == [2, 5]
        (reading,) = (await replicas[0].draw((at_once(LIMIT),), NOW)).readings
        assert (reading.remaining, reading.retry_after_s) == (0, 1.0)
        assert reading.draw == at_once(LIMIT)
        await end(replicas[0], before[:1])
        assert len(await taken(replicas[0], 9, at_once(LIMIT))) == 1
        await end(replicas[0], alone[0])
        assert len(await taken(replicas[0], 9, at_once(LIMIT))) == 2


async def test_alone_a_replica_lets_through_at_least_one() -> None:
    async with valkey() as server, several(server.url, 3) as replicas:
        await server.kill()
        await away(replicas)
        assert [len(await taken(quotas, 5, at_once(2))) for quotas in replicas] == [1, 1, 1]


async def test_who_had_more_than_its_share_open_waits_and_the_other_does_not() -> None:
    async with valkey() as server, several(server.url, 2) as replicas:
        before = await taken(replicas[0], 20, at_once(LIMIT))
        assert len(before) == LIMIT
        await server.kill()
        await away(replicas)
        (reading,) = (await replicas[0].draw((at_once(LIMIT),), NOW)).readings
        assert (reading.taken, reading.remaining, reading.retry_after_s) == (False, -5, 1.0)
        await end(replicas[0], before[:5])
        assert not await taken(replicas[0], 1, at_once(LIMIT))
        await end(replicas[0], before[5:7])
        assert len(await taken(replicas[0], 9, at_once(LIMIT))) == 2
        assert len(await taken(replicas[1], 9, at_once(LIMIT))) == 5


async def test_calls_stay_counted_when_the_store_goes_and_when_it_returns() -> None:
    """It stood still, and heard of no end: each is given back once, wherever it was drawn."""
    async with valkey() as server, several(server.url, 2) as replicas:
        one, other = replicas
        before = await taken(one, 4, at_once(LIMIT))
        server.freeze()
        alone = await taken(one, 1, at_once(LIMIT))
        await end(one, before[:2])
        alone += await taken(one, 9, at_once(LIMIT))
        assert len(alone) == 3
        server.thaw()
        await come_back([one])
        await counted(5, server)
        await come_back([other])
        assert len(await taken(other, 20, at_once(LIMIT))) == 5
        assert not await taken(one, 1, at_once(LIMIT))
        await end(one, before[2:3])
        await counted(9, server)
        await end(one, alone[:1])
        await counted(8, server)
        await end(one, before + alone)
        await counted(5, server)
        assert len(await taken(one, 9, at_once(LIMIT))) == 5


async def test_a_store_that_comes_back_empty_is_told_what_is_under_way() -> None:
    async with valkey() as server, several(server.url, 2) as replicas:
        held = [await taken(quotas, 3, at_once(LIMIT)) for quotas in replicas]
        await server.kill()
        await away(replicas)
        alone = await taken(replicas[0], 1, at_once(LIMIT))
        await server.start()
        await come_back(replicas)
        await counted(7, server)
        assert len(await taken(replicas[1], 9, at_once(LIMIT))) == 3
        await end(replicas[0], held[0] + alone)
        await counted(6, server)


async def test_a_store_emptied_under_our_eyes_is_told_too() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        await taken(quotas, 6, at_once(LIMIT))
        client = await raw(server)
        await client("FLUSHALL")
        await quotas._recovery._step()
        await counted(6, server)
        assert len(await taken(quotas, 9, at_once(LIMIT))) == 4


async def test_a_store_that_lost_a_count_is_found_out_by_the_next_call() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        await taken(quotas, 6, at_once(LIMIT))
        client = await raw(server)
        (key,) = await listed(client, "KEYS", "gg:*:c:*")
        await client("DEL", key)
        assert len(await taken(quotas, 1, at_once(LIMIT))) == 1
        await counted(7, server)


async def test_a_store_that_remembers_calls_that_have_ended_holds_nobody_up() -> None:
    """It came back from a copy older than their end, and nobody here knows of them any more."""
    async with valkey() as server, several(server.url, 2) as replicas:
        one, other = replicas
        held = await taken(one, LIMIT, at_once(LIMIT))
        client = await raw(server)
        (key,) = await listed(client, "KEYS", "gg:*:c:*")
        copy = await client("DUMP", key)
        await end(one, held)
        await none_under_way(server)
        await one._recovery._step()
        assert len(one._recovery._mirror) == 0
        await client("RESTORE", key, 0, copy)
        assert not await taken(other, 1, at_once(LIMIT))
        await client("CLIENT", "KILL", "TYPE", "normal")
        await away([one])
        await come_back(replicas)
        assert len(await taken(one, 1, at_once(LIMIT))) == 1
        assert len(await taken(other, 20, at_once(LIMIT))) == LIMIT - 1


async def test_a_sign_of_life_goes_out_while_calls_are_under_way() -> None:
    """And where it comes too late, what was struck off is put back."""
    async with valkey() as server, sharing(server.url) as quotas:
        held = await taken(quotas, 2, at_once(LIMIT))
        client = await raw(server)
        (lives,) = await listed(client, "KEYS", "gg:*:l")
        ((field, value),) = (await fields(client, lives)).items()
        soon = float(value[8:]) - 8
        await client("HSET", lives, field, value[:8] + b"%.3f" % soon)
        await quotas._recovery._step()
        assert float((await fields(client, lives))[field][8:]) > soon + 5
        await client("DEL", lives, *await listed(client, "KEYS", "gg:*:c:*"))
        await quotas._recovery._step()
        await counted(2, server)
        await end(quotas, held)
        await none_under_way(server)
        await quotas._recovery._step()
        await client("DEL", lives)
        await quotas._recovery._step()
        assert not await listed(client, "KEYS", "gg:*:l"), "nobody has a call under way"


@pytest.mark.parametrize("by_cluster", [False, True])
async def test_who_hangs_up_while_it_draws_holds_nothing(*, by_cluster: bool) -> None:
    """Also where nobody here can know of which cluster the call was."""
    draws = (at_once(LIMIT, by_cluster=by_cluster),)
    offers = Offers(**dict.fromkeys(("new", "exact", "retry", "shared"), Offer(draws=draws)))
    async with valkey() as server, sharing(server.url) as quotas:
        near = await quotas.decide(sighting("a b c"), "0" * 16, offers.new, NOW)
        for number in range(20):
            job = asyncio.ensure_future(quotas.observe(sighting("a b c", number), offers, NOW))
            for _ in range(2 + number % 3):  # not asked yet, asked, answered
                await _moment_of_the_loop()
            job.cancel()
            (found,) = await asyncio.gather(job, return_exceptions=True)
            if not isinstance(found, BaseException):
                await quotas.release(found.reservation, NOW)
        await counted(1, server)
        await all_settled([quotas])
        await quotas.release(near, NOW)
        await none_under_way(server)


async def _moment_of_the_loop() -> None:
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def test_a_call_nobody_ends_is_over_in_a_day_here_too() -> None:
    """One drawn from the store, one without it."""
    async with valkey() as server, sharing(server.url) as quotas:
        await taken(quotas, 1, at_once(LIMIT))
        server.freeze()
        await taken(quotas, 1, at_once(LIMIT))
        server.thaw()
        await come_back([quotas])
        await counted(2, server)
        late = NOW + HELD_S_MAX + 1
        for _ in range(3):
            await quotas.draw((budget(1, 100),), late)
        await none_under_way(server)
        assert not quotas._recovery._mirror.tenants()


async def frozen(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It stands still, and then goes on with all that was sent to it."""
    server.freeze()
    await away(replicas)
    await load.more(100)
    server.thaw()


async def killed(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It dies, and comes back empty after a while."""
    await server.kill()
    await away(replicas)
    await load.more(100)
    await server.start()


async def all_told(server: Valkey, replicas: list[SharedQuotas]) -> None:
    """Wait until what was let through without the store has ended, and the store knows."""
    client = await raw(server)

    async def is_told() -> bool:
        await client("PING")
        mirrors = [quotas._recovery._mirror for quotas in replicas]
        alone = [own.local for mirror in mirrors for own in mirror._own.values()]
        return not any(alone) and all(quotas.settled.is_set() for quotas in replicas)

    await until(is_told)


@pytest.mark.parametrize("fault", [frozen, killed])
async def test_a_fault_under_load_lets_no_more_through_than_the_stated_bound(
    fault: Callable[[Valkey, list[SharedQuotas], Load], Awaitable[None]],
) -> None:
    """Each replica has its share open at most, and before it what the store let through."""
    async with valkey() as server, several(server.url, 2) as replicas:
        async with Load(replicas, (at_once(LIMIT),), at_once=16) as load:
            await load.more(100)
            assert load.most == LIMIT
            await fault(server, replicas, load)
            await come_back(replicas)
            await all_told(server, replicas)
            assert load.most <= LIMIT + LIMIT // 2
            load.most = 0
            await load.more(200)
            assert load.most == LIMIT
        await none_under_way(server)
        assert all(quotas.state.fallbacks > 0 for quotas in replicas)
        assert len(await taken(replicas[0], 20, at_once(LIMIT))) == LIMIT


async def test_alone_levels_are_what_was_heard_of_others_and_what_was_used_here() -> None:
    async with valkey() as server, several(server.url, 2) as replicas:
        one, other = replicas
        held = await other.draw((budget(30, 100),), NOW)
        await other.settle(held, Usage(input_tokens=30), 0, NOW)
        assert await one.levels((budget(0, 100),), NOW) == (30,)
        asked = (budget(0, 100), budget(0, 100, key="never drawn on"))
        await server.kill()
        await away(replicas)
        assert await one.levels(asked, NOW) == (30, 0)
        made = await one.draw((budget(20, 100),), NOW)
        assert await one.levels(asked, NOW) == (50, 0)
        await one.settle(made, Usage(input_tokens=5), 0, NOW)
        assert await one.levels(asked, NOW) == (35, 0)
        assert await other.levels((), NOW) == ()
        assert one.state.fallbacks == 1, "to look is not to decide"
        await server.start()
        await come_back(replicas)
        assert await other.levels(asked, NOW) == (35, 0)


async def test_alone_levels_are_told_where_nothing_may_pass() -> None:
    async with valkey() as server, sharing(server.url, mode=lambda: "closed") as quotas:
        await quotas.draw((budget(5, 100),), NOW)
        await server.kill()
        assert await quotas.levels((budget(0, 100),), NOW) == (5,)


async def test_alone_a_meter_counts_everything_and_refuses_nothing() -> None:
    """It has no share that could be used up."""
    half = 2**51
    async with valkey() as server, several(server.url, 4) as replicas:
        await server.kill()
        await away(replicas)
        made = await replicas[0].draw((meter(half), budget(1, 100)), NOW)
        assert is_taken(made)
        assert made.readings[0].draw == meter(half)
        assert is_taken(await replicas[0].draw((meter(5),), NOW))
        assert await replicas[0].levels((meter(0),), NOW) == (half + 5,)
        await replicas[0].settle(made, Usage(input_tokens=2), 0, NOW)
        assert await replicas[0].levels((meter(0),), NOW) == (7,)


@given(
    limit=st.integers(1, 40),
    before=st.lists(st.integers(0, 12), min_size=1, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
)
def test_alone_replicas_never_have_more_open_than_the_limit_or_one_each(
    limit: int, before: list[int], steps: list[tuple[int, bool]]
) -> None:
    """But for what the store let through: replicas with less than their share go up to it."""
    key, draw = CounterKey("default", "at once", "", None), at_once(limit)
    replicas = [Mirror() for _ in before]
    for mirror, number in zip(replicas, before, strict=True):
        for _ in range(number):
            mirror.take(key, draw, is_local=False)
    share = max(1, limit // len(replicas))
    for who, begins in steps:
        mirror = replicas[who % len(replicas)]
        own = mirror.of(key)
        local, amount = (own.local, own.amount) if own is not None else (0, 0)
        fits = local + 1 <= mirror.room(key, draw, len(replicas))
        assert fits is (amount < share)
        if begins and fits:
            mirror.take(key, draw, is_local=True)
        elif not begins and local:
            mirror.settle(key, draw, 0, is_local=True)
    known = [mirror.of(key) for mirror in replicas]
    every = [own.amount if own is not None else 0 for own in known]
    assert all(each <= max(share, was) for each, was in zip(every, before, strict=True))
    if all(was <= share for was in before):
        assert sum(every) <= max(limit, len(replicas))


def test_what_is_not_under_way_any_more_is_forgotten_once_the_store_knows() -> None:
    mirror, key = Mirror(), CounterKey("default", "at once", "", None)
    mirror.take(key, at_once(1), is_local=True)
    assert mirror.tenants() == {"default"}
    mirror.settle(key, at_once(1), 0, is_local=True)
    mirror.sweep(START + 1e9)
    assert (len(mirror), mirror.tenants()) == (1, set())
    mirror.dirty.clear()
    mirror.sweep(START)
    assert len(mirror) == 0

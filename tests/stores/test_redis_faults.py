"""
The store dies, freezes, comes back empty, fails over: no call fails of it, and the count is right.

Real servers, real connections. Nothing sleeps: what is waited for is an event, or an answer.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import errors
from gateway.stores.redis.cluster import slot_of
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.fallback import SharedQuotas
from gateway.stores.redis.mirror import CounterKey, Mirror
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Draw, Offer, Offers, Sighting, Usage
from tests.stores.outages import (
    NOW,
    SECRET,
    START,
    Load,
    all_settled,
    at_once,
    away,
    budget,
    calls,
    come_back,
    is_taken,
    none_under_way,
    right,
    several,
    sharing,
    tokens,
    used_of,
)
from tests.stores.valkeys import Valkey, cluster, raw, until, valkey

DRAWS = (calls(10**6), budget(50, 10**9), at_once(10**6))

Fault = Callable[[Valkey, list[SharedQuotas], Load], Awaitable[None]]


async def killed(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It dies, and comes back empty after a while."""
    await server.kill()
    await away(replicas)
    await load.more(100)
    await server.start()


async def restarted(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It dies and is there again at once, empty."""
    await server.restart()
    await come_back(replicas)
    await load.more(10)


async def frozen(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It stands still, and then goes on with all that was sent to it."""
    server.freeze()
    await away(replicas)
    await load.more(200)
    server.thaw()


async def flapping(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It comes and goes."""
    for _ in range(3):
        await server.restart()
        await load.more(20)
        await come_back(replicas)


async def paused(server: Valkey, replicas: list[SharedQuotas], load: Load) -> None:
    """It keeps its answers to itself for longer than anybody waits."""
    client = await raw(server)
    await client("CLIENT", "PAUSE", 1500, "ALL")
    await away(replicas)
    await load.more(100)


@pytest.mark.parametrize("fault", [killed, restarted, frozen, flapping, paused])
async def test_a_fault_under_load_fails_no_call_and_leaves_nothing_reserved(fault: Fault) -> None:
    async with valkey() as server, several(server.url, 2) as replicas:
        async with Load(replicas, DRAWS, at_once=16) as load:
            await load.more(100)
            await fault(server, replicas, load)
            await come_back(replicas)
            await load.more(100)
        assert load.slowest_s < 2.5
        await all_settled(replicas)
        await right(load.used, server)
        await none_under_way(server)
        assert [quotas.held for quotas in replicas] == [0, 0]
        assert all(quotas.state.is_shared for quotas in replicas)


@pytest.mark.parametrize("fault", [killed, frozen, paused])
async def test_a_fault_under_load_lets_no_more_through_than_the_stated_bound(fault: Fault) -> None:
    """In one window: one life of the store admits 40, another one 40, the replicas alone 40."""
    limit = 40
    limited = (calls(limit), budget(50, 10**9))
    async with valkey() as server, several(server.url, 2) as replicas:
        async with Load(replicas, limited, at_once=16) as load:
            await load.more(100)
            assert load.admitted == limit
            await fault(server, replicas, load)
            await load.more(100)
            await come_back(replicas)
            await load.more(100)
        lives = 2 if fault is killed else 1
        assert load.admitted <= limit * lives + limit
        assert all(quotas.state.fallbacks > 0 for quotas in replicas)
        await right(load.used, server)


async def test_a_failover_under_load_fails_no_call_and_loses_no_count() -> None:
    async with cluster(1) as nodes:
        tenant = RedisQuotas(Connection(nodes[0].url), replica="r0", secret=SECRET)._keys
        # Whichever node has the tenant's slot is the one that must have a replica.
        slot = slot_of(tenant.prefix("default"))
        first = await raw(nodes[0])
        slots = await first("CLUSTER", "SLOTS")
        assert isinstance(slots, list)
        port = next(each[2][1] for each in slots if each[0] <= slot <= each[1])
        owner = next(node for node in nodes if node.port == port)
        heir = nodes[3]
        client = await raw(heir)
        node = await raw(owner)
        await client("CLUSTER", "REPLICATE", await node("CLUSTER", "MYID"))

        async def follows() -> bool:
            said = await client("INFO", "replication")
            return b"master_link_status:up" in said and str(port).encode() in said  # type: ignore[operator] # bytes

        await until(follows)
        others = [each for each in nodes if each is not owner]
        async with several(others[0].url, 2) as replicas:
            async with Load(replicas, DRAWS, at_once=8) as load:
                await load.more(100)
                await owner.kill()
                await away(replicas)
                await load.more(100)
                await client("CLUSTER", "FAILOVER", "TAKEOVER")
                await come_back(replicas)
                await load.more(100)
            await all_settled(replicas)
            await right(load.used, heir)
            await none_under_way(heir)


async def test_a_failover_by_hand_is_followed() -> None:
    """MOVED is followed without the connection ever being down."""
    async with cluster(1) as nodes:
        connection = await Connection.connect(nodes[1].url)
        key = next(b"{%d}" % n for n in range(100) if slot_of(b"{%d}" % n) < 16384 // 3)
        await connection.command(b"SET", key, b"1")
        client = await raw(nodes[3])
        await client("CLUSTER", "FAILOVER")

        async def is_master() -> bool:
            return b"role:master" in await client("INFO", "replication")  # type: ignore[operator] # bytes

        await until(is_master)
        assert await connection.command(b"GET", key) == b"1"
        assert await connection.command(b"SET", key, b"2") == b"OK"
        assert connection.up
        await connection.close()


async def test_shares_add_up_to_the_limit() -> None:
    async with valkey() as server, several(server.url, 4) as replicas:
        await server.kill()
        await away(replicas)
        made = [await quotas.draw((calls(100),), NOW) for quotas in replicas for _ in range(60)]
        assert sum(map(is_taken, made)) == 100
        assert made[0].readings[0].draw == calls(100)


async def test_a_replica_has_a_share_of_at_least_one() -> None:
    async with valkey() as server, several(server.url, 3) as replicas:
        await server.kill()
        await away(replicas)
        made = [await quotas.draw((calls(2),), NOW) for quotas in replicas for _ in range(3)]
        assert sum(map(is_taken, made)) == 3


async def test_a_draw_larger_than_the_share_fits_when_nothing_else_is_held() -> None:
    async with valkey() as server, several(server.url, 4) as replicas:
        await server.kill()
        await away(replicas)
        quotas = replicas[0]
        first = await quotas.draw((tokens(600, 1000),), NOW)
        assert is_taken(first)
        assert not is_taken(await quotas.draw((tokens(600, 1000),), NOW))
        assert not is_taken(await quotas.draw((tokens(1, 1000),), NOW))
        await quotas.settle(first, Usage(), 0, NOW)
        second = await quotas.draw((tokens(600, 1000),), NOW)
        assert is_taken(second)
        await quotas.settle(second, Usage(input_tokens=600), 0, NOW)
        # 600 at 250 an hour: nothing more for two hours and a bit.
        assert not is_taken(await quotas.draw((tokens(1, 1000),), NOW + 1.3 * 3_600))
        assert is_taken(await quotas.draw((tokens(1, 1000),), NOW + 1.5 * 3_600))
        assert not is_taken(await replicas[1].draw((tokens(1001, 1000),), NOW))


async def test_a_budget_is_shared_by_what_was_left() -> None:
    async with valkey() as server, several(server.url, 2) as replicas:
        for quotas in replicas:
            made = await quotas.draw((budget(30, 100),), NOW)
            await quotas.settle(made, Usage(input_tokens=30), 0, NOW)
            assert is_taken(await quotas.draw((budget(0, 100),), NOW))
        assert is_taken(await replicas[0].draw((budget(0, 100),), NOW))
        await server.kill()
        await away(replicas)
        taken = 0
        for quotas in replicas:
            for _ in range(50):
                made = await quotas.draw((budget(1, 100),), NOW)
                if is_taken(made):
                    taken += 1
                    await quotas.settle(made, Usage(input_tokens=1), 0, NOW)
        assert taken == 40
        await server.start()
        await come_back(replicas)
        await right(100, server)
        assert not is_taken(await replicas[0].draw((budget(1, 100),), NOW))


async def test_a_large_draw_on_a_budget_waits_for_the_one_before_it() -> None:
    async with valkey() as server, several(server.url, 4) as replicas:
        quotas = replicas[0]
        await server.kill()
        await away(replicas)
        first = await quotas.draw((budget(60, 100),), NOW)
        assert is_taken(first)
        assert not is_taken(await quotas.draw((budget(1, 100),), NOW))
        await quotas.settle(first, Usage(input_tokens=10), 0, NOW)
        second = await quotas.draw((budget(60, 100),), NOW)
        assert is_taken(second)
        await quotas.settle(second, Usage(input_tokens=20), 0, NOW)
        assert not is_taken(await quotas.draw((budget(60, 100),), NOW))
        assert not is_taken(await replicas[1].draw((budget(101, 100),), NOW))


async def test_what_was_reserved_before_an_outage_and_settled_in_it_is_free_again() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        before = [await quotas.draw((budget(100, 10_000),), NOW) for _ in range(4)]
        server.freeze()
        in_it = await quotas.draw((budget(100, 10_000),), NOW)
        await quotas.settle(before[0], Usage(input_tokens=1), 0, NOW)
        await quotas.release(before[1], NOW)
        server.thaw()
        await come_back([quotas])
        await right(401 - 100, server)
        await quotas.settle(before[2], Usage(input_tokens=2), 0, NOW)
        await quotas.release(before[3], NOW)
        await quotas.settle(in_it, Usage(input_tokens=4), 0, NOW)
        await quotas.settle(in_it, Usage(input_tokens=4), 0, NOW)
        await right(7, server)


async def test_a_store_emptied_under_our_eyes_is_filled_again() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        assert is_taken(await quotas.draw((budget(60, 100),), NOW))
        client = await raw(server)
        await client("FLUSHALL")
        await quotas._recovery._step()
        await right(60, server)
        assert not is_taken(await quotas.draw((budget(60, 100),), NOW))


async def test_who_hangs_up_while_it_draws_reserves_nothing() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        for _ in range(20):
            job = asyncio.ensure_future(quotas.draw((budget(60, 10_000),), NOW))
            await _moment_of_the_loop()
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
        await right(0, server)
        await all_settled([quotas])
        assert quotas.state.is_shared


async def _moment_of_the_loop() -> None:
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def test_what_the_ledger_says_is_counted_before_the_first_call() -> None:
    async with valkey() as server:
        connection = Connection(server.url)
        remote = RedisQuotas(connection, replica="r0", secret=SECRET)
        quotas = SharedQuotas(remote, connection, replica="r0", clock=lambda: NOW)
        await quotas.seed("budget", "tokens", START, 90)
        await quotas.start()
        assert not is_taken(await quotas.draw((budget(20, 100),), NOW))
        await quotas.seed("budget", "tokens", START, 40)
        await all_settled([quotas])
        assert await used_of(server) == 90
        await quotas.close()


async def test_a_replica_starts_without_the_store_and_finds_it_later() -> None:
    async with valkey() as server:
        await server.kill()
        async with sharing(server.url, replicas=4) as quotas:
            made = [await quotas.draw((calls(100), budget(5, 1_000)), NOW) for _ in range(60)]
            assert sum(map(is_taken, made)) == 25
            assert not quotas.state.is_shared
            assert quotas.state.reason
            await server.start()
            await come_back([quotas])
            await right(125, server)
            assert quotas.state.is_shared
            assert quotas.state.fallbacks == 60


async def test_closed_refuses_calls_with_draws_and_only_those() -> None:
    async with valkey() as server, sharing(server.url, mode=lambda: "closed") as quotas:
        held = await quotas.draw((budget(5, 100),), NOW)
        await server.kill()
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            await quotas.draw((calls(10),), NOW)
        assert is_taken(await quotas.draw((), NOW))
        await quotas.settle(held, Usage(input_tokens=1), 0, NOW)
        await quotas.keep(b"s" * 32, b"reply", 60.0)


async def test_likeness_is_local_while_the_store_is_away() -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        await server.kill()
        await away([quotas])
        near = Draw(
            rule="near", key="near", unit="calls", amount=1, limit=5, window_s=60, by_cluster=True
        )
        offers = Offers(
            new=Offer(), exact=Offer(draws=(near,)), retry=Offer(), shared=Offer(forbidden=True)
        )
        sighting = Sighting(
            tenant="default", scope=b"s" * 16, request_id="req_1", comparable=True, exact=b"e" * 16
        )
        first = await quotas.observe(sighting, offers, NOW)
        second = await quotas.observe(sighting, offers, NOW)
        assert (first.kind, second.kind) == ("new", "exact")
        assert second.reservation.readings[0].draw == near
        await quotas.settle(second.reservation, Usage(), 0, NOW)
        decided = await quotas.decide(sighting, "c" * 16, Offer(draws=(near,)), NOW)
        assert is_taken(decided)
        assert await quotas.extend(b"s" * 32)


async def test_replicas_are_counted_and_uncounted() -> None:
    async with valkey() as server, sharing(server.url, "r0") as first:
        async with sharing(server.url, "r1"):
            await first._recovery._step()
            assert first.state.replicas == 2
        heartbeat = first._recovery._heartbeat
        await heartbeat.beat(100.0)
        assert heartbeat.replicas == 2, "others may only be slow to come back"
        await heartbeat.beat(111.0)
        assert heartbeat.replicas == 1


@pytest.mark.parametrize(
    ("setting", "bad", "good"),
    [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")],
)
async def test_a_store_that_takes_no_writes_is_away(setting: str, bad: str, good: str) -> None:
    async with valkey("--maxmemory-policy", "noeviction") as server, sharing(server.url) as quotas:
        client = await raw(server)
        await client("CONFIG", "SET", setting, bad)
        assert is_taken(await quotas.draw((budget(5, 100),), NOW))
        assert not quotas.state.is_shared
        await client("CONFIG", "SET", setting, good)
        await come_back([quotas])
        await right(5, server)


async def test_a_store_that_became_a_replica_is_away() -> None:
    async with valkey() as server, valkey() as other, sharing(server.url) as quotas:
        client = await raw(server)
        await client("REPLICAOF", "127.0.0.1", other.port)
        assert is_taken(await quotas.draw((budget(5, 100),), NOW))
        assert not quotas.state.is_shared
        await client("REPLICAOF", "NO", "ONE")
        await come_back([quotas])
        await right(5, server)


async def test_a_script_that_errs_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    async with valkey() as server, sharing(server.url) as quotas:
        client = await raw(server)
        assert is_taken(await quotas.draw((budget(0, 100),), NOW))
        keys = await client("KEYS", "gg:*:b:*")
        assert isinstance(keys, list)
        await client("SET", keys[0], "not a hash")
        for _ in range(3):
            assert is_taken(await quotas.draw((budget(5, 100),), NOW))
        await client("DEL", keys[0])
        await quotas._recovery._step()
        await right(15, server)
    said = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert 1 <= len(said) <= 2


async def test_each_change_is_logged_once_and_names_no_credential(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "goodgate")
    async with valkey("--requirepass", "hunter22") as server:
        url = server.url.replace("//", "//:hunter22@")
        async with sharing(url) as quotas:
            assert quotas.state.is_shared
            await server.kill()
            await away([quotas])
            await server.start()
            await come_back([quotas])
    said = [each.getMessage() for each in caplog.records if each.name == "goodgate.stores"]
    assert len(said) == 3
    assert not any("hunter22" in line for line in said)


@given(
    limit=st.integers(1, 60),
    before=st.lists(st.integers(0, 20), min_size=1, max_size=4),
    after=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 12)), max_size=40),
)
def test_budgets_shared_out_never_pass_the_limit_by_more_than_stated(
    limit: int, before: list[int], after: list[tuple[int, int]]
) -> None:
    """All replicas have heard the total; beyond it: a unit each, and one large draw each."""
    replicas = [Mirror() for _ in before]
    key = CounterKey("default", "budget", "", START)
    total = min(sum(before), limit)
    for mirror in replicas:
        mirror.read(key, budget(0, limit), limit - total)
    largest = 0
    for who, amount in after:
        mirror = replicas[who % len(replicas)]
        draw = budget(amount, limit)
        own = mirror.of(key)
        assert own is not None
        if own.local + amount <= mirror.limit(key, draw, len(replicas), 1):
            mirror.take(key, draw, is_local=True)
            largest = max(largest, amount)
    share = max(1, (limit - total) // len(replicas))
    taken = [own.local for own in (mirror.of(key) for mirror in replicas) if own is not None]
    assert all(each <= max(share, largest) for each in taken)
    if total >= limit:
        assert sum(taken) == 0
    elif largest <= share:
        assert sum(taken) <= max(limit - total, len(replicas))

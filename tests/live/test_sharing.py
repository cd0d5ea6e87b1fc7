"""Identical calls at once: one provider call, the same bytes for everybody, an entry for each."""

import asyncio
import functools
import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.stores.redis.connection import Connection
from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, Site, chat, until
from tests.stores.valkeys import valkey

CHAT = "/v1/chat/completions"
MANY = 1_000
PATIENCE_S = 120.0
"""For a thousand replies on a busy machine; the tests wait for events, never for this."""


def headers(gateway: RunningGateway, key: str = "alice", task: str = "PROJ-1") -> dict[str, str]:
    """Return what a caller sends with each call."""
    return {
        "authorization": f"Bearer {gateway.site.keys[key]}",
        "x-task-id": task,
        "connection": "close",
    }


def body_of(received: bytes) -> bytes:
    """Return the body of a chunked reply, put together."""
    rest = received.partition(b"\r\n\r\n")[2]
    parts: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        rest = rest[length + 2 :]
        if length == 0:
            return b"".join(parts)
    raise AssertionError("the reply was cut")


async def callers(stack: AsyncExitStack, gateways: Sequence[RunningGateway]) -> list[RawCaller]:
    """Return many connections, as many to each gateway."""
    made: list[RawCaller] = []
    for number in range(MANY):
        port = gateways[number % len(gateways)].port
        made.append(await stack.enter_async_context(RawCaller(port)))
    return made


async def replies(made: Sequence[RawCaller]) -> list[bytes]:
    """Return what every caller received, once all are served."""
    return list(await asyncio.gather(*(caller.read_all(PATIENCE_S) for caller in made)))


def check(received: Sequence[bytes], provider: ProviderThread) -> None:
    """Check that all got the same whole stream, and that the provider was asked once."""
    assert len(provider.requests) == 1
    assert [statuses(each) for each in received] == [[200]] * MANY
    bodies = {hashlib.sha256(body_of(each)).hexdigest() for each in received}
    assert len(bodies) == 1
    assert b"word4" in received[0]
    assert body_of(received[0]).endswith(b"data: [DONE]\n\n")


def check_entries(entries: Sequence[dict[str, Any]]) -> None:
    """Check that one call paid, and that every other says whose reply it shares."""
    assert len(entries) == MANY
    (paid,) = [entry for entry in entries if entry["decision"] == "forwarded"]
    others = [entry for entry in entries if entry["decision"] == "coalesced"]
    assert len(others) == MANY - 1
    assert paid["output_tokens"] == 5
    assert {entry["coalesced_into"] for entry in others} == {paid["request_id"]}
    assert {Decimal(entry["cost_usd"]) for entry in others} == {0}
    assert {entry["output_tokens"] for entry in others} == {0}
    assert {entry["completion"] for entry in entries} == {"complete"}


def test_a_thousand_identical_streams_make_one_provider_call(
    site: Site, provider: ProviderThread
) -> None:
    """All of them are there before the provider says a word."""
    provider.script.append("slow")
    with site.running() as gateway:
        received = asyncio.run(_all_at_once(gateway, provider))
        gateway.quiet()
        flights = gateway.metric("goodgate_flights")

    check(received, provider)
    check_entries(site.entries())
    assert flights == 0


async def _all_at_once(gateway: RunningGateway, provider: ProviderThread) -> list[bytes]:
    async with AsyncExitStack() as stack:
        made = await callers(stack, [gateway])
        for caller in made:
            await caller.post(CHAT, chat(stream=True), headers(gateway))
        await asyncio.to_thread(
            until, lambda: gateway.metric("goodgate_open_calls") == MANY, PATIENCE_S
        )
        provider.go()
        return await replies(made)


def test_a_thousand_streams_through_two_replicas_make_one_provider_call(
    seeded: Site, tmp_path: Path, provider: ProviderThread
) -> None:
    """All but one come when the reply is half there, and get it from its first byte."""
    provider.script.append("stall:2")
    sites = [seeded.copy(tmp_path / name).providers(provider.url) for name in ("one", "two")]
    received = asyncio.run(_two_replicas(sites, provider))

    check(received, provider)
    check_entries([entry for site in sites for entry in site.entries()])


async def _two_replicas(sites: Sequence[Site], provider: ProviderThread) -> list[bytes]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(valkey())
        shared = {"GOODGATE_REDIS_URL": server.url, "GOODGATE_SECRET": "s" * 64}
        gateways = [stack.enter_context(site.running(**shared)) for site in sites]
        await _ready(server.url, gateways)
        made = await callers(stack, gateways)
        await made[0].post(CHAT, chat(stream=True), headers(gateways[0]))
        await made[0].read_until(b"word1", PATIENCE_S)
        for number, caller in enumerate(made[1:], 1):
            gateway = gateways[number % 2]
            await caller.post(CHAT, chat(stream=True), headers(gateway))
        for caller in made:
            await caller.read_until(b"word1", PATIENCE_S)
        provider.go()
        received = await replies(made)
        for gateway in gateways:
            await asyncio.to_thread(gateway.quiet)
        return received


async def _ready(url: str, gateways: Sequence[RunningGateway]) -> None:
    """Wait until all replicas decide through the store and listen to one another."""
    for gateway in gateways:
        await asyncio.to_thread(until, functools.partial(_decides_with_others, gateway))
    connection = await Connection.connect(url)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while len(await connection.command(b"PUBSUB", b"CHANNELS")) < len(gateways):
                pass
    finally:
        await connection.close()


def _decides_with_others(gateway: RunningGateway) -> bool:
    return gateway.metric("goodgate_store_shared") == 1


def test_two_people_do_not_share_a_reply(site: Site, provider: ProviderThread) -> None:
    """Unless the policy says so; one person's calls for two tasks do."""
    provider.script.extend(["slow", "slow"])
    with site.running() as gateway:
        received = asyncio.run(_two_people(gateway, provider))
        gateway.quiet()

    assert [statuses(each) for each in received] == [[200]] * 3
    assert len(provider.requests) == 2
    entries = site.entries()
    assert sorted(entry["decision"] for entry in entries) == ["coalesced", "forwarded", "forwarded"]
    (shares,) = [entry for entry in entries if entry["decision"] == "coalesced"]
    (paid,) = [entry for entry in entries if entry["request_id"] == shares["coalesced_into"]]
    assert {shares["task_id"], paid["task_id"]} == {"PROJ-1", "PROJ-2"}


async def _two_people(gateway: RunningGateway, provider: ProviderThread) -> list[bytes]:
    senders = [("alice", "PROJ-1"), ("alice", "PROJ-2"), ("bob", "PROJ-1")]
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(RawCaller(gateway.port)) for _ in senders]
        for caller, (key, task) in zip(made, senders, strict=True):
            await caller.post(CHAT, chat(), headers(gateway, key, task))
        await asyncio.to_thread(
            until, lambda: gateway.metric("goodgate_open_calls") == len(senders)
        )
        await asyncio.to_thread(until, lambda: len(provider.requests) == 2)
        provider.go()
        return await replies(made)


def test_a_leader_that_hangs_up_costs_its_followers_nothing_and_is_billed_in_full(
    site: Site, provider: ProviderThread
) -> None:
    """Also where the policy cuts the provider off: not while others go by the same reply."""
    provider.script.append("stall:2")
    shipped = (site.policies / "default.yaml").read_text()
    site.policy(shipped.replace("disconnect: drain", "disconnect: cancel"))
    with site.running() as gateway:
        received = asyncio.run(_leader_hangs_up(gateway, provider))
        gateway.quiet()

    assert len(provider.requests) == 1
    assert body_of(received).endswith(b"data: [DONE]\n\n")
    (paid,) = [entry for entry in site.entries() if entry["decision"] == "forwarded"]
    assert paid["output_tokens"] == 5


async def _leader_hangs_up(gateway: RunningGateway, provider: ProviderThread) -> bytes:
    async with RawCaller(gateway.port) as follower:
        async with RawCaller(gateway.port) as leader:
            await leader.post(CHAT, chat(stream=True), headers(gateway))
            await leader.read_until(b"word1")
            await follower.post(CHAT, chat(stream=True), headers(gateway))
            await follower.read_until(b"word1")
        # Once it answers calls made later, it has seen that the leader is gone.
        for _ in range(3):
            await asyncio.to_thread(gateway.metric, "goodgate_open_calls")
        provider.go()
        return await follower.read_all(PATIENCE_S)


def test_after_a_refusal_the_same_call_is_served_again(
    site: Site, provider: ProviderThread
) -> None:
    """A leader that was refused must not be waited for."""
    site.policy(
        "version: 1\nreuse: {exact: coalesce}\nrules:\n"
        "  - {id: slow, quota: {calls: 1, per: 3s, by: [principal]}}\n"
    )
    with site.running() as gateway:
        answers = [gateway.ask(CHAT, chat(), task="PROJ-1") for _ in range(2)]
        until(lambda: gateway.ask(CHAT, chat(), task="PROJ-1").status == 200)
        flights = gateway.metric("goodgate_flights")

    assert [answer.status for answer in answers] == [200, 429]
    assert flights == 0
    assert len(provider.requests) == 2

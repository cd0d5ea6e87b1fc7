"""Two replicas with a data folder each and one Valkey: what one knows, both know."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import Answer, RunningGateway, Site, chat, message, until
from tests.live.store import StoreProcess, is_shared, running

CHAT = "/v1/chat/completions"
MANY, LIMIT = 200, 10
GIVEN_UP_S = 15.0
"""A replica that is silent for 6 s is given up."""
STORY = (
    "Explain why the {} importer drops every row after the first empty line, and which of its"
    " three readers has to be changed so that the nightly export of customer invoices is whole"
)
RULES = """\
version: 1
reuse: {reuse}
rules:
  - {{id: few, when: 'call.model == "sim"', {limit}}}
"""
NOTHING_SHARED = "{exact: off}"
SHARED = "{exact: coalesce, share: principal}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """A Valkey for this file."""
    with StoreProcess(tmp_path_factory.mktemp("store")) as process:
        yield process


@pytest.fixture
def sites(
    seeded: Site, tmp_path: Path, provider: ProviderThread, store: StoreProcess
) -> list[Site]:
    """Two sites with the same keys and catalogue; not running. The store is empty."""
    store.empty()
    return [seeded.copy(tmp_path / name).providers(provider.url) for name in ("one", "two")]


def ruled(sites: Sequence[Site], *, reuse: str, limit: str) -> list[Site]:
    """Give all sites the same policy."""
    return [site.policy(RULES.format(reuse=reuse, limit=limit)) for site in sites]


def headers(gateway: RunningGateway, key: str = "alice") -> dict[str, str]:
    """Return what a caller sends with each call."""
    return {
        "authorization": f"Bearer {gateway.site.keys[key]}",
        "x-task-id": "PROJ-1",
        "connection": "close",
    }


async def spread(gateways: Sequence[RunningGateway], bodies: Sequence[object]) -> list[bytes]:
    """Send calls over all replicas at once, and return the replies."""
    async with AsyncExitStack() as stack:
        made = [
            await stack.enter_async_context(RawCaller(gateways[number % len(gateways)].port))
            for number in range(len(bodies))
        ]
        for number, (caller, body) in enumerate(zip(made, bodies, strict=True)):
            await caller.post(CHAT, body, headers(gateways[number % len(gateways)]))
        return list(await asyncio.gather(*(caller.read_all(30) for caller in made)))


@pytest.mark.parametrize(
    "limit",
    [
        "quota: {calls: 10, per: 1h, by: [principal]}",
        "budget: {calls: 10, period: day, by: [task]}",
    ],
    ids=["quota", "budget"],
)
def test_200_calls_at_once_over_both_admit_exactly_ten(
    sites: list[Site], store: StoreProcess, limit: str
) -> None:
    """The others would have to wait for so long that clients are told not to."""
    bodies = [chat(f"Question number {n} of this test", model="sim") for n in range(MANY)]
    with running(ruled(sites, reuse=NOTHING_SHARED, limit=limit), store) as gateways:
        received = asyncio.run(spread(gateways, bodies))
        later = [ask(gateway, bodies[0]).status for gateway in gateways]

    found = [status for each in received for status in statuses(each)]
    assert (found.count(200), found.count(400)) == (LIMIT, MANY - LIMIT)
    assert later == [400, 400]
    entries = [entry for site in sites for entry in site.entries()]
    assert [e["decision"] for e in entries].count("forwarded") == LIMIT
    assert len(entries) == MANY + 2


def ask(gateway: RunningGateway, body: object, path: str = CHAT, **options: Any) -> Answer:
    """Ask one replica for a task."""
    return gateway.ask(path, body, task="PROJ-1", **options)


def test_what_one_replica_was_asked_the_other_knows(
    sites: list[Site], store: StoreProcess, provider: ProviderThread
) -> None:
    text, failing = STORY.format("zyqarl"), message("Which failing thing is this about, then?")
    with running(sites, store) as (one, two):
        first = ask(one, chat(text))
        exact = ask(two, chat(f"**{text.upper()}** !!"))
        near = ask(two, chat(f"Hi! Please {text}, thanks."))
        others = ask(two, chat(text), key="bob")
        provider.script.append("500")
        failed = ask(one, failing, "/v1/messages")
        retry = ask(two, failing, "/v1/messages")

    assert kinds(first, exact, near, others) == ["new", "exact", "near", "new"]
    likes = [answer.headers["x-goodgate-likeness-of"] for answer in (exact, near)]
    assert likes == [first.request_id] * 2
    assert (failed.status, retry.status) == (500, 200)
    assert kinds(failed, retry) == ["new", "retry"]
    # Pseudonyms are of each ledger alone, and clusters are told under them.
    clusters = {sites[1].entry(answer.request_id)["cluster"] for answer in (exact, near)}
    assert len(clusters) == 1


def kinds(*answers: Answer) -> list[str]:
    """Return what calls were like."""
    return [answer.headers["x-goodgate-likeness"] for answer in answers]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_kept_reply_answers_at_the_other_replica(
    sites: list[Site], store: StoreProcess, provider: ProviderThread, *, stream: bool
) -> None:
    reuse = "{exact: store, share: principal, ttl: 10m}"
    ruled(sites, reuse=reuse, limit="quota: {calls: 99, per: 1h, by: [team]}")
    with running(sites, store) as (one, two):
        first = ask(one, chat(STORY, stream=stream))
        one.quiet()
        again = ask(two, chat(STORY, stream=stream))
        others = ask(two, chat(STORY, stream=stream), key="bob")

    decided = [answer.headers["x-goodgate-decision"] for answer in (first, again, others)]
    assert decided == ["forwarded", "reused", "forwarded"]
    assert again.body == first.body
    assert sites[1].entry(again.request_id)["coalesced_into"] == first.request_id
    assert len(provider.requests) == 2


def waiting(gateway: RunningGateway, calls: int) -> None:
    """Wait until a replica has so many calls open."""
    until(lambda: gateway.metric("goodgate_open_calls") == calls)


def test_whole_replies_are_shared_over_both(
    sites: list[Site], store: StoreProcess, provider: ProviderThread
) -> None:
    provider.script.append("slow")
    with running(sites, store) as gateways, ThreadPoolExecutor(20) as pool:
        leader = pool.submit(ask, gateways[0], chat(STORY))
        until(lambda: len(provider.requests) == 1)
        followers = [pool.submit(ask, gateways[n % 2], chat(STORY)) for n in range(1, 20)]
        waiting(gateways[0], 10)
        waiting(gateways[1], 10)
        provider.go()
        answers = [each.result(30) for each in (leader, *followers)]

    assert len(provider.requests) == 1
    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {answers[0].body}
    decided = [answer.headers["x-goodgate-decision"] for answer in answers]
    assert decided == ["forwarded", *["coalesced"] * 19]


def test_a_leader_that_dies_before_its_first_byte_is_replaced(
    sites: list[Site], store: StoreProcess, provider: ProviderThread
) -> None:
    """One of those who waited at the other replica sends the call again, for all of them."""
    provider.script.append("slow")
    body = chat(STORY, stream=True)
    with running(sites, store) as (one, two), ThreadPoolExecutor(6) as pool:
        leader = pool.submit(ask, one, body)
        until(lambda: len(provider.requests) == 1)
        followers = [pool.submit(ask, two, body) for _ in range(5)]
        waiting(two, 5)
        one.kill()
        answers = [each.result(GIVEN_UP_S) for each in followers]
        with pytest.raises((ConnectionError, OSError)):
            leader.result(10)
        two.quiet()
        later = ask(two, chat("Something quite different from all the rest of it"))

    assert len(provider.requests) == 3
    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {answers[0].body}
    assert answers[0].body.endswith(b"data: [DONE]\n\n")
    decided = sorted(answer.headers["x-goodgate-decision"] for answer in answers)
    assert decided == [*["coalesced"] * 4, "forwarded"]
    assert later.status == 200


def test_a_leader_that_dies_in_mid_stream_cuts_its_followers_and_is_then_replaced(
    sites: list[Site], store: StoreProcess, provider: ProviderThread
) -> None:
    """What they have cannot be completed by another reply: they are told, and ask again."""
    provider.script.append("stall:2")
    body = chat(STORY, stream=True)
    with running(sites, store) as (one, two):
        received = asyncio.run(_dies_in_mid_stream(one, two, body))
        again = ask(two, body)

    assert b"word1" in received
    assert b"[DONE]" not in received
    assert not received.endswith(b"\r\n0\r\n\r\n")
    assert again.status == 200
    assert again.body.endswith(b"data: [DONE]\n\n")
    assert len(provider.requests) == 2
    cut, whole = sorted(sites[1].entries(), key=lambda entry: entry["received_at"])
    assert (cut["decision"], cut["completion"]) == ("coalesced", "truncated")
    assert (whole["decision"], whole["completion"]) == ("forwarded", "complete")


async def _dies_in_mid_stream(one: RunningGateway, two: RunningGateway, body: object) -> bytes:
    async with RawCaller(one.port) as leader, RawCaller(two.port) as follower:
        await leader.post(CHAT, body, headers(one))
        await leader.read_until(b"word1")
        await follower.post(CHAT, body, headers(two))
        await follower.read_until(b"word1")
        one.kill()
        return await follower.read_all(GIVEN_UP_S)


def test_a_replica_that_stops_in_order_ends_its_streams_first(
    sites: list[Site], store: StoreProcess, provider: ProviderThread
) -> None:
    """Also for those who follow them elsewhere."""
    provider.script.append("stall:2")
    body = chat(STORY, stream=True)
    with running(sites, store) as (one, two):
        received = asyncio.run(_stops_in_mid_stream(one, two, provider, body))
        one.wait()
        assert is_shared(two)

    assert received.count(b"[DONE]") == 1
    assert received.endswith(b"0\r\n\r\n")


async def _stops_in_mid_stream(
    one: RunningGateway, two: RunningGateway, provider: ProviderThread, body: object
) -> bytes:
    async with RawCaller(one.port) as leader, RawCaller(two.port) as follower:
        await leader.post(CHAT, body, headers(one))
        await leader.read_until(b"word1")
        await follower.post(CHAT, body, headers(two))
        await follower.read_until(b"word1")
        one.signal(signal.SIGTERM)
        provider.go()
        await leader.read_all()
        return await follower.read_all()

"""A reply that another replica reads is carried like one of our own."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway import sharing
from gateway.errors import GatewayError, ProviderCut, StoreUnavailable
from gateway.values import Reply
from tests.unit.sharing.source import SHARE, Caller, Provider, Source, outcome, settled


class Elsewhere:
    """Another replica's flight, from a scripted source."""

    def __init__(self, source: Source, status: int = 200) -> None:
        self.request_id = "req_there"
        self.status = status
        self.headers = ((b"content-type", b"text/event-stream"),)
        self.stream = True
        self.source = source

    @property
    def chunks(self) -> AsyncIterator[bytes]:
        """The body."""
        return self.source

    async def close(self) -> None:
        """Stop following."""
        await self.source.close()


class ScriptedRelay:
    """A relay that finds what it is told to."""

    def __init__(self, found: Elsewhere | GatewayError | None) -> None:
        self.found = found
        self.asked: list[tuple[bytes, str]] = []

    async def follow(self, share: bytes, leader: str) -> Elsewhere | None:
        """Return what was set up."""
        self.asked.append((share, leader))
        if isinstance(self.found, GatewayError):
            raise self.found
        return self.found


async def read(reply: Reply) -> bytes:
    """Return a reply's body."""
    return b"".join([chunk async for chunk in reply.chunks])


async def test_a_remote_reply_answers_all_who_wait_here() -> None:
    relay = ScriptedRelay(Elsewhere(Source(b"a", b"b", ended=True)))
    flights = sharing.Flights(relay)
    leading = flights.board(SHARE, "req_1")
    others = [Caller(flights, f"req_{n}", Provider()).begin() for n in range(2, 20)]
    await settled()
    reply = await flights.join(leading, "replica-2")

    assert relay.asked == [(SHARE, "replica-2")]
    assert reply is not None
    assert await read(reply) == b"ab"
    assert [await outcome(caller.job) for caller in others] == [None] * 18
    assert {caller.got for caller in others} == {b"ab"}
    assert (leading.leader_request_id, leading.shares) == ("req_there", "req_there")
    assert leading.complete_reply() is None
    await settled()
    assert (flights.under_way, flights.jobs) == (0, 0)


async def test_a_remote_reply_without_a_body_is_a_reply() -> None:
    flights = sharing.Flights(ScriptedRelay(Elsewhere(Source(ended=True))))
    reply = await flights.join(flights.board(SHARE, "req_1"), "replica-2")

    assert reply is not None
    assert await read(reply) == b""


async def test_a_remote_reply_that_is_cut_later_is_cut_here() -> None:
    source = Source(b"a")
    flights = sharing.Flights(ScriptedRelay(Elsewhere(source)))
    reply = await flights.join(flights.board(SHARE, "req_1"), "replica-2")
    source.end(ProviderCut("the other replica is gone"))

    assert reply is not None
    with pytest.raises(ProviderCut):
        await read(reply)


@pytest.mark.parametrize("found", [None, StoreUnavailable("gone"), "cut"])
async def test_a_leader_leads_on_when_there_is_nothing_to_join(found: object) -> None:
    source = Source()
    source.end(ProviderCut("broke off"))
    there = Elsewhere(source) if found == "cut" else found
    assert there is None or isinstance(there, Elsewhere | GatewayError)
    flights = sharing.Flights(ScriptedRelay(there))
    leading = flights.board(SHARE, "req_1")
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()

    assert await flights.join(leading, "replica-2") is None
    assert (leading.leads, leading.shares) == (True, "")
    reply = leading.carry(Source(b"own", ended=True).reply())
    assert await read(reply) == b"own"
    assert await outcome(follower.job) is None
    assert follower.got == b"own"
    assert source.closed == (found == "cut")


async def test_without_a_relay_there_is_nothing_to_join() -> None:
    flights = sharing.Flights()

    assert await flights.join(flights.board(SHARE, "req_1"), "replica-2") is None


async def test_a_leader_cancelled_before_the_first_byte_stops_following() -> None:
    source = Source()
    flights = sharing.Flights(ScriptedRelay(Elsewhere(source)))

    async def lead() -> None:
        with flights.board(SHARE, "req_1") as leading:
            await flights.join(leading, "replica-2")

    job = asyncio.ensure_future(lead())
    await settled()
    job.cancel()

    assert isinstance(await outcome(job), asyncio.CancelledError)
    assert (source.closed, flights.under_way) == (1, 0)


async def test_another_replica_follows_like_anybody_here() -> None:
    source = Source(b"a")
    flights = sharing.Flights()
    assert flights.find(SHARE) is None
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    found = flights.find(SHARE)
    assert found is not None
    assert await found.departure()
    source.arrive(b"b")
    source.end()

    assert (found.leads, found.leader_request_id) == (False, "req_1")
    assert await read(found.follow()) == b"ab"
    assert await outcome(leader.job) is None


async def test_who_follows_another_replica_is_not_followed_by_one() -> None:
    """Else two replicas could wait for each other."""
    asked = asyncio.Event()

    class Waiting(ScriptedRelay):
        """Finds its flight only when told."""

        async def follow(self, share: bytes, leader: str) -> Elsewhere | None:
            await asked.wait()
            return self.found if isinstance(self.found, Elsewhere) else None

    flights = sharing.Flights(Waiting(Elsewhere(Source(b"a"))))
    leading = flights.board(SHARE, "req_1")
    joining = asyncio.ensure_future(flights.join(leading, "replica-2"))
    await settled()
    while_joining = flights.find(SHARE)
    asked.set()
    reply = await joining

    assert reply is not None
    assert (while_joining, flights.find(SHARE)) == (None, None)
    await reply.close()

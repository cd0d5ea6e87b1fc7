"""Replies under way in another replica: byte for byte, sealed, and cut when anything is missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway import errors
from gateway.sharing.flights import Flights
from gateway.stores.redis import sealing
from gateway.stores.redis.relay import Relay
from gateway.stores.redis.sealing import Envelope, Kind, Seal, Unfit, Way
from gateway.values import Reply
from tests.stores.valkeys import DEADLINE_S, Valkey, back, cluster, raw, valkey

KEY = b"k" * 32
SHARE = b"s" * 32
HEADERS = ((b"content-type", b"text/event-stream"), (b"x-provider", b"\xff\x00"))


class Provider:
    """A reply whose chunks come when the test says so."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    def say(self, *chunks: bytes | Exception | None) -> None:
        """Let chunks arrive; None is the end."""
        for chunk in chunks:
            self.queue.put_nowait(chunk)

    @property
    def reply(self) -> Reply:
        """The reply as `Upstream.send` gives it."""
        return Reply(
            status=200, headers=HEADERS, chunks=self._chunks(), close=self._close, stream=True
        )

    async def _chunks(self) -> AsyncIterator[bytes]:
        while (chunk := await self.queue.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def _close(self) -> None:
        self.closed.set()


class Seat:
    """A seat on a flight that has one follower: the relay."""

    leader_request_id = "req_1"

    def __init__(self, provider: Provider) -> None:
        self.departed = asyncio.Event()
        self.closed = asyncio.Event()
        self.there = True
        self._provider = provider

    async def departure(self) -> bool:
        """Wait for the test."""
        await self.departed.wait()
        return self.there

    def follow(self) -> Reply:
        """Return the reply."""
        return self._provider.reply

    def close(self) -> None:
        """Note it."""
        self.closed.set()


@asynccontextmanager
async def serving(
    url: str,
    replica: str,
    find: Callable[[bytes], object | None] = lambda _share: None,
    *,
    key: bytes = KEY,
    pace_s: float = 2.0,
) -> AsyncIterator[Relay]:
    """Give a relay that others can reach."""
    relay = Relay(url, key=key, replica=replica, find=find, pace_s=pace_s)  # type: ignore[arg-type] # seats
    job = asyncio.ensure_future(relay.serve())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await relay.listening.wait()
        yield relay
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)


@asynccontextmanager
async def pair(pace_s: float = 2.0) -> AsyncIterator[tuple[Relay, Relay, Provider, Seat]]:
    """Give a leader with one flight that has departed, and somebody to follow it."""
    async with valkey() as server, pair_on(server, pace_s) as made:
        yield made


@asynccontextmanager
async def pair_on(
    server: Valkey, pace_s: float = 2.0
) -> AsyncIterator[tuple[Relay, Relay, Provider, Seat]]:
    """Give them on a server."""
    provider = Provider()
    seat = Seat(provider)
    seat.departed.set()
    flights = {SHARE: seat}
    async with (
        serving(server.url, "one", flights.get, pace_s=pace_s) as leader,
        serving(server.url, "two", pace_s=pace_s) as asker,
    ):
        yield leader, asker, provider, seat


async def read(chunks: AsyncIterator[bytes]) -> bytes:
    """Return all that arrives."""
    return b"".join([chunk async for chunk in chunks])


async def test_a_reply_arrives_whole_with_its_head() -> None:
    async with pair() as (leader, asker, provider, seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        assert (found.request_id, found.status, found.headers, found.stream) == (
            "req_1",
            200,
            HEADERS,
            True,
        )
        provider.say(b"data: a\n\n", b"data: b\n\n", None)
        assert await read(found.chunks) == b"data: a\n\ndata: b\n\n"
        await seat.closed.wait()
        assert (leader.flows, asker.flows) == ((0, 0), (0, 0))


async def test_chunks_arrive_while_the_provider_still_speaks() -> None:
    async with pair() as (_leader, asker, provider, _seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        for chunk in (b"first", b"second"):
            provider.say(chunk)
            assert await anext(found.chunks) == chunk


async def test_a_large_chunk_goes_in_pieces_and_comes_out_the_same() -> None:
    async with pair() as (_leader, asker, provider, _seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        large = bytes(range(256)) * 4096 * 3
        provider.say(large, None)
        assert await read(found.chunks) == large


async def test_a_cluster_carries_it_too() -> None:
    async with cluster() as servers:
        provider = Provider()
        seat = Seat(provider)
        seat.departed.set()
        flights = {SHARE: seat}
        async with (
            serving(servers[0].url, "one", flights.get),
            serving(servers[1].url, "two") as asker,
        ):
            found = await asker.follow(SHARE, "one")
            assert found is not None
            provider.say(b"x" * 70_000, None)
            assert await read(found.chunks) == b"x" * 70_000


async def test_what_the_leader_does_not_have_is_sent_from_here() -> None:
    async with pair() as (_leader, asker, _provider, _seat):
        assert await asker.follow(b"t" * 32, "one") is None
        assert await asker.follow(SHARE, "nobody") is None
        assert await asker.follow(SHARE, "two") is None
        assert asker.flows == (0, 0)


async def test_a_flight_that_fails_before_its_head_is_sent_from_here() -> None:
    async with pair() as (_leader, asker, _provider, seat):
        seat.there = False
        assert await asker.follow(SHARE, "one") is None


async def test_a_provider_that_cuts_the_leader_cuts_the_follower() -> None:
    async with pair() as (_leader, asker, provider, _seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        provider.say(b"half", errors.ProviderCut("cut"))
        assert await anext(found.chunks) == b"half"
        with pytest.raises(errors.ProviderCut):
            await anext(found.chunks)


async def test_who_stops_following_gives_the_seat_up() -> None:
    async with pair() as (leader, asker, provider, seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        await found.close()
        await found.close()
        await provider.closed.wait()
        await seat.closed.wait()
        assert (leader.flows, asker.flows) == ((0, 0), (0, 0))
        with pytest.raises(errors.ProviderCut):
            await anext(found.chunks)


async def test_who_is_cancelled_while_waiting_for_the_head_gives_the_seat_up() -> None:
    async with pair() as (_leader, asker, _provider, seat):
        seat.departed.clear()
        job = asyncio.ensure_future(asker.follow(SHARE, "one"))
        while not asker.flows[0]:
            await asyncio.wait([job], timeout=0.001)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        seat.departed.set()
        await seat.closed.wait()
        assert asker.flows == (0, 0)


async def test_a_silent_provider_is_waited_for() -> None:
    """Pings keep the flow alive for longer than a dead leader is waited for."""
    async with pair(pace_s=0.05) as (leader, asker, provider, _seat):
        found = await asker.follow(SHARE, "one")
        assert found is not None
        loop = asyncio.get_running_loop()
        since, heard = loop.time(), found.heard_at
        while loop.time() - since < 0.4:
            await _round_trip(leader)
        assert found.heard_at > heard
        provider.say(b"at last", None)
        assert await read(found.chunks) == b"at last"


async def test_a_leader_that_dies_cuts_the_reply() -> None:
    async with valkey() as server:
        provider = Provider()
        seat = Seat(provider)
        seat.departed.set()
        async with serving(server.url, "two", pace_s=0.05) as asker:
            async with serving(server.url, "one", {SHARE: seat}.get, pace_s=0.05):
                found = await asker.follow(SHARE, "one")
                assert found is not None
                provider.say(b"half")
                assert await anext(found.chunks) == b"half"
            with pytest.raises(errors.ProviderCut):
                async with asyncio.timeout(DEADLINE_S):
                    await anext(found.chunks)


async def test_an_asker_that_dies_frees_the_leader() -> None:
    async with valkey() as server:
        provider = Provider()
        seat = Seat(provider)
        seat.departed.set()
        async with serving(server.url, "one", {SHARE: seat}.get, pace_s=0.05) as leader:
            async with serving(server.url, "two", pace_s=0.05) as asker:
                assert await asker.follow(SHARE, "one") is not None
            async with asyncio.timeout(DEADLINE_S):
                await provider.closed.wait()
                await seat.closed.wait()
            assert leader.flows == (0, 0)


async def test_a_store_that_dies_cuts_what_is_followed_and_comes_back() -> None:
    async with valkey() as server:
        provider = Provider()
        seat = Seat(provider)
        seat.departed.set()
        async with (
            serving(server.url, "one", {SHARE: seat}.get) as leader,
            serving(server.url, "two") as asker,
        ):
            found = await asker.follow(SHARE, "one")
            assert found is not None
            await server.kill()
            with pytest.raises(errors.ProviderCut):
                await anext(found.chunks)
            assert await asker.follow(SHARE, "one") is None
            await server.start()
            async with asyncio.timeout(DEADLINE_S):
                await asker.listening.wait()
                await leader.listening.wait()
                await back(asker._mouth)
                await back(leader._mouth)
                while (again := await asker.follow(SHARE, "one")) is None:
                    await _round_trip(leader)
            await again.close()


async def test_nothing_of_a_reply_passes_the_store_in_clear() -> None:
    async with valkey() as server, pair_on(server) as (_leader, asker, provider, _seat):
        watcher = await raw(server)
        await watcher("PSUBSCRIBE", "*")
        found = await asker.follow(SHARE, "one")
        assert found is not None
        provider.say(b"the secret answer " * 4, None)
        await read(found.chunks)
        seen = b""
        for _ in range(5):  # want, ping, head, chunk, end
            message = await watcher("PING") if not seen else await watcher.more()
            seen += repr(message).encode()
        await watcher.closed()
        assert seen.count(b"pmessage") >= 4
        for clear in (b"secret", b"event-stream", b"req_1", SHARE, b"one", b"two"):
            assert clear not in seen


async def test_who_has_another_key_learns_nothing() -> None:
    async with valkey() as server, pair_on(server) as (_leader, _asker, _provider, seat):
        async with serving(server.url, "three", key=b"x" * 32) as stranger:
            assert await stranger.follow(SHARE, "one") is None
        assert not seat.closed.is_set()


def test_a_message_fits_nowhere_but_its_place() -> None:
    flow, channel = sealing.flow_id(), b"channel"
    seal = Seal(KEY, Way.TO_ASKER, flow, channel, SHARE)
    first, second = seal.close(Kind.CHUNK, b"a"), seal.close(Kind.CHUNK, b"b")

    def opened(message: bytes, *, at: bytes = channel, share: bytes = SHARE) -> tuple[Kind, bytes]:
        """Open it as the first message of a flow."""
        envelope = Envelope(message)
        return Seal(KEY, envelope.way, envelope.flow, at, share).open(envelope)

    assert opened(first) == (Kind.CHUNK, b"a")
    wrong: list[Callable[[], object]] = [
        lambda: opened(second),
        lambda: opened(first, at=b"elsewhere"),
        lambda: opened(first, share=b"t" * 32),
        lambda: opened(bytes((Way.TO_LEADER,)) + first[1:]),
        lambda: opened(first[:1] + sealing.flow_id() + first[17:]),
        lambda: opened(first[:-1] + bytes((first[-1] ^ 1,))),
        lambda: opened(second[:17] + bytes(8) + second[25:]),
        lambda: Envelope(first[:40]),
        lambda: Envelope(b"\x09" + first[1:]),
    ]
    for attempt in wrong:
        with pytest.raises(Unfit):
            attempt()


async def test_flights_of_two_replicas_share_one_reply() -> None:
    """A hundred followers elsewhere, one flow between the replicas, every byte the same."""
    async with valkey() as server:
        provider = Provider()
        here = Flights()
        async with (
            serving(server.url, "one", here.find),
            serving(server.url, "two") as asker,
        ):
            there = Flights(asker)
            leader = here.board(SHARE, "req_1")
            carried = leader.carry(provider.reply)
            seats = [there.board(SHARE, f"req_{n}") for n in range(2, 102)]
            provider.say(b"data: a\n\n")
            joined, own = await asyncio.gather(there.join(seats[0], "one"), anext(carried.chunks))
            assert joined is not None
            assert own == b"data: a\n\n"
            assert asker.flows == (1, 0)

            async def follow(seat_: object) -> bytes:
                """Read as one of those who followed."""
                assert await seat_.departure()  # type: ignore[attr-defined] # a boarding
                return await read(seat_.follow().chunks)  # type: ignore[attr-defined] # a boarding

            readers = [asyncio.ensure_future(follow(seat)) for seat in seats[1:]]
            provider.say(b"data: b\n\n", None)
            bodies = await asyncio.gather(read(joined.chunks), *readers)
            assert set(bodies) == {b"data: a\n\ndata: b\n\n"}
            assert await read(carried.chunks) == b"data: b\n\n"
            await there.close()
            await here.close()


async def _round_trip(relay: Relay) -> None:
    await relay._mouth.command(b"PING")

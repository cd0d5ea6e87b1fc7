"""Many identical calls, one provider call: everyone gets every byte, at their own pace."""

import asyncio
import gc

import pytest

from gateway import sharing
from gateway.sharing import flight as flight_file
from tests.unit.sharing.source import SHARE, Caller, Provider, Source, outcome, settled


@pytest.fixture
def flights() -> sharing.Flights:
    return sharing.Flights()


async def test_a_thousand_calls_make_one_provider_call_and_get_the_same_bytes(
    flights: sharing.Flights,
) -> None:
    source = Source()
    provider = Provider([source.reply()])
    callers = [Caller(flights, f"req_{n}", provider).begin() for n in range(1001)]
    await settled()
    for n in range(50):
        source.arrive(b"data: %d\n\n" % n)
        await settled()
    source.end()
    await asyncio.gather(*(caller.job for caller in callers if caller.job))

    whole = b"".join(b"data: %d\n\n" % n for n in range(50))
    assert provider.calls == 1
    assert source.reads == 50
    assert {caller.got for caller in callers} == {whole}
    assert {caller.status for caller in callers} == {200}
    assert sum(caller.led for caller in callers) == 1
    assert (flights.under_way, flights.jobs) == (0, 0)


async def test_a_call_nobody_follows_needs_no_job_of_its_own(flights: sharing.Flights) -> None:
    source = Source(b"a", b"b")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()

    assert leader.got == b"ab"
    assert (flights.under_way, flights.jobs) == (1, 0)
    source.end()
    assert await outcome(leader.job) is None
    assert (flights.under_way, source.closed) == (0, 0)


async def test_who_comes_late_gets_everything_from_the_first_byte(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a", b"b", b"c")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    late = Caller(flights, "req_2", Provider()).begin()
    await settled()

    assert late.got == b"abc"
    source.arrive(b"d")
    source.end()
    assert (await outcome(leader.job), await outcome(late.job)) == (None, None)
    assert (leader.got, late.got) == (b"abcd", b"abcd")


async def test_who_comes_after_the_end_leads_anew(flights: sharing.Flights) -> None:
    provider = Provider([Source(b"a", ended=True).reply(), Source(b"b", ended=True).reply()])
    first = Caller(flights, "req_1", provider)
    second = Caller(flights, "req_2", provider)
    await first.call()
    await second.call()

    assert (first.got, second.got) == (b"a", b"b")
    assert second.led


async def test_who_boarded_before_the_end_still_reads_after_it(flights: sharing.Flights) -> None:
    source = Source(b"a")
    leading = flights.board(SHARE, "req_1")
    reply = leading.carry(source.reply())
    following = flights.board(SHARE, "req_2")
    source.end()
    assert b"".join([chunk async for chunk in reply.chunks]) == b"a"
    await settled()

    assert flights.under_way == 0
    assert await following.departure()
    assert b"".join([chunk async for chunk in following.follow().chunks]) == b"a"


async def test_a_slow_reader_slows_nobody(flights: sharing.Flights) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    slow = flights.board(SHARE, "req_2")
    fast = Caller(flights, "req_3", Provider()).begin()
    assert await slow.departure()
    chunks = slow.follow().chunks
    assert await anext(chunks) == b"a"
    source.arrive(b"b", b"c")
    source.end()
    assert (await outcome(leader.job), await outcome(fast.job)) == (None, None)

    assert (leader.got, fast.got) == (b"abc", b"abc")
    assert b"".join([chunk async for chunk in chunks]) == b"bc"


async def test_a_slow_leader_slows_nobody(flights: sharing.Flights) -> None:
    source = Source(b"a", b"b", b"c", ended=True)
    leading = flights.board(SHARE, "req_1")
    chunks = leading.carry(source.reply()).chunks
    assert await anext(chunks) == b"a"
    follower = Caller(flights, "req_2", Provider())
    await follower.call()

    assert follower.got == b"abc"
    assert b"".join([chunk async for chunk in chunks]) == b"bc"
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_the_leader_gets_each_byte_once_when_it_reads_on_after_the_end(
    flights: sharing.Flights,
) -> None:
    chunks = flights.board(SHARE, "req_1").carry(Source(b"a", ended=True).reply()).chunks

    assert [chunk async for chunk in chunks] == [b"a"]
    assert [chunk async for chunk in chunks] == []


async def test_a_follower_is_told_whose_reply_it_shares(flights: sharing.Flights) -> None:
    with flights.board(SHARE, "req_1") as leading, flights.board(SHARE, "req_2") as following:
        assert (leading.leads, leading.shares) == (True, "")
        assert (following.leads, following.shares) == (False, "req_1")
        assert leading.leader_request_id == following.leader_request_id == "req_1"
        assert leading.followed
        assert not following.followed
        following.close()
        assert not leading.followed


async def test_a_follower_gets_the_head_as_it_was(flights: sharing.Flights) -> None:
    source = Source(b"{}", ended=True)
    given = source.reply(400, stream=False)
    flights.board(SHARE, "req_1").carry(given)
    following = flights.board(SHARE, "req_2")
    assert await following.departure()
    reply = following.follow()

    assert (reply.status, reply.headers, reply.stream) == (400, given.headers, False)
    assert [chunk async for chunk in reply.chunks] == [b"{}"]


async def test_an_empty_reply_is_shared_too(flights: sharing.Flights) -> None:
    leading = flights.board(SHARE, "req_1")
    following = flights.board(SHARE, "req_2")
    leading.carry(Source(ended=True).reply(204))

    assert await following.departure()
    assert [chunk async for chunk in following.follow().chunks] == []


async def test_calls_without_a_share_are_never_followed(flights: sharing.Flights) -> None:
    source = Source(b"a", ended=True)
    first, second = flights.board(b"", "req_1"), flights.board(b"", "req_2")
    given = source.reply()

    assert first.leads
    assert second.leads
    assert first.carry(given) is given
    assert flights.under_way == 0
    assert first.complete_reply() is None


async def test_the_pump_waits_when_it_is_far_ahead_of_every_reader(
    flights: sharing.Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flight_file, "AHEAD_BYTES_MAX", 10)
    source = Source(*[b"1234"] * 20, ended=True)
    flights.board(SHARE, "req_1").carry(source.reply())
    following = flights.board(SHARE, "req_2")
    assert await following.departure()
    chunks = following.follow().chunks
    await settled()
    ahead = source.reads
    first = await anext(chunks)
    await settled()

    assert ahead == 3
    assert source.reads == 6
    assert first + b"".join([chunk async for chunk in chunks]) == b"1234" * 20
    await settled()
    assert flights.jobs == 0


async def test_a_flight_that_carried_much_takes_nobody_else(
    flights: sharing.Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sharing.boarding.BUFFER_BYTES_MAX", 10)
    monkeypatch.setattr(flight_file, "BUFFER_BYTES_MAX", 10)
    source = Source(*[b"1234"] * 5, ended=True)
    leading = flights.board(SHARE, "req_1")
    chunks = leading.carry(source.reply()).chunks
    got = [await anext(chunks) for _ in range(3)]

    assert flights.board(SHARE, "req_2").leads
    assert leading.flight.parts == []
    assert b"".join(got + [chunk async for chunk in chunks]) == b"1234" * 5


async def test_who_boarded_a_flight_that_grew_large_still_gets_it_all(
    flights: sharing.Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sharing.boarding.BUFFER_BYTES_MAX", 10)
    monkeypatch.setattr(flight_file, "BUFFER_BYTES_MAX", 10)
    source = Source(b"1234")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    source.arrive(*[b"1234"] * 4)
    source.end()
    assert (await outcome(leader.job), await outcome(follower.job)) == (None, None)

    assert leader.got == follower.got == b"1234" * 5


async def test_nothing_of_a_flight_is_left_when_it_is_over(flights: sharing.Flights) -> None:
    gc.collect()
    gc.disable()
    try:
        source = Source(b"a")
        leader = Caller(flights, "req_watched", Provider([source.reply()])).begin()
        others = [Caller(flights, f"req_{n}", Provider()).begin() for n in range(5)]
        await settled()
        source.end()
        for caller in (leader, *others):
            assert await outcome(caller.job) is None
        assert leader.got == others[0].got == b"a"
        del leader, others, caller, source
        alive = [
            thing
            for thing in gc.get_objects()
            if isinstance(thing, flight_file.Flight) and thing.request_id == "req_watched"
        ]
    finally:
        gc.enable()
    assert alive == []


async def test_stopping_ends_every_reply_that_is_read_beside_its_callers(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    source.arrive(b"b")
    await settled()
    assert flights.jobs == 1

    await flights.close()

    assert type(await outcome(leader.job)).__name__ == "ProviderCut"
    assert type(await outcome(follower.job)).__name__ == "ProviderCut"
    assert (flights.under_way, flights.jobs, source.closed) == (0, 0, 1)


async def test_it_says_which_replies_it_reads() -> None:
    flights = sharing.Flights()
    source = Source(b"a", ended=True)
    reply = flights.board(SHARE, "req_1").carry(source.reply())
    kept = sharing.unpack(sharing.pack("req_0", stream=True, headers=(), body=b"b"))
    assert kept is not None
    stored = flights.board(b"t" * 32, "req_2").carry_stored(kept)
    while_under_way = (flights.under_way, flights.shares())
    for each in (reply, stored):
        assert [chunk async for chunk in each.chunks]

    assert while_under_way == (2, [SHARE])
    assert (flights.under_way, flights.shares()) == (0, [])

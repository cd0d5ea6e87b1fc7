"""Who hangs up takes nothing from the others; when all have, the provider is cut off."""

import asyncio

import pytest

from gateway import sharing
from gateway.errors import ProviderCut
from tests.unit.sharing.source import SHARE, Caller, Provider, Source, outcome, settled


@pytest.fixture
def flights() -> sharing.Flights:
    return sharing.Flights()


async def cancelled(caller: Caller) -> None:
    """Cancel a caller's job and wait for its end."""
    assert caller.job is not None
    caller.job.cancel()
    assert isinstance(await outcome(caller.job), asyncio.CancelledError)


async def test_a_leader_nobody_follows_cuts_the_provider_off(flights: sharing.Flights) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    assert leader.reply is not None
    await leader.reply.close()

    assert isinstance(await outcome(leader.job), ProviderCut)
    assert (source.closed, flights.under_way, flights.jobs) == (1, 0, 0)


async def test_a_cancelled_leader_nobody_follows_cuts_the_provider_off(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    await cancelled(leader)

    assert (source.closed, flights.under_way, flights.jobs) == (1, 0, 0)


@pytest.mark.parametrize("pieces", [(), (b"a",)])
async def test_a_leader_that_is_cancelled_does_not_cut_its_followers(
    flights: sharing.Flights, pieces: tuple[bytes, ...]
) -> None:
    """Also while it waits for the provider itself: another job reads on."""
    source = Source(*pieces)
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    await cancelled(leader)
    source.arrive(b"b")
    source.end()

    assert await outcome(follower.job) is None
    assert follower.got == b"".join(pieces) + b"b"
    assert (source.closed, flights.under_way, flights.jobs) == (0, 0, 0)


@pytest.mark.parametrize("pieces", [(), (b"a",)])
async def test_a_leader_that_closes_its_reply_does_not_cut_its_followers(
    flights: sharing.Flights, pieces: tuple[bytes, ...]
) -> None:
    source = Source(*pieces)
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    assert leader.reply is not None
    await leader.reply.close()
    source.arrive(b"b")
    await settled()
    source.arrive(b"c")
    source.end()

    assert isinstance(await outcome(leader.job), ProviderCut)
    assert await outcome(follower.job) is None
    assert follower.got == b"".join(pieces) + b"bc"
    assert source.closed == 0


async def test_a_leader_that_closes_while_it_reads_the_buffer_is_woken(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    source.arrive(b"b")
    await settled()
    assert leader.reply is not None
    await leader.reply.close()

    assert isinstance(await outcome(leader.job), ProviderCut)
    source.end()
    assert await outcome(follower.job) is None
    assert (leader.got, follower.got) == (b"ab", b"ab")


async def test_a_reply_that_cannot_be_read_on_by_another_job_is_cut_never_shortened(
    flights: sharing.Flights,
) -> None:
    """A generator that is cancelled ends; its end must not pass for the end of the reply."""
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply(resumable=False)])).begin()
    await settled()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    await cancelled(leader)

    assert isinstance(await outcome(follower.job), ProviderCut)
    assert follower.got == b"a"
    assert (source.closed, flights.under_way, flights.jobs) == (1, 0, 0)


async def test_a_fault_of_the_reader_is_the_leaders_own_and_cuts_the_followers(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    source.end(ValueError("a fault"))

    assert leader.job is not None
    with pytest.raises(ValueError, match="a fault"):
        await leader.job
    assert isinstance(await outcome(follower.job), ProviderCut)
    await settled()
    assert (flights.under_way, flights.jobs) == (0, 0)


async def test_followers_that_leave_leave_the_leader_its_reply(flights: sharing.Flights) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    follower = Caller(flights, "req_2", Provider()).begin()
    await settled()
    source.arrive(b"b")
    await settled()
    await cancelled(follower)
    source.arrive(b"c")
    source.end()

    assert await outcome(leader.job) is None
    assert leader.got == b"abc"


async def test_the_last_of_all_to_hang_up_cuts_the_provider_off(flights: sharing.Flights) -> None:
    source = Source(b"a")
    callers = [Caller(flights, f"req_{n}", Provider([source.reply()])).begin() for n in range(5)]
    await settled()
    for caller in callers[:-1]:
        await cancelled(caller)
    before = source.closed
    await cancelled(callers[-1])
    await settled()

    assert before == 0
    assert (source.closed, flights.under_way, flights.jobs) == (1, 0, 0)


async def test_a_follower_that_boards_and_leaves_at_once_cuts_nobody(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    leader = Caller(flights, "req_1", Provider([source.reply()])).begin()
    await settled()
    flights.board(SHARE, "req_2").close()
    source.end()

    assert await outcome(leader.job) is None
    assert leader.got == b"a"


async def test_a_seat_that_is_left_before_it_was_used_may_be_the_last(
    flights: sharing.Flights,
) -> None:
    """The leader is gone, and the follower leaves between its departure and its reply."""
    source = Source(b"a")
    reply = flights.board(SHARE, "req_1").carry(source.reply())
    with flights.board(SHARE, "req_2") as following:
        assert await following.departure()
        await reply.close()
        assert source.closed == 0
    await settled()

    assert (source.closed, flights.under_way, flights.jobs) == (1, 0, 0)
    following.close()
    assert source.closed == 1


async def test_a_pump_that_is_given_up_before_it_ran_leaves_nothing_open(
    flights: sharing.Flights,
) -> None:
    source = Source(b"a")
    reply = flights.board(SHARE, "req_1").carry(source.reply())
    following = flights.board(SHARE, "req_2")
    following.close()
    await reply.close()
    await settled()

    assert (source.closed, source.reads) == (1, 0)
    assert (flights.under_way, flights.jobs) == (0, 0)


async def test_nobody_boards_a_reply_that_is_being_given_up(flights: sharing.Flights) -> None:
    source = Source(b"a")
    reply = flights.board(SHARE, "req_1").carry(source.reply())
    following = flights.board(SHARE, "req_2")
    await reply.close()
    following.close()

    assert flights.board(SHARE, "req_3").leads
    await settled()
    assert (source.closed, flights.jobs) == (1, 0)


async def test_a_reader_that_closed_gets_nothing_more(flights: sharing.Flights) -> None:
    source = Source(b"a")
    flights.board(SHARE, "req_1").carry(source.reply())
    following = flights.board(SHARE, "req_2")
    assert await following.departure()
    reply = following.follow()
    await reply.close()

    with pytest.raises(ProviderCut):
        await anext(reply.chunks)
    await reply.close()
    assert source.closed == 0


async def test_closing_twice_cuts_the_provider_off_once(flights: sharing.Flights) -> None:
    source = Source(b"a")
    leading = flights.board(SHARE, "req_1")
    reply = leading.carry(source.reply())
    await reply.close()
    await reply.close()
    await leading.flight.give_up()

    assert source.closed == 1


async def test_a_caller_cancelled_while_it_waits_gives_its_seat_up(
    flights: sharing.Flights,
) -> None:
    with flights.board(SHARE, "req_1") as leading:
        follower = Caller(flights, "req_2", Provider()).begin()
        await settled()
        assert leading.followed
        await cancelled(follower)
        assert not leading.followed

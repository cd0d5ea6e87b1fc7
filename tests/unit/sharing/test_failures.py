"""A leader that fails does not fail them all: one of the others leads, one at a time."""

import asyncio

import pytest

from gateway import sharing
from gateway.errors import ProviderCut, ProviderTimeout, ProviderUnreachable
from gateway.values import Reply
from tests.unit.sharing.source import SHARE, Caller, Provider, Source, outcome, settled


@pytest.fixture
def flights() -> sharing.Flights:
    return sharing.Flights()


def whole(body: bytes, status: int = 200) -> Reply:
    """Return a reply that is here already."""
    return Source(body, ended=True).reply(status)


async def failing(
    flights: sharing.Flights, provider: Provider, count: int
) -> tuple[list[Caller], list[BaseException | None]]:
    """Return what came of many calls that began before the first was answered."""
    provider.gate = asyncio.Event()
    callers = [Caller(flights, f"req_{n}", provider).begin() for n in range(count)]
    await settled()
    provider.gate.set()
    ends = [await outcome(caller.job) for caller in callers]
    await settled()
    assert (flights.under_way, flights.jobs) == (0, 0)
    return callers, ends


@pytest.mark.parametrize("error", [ProviderUnreachable("gone"), ProviderTimeout("late")])
async def test_when_a_leader_fails_exactly_one_leads_anew(
    flights: sharing.Flights, error: ProviderUnreachable
) -> None:
    provider = Provider([error, whole(b"good")])
    callers, ends = await failing(flights, provider, 200)

    assert (provider.calls, provider.sending_max) == (2, 1)
    assert [end for end in ends if end] == [error]
    assert [caller.got for caller in callers[1:]] == [b"good"] * 199


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 529])
async def test_an_error_that_may_pass_is_the_leaders_alone(
    flights: sharing.Flights, status: int
) -> None:
    provider = Provider([whole(b"slow down", status), whole(b"good")])
    callers, _ends = await failing(flights, provider, 50)

    assert (provider.calls, provider.sending_max) == (2, 1)
    assert (callers[0].status, callers[0].got) == (status, b"slow down")
    assert {(caller.status, caller.got) for caller in callers[1:]} == {(200, b"good")}


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
async def test_an_error_that_would_be_the_same_again_is_shared(
    flights: sharing.Flights, status: int
) -> None:
    provider = Provider([whole(b"no", status)])
    callers, _ends = await failing(flights, provider, 50)

    assert provider.calls == 1
    assert {(caller.status, caller.got) for caller in callers} == {(status, b"no")}


async def test_after_three_failures_a_caller_takes_the_third_as_its_own(
    flights: sharing.Flights,
) -> None:
    errors = [ProviderUnreachable("one"), ProviderUnreachable("two"), ProviderTimeout("three")]
    callers, ends = await failing(flights, provider := Provider(errors), 100)

    assert provider.calls == 3
    assert [str(end) for end in ends] == ["one", "two", *["three"] * 98]
    assert all(isinstance(end, ProviderTimeout) for end in ends[2:])
    assert len({id(end) for end in ends}) == 100
    assert all(caller.got == b"" for caller in callers)


async def test_the_third_error_reply_passes_unchanged(flights: sharing.Flights) -> None:
    provider = Provider([whole(b"one", 503), ProviderUnreachable("two"), whole(b"three", 529)])
    callers, ends = await failing(flights, provider, 100)

    assert provider.calls == 3
    assert (callers[0].status, callers[0].got) == (503, b"one")
    assert str(ends[1]) == "two"
    assert {(caller.status, caller.got) for caller in callers[2:]} == {(529, b"three")}


async def test_a_third_error_reply_may_take_its_time(flights: sharing.Flights) -> None:
    source = Source()
    reply = flights.board(SHARE, "req_1").carry
    following = flights.board(SHARE, "req_2", failures=2)
    reply(source.reply(503))
    departed = asyncio.ensure_future(following.departure())
    await settled()
    waited = not departed.done()
    source.arrive(b"busy")
    source.end()

    assert waited
    assert await departed
    assert [chunk async for chunk in following.follow().chunks] == [b"busy"]


async def test_a_third_error_reply_that_is_cut_is_a_cut(flights: sharing.Flights) -> None:
    cut = Source()
    cut.end(ProviderCut("broke off"))
    provider = Provider([whole(b"", 503), whole(b"", 503), cut.reply(503)])
    _callers, ends = await failing(flights, provider, 10)

    assert [str(end) for end in ends[2:]] == ["broke off"] * 8


async def test_a_reply_cut_before_its_first_byte_is_asked_for_again(
    flights: sharing.Flights,
) -> None:
    cut = Source()
    cut.end(ProviderCut("broke off"))
    provider = Provider([cut.reply(), whole(b"good")])
    callers, ends = await failing(flights, provider, 100)

    assert provider.calls == 2
    assert isinstance(ends[0], ProviderCut)
    assert {caller.got for caller in callers[1:]} == {b"good"}


async def test_who_has_had_bytes_is_cut_like_the_leader(flights: sharing.Flights) -> None:
    source = Source(b"a")
    provider = Provider([source.reply()])
    callers = [Caller(flights, f"req_{n}", provider).begin() for n in range(10)]
    await settled()
    source.arrive(b"b")
    await settled()
    source.end(ProviderCut("broke off"))
    ends = [await outcome(caller.job) for caller in callers]

    assert provider.calls == 1
    assert [str(end) for end in ends] == ["broke off"] * 10
    assert {caller.got for caller in callers} == {b"ab"}


async def test_a_leader_that_is_refused_is_nobodys_failure(flights: sharing.Flights) -> None:
    failures = 0
    for n in range(5):
        leading = flights.board(SHARE, f"req_{n}")
        following = flights.board(SHARE, "req_x", failures)
        leading.fail(None)
        assert not await following.departure()
        failures = following.failures

    assert failures == 0
    assert flights.board(SHARE, "req_x", failures).leads


async def test_a_leader_that_dies_without_a_word_wakes_the_others(
    flights: sharing.Flights,
) -> None:
    provider = Provider([whole(b"good")])
    provider.gate = asyncio.Event()
    callers = [Caller(flights, f"req_{n}", provider).begin() for n in range(10)]
    await settled()
    assert callers[0].job is not None
    callers[0].job.cancel()
    await settled()
    provider.gate.set()
    ends = [await outcome(caller.job) for caller in callers]

    assert isinstance(ends[0], asyncio.CancelledError)
    assert ends[1:] == [None] * 9
    assert {caller.got for caller in callers[1:]} == {b"good"}
    assert (provider.calls, provider.sending_max) == (2, 1)


async def test_what_is_said_after_departure_changes_nothing(flights: sharing.Flights) -> None:
    source = Source(b"a", ended=True)
    leading = flights.board(SHARE, "req_1")
    reply = leading.carry(source.reply())
    leading.fail(ProviderTimeout("late"))
    leading.close()

    assert [chunk async for chunk in reply.chunks] == [b"a"]

"""Hanging up early, cuts and endings: whatever happens, a call is settled exactly once."""

import asyncio

import pytest

from gateway import ledger
from gateway.errors import GatewayError, LedgerUnavailable, ProviderCut
from tests.playbook import Playbook

HELLO = b'data: {"choices":[{"delta":{"content":"hello world"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":9}}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def play() -> Playbook:
    made = Playbook()
    made.upstream.stream = True
    made.upstream.pieces = (HELLO, HELLO, USAGE, DONE)
    return made


def settled(play: Playbook) -> ledger.Settle:
    """Return the only settle there is."""
    (found,) = [entry for entry in play.entries() if isinstance(entry, ledger.Settle)]
    return found


async def test_a_stream_passes_and_the_usage_nobody_asked_for_is_cut_out(play: Playbook) -> None:
    answer = await play.asks(stream=True)
    assert answer.chunks is not None

    passed = b"".join([chunk async for chunk in answer.chunks])

    assert passed == HELLO + HELLO + DONE
    assert (settled(play).output_tokens, settled(play).completion) == (9, "complete")
    assert play.tally.tokens["output", "yes"] == 9, "settled once, though it had two ends"
    assert play.ledger.stamp()[1] == 4, "the start, then one for the intent and one for the settle"


async def test_the_end_of_a_stream_leaves_after_the_settle(play: Playbook) -> None:
    answer = await play.asks(stream=True, stream_options={"include_usage": True})
    assert answer.chunks is not None

    async for chunk in answer.chunks:
        if b"[DONE]" in chunk:
            assert settled(play).output_tokens == 9
    await answer.chunks.aclose()

    assert play.quotas.held == 0


async def test_the_head_of_a_stream_does_not_wait_for_a_patient_intent(
    play: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    expedited: list[int] = []
    monkeypatch.setattr(play.ledger, "expedite", lambda: expedited.append(1))

    await play.asks(stream=True)
    assert expedited == [1]

    play.upstream.stream = False
    await play.asks()
    assert expedited == [1], "a plain reply waits for its settle, and the intent comes before it"


async def test_a_caller_who_stops_reading_is_settled_by_what_went_by(play: Playbook) -> None:
    answer = await play.asks(stream=True)
    assert answer.chunks is not None

    assert await anext(answer.chunks) == HELLO
    await answer.chunks.aclose()

    assert settled(play).completion == "cancelled"
    assert settled(play).usage_basis == "estimated"
    assert settled(play).output_tokens >= 1
    assert play.upstream.closed == 1
    assert play.quotas.held == 0


async def test_a_caller_who_is_gone_while_the_reply_is_drained_pays_for_all_of_it(
    play: Playbook,
) -> None:
    play.gone = True
    answer = await play.asks(stream=True)
    assert answer.chunks is not None
    async for _ in answer.chunks:
        pass

    assert settled(play).completion == "cancelled"
    assert (settled(play).output_tokens, settled(play).usage_basis) == (9, "reported")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_the_provider_cuts_is_truncated(play: Playbook, *, stream: bool) -> None:
    play.upstream.stream = stream
    play.upstream.pieces = (HELLO, ProviderCut("cut"))

    error = await play.fails(stream=stream)

    assert isinstance(error, ProviderCut)
    assert settled(play).completion == "truncated"
    assert play.quotas.held == 0


async def test_a_stream_that_ends_without_usage_or_an_end_is_truncated(play: Playbook) -> None:
    play.upstream.pieces = (HELLO,)
    answer = await play.asks(stream=True)
    assert answer.chunks is not None

    assert b"".join([chunk async for chunk in answer.chunks]) == HELLO

    assert settled(play).completion == "truncated"
    assert settled(play).usage_basis == "estimated"


async def test_a_stream_that_ends_after_its_usage_is_complete(play: Playbook) -> None:
    play.upstream.pieces = (HELLO, USAGE)
    answer = await play.asks(stream=True)
    assert answer.chunks is not None
    async for _ in answer.chunks:
        pass

    assert (settled(play).completion, settled(play).usage_basis) == ("complete", "reported")


async def test_an_unfinished_event_at_the_end_still_reaches_the_caller(play: Playbook) -> None:
    play.upstream.pieces = (HELLO, b"data: {")
    answer = await play.asks(stream=True)
    assert answer.chunks is not None

    assert b"".join([chunk async for chunk in answer.chunks]) == HELLO + b"data: {"


async def test_an_error_event_in_a_stream_makes_the_call_failed(play: Playbook) -> None:
    play.upstream.pieces = (HELLO, b'data: {"error":{"message":"overloaded"}}\n\n')
    answer = await play.asks(stream=True)
    assert answer.chunks is not None
    async for _ in answer.chunks:
        pass

    assert settled(play).completion == "failed"


@pytest.mark.parametrize("when", ["before the head", "while the body arrives"])
async def test_a_call_that_is_cancelled_is_settled(play: Playbook, when: str) -> None:
    play.upstream.stream = False
    play.upstream.holds = asyncio.Event()
    if when == "before the head":
        play.upstream.error = asyncio.CancelledError()
    job = asyncio.ensure_future(play.asks())
    await play.upstream.called.wait()
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job

    assert settled(play).completion == "cancelled"
    assert play.quotas.held == 0


async def test_a_stream_cancelled_before_its_intent_is_durable_is_given_up(
    play: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, waiting = play.ledger.append, asyncio.Event()

    def slow(record: ledger.Leaf, *, urgent: bool = True) -> asyncio.Future[None]:
        done = append(record, urgent=urgent)
        return asyncio.Future() if isinstance(record, ledger.Intent) else done

    monkeypatch.setattr(play.ledger, "append", slow)
    monkeypatch.setattr(play.ledger, "expedite", waiting.set)
    job = asyncio.ensure_future(play.asks(stream=True))
    await waiting.wait()
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job

    assert settled(play).completion == "cancelled"
    assert play.upstream.closed == 1
    assert play.quotas.held == 0


async def test_a_plain_reply_that_nobody_waits_for_any_more_is_given_up(play: Playbook) -> None:
    play.upstream.stream = False
    play.upstream.holds = asyncio.Event()
    job = asyncio.ensure_future(play.asks())
    await play.upstream.waiting.wait()
    job.cancel()

    with pytest.raises(asyncio.CancelledError):
        await job

    assert settled(play).completion == "cancelled"
    assert play.upstream.closed == 1


async def test_without_a_ledger_nothing_of_the_reply_leaves(
    play: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The intent cannot be kept: the reply is given up and what was reserved is given back."""

    async def fail() -> None:
        raise LedgerUnavailable("the disk is full")

    monkeypatch.setattr(play.ledger, "append", lambda _, **__: asyncio.ensure_future(fail()))

    error = await play.fails(stream=True)

    assert isinstance(error, GatewayError)
    assert error.code == "ledger_unavailable"
    assert play.upstream.closed == 1
    assert play.quotas.held == 0

"""A call under way counts until it ends, however it ends: afterwards the place is free again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from gateway import ledger
from gateway.errors import LedgerUnavailable, ProviderCut, ProviderUnreachable
from gateway.passage import Admission
from gateway.pipeline import Answer
from tests.playbook import WHOLE, Playbook

POLICY = """\
version: 1
rules:
  - {id: one, quota: {concurrent: 1, by: []}}
  - {id: drafts, when: 'call.model == "draft"', effect: forbid}
  - {id: rare, when: 'call.model == "rare"', budget: {calls: 1, period: day, by: []}}
reuse: {REUSE, share: principal}
"""
REUSES = {
    "off": "exact: 'off'",
    "coalesce": "exact: coalesce",
    "store": "exact: store, ttl: 10m",
}

End: TypeAlias = Callable[[Playbook], Awaitable[None]]


def play_of(reuse: str = "off") -> Playbook:
    return Playbook(POLICY.replace("REUSE", REUSES[reuse]))


async def answered(play: Playbook) -> Answer:
    """Return the answer to a streamed call, none of which was read."""
    play.upstream.stream = True
    return await play.asks(stream=True)


async def served(play: Playbook) -> None:
    assert (await play.asks()).body == WHOLE


async def refused_by_a_rule(play: Playbook) -> None:
    assert (await play.admits(model="draft")).attempt.decision.reasons == ("drafts",)


async def refused_by_a_budget(play: Playbook) -> None:
    await play.asks("the first", model="rare")
    assert (await play.admits("the second", model="rare")).attempt.decision.reasons == ("rare",)


async def refused_by_its_key(play: Playbook) -> None:
    key = play.new_key("alice", models=["another"])
    refusal = (await play.admits(key=key)).attempt.decision.refusal
    assert refusal is not None
    assert refusal.code == "model_not_allowed"


async def unreachable(play: Playbook) -> None:
    play.upstream.error = ProviderUnreachable("gone")
    assert isinstance(await play.fails(), ProviderUnreachable)


async def broken_by_a_bug(play: Playbook) -> None:
    play.upstream.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await play.asks()


async def cut(play: Playbook) -> None:
    play.upstream.pieces = (ProviderCut("cut"),)
    assert isinstance(await play.fails(), ProviderCut)


async def cut_in_a_stream(play: Playbook) -> None:
    play.upstream.stream = True
    play.upstream.pieces = (b"data: {}\n\n", ProviderCut("cut"))
    assert isinstance(await play.fails(stream=True), ProviderCut)


async def given_up_before_the_head(play: Playbook) -> None:
    play.upstream.error = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await play.asks()


async def given_up_in_the_body(play: Playbook) -> None:
    play.upstream.holds = asyncio.Event()
    job = asyncio.ensure_future(play.asks())
    await play.upstream.waiting.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job


async def hung_up_in_a_stream(play: Playbook) -> None:
    play.upstream.pieces = (b"data: {}\n\n", b"data: [DONE]\n\n")
    answer = await answered(play)
    assert answer.chunks is not None
    while not await anext(answer.chunks):
        pass
    await answer.chunks.aclose()


async def hung_up_before_a_stream(play: Playbook) -> None:
    answer = await answered(play)
    assert answer.chunks is not None
    await answer.chunks.aclose()
    assert play.upstream.closed == 1


async def never_recorded(play: Playbook) -> None:
    def append(_record: ledger.Leaf, *, urgent: bool = True) -> Awaitable[None]:
        raise LedgerUnavailable("the disk is full" if urgent else "the disk is gone")

    admission: Admission = await play.places()
    play.ledger.append = append  # type: ignore[method-assign,assignment]  # a ledger that fails
    with pytest.raises(LedgerUnavailable):
        await play.gateway.forward(admission, lambda: False)
    del play.ledger.append


ENDS: tuple[End, ...] = (
    served,
    refused_by_a_rule,
    refused_by_a_budget,
    refused_by_its_key,
    unreachable,
    broken_by_a_bug,
    cut,
    cut_in_a_stream,
    given_up_before_the_head,
    given_up_in_the_body,
    hung_up_in_a_stream,
    hung_up_before_a_stream,
    never_recorded,
)


async def still_free(play: Playbook) -> bool:
    """Return whether the one place is free."""
    admission = await play.admits("another prompt altogether, of which nobody has heard")
    return admission.attempt.decision.effect == "permit"


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_however_a_call_ends_its_place_is_free_again(end: End) -> None:
    play = play_of()
    await end(play)
    assert play.quotas.held == 0
    assert await still_free(play)


@pytest.mark.parametrize("reuse", ["coalesce", "store"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_the_place_is_free_again_where_replies_are_shared(end: End, reuse: str) -> None:
    play = play_of(reuse)
    await end(play)
    assert play.quotas.held == 0
    assert await still_free(play)


async def test_a_place_is_taken_while_a_call_is_under_way() -> None:
    play = play_of()
    await play.places()
    assert not await still_free(play)


async def test_who_follows_a_call_takes_no_place_and_leaves_none_taken() -> None:
    play = play_of("coalesce")
    play.upstream.holds = asyncio.Event()
    leader = asyncio.ensure_future(play.asks())
    await play.upstream.waiting.wait()
    follower = asyncio.ensure_future(play.asks(task="DEMO-2"))
    gone = asyncio.ensure_future(play.asks())
    for _ in range(20):
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert not await still_free(play)
    play.upstream.holds.set()
    assert (await leader).body == (await follower).body == WHOLE
    assert len(play.upstream.calls) == 1
    assert play.quotas.held == 0
    assert await still_free(play)


async def test_a_kept_reply_takes_no_place() -> None:
    play = play_of("store")
    await play.asks()
    admission = await play.places()
    assert admission.attempt.served == "reused"
    assert await still_free(play)

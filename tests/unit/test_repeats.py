"""What the line makes of repeats: how they are recognised, slowed, shared and recorded."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gateway import ledger, sharing
from gateway.errors import ProviderUnreachable, StoreUnavailable
from gateway.pipeline import Answer
from gateway.values import Observation, Offers, Reply, Reservation, Sighting
from tests.playbook import WHOLE, Playbook

LONG = "Please find out why the nightly import of invoices stops after the third customer."
SALTED = "Hello! " + LONG + " Thank you so much."
OTHER = "Write a migration that adds a due date to every order placed before last summer."
NUMBERED = "Read ticket {} of the billing board and tell me which service its trace begins in."
HELLO = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n'
DONE = b"data: [DONE]\n\n"

OPEN = """
version: 1
rules: []
reuse: {exact: %s, share: %s%s}
"""


def open_policy(exact: str = "coalesce", share: str = "principal", ttl: str = "") -> str:
    return OPEN % (exact, share, f", ttl: {ttl}" if ttl else "")


def intents(play: Playbook) -> list[ledger.Intent]:
    return [entry for entry in play.entries() if isinstance(entry, ledger.Intent)]


def settles(play: Playbook) -> list[ledger.Settle]:
    return [entry for entry in play.entries() if isinstance(entry, ledger.Settle)]


async def kind(play: Playbook, prompt: str, **options: Any) -> str:
    """Ask, and return what the call was found to be."""
    admission = await play.places(prompt, **options)
    await play.gateway.forward(admission, lambda: False)
    verdict = admission.attempt.verdict
    return verdict.kind if verdict else ""


async def read(answer: Answer) -> bytes:
    if answer.chunks is None:
        return answer.body
    return b"".join([chunk async for chunk in answer.chunks])


# --- recognised -----------------------------------------------------------------------


async def test_a_repeat_is_exact_and_a_disguised_one_is_near_and_another_prompt_is_new() -> None:
    play = Playbook()

    kinds = [await kind(play, text) for text in (LONG, LONG.upper(), SALTED, OTHER)]

    assert kinds == ["new", "exact", "near", "new"]
    first, again, near, other = intents(play)
    assert first.cluster == again.cluster == near.cluster != other.cluster
    assert [each.likeness for each in intents(play)] == kinds


async def test_a_changed_number_is_another_prompt() -> None:
    play = Playbook()

    kinds = [await kind(play, NUMBERED.format(number)) for number in (123, 124, 125)]

    assert kinds == ["new", "new", "new"]


async def test_approvals_and_tool_results_are_left_alone() -> None:
    play = Playbook()
    turns = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "1", "content": "no such file"},
    ]

    approvals = [await kind(play, "yes, proceed") for _ in range(20)]
    polling = [await kind(play, "", messages=turns) for _ in range(20)]

    assert set(approvals) == {"short"}
    assert set(polling) == {"continuation"}


async def test_who_asks_and_for_which_task_is_the_scope() -> None:
    play = Playbook()
    play.registry.import_tasks([play.task("DEMO-3", members=frozenset({"alice", "bob"}))], now=1)
    bob = play.new_key("bob")

    assert await kind(play, LONG, task="DEMO-1") == "new"
    assert await kind(play, LONG, task="DEMO-2") == "new"
    assert await kind(play, LONG, task="DEMO-3") == "new"
    assert await kind(play, LONG, task="DEMO-3", key=bob) == "new"
    assert await kind(play, LONG, task="DEMO-3", key=bob) == "exact"


async def test_an_entry_carries_the_units_of_its_turn_and_nothing_of_the_history() -> None:
    play = Playbook()
    await play.asks(LONG)
    history = [
        {"role": "user", "content": OTHER},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": LONG},
    ]
    await play.asks(messages=history)

    first, second = intents(play)
    assert first.units == second.units
    assert 5 <= len(first.units) <= 64


async def test_the_decision_log_says_which_call_it_repeats_and_why() -> None:
    play = Playbook()
    await play.asks(LONG)
    await play.asks(SALTED)

    *_, last = play.decisions()
    assert last.alike == "req_" + f"{1:032x}"
    assert last.because
    assert last.facts["likeness.kind"] == "near"


# --- slowed ---------------------------------------------------------------------------


async def test_the_eleventh_copy_at_once_is_told_to_wait_six_seconds() -> None:
    play = Playbook()
    for number in range(11):
        dressed = (LONG, LONG.upper(), SALTED)[number % 3]
        assert await kind(play, dressed) in ("new", "near", "exact")

    admission = await play.admits(LONG)

    refusal = admission.attempt.decision.refusal
    assert refusal is not None
    assert (refusal.code, refusal.rule) == ("near_identical_rate", "near-identical")
    assert 5 < refusal.retry_after_s <= 6.1
    play.now += 6.1
    assert (await play.admits(LONG)).attempt.decision.refusal is None


async def test_a_retry_is_free_only_after_a_failure_seen_here() -> None:
    play = Playbook()
    retries = {b"x-stainless-retry-count": b"3"}
    play.upstream.error = ProviderUnreachable("gone")
    await play.fails(LONG)
    play.upstream.error = None

    assert await kind(play, LONG, headers=retries) == "retry"
    assert await kind(play, LONG, headers=retries) == "exact", "a header alone proves nothing"


# --- shared ---------------------------------------------------------------------------


async def test_calls_at_once_share_one_provider_call_and_cost_once() -> None:
    play = Playbook()
    play.upstream.holds = asyncio.Event()
    jobs = [asyncio.ensure_future(play.asks(LONG)) for _ in range(50)]
    await play.upstream.waiting.wait()
    play.upstream.holds.set()

    answers = await asyncio.gather(*jobs)

    assert {answer.body for answer in answers} == {WHOLE}
    assert len(play.upstream.calls) == 1
    leader, *followers = intents(play)
    assert leader.decision == "forwarded"
    assert {each.decision for each in followers} == {"coalesced"}
    assert {each.coalesced_into for each in followers} == {leader.request_id}
    assert {each.likeness for each in followers} == {"exact"}
    assert {each.units for each in followers} == {leader.units}
    costs = {settle.request_id: settle.cost_usd for settle in settles(play)}
    assert costs.pop(leader.request_id) != "0"
    assert set(costs.values()) == {"0"}
    assert len(costs) == 49
    assert play.quotas.held == 0
    assert play.flights.under_way == 0


async def test_a_late_follower_of_a_stream_gets_it_from_the_first_byte() -> None:
    play = Playbook()
    play.upstream.stream = True
    play.upstream.pieces = (HELLO, HELLO, DONE)
    first = await play.asks(LONG, stream=True)
    assert first.chunks is not None
    seen = [await anext(first.chunks)]

    second = asyncio.ensure_future(play.asks(LONG, stream=True))
    await asyncio.wait([second], timeout=1)
    body = await read(second.result())
    seen += [chunk async for chunk in first.chunks]

    assert body == b"".join(seen) == HELLO + HELLO + DONE
    assert len(play.upstream.calls) == 1


async def test_a_follower_leads_when_the_leader_fails() -> None:
    play = Playbook()
    play.upstream.holds = asyncio.Event()
    play.upstream.pieces = (b"", WHOLE)
    jobs = [asyncio.ensure_future(play.asks(LONG)) for _ in range(3)]
    await play.upstream.waiting.wait()
    jobs[0].cancel()
    play.upstream.holds.set()

    done = await asyncio.gather(*jobs, return_exceptions=True)

    assert isinstance(done[0], asyncio.CancelledError)
    assert [answer.body for answer in done[1:] if isinstance(answer, Answer)] == [WHOLE, WHOLE]


async def test_a_leader_that_is_refused_leaves_the_others_to_try() -> None:
    play = Playbook(
        """
version: 1
rules:
  - {id: few, quota: {calls: 1, per: 1h, by: [principal]}}
reuse: {exact: coalesce}
"""
    )
    await play.asks(OTHER)

    jobs = [asyncio.ensure_future(play.places(LONG)) for _ in range(5)]
    admissions = await asyncio.gather(*jobs)

    assert all(admission.attempt.decision.refusal for admission in admissions)
    assert play.flights.under_way == 0


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7},
        {"top_p": 0.5},
        {"n": 2},
        {"headers": {b"cache-control": b"max-age=0, No-Store"}},
    ],
)
async def test_calls_that_want_an_answer_of_their_own_get_one(options: dict[str, Any]) -> None:
    assert await provider_calls(options, options) == 2


@pytest.mark.parametrize("options", [{"user": "another body"}, {"headers": {b"x-beta": b"1"}}])
async def test_calls_that_differ_in_what_their_provider_sees_share_nothing(
    options: dict[str, Any],
) -> None:
    assert await provider_calls({}, options) == 2


async def test_calls_that_agree_in_it_share_even_where_they_are_sampled_if_the_policy_says() -> (
    None
):
    sampled = {"temperature": 0.7}

    assert await provider_calls({"temperature": 0}, {"temperature": 0}) == 1
    assert await provider_calls(sampled, sampled, open_policy("coalesce_sampled")) == 1


async def provider_calls(
    first: dict[str, Any], second: dict[str, Any], policies: str | None = None
) -> int:
    """Return how often a provider is asked when two calls are made at once."""
    play = Playbook(policies)
    play.upstream.holds = asyncio.Event()
    jobs = [asyncio.ensure_future(play.asks(LONG, **first))]
    await play.upstream.waiting.wait()
    jobs.append(asyncio.ensure_future(play.asks(LONG, **second)))
    await asyncio.wait(jobs[1:], timeout=0.05)
    play.upstream.holds.set()
    await asyncio.gather(*jobs)
    return len(play.upstream.calls)


async def test_the_task_is_no_part_of_what_must_agree() -> None:
    play = Playbook()
    play.upstream.holds = asyncio.Event()
    jobs = [asyncio.ensure_future(play.asks(LONG, task=task)) for task in ("DEMO-1", "DEMO-2")]
    await play.upstream.waiting.wait()
    play.upstream.holds.set()
    await asyncio.gather(*jobs)

    assert len(play.upstream.calls) == 1
    assert {each.task_id for each in intents(play)} == {"DEMO-1", "DEMO-2"}


@pytest.mark.parametrize(("share", "calls"), [("principal", 2), ("team", 1), ("tenant", 1)])
async def test_only_those_the_policy_names_share(share: str, calls: int) -> None:
    play = Playbook(open_policy(share=share))
    bob = play.new_key("bob")
    play.upstream.holds = asyncio.Event()
    jobs = [asyncio.ensure_future(play.asks(LONG, key=key)) for key in (play.key, bob)]
    await play.upstream.waiting.wait()
    await asyncio.wait(jobs, timeout=0.05)
    play.upstream.holds.set()
    await asyncio.gather(*jobs)

    assert len(play.upstream.calls) == calls


async def test_a_kept_reply_answers_until_its_time_is_over() -> None:
    play = Playbook(open_policy("store", ttl="60s"))
    first = await play.asks(LONG)
    again = await play.asks(LONG)
    play.now += 61
    late = await play.asks(LONG)

    assert first.body == again.body == late.body == WHOLE
    assert len(play.upstream.calls) == 2
    forwarded, reused, _ = intents(play)
    assert (reused.decision, reused.coalesced_into) == ("reused", forwarded.request_id)
    assert settles(play)[1].cost_usd == "0"


async def test_a_stream_is_kept_too_and_a_reply_with_a_tool_call_is_not() -> None:
    play = Playbook(open_policy("store", ttl="60s"))
    play.upstream.stream = True
    play.upstream.pieces = (HELLO, DONE)
    bodies = [await read(await play.asks(LONG, stream=True)) for _ in range(2)]
    assert bodies == [HELLO + DONE] * 2
    assert len(play.upstream.calls) == 1

    tool = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"1"}]}}]}\n\n'
    play.upstream.pieces = (tool, DONE)
    for _ in range(2):
        await read(await play.asks(OTHER, stream=True))
    assert len(play.upstream.calls) == 3


async def test_a_kept_reply_nobody_can_read_is_as_good_as_none() -> None:
    play = Playbook(open_policy("store", ttl="60s"))
    await play.asks(LONG)
    keep = play.quotas.keep
    share = (await play.admits(OTHER)).boarding
    assert share is not None
    await keep(share.flight.share, b"of another version", 60)

    answer = await play.asks(OTHER)

    assert answer.body == WHOLE
    assert len(play.upstream.calls) == 2


class Elsewhere:
    """A relay to a replica that answers with `found`."""

    def __init__(self, found: Any) -> None:
        self.found = found
        self.asked: list[str] = []

    async def follow(self, share: bytes, leader: str) -> Any:
        """Return what is there."""
        self.asked.append(leader)
        return self.found


class Remote:
    """Another replica's reply."""

    request_id = "req_of_another"
    status = 200
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),)
    stream = False

    def __init__(self) -> None:
        self.chunks = self._chunks()

    async def _chunks(self) -> Any:
        yield WHOLE

    async def close(self) -> None:
        """Do nothing."""


def led_elsewhere(play: Playbook, found: Any, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Have the store say, for calls that share, that another replica leads."""
    relay = Elsewhere(found)
    monkeypatch.setattr(play.flights, "_relay", relay)
    observe = play.quotas.observe

    async def told(sighting: Sighting, offers: Offers, now: float) -> Observation:
        seen = await observe(msgspec.structs.replace(sighting, following=True), offers, now)
        return msgspec.structs.replace(seen, leader="other") if sighting.share else seen

    monkeypatch.setattr(play.quotas, "observe", told)
    return relay


async def test_a_reply_under_way_in_another_replica_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = Playbook()
    relay = led_elsewhere(play, Remote(), monkeypatch)

    answer = await play.asks(LONG)

    assert answer.body == WHOLE
    assert relay.asked == ["other"]
    assert not play.upstream.calls
    (intent,) = intents(play)
    assert (intent.decision, intent.coalesced_into) == ("coalesced", "req_of_another")


async def test_a_replica_that_has_it_no_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Playbook()
    led_elsewhere(play, None, monkeypatch)

    answer = await play.asks(LONG)

    assert answer.body == WHOLE
    assert len(play.upstream.calls) == 1
    assert play.quotas.held == 0


# --- when something fails -------------------------------------------------------------


async def test_a_store_that_fails_closed_leaves_no_flight_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = Playbook()

    async def away(*_: object) -> Observation:
        raise StoreUnavailable("away")

    monkeypatch.setattr(play.quotas, "observe", away)
    error = await play.fails(LONG)

    assert error.code == "store_unavailable"
    assert play.flights.under_way == 0


async def test_a_call_the_rules_forbid_is_not_looked_at() -> None:
    play = Playbook()
    admission = await play.admits(LONG, task=None)

    assert admission.attempt.verdict is None
    assert admission.reservation == Reservation(id=0)


async def test_without_sharing_repeats_are_recognised_all_the_same() -> None:
    play = Playbook(open_policy("off"))

    kinds = [await kind(play, text) for text in (LONG, LONG, "yes")]

    assert kinds == ["new", "exact", "short"]
    assert play.flights.under_way == 0


def test_a_reply_of_a_flight_is_a_reply() -> None:
    """The shape `forward` relies on."""
    boarding = sharing.Flights().board(b"", "req")
    empty = Reply(
        status=200, headers=(), chunks=Remote().chunks, close=Remote().close, stream=False
    )
    assert boarding.carry(empty).status == 200


async def test_a_leader_knows_whether_it_is_followed() -> None:
    play = Playbook()
    leader = await play.places(LONG)
    assert not leader.followed
    follower = asyncio.ensure_future(play.places(LONG))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert leader.followed

    leader.close()
    (await follower).close()
    assert not (await play.places(LONG, n=2)).followed


async def test_a_stream_without_an_end_is_not_kept() -> None:
    play = Playbook(open_policy("store", ttl="60s"))
    play.upstream.stream = True
    play.upstream.pieces = (HELLO,)

    bodies = [await read(await play.asks(LONG, stream=True)) for _ in range(2)]

    assert bodies == [HELLO, HELLO]
    assert len(play.upstream.calls) == 2
    assert {settle.completion for settle in settles(play)} == {"truncated"}


async def test_a_provider_out_of_reach_is_told_to_a_call_that_shares_nothing() -> None:
    play = Playbook(open_policy("off"))
    play.upstream.error = ProviderUnreachable("gone")

    assert (await play.fails(LONG)).code == "provider_unreachable"


async def test_a_kept_reply_is_no_way_around_what_a_key_may_use() -> None:
    play = Playbook(open_policy("store", ttl="60s"))
    await play.asks(LONG)
    narrow = play.new_key("alice", models=["another"])

    admission = await play.places(LONG, key=narrow)

    refusal = admission.attempt.decision.refusal
    assert refusal is not None
    assert refusal.code == "model_not_allowed"
    assert play.flights.under_way == 0


async def test_what_was_drawn_is_given_back_when_a_call_ends_on_its_way_to_another_replica(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play = Playbook()
    relay = led_elsewhere(play, None, monkeypatch)

    async def gone(_share: bytes, _leader: str) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(relay, "follow", gone)

    with pytest.raises(asyncio.CancelledError):
        await play.places(LONG)

    assert play.quotas.held == 0
    assert play.flights.under_way == 0

"""What the line does with one call, told with the reference stores."""

import asyncio
from decimal import Decimal

import pytest

from gateway import ledger
from gateway.errors import InvalidRequest, ProviderTimeout, TaskConflict, UnknownCredential
from gateway.values import Task
from tests.playbook import Playbook


@pytest.fixture
def play() -> Playbook:
    return Playbook()


async def test_a_linked_call_leaves_an_intent_and_a_settle(play: Playbook) -> None:
    answer = await play.asks()

    intent, settle = play.entries()
    assert answer.status == 200
    assert isinstance(intent, ledger.Intent)
    assert isinstance(settle, ledger.Settle)
    assert intent.attempt_id == settle.attempt_id
    assert (intent.task_id, intent.evidence, intent.task_source) == ("DEMO-1", "verified", "header")
    assert (settle.input_tokens, settle.output_tokens, settle.usage_basis) == (5, 7, "reported")
    assert settle.completion == "complete"
    assert Decimal(settle.cost_usd) == Decimal("0.0000825")


async def test_nobody_is_named_in_the_ledger(play: Playbook) -> None:
    await play.asks("a canary in the prompt")

    assert all(b"alice" not in line and b"canary" not in line for line in play.ledger.leaves())


async def test_a_call_without_a_task_never_reaches_a_provider(play: Playbook) -> None:
    admission = await play.admits(task=None)

    refusal = admission.attempt.decision.refusal
    assert refusal is not None
    assert refusal.code == "task_required"
    assert "goodgate task start" in refusal.message
    assert play.upstream.calls == []
    assert play.entries() == []


async def test_what_was_refused_without_a_task_is_counted_and_names_nobody(play: Playbook) -> None:
    await play.admits(task=None)

    ((key, total),) = play.ledger.cost_hours(ledger.Query())
    assert key.reason == "task_required"
    assert total.calls == 1
    assert total.tokens == 0


async def test_a_refusal_with_a_verified_task_is_an_entry(play: Playbook) -> None:
    key = play.new_key("alice", models=["gpt-4o-mini"])

    admission = await play.admits(key=key)

    (entry,) = play.entries()
    assert isinstance(entry, ledger.Refusal)
    assert entry.code == "model_not_allowed"
    assert admission.attempt.decision.refusal is not None
    assert "gpt-4o-mini" in admission.attempt.decision.refusal.message


@pytest.mark.parametrize(
    ("task", "code"),
    [("NOPE-1", "task_unknown"), ("DEMO-8", "task_closed"), ("DEMO-9", "task_not_yours")],
)
async def test_each_way_a_task_falls_short_has_its_own_code(
    play: Playbook, task: str, code: str
) -> None:
    closed = play.task("DEMO-8", status="closed", closed_at=play.now - 25 * 3600)
    foreign = play.task("DEMO-9", members=frozenset({"bob"}))
    play.registry.import_tasks([closed, foreign], now=play.now)

    admission = await play.admits(task=task)

    assert admission.attempt.decision.refusal is not None
    assert admission.attempt.decision.refusal.code == code


async def test_a_task_closed_an_hour_ago_is_served_and_not_verified(play: Playbook) -> None:
    recent = play.task("DEMO-8", status="closed", closed_at=play.now - 3600)
    play.registry.import_tasks([recent], now=play.now)

    answer = await play.asks(task="DEMO-8")

    assert answer.status == 200
    assert play.entries() == []
    ((key, total),) = play.ledger.cost_hours(ledger.Query())
    assert key.reason == "closed"
    assert total.tokens == 12


async def test_two_different_tasks_are_a_conflict(play: Playbook) -> None:
    with pytest.raises(TaskConflict):
        await play.admits(task="DEMO-1", metadata={"task_id": "DEMO-2"})


async def test_a_session_is_pinned_by_the_first_task_it_names(play: Playbook) -> None:
    session = {b"x-claude-code-session-id": b"0123456789abcdef"}
    await play.admits(task="DEMO-2", headers=session)

    admission = await play.admits(task=None, headers=session)

    assert admission.attempt.link.task_id == "DEMO-2"
    assert admission.attempt.link.source == "session"
    assert admission.attempt.link.evidence == "verified"


async def test_the_active_task_of_a_key_is_used_when_nothing_is_named(play: Playbook) -> None:
    key_id = play.key.split("_")[1]
    play.registry.set_active(key_id, "DEMO-1", play.now)

    admission = await play.admits(task=None)

    assert admission.attempt.link.source == "active"


async def test_a_signed_credential_behind_the_key_names_the_task(play: Playbook) -> None:
    key_id = play.key.split("_")[1]
    credential = play.credentials.issue(key_id=key_id, task_id="DEMO-2", expires_at=play.now + 60)

    admission = await play.admits(task=None, key=f"{play.key}~{credential}")

    assert admission.attempt.link.task_id == "DEMO-2"
    assert admission.attempt.link.source == "credential"


async def test_without_a_good_key_nothing_is_read(play: Playbook) -> None:
    with pytest.raises(UnknownCredential):
        await play.admits(key="gg_nobody_nothing")


async def test_a_body_that_is_no_call_leaves_nothing(play: Playbook) -> None:
    with pytest.raises(InvalidRequest):
        await play.admits(stream="maybe")
    assert play.entries() == []
    assert play.quotas.held == 0


async def test_a_provider_out_of_reach_is_settled_as_failed_and_costs_nothing(
    play: Playbook,
) -> None:
    play.upstream.error = ProviderTimeout("no answer")

    error = await play.fails()

    _, settle = play.entries()
    assert isinstance(error, ProviderTimeout)
    assert isinstance(settle, ledger.Settle)
    assert (settle.completion, settle.cost_usd, settle.status) == ("failed", "0", 0)
    assert play.quotas.held == 0
    assert play.tally.provider_errors["scripted", "provider_timeout"] == 1


async def test_an_error_of_the_provider_passes_and_costs_nothing(play: Playbook) -> None:
    play.upstream.status = 429
    play.upstream.pieces = (b'{"error":{"message":"slow down"}}',)

    answer = await play.asks()

    _, settle = play.entries()
    assert (answer.status, answer.body) == (429, b'{"error":{"message":"slow down"}}')
    assert isinstance(settle, ledger.Settle)
    assert (settle.completion, settle.status, settle.cost_usd) == ("failed", 429, "0")


async def test_the_decision_log_has_facts_of_every_call_and_no_name(play: Playbook) -> None:
    await play.asks()
    await play.admits(task=None)

    linked, unlinked = play.decisions()
    assert linked.effect == "permit"
    assert (unlinked.effect, unlinked.code) == ("forbid", "task_required")
    assert linked.facts["task.id"] == "DEMO-1"
    assert "alice" not in str(linked.facts)
    assert linked.principal == unlinked.principal


async def test_a_quota_says_when_the_next_call_fits(play: Playbook) -> None:
    play = Playbook(
        "version: 1\nrules:\n  - {id: slow, quota: {calls: 1, per: 10s, by: [principal]}}\n"
    )
    await play.asks()

    admission = await play.admits()

    refusal = admission.attempt.decision.refusal
    assert refusal is not None
    assert refusal.code == "quota_exceeded"
    assert refusal.retry_after_s == pytest.approx(10, abs=0.01)
    play.now += 10.01
    assert (await play.admits()).attempt.decision.refusal is None


async def test_a_budget_counts_what_was_used_and_not_what_was_reserved(play: Playbook) -> None:
    play = Playbook(
        "version: 1\nrules:\n  - {id: cap, budget: {tokens: 1000, period: day, by: [task]}}\n"
    )
    for _ in range(20):
        answer = await play.asks(max_tokens=100)
        assert answer.status == 200
    assert play.quotas.held == 0

    refused = await play.admits(max_tokens=900)

    assert refused.attempt.decision.refusal is not None
    assert refused.attempt.decision.refusal.code == "quota_exceeded"


async def test_a_catalogue_that_changes_changes_the_digest_in_the_entry(play: Playbook) -> None:
    await play.asks()
    play.registry.import_tasks([Task(id="NEW-1", spelling="NEW-1", root_id="NEW-1")], now=play.now)
    await play.asks()

    digests = {entry.catalogue for entry in play.entries() if isinstance(entry, ledger.Intent)}
    assert len(digests) == 2


async def test_a_condition_that_errs_matches_for_a_forbid_and_is_counted() -> None:
    play = Playbook(
        "version: 1\nrules:\n"
        "  - {id: odd, when: 1 / (call.choices - 1) > 0, effect: forbid, message: No.}\n"
    )

    admission = await play.admits()

    assert admission.attempt.decision.effect == "forbid"
    assert play.tally.condition_errors == 1


async def test_a_call_cancelled_before_the_provider_answered_is_settled() -> None:
    play = Playbook()
    play.upstream.error = asyncio.CancelledError()

    with pytest.raises(asyncio.CancelledError):
        await play.asks()

    settle = play.entries()[-1]
    assert isinstance(settle, ledger.Settle)
    assert (settle.completion, settle.cost_usd) == ("cancelled", "0")

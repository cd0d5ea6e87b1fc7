"""
From what is known of a call to the records it leaves.

A call whose task is verified leaves an `intent` and a `settle`, or one `refusal`.
Every other call leaves a `cost_intent` and a `cost_settle`, on which there is no person.
"""

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeAlias

from gateway.ledger.entry import CostIntent, CostSettle, Intent, Refusal, Settle
from gateway.ledger.noted import DecisionRecord, Level, SettledRecord
from gateway.values import Attempt, Facts, Reading, Result

Stamp: TypeAlias = tuple[str, int]
"""A replica's name and its next sequence number."""

_HOUR_S = 3600


def is_linked(attempt: Attempt) -> bool:
    """Return whether a call counts as usage: only a verified task makes it so."""
    return attempt.link.evidence == "verified"


def money(amount: Decimal) -> str:
    """Return an amount in plain digits: `0.0000015`, never `1.5E-6`."""
    return format(amount, "f") if amount else "0"


def intent(attempt: Attempt, commitment: str, stamp: Stamp) -> Intent | CostIntent:
    """Return the record of a call about to be sent."""
    if not is_linked(attempt):
        return _cost_intent(attempt, stamp, attempt.link.problem or attempt.link.evidence)
    call, link, reserve = attempt.call, attempt.link, attempt.reserve
    return Intent(
        attempt_id=attempt.attempt_id,
        catalogue=attempt.catalogue,
        cluster=_cluster(attempt, commitment),
        coalesced_into=attempt.shares or None,
        decision=attempt.served,
        evidence=link.evidence,
        likeness=_likeness(attempt),
        model_requested=call.model,
        model_served=attempt.target.model,
        policy=attempt.decision.policy,
        principal=commitment,
        prices=attempt.prices,
        provider=attempt.target.provider,
        received_at_us=attempt.received_at_us,
        replica=stamp[0],
        replica_seq=stamp[1],
        request_id=attempt.request_id,
        reserved_cost_usd=money(reserve.cost_usd),
        reserved_input_tokens=reserve.input_tokens,
        reserved_output_tokens=reserve.output_tokens,
        retry_count=_retry_count(attempt),
        root_id=link.root_id,
        route=call.inbound.route.name,
        rules=attempt.decision.reasons,
        stream=call.stream,
        task_id=link.task_id,
        task_source=link.source,
        team=attempt.principal.team,
        tenant=attempt.principal.tenant,
        units=attempt.units,
    )


def settle(attempt: Attempt, result: Result, stamp: Stamp) -> Settle | CostSettle:
    """Return the record of what a sent call came to."""
    usage = result.usage
    if not is_linked(attempt):
        return CostSettle(
            attempt_id=attempt.attempt_id,
            cost_usd=money(result.cost_usd),
            replica=stamp[0],
            replica_seq=stamp[1],
            tokens=usage.input_tokens + usage.output_tokens,
        )
    first = result.first_token_us
    return Settle(
        attempt_id=attempt.attempt_id,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        completion=result.completion,
        cost_usd=money(result.cost_usd),
        first_token_ms=None if first is None else first // 1000,
        input_tokens=usage.input_tokens,
        latency_ms=max(0, result.settled_at_us - attempt.received_at_us) // 1000,
        output_tokens=usage.output_tokens,
        prices=attempt.prices,
        reasoning_tokens=usage.reasoning_tokens,
        replica=stamp[0],
        replica_seq=stamp[1],
        request_id=attempt.request_id,
        settled_at_us=result.settled_at_us,
        status=result.status,
        usage_basis=usage.basis,
    )


def refusal(attempt: Attempt, commitment: str, stamp: Stamp) -> Refusal | CostIntent:
    """Return the record of a call that was turned away."""
    assert attempt.decision.refusal is not None
    code = attempt.decision.refusal.code
    if not is_linked(attempt):
        return _cost_intent(attempt, stamp, code, settled=True)
    call, link = attempt.call, attempt.link
    return Refusal(
        attempt_id=attempt.attempt_id,
        catalogue=attempt.catalogue,
        cluster=_cluster(attempt, commitment),
        code=code,
        evidence=link.evidence,
        likeness=_likeness(attempt),
        model_requested=call.model,
        policy=attempt.decision.policy,
        principal=commitment,
        received_at_us=attempt.received_at_us,
        replica=stamp[0],
        replica_seq=stamp[1],
        request_id=attempt.request_id,
        root_id=link.root_id,
        route=call.inbound.route.name,
        rules=attempt.decision.reasons,
        stream=call.stream,
        task_id=link.task_id,
        task_source=link.source,
        team=attempt.principal.team,
        tenant=attempt.principal.tenant,
    )


def decision(
    attempt: Attempt, facts: Facts, readings: Sequence[Reading], weekly: Callable[[str, int], str]
) -> DecisionRecord:
    """
    Return the line of the decision log for a call, linked or not.

    `weekly` gives the pseudonym of a name in the week of a moment (Unix microseconds).
    """
    made, verdict, reserve, at_us = (
        attempt.decision,
        attempt.verdict,
        attempt.reserve,
        attempt.received_at_us,
    )
    pseudonym = weekly(attempt.principal.id, at_us)
    return DecisionRecord(
        alike=verdict.earlier if verdict else "",
        at_us=at_us,
        because=verdict.reason if verdict else "",
        # A rule that refuses is always among the reasons.
        by_key=made.effect == "forbid" and not made.reasons,
        code="" if made.refusal is None else made.refusal.code,
        compared=verdict is not None,
        effect=made.effect,
        facts=facts
        | {
            "likeness.cluster": _cluster(attempt, pseudonym) or "",
            "principal.id": pseudonym,
            "principal.key_id": weekly(f"key {attempt.principal.key_id}", at_us),
        },
        levels=tuple([_level(reading) for reading in readings if not reading.draw.meter]),
        model=attempt.target.model,
        policy=made.policy,
        principal=pseudonym,
        provider=attempt.target.provider,
        reasons=made.reasons,
        request_id=attempt.request_id,
        reserved_cost_usd=money(reserve.cost_usd),
        reserved_input_tokens=reserve.input_tokens,
        reserved_output_tokens=reserve.output_tokens,
        route=made.terms.rule,
        served=attempt.served,
        would_have=made.would_have,
    )


def settled(attempt: Attempt, result: Result, cost_nano_usd: int) -> SettledRecord:
    """Return the line of the decision log for what a call came to."""
    return SettledRecord(
        at_us=result.settled_at_us,
        cost_nano_usd=cost_nano_usd,
        failed=result.completion in {"failed", "truncated"},
        input_tokens=result.usage.input_tokens,
        output_tokens=result.usage.output_tokens,
        request_id=attempt.request_id,
    )


def released(attempt: Attempt, at_us: int) -> SettledRecord:
    """Return the line of the decision log for a call that was not made after all."""
    return SettledRecord(
        at_us=at_us,
        cost_nano_usd=0,
        input_tokens=0,
        output_tokens=0,
        released=True,
        request_id=attempt.request_id,
    )


def _level(reading: Reading) -> Level:
    return Level(
        rule=reading.draw.rule,
        amount=reading.draw.amount,
        remaining=reading.remaining,
        taken=reading.taken,
        retry_after_s=reading.retry_after_s,
    )


def _cost_intent(
    attempt: Attempt, stamp: Stamp, reason: str, *, settled: bool = False
) -> CostIntent:
    received_s = attempt.received_at_us // 1_000_000
    reserve = attempt.reserve
    return CostIntent(
        attempt_id=attempt.attempt_id,
        hour=received_s - received_s % _HOUR_S,
        model=attempt.call.model,
        reason=reason,
        replica=stamp[0],
        replica_seq=stamp[1],
        reserved_cost_usd="0" if settled else money(reserve.cost_usd),
        reserved_tokens=0 if settled else reserve.input_tokens + reserve.output_tokens,
        settled=settled,
        team=attempt.principal.team,
    )


def _likeness(attempt: Attempt) -> str | None:
    return attempt.verdict.kind if attempt.verdict else None


def _cluster(attempt: Attempt, pseudonym: str) -> str | None:
    """
    Return the cluster as this pseudonym's.

    A prompt keeps its cluster as long as its scope; a person's next commitment must not be
    found by it, so the record has another one for each.
    """
    cluster = attempt.verdict.cluster if attempt.verdict else ""
    if not cluster:
        return None
    key = hashlib.sha256(pseudonym.encode()).digest()
    return hashlib.blake2b(cluster.encode(), digest_size=8, key=key).hexdigest()


def _retry_count(attempt: Attempt) -> int:
    text = attempt.call.inbound.headers.get(b"x-stainless-retry-count", b"0")
    return int(text) if text.isdigit() and len(text) <= 3 else 0  # noqa: PLR2004  # 999 is plenty

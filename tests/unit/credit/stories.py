"""Leaves of made-up roots: calls, outcomes and valuations, by the one word that matters."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from gateway import credit, ledger
from gateway.credit import Statement
from gateway.policy import CreditParameters

DAY_US = 86_400 * 1_000_000
NOW_US = 1_795_000_000_000_000
LATER_US = NOW_US + 400 * DAY_US
POLICY = "sha256:0123456789abcdef"
PARAMETERS = CreditParameters()
POLICIES = {POLICY: PARAMETERS}


def call(number: int, units: Iterable[int], **changes: Any) -> list[ledger.Leaf]:
    """Return the leaves of a call that was completed and asked some units."""
    end = {name: changes.pop(name) for name in ("completion", "cost_usd") if name in changes}
    intent = ledger.Intent(
        **{
            "attempt_id": f"att_{number:032x}",
            "catalogue": "sha256:0",
            "cluster": None,
            "coalesced_into": None,
            "decision": "forwarded",
            "evidence": "verified",
            "likeness": None,
            "model_requested": "fast",
            "model_served": "gpt-5-mini",
            "policy": POLICY,
            "principal": "c" * 32,
            "prices": "sha256:0",
            "provider": "local",
            "received_at_us": NOW_US + number,
            "replica": "r1",
            "replica_seq": 1,
            "request_id": f"req_{number}",
            "reserved_cost_usd": "1",
            "reserved_input_tokens": 1,
            "reserved_output_tokens": 1,
            "retry_count": 0,
            "root_id": "PAY-1",
            "route": "chat",
            "rules": (),
            "stream": False,
            "task_id": "PAY-1",
            "task_source": "header",
            "team": "payments",
            "tenant": "default",
            "units": tuple(sorted(f"{each:016x}" for each in set(units))),
        }
        | changes
    )
    return [intent, settle(intent.attempt_id, **end)]


def settle(attempt_id: str, **changes: Any) -> ledger.Settle:
    """Return the leaf a call ends with."""
    fields: dict[str, Any] = {
        "attempt_id": attempt_id,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "completion": "complete",
        "cost_usd": "0.5",
        "first_token_ms": None,
        "input_tokens": 10,
        "latency_ms": 1,
        "output_tokens": 10,
        "prices": "sha256:0",
        "reasoning_tokens": 0,
        "replica": "r1",
        "replica_seq": 2,
        "request_id": "req",
        "settled_at_us": NOW_US,
        "status": 200,
        "usage_basis": "reported",
    }
    return ledger.Settle(**{**fields, **changes})


def adjust(attempt_id: str, **changes: Any) -> ledger.Adjust:
    """Return the leaf a call that had been given up ends with after all."""
    end = settle(attempt_id, **changes)
    names = [name for name in ledger.Settle.__struct_fields__ if name not in {"kind", "n"}]
    return ledger.Adjust(reason="late", **{name: getattr(end, name) for name in names})


def outcome(number: int = 0, event: str = "merged", **changes: Any) -> ledger.Outcome:
    """Return an outcome that is an acceptance, unless it is changed into something else."""
    at_us = changes.pop("at_us", NOW_US + DAY_US)
    fields: dict[str, Any] = {
        "at_us": at_us,
        "attempt_id": f"out_{number}",
        "author": "alice",
        "beneficiaries": ("alice", "owner"),
        "catalogue": "sha256:0",
        "creator": "owner",
        "event": event,
        "evidence": "https://tracker.example/acme/web/pull/7",
        "linked_by": "keyword",
        "occurred_at_us": at_us,
        "policy": POLICY,
        "replica": "r1",
        "replica_seq": 3,
        "reviewers": ("bob",),
        "root_id": "PAY-1",
        "subject": "ACME.WEB-7",
        "task_id": "PAY-1",
        "team": "payments",
        "tracker": "forge",
    }
    return ledger.Outcome(**{**fields, **changes})


def valuation(
    n: int = 0, value: str = "1", weights: Sequence[tuple[str, str]] = (), **changes: Any
) -> ledger.Valuation:
    """Return what the root is worth; without a value nobody set one."""
    root_id = changes.get("root_id", "PAY-1")
    fields: dict[str, Any] = {
        "at_us": NOW_US,
        "attempt_id": f"val_{root_id}",
        "beneficiaries": ("alice", "owner"),
        "by_bot": False,
        "catalogue": "sha256:0",
        "n": n,
        "policy": POLICY,
        "replica": "r1",
        "replica_seq": 4,
        "root_id": root_id,
        "team": "payments",
        "team_size": 4,
        "value": value,
        "valued_by": "cfo" if value else "",
        "weights": tuple(ledger.Weight(*each) for each in weights or ((root_id, "1"),)),
    }
    return ledger.Valuation(**{**fields, **changes})


def stated(leaves: Iterable[ledger.Leaf], as_of_us: int = LATER_US) -> Statement:
    """Return the credit of some leaves as the sequencer works it out, one at a time."""
    folded = credit.Credit()
    seen: list[ledger.Leaf] = []
    for leaf in leaves:
        seen.append(leaf)
        again = folded.take(leaf)
        if again:
            folded.refold(again, of_root(seen, again))
    return credit.statement(folded.roots, POLICIES, as_of_us)


def recomputed(leaves: Sequence[ledger.Leaf], as_of_us: int = LATER_US) -> Statement:
    """Return the credit of a whole log as an auditor works it out."""
    return credit.statement(credit.recompute(lambda: leaves).roots, POLICIES, as_of_us)


def of_root(leaves: Iterable[ledger.Leaf], root_id: str) -> list[ledger.Leaf]:
    """Return the calls of a root."""
    attempts: set[str] = set()
    found: list[ledger.Leaf] = []
    for leaf in leaves:
        if isinstance(leaf, ledger.Intent) and leaf.root_id == root_id:
            attempts.add(leaf.attempt_id)
        if leaf.attempt_id in attempts:
            found.append(leaf)
    return found


def total(leaves: Iterable[ledger.Leaf]) -> Decimal:
    """Return all credit of some leaves."""
    return stated(leaves).total


def flat(calls: Iterable[list[ledger.Leaf]]) -> list[ledger.Leaf]:
    """Return the leaves of some calls."""
    return [leaf for each in calls for leaf in each]


ACCEPTED: tuple[ledger.Leaf, ...] = (valuation(), outcome())
"""What makes the one root worth 1, all of it accepted."""

UNITS = st.sets(st.integers(0, 200), max_size=70)
WORK = st.lists(UNITS, max_size=6)
"""What some calls asked."""

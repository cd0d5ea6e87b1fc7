"""Lines of a decision log, as short as a test can say them."""

from typing import Any

from gateway import ledger, policy
from gateway.rehearsal.trials.situations import AT, whole

AT_US = round(AT * 1_000_000)
NONE = "version: 1\nrules: []\n"


def rules(*lines: str, more: str = "") -> policy.PolicySet:
    """Return policies made of rules, a line each."""
    listed = "\n".join(f"  - {line}" for line in lines)
    text = f"version: 1\n{more}\nrules:\n{listed}\n" if lines else NONE + more
    return policy.load([("policies/a.yaml", text)])


def request_id(number: int, at_us: int = AT_US) -> str:
    """Return an id made at a moment."""
    return f"req_{at_us // 1000:012x}7000a{number:015x}"


def decision(
    number: int, *, seconds: float = 0.0, facts: dict[str, Any] | None = None, **changes: Any
) -> ledger.DecisionRecord:
    """Return a permitted call, as it would be recorded; `facts` are those that are unusual."""
    at_us = AT_US + round(seconds * 1_000_000)
    known = {
        name: fact
        for name, fact in whole(facts or {}, at_us / 1e6).items()
        if not name.startswith("usage.") or name in (facts or {})
    }
    fields: dict[str, Any] = {
        "at_us": at_us,
        "code": "",
        "effect": "permit",
        "facts": known,
        "model": known["call.model"],
        "policy": "sha256:old",
        "principal": known["principal.id"],
        "provider": "openai",
        "reasons": (),
        "request_id": request_id(number, at_us),
        "reserved_cost_usd": str(known["call.cost_usd_max"]),
        "reserved_input_tokens": known["call.input_tokens"],
        "reserved_output_tokens": known["call.output_tokens_max"],
        "would_have": (),
    }
    return ledger.DecisionRecord(**(fields | changes))


def settled(
    record: ledger.DecisionRecord, *, after_s: float = 1.0, **changes: Any
) -> ledger.SettledRecord:
    """Return what a call came to: 100 tokens in, 50 out, two tenths of a cent."""
    fields: dict[str, Any] = {
        "at_us": record.at_us + round(after_s * 1_000_000),
        "cost_nano_usd": 2_000_000,
        "input_tokens": 100,
        "output_tokens": 50,
        "request_id": record.request_id,
    }
    return ledger.SettledRecord(**(fields | changes))


def started(*, seconds: float = 0.0, shared: bool = False) -> ledger.StartedRecord:
    """Return that a gateway was started."""
    at_us = AT_US + round(seconds * 1_000_000)
    return ledger.StartedRecord(at_us=at_us, replica="r1", shared=shared)

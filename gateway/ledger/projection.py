"""
Leaves as auditors read them: one row per call, joined from its intent and its settle.

The names of a row are fixed (design section 4), so that scripts written today still work.
While a call is open its numbers are null and `index` is the intent's; once it is settled
`index` is the settle's. A row of the store carries the commitment as `principal`; who may
see what instead is for `reports` to say.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any, TypeAlias

from gateway.errors import ConfigError
from gateway.ledger.entry import Adjust, Intent, Refusal, Settle
from gateway.ledger.query import Query
from gateway.values import BudgetUnit

Row: TypeAlias = dict[str, Any]
"""One call, by the names of `COLUMNS`."""

COLUMNS: Sequence[str] = (
    "index",
    "request_id",
    "attempt_id",
    "received_at",
    "principal",
    "team",
    "tenant",
    "task_id",
    "root_id",
    "task_source",
    "evidence",
    "route",
    "model_requested",
    "model_served",
    "provider",
    "stream",
    "likeness",
    "cluster",
    "units_new",
    "decision",
    "rules",
    "policy",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_basis",
    "cost_usd",
    "latency_ms",
    "first_token_ms",
    "completion",
    "retry_count",
    "coalesced_into",
)

SPENT_BY: Mapping[str, str] = {
    "principal.id": "principal",
    "principal.team": "team",
    "task.id": "task_id",
    "task.root": "root_id",
    "call.model": "model_requested",
}
"""Which column of the ledger holds what a budget's `by` names."""

Spent: TypeAlias = list[tuple[tuple[str, ...], int]]
"""Values of the columns asked for, and the sum: calls, tokens, or nano-dollars."""

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_SETTLED = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_basis",
    "cost_usd",
    "latency_ms",
    "first_token_ms",
    "completion",
)
_REFUSED = {
    "input_tokens": 0,
    "output_tokens": 0,
    "cache_read_tokens": 0,
    "cache_write_tokens": 0,
    "reasoning_tokens": 0,
    "cost_usd": "0",
}


def iso(at_us: int) -> str:
    """Return a moment (Unix microseconds) as ISO 8601: `2026-11-23T12:00:00.000000Z`."""
    moment = _EPOCH + datetime.timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def nano_usd(cost_usd: str) -> int:
    """Return an amount of a record in nano-dollars, rounded up."""
    whole, _, fraction = cost_usd.partition(".")
    if not (whole.isdigit() and (fraction.isdigit() or not fraction)):
        return int((Decimal(cost_usd) * 10**9).to_integral_value(ROUND_CEILING))
    nano = int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))
    return nano + 1 if fraction[9:].strip("0") else nano


def row(
    call: Intent | Refusal,
    settle: Settle | Adjust | None,
    index: int | None,
    *,
    units_new: int | None = None,
) -> Row:
    """Return the row of a call; `index` is that of the leaf it stands for, if it has one."""
    found: Row = dict.fromkeys(COLUMNS)
    for name in COLUMNS:
        if hasattr(call, name):
            found[name] = getattr(call, name)
    found |= {
        "index": index,
        "received_at": iso(call.received_at_us),
        "rules": list(call.rules),
        "units_new": units_new,
    }
    if isinstance(call, Refusal):
        found |= {"decision": "refused", "retry_count": 0, **_REFUSED}
    elif settle is not None:
        found |= {name: getattr(settle, name) for name in _SETTLED}
    return found


def matches(query: Query, call: Intent | Refusal, people: Collection[str] | None) -> bool:
    """Return whether a call is asked for; `people` are the commitments allowed, None for all."""
    if isinstance(call, Refusal):
        served, decision = call.model_requested, "refused"
    else:
        served, decision = call.model_served, str(call.decision)
    return (
        query.task in ("", call.task_id, call.root_id)
        and query.team in ("", call.team)
        and query.model in ("", call.model_requested, served)
        and query.decision in ("", decision)
        and (not query.rule or query.rule in call.rules)
        and (people is None or call.principal in people)
        and (query.since_us is None or call.received_at_us >= query.since_us)
        and (query.until_us is None or call.received_at_us < query.until_us)
    )


def orphan(intent: Intent, stamp: tuple[str, int], now_us: int) -> Settle:
    """Return the settle of a call whose process is gone: the most it can have come to."""
    return Settle(
        attempt_id=intent.attempt_id,
        cache_read_tokens=0,
        cache_write_tokens=0,
        completion="unknown_crash",
        cost_usd=intent.reserved_cost_usd,
        first_token_ms=None,
        input_tokens=intent.reserved_input_tokens,
        latency_ms=0,
        output_tokens=intent.reserved_output_tokens,
        prices=intent.prices,
        reasoning_tokens=0,
        replica=stamp[0],
        replica_seq=stamp[1],
        request_id=intent.request_id,
        settled_at_us=now_us,
        status=0,
        usage_basis="estimated",
    )


def spent_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """
    Return the ledger's columns for what a budget is kept by (facts or columns).

    Raises:
        ConfigError: the ledger holds no such thing, so no budget can be counted by it.

    """
    found = tuple(SPENT_BY.get(name, name) for name in columns)
    for name in found:
        if name not in SPENT_BY.values():
            raise ConfigError(
                f"a budget cannot be kept by {name}: the ledger counts by {', '.join(SPENT_BY)}"
            )
    return found


def part(
    call: Intent | Refusal,
    settle: Settle | Adjust,
    columns: Sequence[str],
    unit: BudgetUnit,
    names: Mapping[str, str],
) -> tuple[tuple[str, ...], int]:
    """Return what one call adds to a budget; `names` say who a commitment stands for."""
    person = names.get(call.principal, call.principal)
    values = tuple(person if name == "principal" else getattr(call, name) for name in columns)
    amount = {
        "calls": 1,
        "tokens": settle.input_tokens + settle.output_tokens,
        "cost_usd": nano_usd(settle.cost_usd),
    }[unit]
    return values, amount


def total(parts: Iterable[tuple[tuple[str, ...], int]]) -> Spent:
    """Return the sums of the parts that have the same values, in the order of the values."""
    sums: dict[tuple[str, ...], int] = {}
    for values, amount in parts:
        sums[values] = sums.get(values, 0) + amount
    return sorted(sums.items())

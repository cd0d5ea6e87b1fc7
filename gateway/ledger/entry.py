"""
The records a call leaves.

A call with a verified task leaves two leaves, `intent` and `settle`; a refused one
leaves a single `refusal`. What has no verified task leaves a `cost_intent` and a
`cost_settle` that name nobody and are folded into `cost_hourly`.
"""

from typing import Literal

from msgspec import Struct

SCHEMA_VERSION = 2
"""1: earlier releases, without a tree; there `replica_seq` also counted what is no leaf."""


class Intent(Struct, frozen=True, kw_only=True, gc=False):
    """A call that is about to be sent: durable before the caller sees its first byte."""

    attempt_id: str
    catalogue: str
    """Digest of the catalogue snapshot the link was judged by."""
    cluster: str | None
    """What near and exact repeats of one prompt have in common."""
    coalesced_into: str | None
    """Request id of the call whose reply answered this one."""
    decision: Literal["forwarded", "coalesced", "reused"]
    evidence: str
    kind: Literal["intent"] = "intent"
    likeness: str | None
    model_requested: str
    model_served: str
    n: int = 0
    policy: str
    prices: str
    principal: str
    """A commitment, salted per person and month: never the name."""
    provider: str
    received_at_us: int
    """Unix time in microseconds."""
    replica: str
    replica_seq: int
    """Dense among the leaves of a replica, from 1: a gap is a lost record."""
    request_id: str
    reserved_cost_usd: str
    reserved_input_tokens: int
    reserved_output_tokens: int
    retry_count: int
    """What the caller's SDK says of its own retries; corroboration only."""
    root_id: str
    route: str
    rules: tuple[str, ...]
    schema: int = SCHEMA_VERSION
    stream: bool
    task_id: str
    task_source: str
    team: str
    tenant: str
    units: tuple[str, ...] = ()
    """The 64 smallest keyed hashes of the turn's own 5-grams (design section 7)."""


class Settle(Struct, frozen=True, kw_only=True, gc=False):
    """What a sent call came to: durable before the reply's last byte leaves."""

    attempt_id: str
    cache_read_tokens: int
    cache_write_tokens: int
    completion: str
    cost_usd: str
    first_token_ms: int | None
    input_tokens: int
    kind: Literal["settle"] = "settle"
    latency_ms: int
    n: int = 0
    output_tokens: int
    prices: str
    reasoning_tokens: int
    replica: str
    replica_seq: int
    request_id: str
    schema: int = SCHEMA_VERSION
    settled_at_us: int
    status: int
    """HTTP status of the provider's reply; 0 when there was none."""
    usage_basis: str


class Adjust(Struct, frozen=True, kw_only=True, gc=False):
    """
    What a call came to after all: it had been settled as lost, and then its settle arrived.

    Its figures replace those of the settle, and of an earlier `adjust`.
    """

    attempt_id: str
    cache_read_tokens: int
    cache_write_tokens: int
    completion: str
    cost_usd: str
    first_token_ms: int | None
    input_tokens: int
    kind: Literal["adjust"] = "adjust"
    latency_ms: int
    n: int = 1
    output_tokens: int
    prices: str
    reason: str
    reasoning_tokens: int
    replica: str
    replica_seq: int
    request_id: str
    schema: int = SCHEMA_VERSION
    settled_at_us: int
    status: int
    usage_basis: str


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """A call whose task was verified and that a rule turned away: the effect of rules."""

    attempt_id: str
    catalogue: str
    cluster: str | None = None
    code: str
    evidence: str
    kind: Literal["refusal"] = "refusal"
    likeness: str | None = None
    model_requested: str
    n: int = 0
    policy: str
    principal: str
    received_at_us: int
    replica: str
    replica_seq: int
    request_id: str
    root_id: str
    route: str
    rules: tuple[str, ...]
    schema: int = SCHEMA_VERSION
    stream: bool
    task_id: str
    task_source: str
    team: str
    tenant: str


class CostIntent(Struct, frozen=True, kw_only=True, gc=False):
    """An unlinked call about to be sent, or one refused. It names nobody."""

    attempt_id: str
    hour: int
    """Start of the hour of receipt, Unix seconds."""
    kind: Literal["cost_intent"] = "cost_intent"
    model: str
    reason: str
    """Why it is no usage: the link's problem, or the code of the refusal."""
    replica: str
    replica_seq: int
    """Of a second series: these records are no leaves, and leave no gap among them."""
    reserved_cost_usd: str
    reserved_tokens: int
    settled: bool
    """True for a refusal: there is nothing to come."""
    team: str


class CostSettle(Struct, frozen=True, kw_only=True, gc=False):
    """What an unlinked call came to."""

    attempt_id: str
    cost_usd: str
    kind: Literal["cost_settle"] = "cost_settle"
    replica: str
    replica_seq: int
    tokens: int

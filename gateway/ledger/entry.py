"""
The records a call leaves, and their canonical bytes.

A call with a verified task leaves two leaves, `intent` and `settle`; a refused one
leaves a single `refusal`. What has no verified task leaves a `cost_intent` and a
`cost_settle` that name nobody and are folded into `cost_hourly`.

Canonical means RFC 8785 (JSON Canonicalization Scheme): the fields of every struct, `kind`
among them, stand in the order of their names, numbers are integers, money and other fractions
are strings, and nothing is ever left out. So msgspec's plain encoding of a struct
*is* its canonical form, and a leaf is encoded once, on the line, in a microsecond.
"""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

SCHEMA_VERSION = 1


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
    """Dense per replica, from 1: a gap is a lost record."""
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


class Reveal(Struct, frozen=True, kw_only=True, gc=False):
    """Somebody looked at names: who, when and why."""

    at_us: int
    attempt_id: str
    auditor: str
    """Id of the key, or the operating-system account behind `--data`."""
    filters: str
    kind: Literal["reveal"] = "reveal"
    n: int = 0
    reason: str
    replica: str
    replica_seq: int
    schema: int = SCHEMA_VERSION


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


class Level(Struct, frozen=True, array_like=True, gc=False):
    """What one quota or budget said to a call. In JSON: a list, in this order."""

    rule: str
    amount: int
    """How much the call asked of it: calls, tokens or nano-dollars."""
    remaining: int
    """What was left, once it was taken when it was."""
    taken: bool
    retry_after_s: float


class DecisionRecord(Struct, frozen=True, kw_only=True, gc=False):
    """
    One line of the decision log: what was decided about a call, linked or not, and by what.

    Diagnostics, kept 30 days, in no report and no total.
    """

    alike: str = ""
    """Request id of the earlier call it is like."""
    at_us: int
    because: str = ""
    """Why it was found alike or not, as likeness words it."""
    by_key: bool = False
    """Whether the key, and no rule, refused the call: it may not use the model."""
    code: str
    compared: bool = True
    """False: a rule had refused the call before anybody asked what it is like."""
    effect: str
    facts: dict[str, Any]
    """Every declared fact; `principal.id` and `principal.key_id` are weekly pseudonyms."""
    kind: Literal["decision"] = "decision"
    levels: tuple[Level, ...] = ()
    """What each quota and budget said, the meters of `usage.*` left out."""
    model: str = ""
    """The model the call was sent to, or would have been."""
    policy: str
    principal: str
    """A pseudonym that changes each week."""
    provider: str = ""
    reasons: tuple[str, ...]
    request_id: str
    reserved_cost_usd: str = "0"
    """The most the call could come to as it would be sent; `facts` say the same as asked for."""
    reserved_input_tokens: int = 0
    reserved_output_tokens: int = 0
    route: str = ""
    """Id of the rule that says who answers it; empty when none does."""
    served: str = "forwarded"
    """`forwarded`, or `coalesced` or `reused` when another call's reply was to answer it."""
    would_have: tuple[str, ...]


class SettledRecord(Struct, frozen=True, kw_only=True, gc=False):
    """
    The line of the decision log that says what became of the draws of a decision.

    A call that was refused has one only if something was drawn for it.
    """

    at_us: int
    cost_nano_usd: int
    failed: bool = False
    """Whether the provider failed."""
    input_tokens: int
    kind: Literal["settled"] = "settled"
    output_tokens: int
    released: bool = False
    """Whether all of it was given back: the call was never made."""
    request_id: str


class StartedRecord(Struct, frozen=True, kw_only=True, gc=False):
    """The line of the decision log that says a gateway began to take calls."""

    at_us: int
    kind: Literal["started"] = "started"
    replica: str
    shared: bool
    """Whether quotas are in a store that outlives the gateway: else all of them are empty now."""


Leaf: TypeAlias = (
    Intent
    | Settle
    | Refusal
    | Reveal
    | CostIntent
    | CostSettle
    | DecisionRecord
    | SettledRecord
    | StartedRecord
)

_encoder = msgspec.json.Encoder()


class _Kind(Struct):
    """Which record some bytes hold. (A msgspec tag would always stand first.)"""

    kind: str


_kind_decoder = msgspec.json.Decoder(_Kind)
_decoders: dict[str, msgspec.json.Decoder[Leaf]] = {
    "intent": msgspec.json.Decoder(Intent),
    "settle": msgspec.json.Decoder(Settle),
    "refusal": msgspec.json.Decoder(Refusal),
    "reveal": msgspec.json.Decoder(Reveal),
    "cost_intent": msgspec.json.Decoder(CostIntent),
    "cost_settle": msgspec.json.Decoder(CostSettle),
    "decision": msgspec.json.Decoder(DecisionRecord),
    "settled": msgspec.json.Decoder(SettledRecord),
    "started": msgspec.json.Decoder(StartedRecord),
}


def encode(record: Leaf) -> bytes:
    """Return the canonical bytes of a record (RFC 8785)."""
    return _encoder.encode(record)


def decode(line: bytes) -> Leaf:
    """Return the record some bytes hold; raises msgspec.ValidationError when they hold none."""
    kind = _kind_decoder.decode(line).kind
    decoder = _decoders.get(kind)
    if decoder is None:
        raise msgspec.ValidationError(f"there is no record of the kind {kind[:40]!r}")
    return decoder.decode(line)


class Query(Struct, frozen=True, kw_only=True):
    """What an auditor asks the ledger for. Empty means every one."""

    task: str = ""
    team: str = ""
    principal: str = ""
    model: str = ""
    decision: str = ""
    since_us: int | None = None
    until_us: int | None = None
    limit: int = 1000

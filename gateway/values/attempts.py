"""One attempt to serve a call, and what it came to."""

from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.values.calls import Call
from gateway.values.decisions import Decision, ServedKind
from gateway.values.people import Principal, TaskLink
from gateway.values.replies import Reserve, Target, Usage
from gateway.values.sightings import Verdict

Completion: TypeAlias = Literal["complete", "truncated", "cancelled", "failed", "unknown_crash"]


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt to serve a call: all that is known before anything is sent."""

    request_id: str
    attempt_id: str
    received_at_us: int
    call: Call
    principal: Principal
    link: TaskLink
    target: Target
    reserve: Reserve
    decision: Decision
    verdict: Verdict | None = None
    """None: a rule had refused the call before its likeness was asked for."""
    units: tuple[str, ...] = ()
    """The 64 smallest keyed hashes of the turn's own 5-grams, 16 hex digits each, sorted."""
    served: ServedKind = "forwarded"
    """`coalesced` or `reused` when another call's reply answers it."""
    shares: str = ""
    """Request id of the call whose reply answers it; empty for a forwarded one."""
    catalogue: str
    """Digest of the catalogue the link was judged by."""
    prices: str
    """Digest of the price table."""


class Result(Struct, frozen=True, kw_only=True):
    """What an attempt came to."""

    usage: Usage
    cost_usd: Decimal
    completion: Completion
    status: int
    """HTTP status of the provider's reply; 0 when there was none."""
    settled_at_us: int
    first_token_us: int | None = None
    """From receipt to the first byte of the body; None when there was none."""

"""The records of the decision log: diagnostics, kept 30 days, in no report and no total."""

from typing import Any, Literal

from msgspec import Struct


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

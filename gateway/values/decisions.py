"""What a policy looks at, and what it decides."""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

Effect: TypeAlias = Literal["permit", "throttle", "forbid"]
DisconnectMode: TypeAlias = Literal["drain", "cancel"]
DecisionKind: TypeAlias = Literal["forwarded", "coalesced", "reused", "refused"]
ServedKind: TypeAlias = Literal["forwarded", "coalesced", "reused"]
Facts: TypeAlias = dict[str, Any]
"""Everything a policy may look at, by dotted name (`call.model`); see policy.facts."""


class Obligations(Struct, frozen=True, kw_only=True):
    """What a permit still demands of the gateway, towards the caller."""

    disconnect: DisconnectMode = "drain"
    note: str = ""
    """What the caller is told in `x-goodgate-note`; printable ASCII."""
    reply_headers: tuple[tuple[str, str], ...] = ()
    """Headers added to the reply, sorted by name; names in lower case."""


class Terms(Struct, frozen=True, kw_only=True):
    """How rules want a call sent. Empty: just as its caller asked."""

    rule: str = ""
    """Id of the `route` rule that says who answers it instead; empty: none does."""
    place: str = ""
    """That rule's file:line."""
    model: str = ""
    """The model to ask for instead, as `models` of goodgate.yaml names it."""
    provider: str = ""
    """The provider to ask instead, as `providers` of goodgate.yaml names it."""
    output_tokens_max: int | None = None
    """The most tokens an answer may have, whatever the caller asked for."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers added to what the provider is sent, sorted by name; names in lower case."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a call was turned away, in words its caller can act on."""

    code: str
    message: str
    rule: str = ""
    place: str = ""
    """`policies/default.yaml:14`"""
    retry_after_s: float = 0.0
    """Above 0 only for a throttle."""


class Decision(Struct, frozen=True, kw_only=True):
    """An effect, the rules that brought it about, and the policy that holds them."""

    effect: Effect
    reasons: tuple[str, ...] = ()
    """Ids of the rules that brought the effect about, sorted."""
    would_have: tuple[str, ...] = ()
    """Ids of shadow rules that would have refused."""
    refusal: Refusal | None = None
    obligations: Obligations = Obligations()
    terms: Terms = Terms()
    policy: str = ""
    """Digest of the policy set: `sha256:` and 16 hex digits."""

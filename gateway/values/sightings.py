"""How a call is like an earlier one: what is asked of the store, and what it found."""

from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.values.draws import Draw, Reservation

LikenessKind: TypeAlias = Literal["new", "short", "near", "exact", "retry", "continuation"]


class Sighting(Struct, frozen=True, kw_only=True):
    """A call as the store of likeness sees it: keyed hashes only."""

    tenant: str
    scope: bytes
    """16 bytes that stand for (tenant, principal, task)."""
    request_id: str
    comparable: bool
    """False for short turns and continuations: nothing is looked up, nothing remembered."""
    exact: bytes = b""
    """16 bytes: equal when the normal forms (and the attachments) are, within a scope."""
    features: tuple[bytes, ...] = ()
    """At most 12 of 3 bytes: texts alike share some."""
    words: bytes = b""
    """3 bytes a token: 20 bits of keyed hash and 4 bits of class, big-endian."""
    canonical: bytes = b""
    """16 bytes of all that a retry repeats."""
    share: bytes = b""
    """32 bytes of all that two calls must agree on to share a reply; empty: shares none."""
    stored: bool = False
    """Whether a reply kept for others may answer it."""
    following: bool = False
    """Whether it waits for a reply that is under way in this process already."""

    @property
    def cluster(self) -> str:
        """Return the cluster a text begins when it is like none before it: 16 hex digits."""
        return self.exact[:8].hex()


class Offer(Struct, frozen=True, kw_only=True):
    """What a call draws if it turns out to be of some kind."""

    draws: tuple[Draw, ...] = ()
    forbidden: bool = False
    """A rule refuses calls of that kind: nothing is drawn and nothing remembered."""


class Offers(Struct, frozen=True, kw_only=True):
    """One offer for each thing the store can find out in one round trip."""

    new: Offer
    exact: Offer
    retry: Offer
    shared: Offer
    """For a call that will share a reply, whatever its kind."""


class Earlier(Struct, frozen=True, kw_only=True):
    """A call that is remembered."""

    request_id: str
    cluster: str
    words: bytes = b""


class Observation(Struct, frozen=True, kw_only=True):
    """What the store found out about a sighting, and drew for it."""

    kind: Literal["new", "exact", "retry", "undecided", "unknown"]
    """undecided: there are candidates, and nothing was drawn yet. unknown: not comparable."""
    reservation: Reservation
    earlier: Earlier | None = None
    """For `exact` and `retry`: whom it repeats."""
    candidates: tuple[Earlier, ...] = ()
    """For `undecided`: at most 3, likest first."""
    leader: str = ""
    """The replica that waits for the same reply now; empty: nobody else does."""
    reply: bytes = b""
    """A reply kept for calls like this one, as `keep` was given it."""


class Verdict(Struct, frozen=True, kw_only=True):
    """How a call is like an earlier one of its scope."""

    kind: LikenessKind
    cluster: str = ""
    """What alike calls have in common; 16 hex digits, empty when it was not compared."""
    earlier: str = ""
    """Request id of the call it is like."""
    reason: str = ""
    """Why, as a short stable phrase; never a word of the prompt."""

"""
What the line needs from outside.

Each port is as narrow as the one caller that uses it. The memory store is the
reference; `tests/stores` holds every other store to the same behaviour.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from gateway import ledger
from gateway.ledger.decision_log import Entry
from gateway.values import (
    Call,
    Draw,
    Key,
    LikenessKind,
    Observation,
    Offer,
    Offers,
    Principal,
    Reply,
    Reservation,
    Sighting,
    Target,
    Task,
    Terms,
    Usage,
)


class Keys(Protocol):
    """Credentials, by the id inside them."""

    async def find(self, key_id: str) -> Key | None:
        """Return the key filed under an id, whether live or revoked."""
        ...


class Tasks(Protocol):
    """The catalogue, and what a key or a session was last working on."""

    @property
    def digest(self) -> str:
        """Digest of the catalogue as it is now: `sha256:` and 16 hex digits."""
        ...

    async def find(self, task_id: str) -> Task | None:
        """Return the task with a canonical id."""
        ...

    async def recall(self, principal: Principal, session: str, now: float) -> tuple[str, str]:
        """Return the task pinned to the session, and the key's active task; empty for none."""
        ...

    async def pin(self, principal: Principal, session: str, task: str, now: float) -> None:
        """Remember for 24 h which task a session named (`task` as its tracker spells it)."""
        ...


class Quotas(Protocol):
    """Counters that many calls draw on at once, and what was asked of late: one round trip."""

    async def observe(self, sighting: Sighting, offers: Offers, now: float) -> Observation:
        """
        Say how a call is like an earlier one of its scope, and draw what its kind is offered.

        Looks in this order: another replica waits for the same reply, or a reply is kept
        (`shared` is drawn, the kind still told) · the same normal form is remembered (`exact`, or
        `retry`: the same canonical bytes failed in our sight, at most 5 times) · candidates share
        a third of the features (`undecided`, nothing drawn) · else it is new, and remembered
        when the draws were taken.
        """
        ...

    async def decide(
        self, sighting: Sighting, cluster: str, offer: Offer, now: float
    ) -> Reservation:
        """Draw for a sighting that was undecided; remember it in a cluster when that is taken."""
        ...

    async def draw(self, draws: Sequence[Draw], now: float) -> Reservation:
        """
        Take from every quota and budget, or (when one refuses) from none.

        Shadow draws never make the others fail; theirs are taken only when the rest are.
        """
        ...

    async def levels(self, draws: Sequence[Draw], now: float, *, tenant: str) -> tuple[int, ...]:
        """Return what is used of each budget drawn on, under way or settled; draw nothing."""
        ...

    async def settle(
        self,
        reservation: Reservation,
        used: Usage,
        cost_nano_usd: int,
        now: float,
        *,
        failed: bool = False,
    ) -> None:
        """
        Replace what was reserved by what was used. A second time does nothing.

        `failed`: the provider failed in our sight, so the same bytes again are a retry.
        """
        ...

    async def keep(self, share: bytes, reply: bytes, ttl_s: float) -> None:
        """Keep a reply for calls that share it (`Observation.reply`)."""
        ...

    async def release(self, reservation: Reservation, now: float) -> None:
        """Give back all that was reserved: the call was never made. A second time does nothing."""
        ...


class Ledger(Protocol):
    """The record. It fails closed: `LedgerUnavailable` when it cannot promise to keep one."""

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """
        Return this replica's name and its next sequence number; `append` at once what you stamp.

        Records of unlinked calls have a series of numbers of their own: they are no leaves.
        """
        ...

    def append(self, record: ledger.Record, *, urgent: bool = True) -> Awaitable[str]:
        """
        Append a stamped record; done when it is durable. Order of calls is order of records.

        Returns the promise that it will be in the tree (`ledger.promises`), for an intent or
        a refusal; else nothing.

        One that is not urgent may wait some milliseconds for others: until then `expedite`,
        or any urgent record after it, makes it durable too.
        """
        ...

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        ...

    def note(self, record: Entry) -> None:
        """Add to the decision log, some time soon."""
        ...


class Pseudonyms(Protocol):
    """Names that stand for people."""

    def commitment(self, principal: str, at_us: int) -> str:
        """Return the commitment of a person in the month of `at_us`, for the ledger."""
        ...

    def weekly(self, name: str, at_us: int) -> str:
        """Return the pseudonym of a person or key in the week of `at_us`, for the decision log."""
        ...


class Upstream(Protocol):
    """The providers."""

    def names(self) -> tuple[str, ...]:
        """Return the models callers may ask for by name, sorted; a catch-all is none."""
        ...

    def target(self, call: Call, terms: Terms = ...) -> Target:
        """
        Return who answers a call, as its caller asked or as rules want it.

        Raises:
            ModelUnknown: nobody serves the model, and there is no catch-all.
            RouteUnsupported: its provider does not speak the route's format.

        """
        ...

    def fingerprint(self, call: Call, target: Target) -> bytes:
        """
        Return all of a call that its provider will see, but for how often its SDK has tried.

        Path, query, header lines and body, in one string of bytes no two calls that differ share.
        """
        ...

    async def send(self, call: Call, target: Target) -> Reply:
        """
        Send a call and return the reply once its head is there.

        Raises:
            ProviderUnreachable, ProviderTimeout, ExtraMissing

        """
        ...


class Tally(Protocol):
    """Counters for `/metrics`: diagnostics, never a record."""

    def began(self) -> None:
        """Count a call that is now open."""
        ...

    def ended(self, route: str, decision: str, seconds: float) -> None:
        """Count a call that was open: how it was decided, and how long it took."""
        ...

    def spent(self, usage: Usage, cost_nano_usd: int, *, linked: bool, priced: bool) -> None:
        """Count what a call used."""
        ...

    def provider_failed(self, provider: str, kind: str) -> None:
        """Count a failure of a provider, by the code of its error."""
        ...

    def condition_failed(self, count: int) -> None:
        """Count conditions of rules that erred at run time."""
        ...

    def would_have(self, rules: Sequence[str]) -> None:
        """Count what shadow rules would have refused or sent elsewhere, by their ids."""
        ...

    def recognised(self, kind: LikenessKind) -> None:
        """Count a call by how it is like an earlier one."""
        ...


class Outside(Struct, frozen=True, kw_only=True):
    """All of them together, with the clock and the source of ids."""

    keys: Keys
    tasks: Tasks
    quotas: Quotas
    ledger: Ledger
    pseudonyms: Pseudonyms
    tally: Tally
    clock: Callable[[], float]
    """Unix time in seconds."""
    new_id: Callable[[], str]
    """32 hex digits of a UUIDv7 (RFC 9562 section 5.7)."""

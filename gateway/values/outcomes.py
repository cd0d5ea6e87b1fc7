"""What a tracker tells: how tasks stand, and what came of them. Nothing of it is believed yet."""

from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.values.people import TaskStatus

OutcomeKind: TypeAlias = Literal["merged", "closed", "accepted", "reverted", "reopened", "reversed"]


class Account(Struct, frozen=True, kw_only=True):
    """Somebody as a tracker knows them; `people:` says who that is."""

    handle: str = ""
    """Login or account id, as the tracker spells it."""
    email: str = ""
    """Empty when the tracker keeps it to itself."""
    is_bot: bool = False

    def __repr__(self) -> str:
        """Show nothing of a person."""
        return "Account(…)"


class TaskChange(Struct, frozen=True, kw_only=True):
    """How one task stands, as its tracker says. None: it does not say, and nothing changes."""

    task: str
    """As the tracker spells its id: `PAY-12`, `acme/web#12`."""
    at: float
    """When this was so (Unix seconds, the tracker's clock): an older change never undoes it."""
    title: str | None = None
    status: TaskStatus | None = None
    opened_at: float | None = None
    closed_at: float | None = None
    parent: str | None = None
    """As spelt; empty: it has none."""
    creator: Account | None = None
    owner: Account | None = None
    members: tuple[Account, ...] | None = None
    """Those it is assigned to."""
    reviewers: tuple[Account, ...] | None = None
    team: str | None = None
    value: Decimal | None = None
    valued_by: Account | None = None
    """Who set the value, where the tracker tells."""
    url: str | None = None


class OutcomeEvent(Struct, frozen=True, kw_only=True):
    """Something happened that may be what came of a task, or its undoing."""

    event_id: str
    """The same however often, and by whichever way (webhook or sync), it is told."""
    kind: OutcomeKind
    at: float
    """Unix seconds, the tracker's clock."""
    subject: str
    """The thing it happened to, as spelt: `acme/web#12`, `acme/web!3`, `PAY-12`."""
    url: str = ""
    author: Account | None = None
    """Who made the thing; for an issue, who did the work, when the tracker tells."""
    reviewers: tuple[Account, ...] = ()
    """Who approved, merged or closed it."""
    tasks: tuple[str, ...] = ()
    """The tasks the tracker itself says it is for, as spelt."""
    title: str = ""
    text: str = ""
    """Its description, where closing keywords stand. Never kept, shown or logged."""
    branch: str = ""
    commits: tuple[str, ...] = ()
    """Messages of its commits, where trailers stand. Never kept, shown or logged."""
    reverts: str = ""
    """The subject that this one undoes, as spelt."""

    def __repr__(self) -> str:
        """Show which event it is, and nothing anybody wrote."""
        return f"OutcomeEvent({self.event_id!r}, {self.kind!r})"


class Approval(Struct, frozen=True, kw_only=True):
    """Somebody approved a thing that may be merged later, or took that back."""

    subject: str
    """As spelt: `acme/web!3`."""
    by: Account
    at: float
    stands: bool
    """Whether it does; False: they took it back, or want changes."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What one message of a tracker, or one page of a sync, comes to."""

    delivery_id: str = ""
    """The tracker's; a message whose id was seen is a replay. Empty: of a sync."""
    changes: tuple[TaskChange, ...] = ()
    outcomes: tuple[OutcomeEvent, ...] = ()
    approvals: tuple[Approval, ...] = ()


class Telling(Struct, frozen=True, kw_only=True):
    """Something the ledger is to be told, kept in the outbox until it was."""

    id: str
    """Unique: of one event or valuation, however often it is delivered."""
    event: OutcomeKind | Literal["valuation"]
    tracker: str
    """As goodgate.yaml names it; empty for a valuation."""
    subject: str = ""
    """Canonical; empty for a valuation."""
    task_id: str = ""
    """Canonical; empty when it stands for none."""
    root_id: str = ""
    mark: str = ""
    """Of a valuation: what it says, as a digest, so that the same is not told twice."""
    at_us: int
    """When the gateway learnt of it."""
    body: bytes
    """The rest, with principals in it: it is dropped as soon as it was told."""

    def __repr__(self) -> str:
        """Show which it is, and nobody's name."""
        return f"Telling({self.id!r}, {self.event!r})"

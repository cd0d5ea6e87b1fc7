"""
What came of tasks, and what they are worth: the leaves that credit rests on (design section 7).

Each carries all that its judgement rests on, as commitments of the month of its `at_us`, so that
whoever has the log can judge again without a catalogue and without a name.
"""

from typing import Literal

from msgspec import Struct

from gateway.ledger.entry import SCHEMA_VERSION


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """
    Something came of a task, as its tracker says it in a signed event or in reply to a sync.

    `attempt_id` is `out_` and a hash of tracker and event: one event is one entry, however
    often it is delivered.
    """

    at_us: int
    """When the gateway learnt of it. What it rests on stands as it was then."""
    attempt_id: str
    author: str
    """Commitment of who made it; empty: nobody `people:` knows."""
    beneficiaries: tuple[str, ...]
    """Commitments of the root's owner and members, sorted, at most 512 of them."""
    catalogue: str
    creator: str
    """Commitment of who created the task; `bot` for a bot, empty when nobody knows."""
    event: Literal["merged", "closed", "accepted", "reverted", "reopened", "reversed"]
    evidence: str
    """Where to look: the URL of the pull request or issue."""
    kind: Literal["outcome"] = "outcome"
    linked_by: Literal["tracker", "keyword", "branch", "trailer", "ambiguous", "nothing"]
    """How the event names its task; `ambiguous` and `nothing`: it stands for none."""
    n: int = 0
    occurred_at_us: int
    """When it happened, by the tracker's clock."""
    policy: str
    replica: str
    replica_seq: int
    reviewers: tuple[str, ...]
    """Commitments of those who reviewed and took it, sorted; nobody unmapped is among them."""
    root_id: str
    schema: int = SCHEMA_VERSION
    subject: str
    """Of which thing: `OWNER.REPO-12`. What is reverted or reopened was accepted under it."""
    task_id: str
    """Empty when the event stands for none."""
    team: str
    """That owns the root."""
    tracker: str
    """As goodgate.yaml names it."""


class Weight(Struct, frozen=True, array_like=True, gc=False):
    """A task's part of its root's outcome. In JSON: a list, in this order."""

    task_id: str
    weight: str
    """A decimal fraction; those of a root sum to 1."""


class Valuation(Struct, frozen=True, kw_only=True, gc=False):
    """
    What a root is worth, and how that is shared out: before its first outcome, and at each change.

    Weights are fixed by the first: later ones change the value alone.
    """

    at_us: int
    attempt_id: str
    """`val_` and a hash of the root; `n` counts."""
    beneficiaries: tuple[str, ...]
    by_bot: bool
    """Whether a bot created the root."""
    catalogue: str
    kind: Literal["valuation"] = "valuation"
    n: int
    """From 0."""
    policy: str
    replica: str
    replica_seq: int
    root_id: str
    schema: int = SCHEMA_VERSION
    team: str
    """That owns the root."""
    team_size: int
    """How many people are in it: the default of `unvalued_budget`."""
    value: str
    """A plain decimal; empty when nobody set one."""
    valued_by: str
    """Commitment of who set it; empty when nobody did, or nobody knows who."""
    weights: tuple[Weight, ...]
    """Of its leaves, or of itself where it has none; by task."""

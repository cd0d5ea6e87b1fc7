"""Who calls, and what for."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

Role: TypeAlias = Literal["developer", "admin", "auditor"]
Evidence: TypeAlias = Literal["none", "inferred", "claimed", "verified"]
TaskProblem: TypeAlias = Literal["", "unknown", "closed", "not_yours", "stale"]
TaskSource: TypeAlias = Literal[
    "", "credential", "path", "header", "body", "foreign", "session", "active", "branch"
]
TaskStatus: TypeAlias = Literal["open", "closed"]
EVIDENCE_RANK: Mapping[str, int] = {"none": 0, "inferred": 1, "claimed": 2, "verified": 3}


class Principal(Struct, frozen=True, kw_only=True):
    """Who is calling, as far as the gateway could establish: the owner of a key."""

    id: str
    team: str
    key_id: str
    role: Role = "developer"
    models: frozenset[str] = frozenset()
    """Models the key may use, as callers name them; empty means every one."""
    tenant: str = "default"


class Key(Struct, frozen=True, kw_only=True):
    """A credential as it is kept: never the secret, only its digest."""

    id: str
    digest: bytes
    """HMAC-SHA-256 of the whole credential under the deployment's pepper."""
    principal: Principal
    created_at: float
    revoked_at: float | None = None
    expires_at: float | None = None


class Task(Struct, frozen=True, kw_only=True):
    """A piece of business work, as its tracker reports it."""

    id: str
    """Canonical (design section 4): NFKC, dashes to `-`, upper case."""
    spelling: str
    """As the tracker writes it, for people to read."""
    title: str = ""
    status: TaskStatus = "open"
    opened_at: float | None = None
    closed_at: float | None = None
    """When it was last closed (Unix seconds); None while it is open."""
    root_id: str = ""
    """Canonical id of the root task; its own id when it has no parent."""
    parent_id: str = ""
    """Canonical id of the task right above it; empty for none."""
    owner: str = ""
    """The principal who answers for it."""
    reviewers: frozenset[str] = frozenset()
    """Principals who may take what is done; empty: anybody but its author."""
    members: frozenset[str] = frozenset()
    team: str = ""
    value: Decimal | None = None
    valued_by: str = ""
    """The principal who set the value."""
    weight: Decimal | None = None
    """Its part of what its root is worth; None: an even one."""
    creator: str = ""
    by_bot: bool = False
    """Whether a bot created it."""
    use_case: str = ""
    """What AI is used for in it, in a word or two."""
    canary: bool = False
    """A task no honest flow uses."""
    url: str = ""
    tracker: str = ""
    """Which it follows, as goodgate.yaml names it; empty: files."""
    changed_at: float = 0.0
    """When the newest change that was taken happened, by its tracker's clock."""
    intervals: tuple[tuple[float, float], ...] = ()
    """Earlier spans in which it was open (Unix seconds), oldest first."""
    stale: bool = False
    """Whether its tracker has not been heard of lately."""


class Claim(Struct, frozen=True, kw_only=True):
    """One naming of a task by a call."""

    source: TaskSource
    text: str
    """As written; not canonical yet."""


class TaskLink(Struct, frozen=True, kw_only=True):
    """What a call is for, and how we know."""

    task_id: str = ""
    """Canonical; empty when nothing was named."""
    root_id: str = ""
    evidence: Evidence = "none"
    problem: TaskProblem = ""
    source: TaskSource = ""
    team: str = ""
    """The team that owns the task."""
    value: float = 0.0
    lenient: bool = False
    """Served although not verified: closed less than 24 h ago, or its tracker is stale."""

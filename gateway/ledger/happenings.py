"""
What else is a leaf: what happened to the gateways, to the ledger itself, and who looked.

`attempt_id` only has to be unique with `kind` and `n`; no attempt is meant by it here.
"""

from typing import Literal

from msgspec import Struct

from gateway.ledger.entry import SCHEMA_VERSION


class ReplicaStart(Struct, frozen=True, kw_only=True, gc=False):
    """A series of records begins: a gateway started, or a sequencer took over."""

    at_us: int
    attempt_id: str
    epoch: int = 0
    """A sequencer's: one more than that of the one before it."""
    kind: Literal["replica_start"] = "replica_start"
    n: int = 0
    previous: str = ""
    """The series this one goes on from: of the same data folder, or of the sequencer before."""
    replica: str
    replica_seq: int = 1
    role: Literal["gateway", "sequencer", "command"]
    schema: int = SCHEMA_VERSION
    version: str
    """Goodgate's."""


class ReplicaEnd(Struct, frozen=True, kw_only=True, gc=False):
    """A series ends, and with which number: nothing of it may follow."""

    at_us: int
    attempt_id: str
    ended: str
    """The series that ends; its own last record when `ended` is `replica`."""
    kind: Literal["replica_end"] = "replica_end"
    last_cost_seq: int
    """How many records of unlinked calls it made."""
    last_seq: int
    n: int = 0
    reason: Literal["stopped", "crashed", "lost"]
    replica: str
    replica_seq: int
    schema: int = SCHEMA_VERSION


class PolicyInForce(Struct, frozen=True, kw_only=True, gc=False):
    """A policy set was put in force on a replica."""

    at_us: int
    attempt_id: str
    digest: str
    """What entries name: of what the rules say, whatever their order or comments."""
    files_sha256: str
    """Of the files' names and texts: see `policy_document`. Hex."""
    kind: Literal["policy"] = "policy"
    n: int = 0
    replica: str
    replica_seq: int
    schema: int = SCHEMA_VERSION


class Rotation(Struct, frozen=True, kw_only=True, gc=False):
    """A secret was replaced."""

    at_us: int
    attempt_id: str
    current: str
    """The signing key's vkey (C2SP signed-note); a fingerprint of any other secret."""
    kind: Literal["rotation"] = "rotation"
    n: int = 0
    previous: str
    replica: str
    replica_seq: int
    schema: int = SCHEMA_VERSION
    what: Literal["signing_key", "secret", "pepper"]


class CostRow(Struct, frozen=True, array_like=True, gc=False):
    """Unlinked calls of an hour that have these in common. In JSON: a list, in this order."""

    team: str
    model: str
    reason: str
    calls: int
    refused: int
    """Those of the calls that were never sent."""
    tokens: int
    cost_usd: str


class CostHour(Struct, frozen=True, kw_only=True, gc=False):
    """The cost of an hour that nobody is named on. Further ones of the same hour add to it."""

    attempt_id: str
    hour: int
    """Its start, Unix seconds."""
    kind: Literal["cost_hour"] = "cost_hour"
    n: int = 0
    replica: str
    replica_seq: int
    rows: tuple[CostRow, ...]
    schema: int = SCHEMA_VERSION


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


class Erasure(Struct, frozen=True, kw_only=True, gc=False):
    """The salts of a person were deleted: nothing ties the commitments to them any more."""

    at_us: int
    attempt_id: str
    auditor: str
    kind: Literal["erasure"] = "erasure"
    n: int = 0
    reason: str
    replica: str
    replica_seq: int
    salts: int
    """How many: one for each month."""
    schema: int = SCHEMA_VERSION


class Retirement(Struct, frozen=True, kw_only=True, gc=False):
    """The leaves below an index were exported, verified, and dropped from the hot store."""

    at_us: int
    attempt_id: str
    kind: Literal["retirement"] = "retirement"
    n: int = 0
    replica: str
    replica_seq: int
    root: str
    """Of the tree at that size (RFC 6962), in base64."""
    schema: int = SCHEMA_VERSION
    size: int

"""What is verified, what is trusted, and what verifying says."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from gateway.ledger.rollups import Rollups

CONSISTENT = "consistent, unwitnessed"
WRONG = "wrong"


class Source(Protocol):
    """A log as files, in the layout of an export (docs/verifier/format.md, section 6)."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        ...

    def paths(self) -> Iterable[str]:
        """Return the path of every file there is."""
        ...


PolicyDigest: TypeAlias = Callable[[list[tuple[str, str]]], str]
"""Returns the digest of a policy set's files, names and texts; raises GatewayError."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many of how many entries are behind us."""

Kept: TypeAlias = Callable[[int], "Sums | None"]
"""Returns what a store holds in its rollups, and what they count beyond so many entries."""


class Trust(Struct, frozen=True, kw_only=True):
    """What an auditor has of their own, and never takes from the log."""

    vkey: str
    """Any one key of the log: the first, the one in use, or one between."""
    witnesses: Sequence[str] = ()
    """Verifier keys of witnesses."""
    checkpoints: Sequence[str | bytes] = ()
    """Notes kept from earlier: the log has to go on from each."""
    promises: Sequence[str] = ()
    """Texts of `x-goodgate-receipt`."""
    receipts: Sequence[str] = ()
    """Texts of `.tlog-proof` files."""
    now_s: int = 0
    """Unix time: a promise that was due by then, and not kept by a live log, is broken."""
    whole_folder: bool = False
    """Whether it is an export: its manifest has to match, and nothing else may be there."""
    policy_digest: PolicyDigest | None = None
    archives: Sequence[Source] = ()
    """Exports that hold the entries of periods retired since."""


class Sums(Struct, frozen=True, kw_only=True):
    """The rollups of a store."""

    rollups: Rollups
    beyond: Sequence[bytes] = ()
    """Leaves past the checkpoint that they count too."""


class Finding(Struct, frozen=True, kw_only=True):
    """The first thing that is wrong."""

    index: int | None
    """Of the entry it is about, where it is about one."""
    kind: str
    """One word for programs: `hash`, `gap`, `signature`, ..."""
    request_id: str = ""
    where: str = ""
    """The file."""
    what: str
    """One line for people."""


class Report(Struct, kw_only=True):
    """What verifying found. Where something is wrong, the numbers go as far as it came."""

    verdict: str = CONSISTENT
    first: Finding | None = None
    origin: str = ""
    key: str = ""
    """The vkey in use at the end."""
    size: int = 0
    root: str = ""
    """In base64, as checkpoints have it."""
    checkpoints: int = 0
    rotations: int = 0
    """Of the signing key."""
    policies: int = 0
    """Policy sets put in force whose texts are there, and are those."""
    policies_not_recomputed: int = 0
    """Of these: sets this version cannot load, so that only their texts are compared."""
    early: int = 0
    """Entries of schema 1, which have no series."""
    open_series: Sequence[str] = ()
    """Replicas that have not ended: what they wrote last could be missing."""
    open_calls: int = 0
    """Calls without a settle."""
    erasures: int = 0
    retired: int = 0
    """Entries below this index were dropped from the hot store."""
    unread: int = 0
    """Entries below this index were not to be had: only their hashes were checked."""
    unvouched: int = 0
    """Checkpoints of those, signed by a key whose rotation is among them."""
    receipts: int = 0
    kept: int = 0
    """Promises."""
    pending: Sequence[str] = ()
    """Request ids of promises that are not due."""
    broken: Sequence[str] = ()
    witnesses: Sequence[str] = ()
    """Names of those that cosigned."""
    witnessed: int = 0
    """How many entries the newest cosigned checkpoint has."""
    rollups: str = ""
    """`equal` when a store's are the fold of the entries; else why they were not compared."""


class Wrong(Exception):
    """Something is wrong: verifying ends here."""

    def __init__(self, kind: str, what: str, *, where: str = "", index: int | None = None) -> None:
        """Keep what will be the finding."""
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.where = where
        self.index = index
        self.request_id = ""

    @classmethod
    def of(cls, finding: Finding) -> "Wrong":
        """Return what ends verifying with a finding."""
        wrong = cls(finding.kind, finding.what, where=finding.where, index=finding.index)
        wrong.request_id = finding.request_id
        return wrong

    def at(self, index: int, where: str, request_id: str) -> "Wrong":
        """Return the same, placed at an entry."""
        self.index, self.where, self.request_id = index, self.where or where, request_id
        return self

    @property
    def finding(self) -> Finding:
        """What the report says of it."""
        return Finding(
            index=self.index,
            kind=self.kind,
            request_id=self.request_id,
            where=self.where,
            what=self.what,
        )

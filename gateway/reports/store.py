"""What reports are made of: a ledger as it is read, whatever keeps it."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from gateway import ledger
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import RollupSum
from gateway.ledger.series import LogName

if TYPE_CHECKING:  # a developer's command passes through here, and folds nothing
    from gateway.credit import Folded

Row: TypeAlias = dict[str, Any]


class Calls(Protocol):
    """Calls, what unlinked ones cost, and who commitments stand for."""

    def rows(self, query: ledger.Query, people: Collection[str] | None = None) -> list[Row]:
        """Return calls that match, newest first; `principal` is a commitment."""
        ...

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return unlinked cost by hour, newest first."""
        ...

    def workers(self) -> Mapping[str, Collection[str]]:
        """Return the commitments of those who made calls, by root; not of retired periods."""
        ...

    def persons(self) -> Mapping[str, str]:
        """Return who each commitment stands for, as far as salts are left."""
        ...

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments that stand for a person."""
        ...


class Sums(Protocol):
    """Sums the sequencer keeps."""

    def usage(
        self, by: Sequence[str], query: ledger.Query
    ) -> Sequence[tuple[tuple[str | int, ...], RollupSum]]:
        """Return what calls came to, by columns of the rollups."""
        ...

    def rule_usage(self, query: ledger.Query) -> Sequence[tuple[tuple[str, str, str], int]]:
        """Return how many calls each rule had a say in, by rule, team and decision."""
        ...


class Outcomes(Protocol):
    """What came of tasks, and what that is worth."""

    def credit(self) -> "Folded":
        """Return the fold of credit over all leaves that are in order."""
        ...

    def outcomes(self) -> Sequence[tuple[int, ledger.Outcome]]:
        """Return the outcomes that were not retired, with their indexes, in order."""
        ...


class Log(Protocol):
    """The tree, and what is signed of it."""

    def log(self) -> LogName:
        """Return which log it is."""
        ...

    def checkpoint(self) -> str:
        """Return the newest checkpoint with its cosignatures; empty when there is none."""
        ...

    def checkpoints(self, above: int = -1, limit: int = 1000) -> Sequence[tuple[int, str]]:
        """Return retained checkpoints of more than `above` leaves, by size."""
        ...

    def tile(self, level: int, number: int) -> bytes:
        """Return a tile, packed; raises KeyError when it is not there."""
        ...

    def lines(self, first: int, count: int) -> Sequence[bytes]:
        """Return the bytes of leaves, in order; raises LedgerCorrupt when some are missing."""
        ...

    def retired(self) -> int:
        """Return below which index leaves were exported and dropped."""
        ...

    def places(self, request_id: str) -> tuple[int, int | None] | None:
        """Return the indexes of a call's intent or refusal and of its settle."""
        ...

    def policy_texts(self) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
        """Return the digest and the files of each policy set that was put in force."""
        ...


class Store(Calls, Sums, Outcomes, Log, Protocol):
    """All of it."""

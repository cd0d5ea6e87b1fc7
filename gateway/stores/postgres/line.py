"""
The event loop's side of a replica's ledger: records are stamped, and go to the writer in groups.

While the database is away, only what was answered already is taken, and new calls where the
policy lets them through. When the series goes on under another name (the replica had been
declared lost), what is stamped from then on goes on with that one's numbers.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal, TypeAlias

from gateway import ledger
from gateway.errors import GatewayError, InvalidRequest
from gateway.ledger import pseudonyms
from gateway.stores.gathering import Gathered, Gathering
from gateway.stores.postgres import parcels
from gateway.stores.postgres.opening import Begun
from gateway.stores.postgres.parcels import Beside, PolicyText, Shift
from gateway.stores.postgres.standing import Standing
from gateway.stores.postgres.writer import Batch, Heard, Writer, away

OnFailure: TypeAlias = Callable[[], Literal["closed", "spool"]]

_NEW_CALLS = (ledger.Intent, ledger.Refusal, ledger.CostIntent)
_ANSWERED = (ledger.Settle, ledger.CostSettle)


class Line:
    """What one replica appends."""

    def __init__(
        self, standing: Standing, names: pseudonyms.Names, begun: Begun, on_failure: OnFailure
    ) -> None:
        self.replica = begun.replica
        self._writer: Writer
        self._standing = standing
        self._names = names
        self._on_failure = on_failure
        self._seq, self._cost_seq = begun.seq, begun.cost_seq
        self._texts: list[PolicyText] = []
        self._gathering = Gathering(self._send)
        self._closed = False

    def _heard(self, appended: Callable[[], None]) -> Heard:
        """Return what the writer tells whom."""
        return Heard(came=self._came, renamed=self._renamed, appended=appended, erased=self._erased)

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """
        Return this replica's name and its next sequence number; `append` at once what you stamp.

        Records of unlinked calls have a series of numbers of their own: they are no leaves.
        """
        if unlinked:
            self._cost_seq += 1
            return self.replica, self._cost_seq
        self._seq += 1
        return self.replica, self._seq

    def append(self, record: ledger.Record, *, urgent: bool = True) -> asyncio.Future[str]:
        """
        Append a stamped record; done when it is durable, with the promise of its entry.

        One that is not urgent waits some milliseconds at most for others to share an fsync with.
        While the database is away nothing is promised.

        Raises:
            LedgerUnavailable: it cannot be kept.
            InvalidRequest: it is larger than a leaf can be.

        """
        refused = self._refused(record)
        if refused is not None:
            self._give_back(record)
            raise refused
        try:
            return self._gathering.add(record, urgent=urgent)
        except InvalidRequest:
            self._give_back(record)
            raise

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        self._gathering.expedite()

    def _refused(self, record: ledger.Record) -> GatewayError | None:
        """Return why a record is not taken now; None: it is."""
        writer = self._writer
        if self._closed or not self._gathering.is_started or writer.failed is not None:
            return writer.failed or away()
        if writer.away_since_s is None or isinstance(record, _ANSWERED):
            return None
        if isinstance(record, _NEW_CALLS) and self._on_failure() == "spool":
            return None
        return away()

    def _give_back(self, record: ledger.Record) -> None:
        """Take back the number of a record that is not taken, so that no gap is left."""
        if isinstance(record, ledger.CostIntent | ledger.CostSettle):
            self._cost_seq -= record.replica_seq == self._cost_seq
        else:
            self._seq -= record.replica_seq == self._seq

    def _put(self, *records: ledger.Record, pepper_mark: str = "") -> None:
        """Append stamped records, with nobody who waits, whether or not a loop runs."""
        self._gathering.leave()
        gathered = Gathered([ledger.encode(each) for each in records], list(records), [])
        self._writer.queue.put(Batch(gathered, self._take_beside(pepper_mark)))

    def _send(self, gathered: Gathered) -> None:
        self._writer.queue.put(Batch(gathered, self._take_beside()))

    def _take_beside(self, pepper_mark: str = "") -> Beside:
        salts, texts = self._names.take_fresh(), self._texts
        if not (salts or texts or pepper_mark):
            return parcels.NOTHING
        self._texts = []
        return Beside(self._standing.now_us(), salts, texts, pepper_mark)

    def _came(self, gathered: Gathered, came: list[str] | GatewayError) -> None:
        """Called by the writer: what became of a group."""
        if gathered.waiting:
            self._gathering.told(gathered.waiting, came)

    def _renamed(self, old: str, shift: Shift) -> None:
        """Called by the writer: the series goes on as another."""
        self._soon(self._rename, old, shift)

    def _rename(self, old: str, shift: Shift) -> None:
        if self.replica == old:
            self.replica = shift.replica
            self._seq -= shift.seq
            self._cost_seq -= shift.cost_seq

    def _erased(self, marks: set[bytes]) -> None:
        """Called by the writer: people are to be forgotten."""
        self._soon(self._forget, marks)

    def _forget(self, marks: set[bytes]) -> None:
        for principal in self._names.people():
            if parcels.mark(self._standing.secret, principal) in marks:
                self._names.forget(principal)

    def _soon(self, work: Callable[..., None], *values: object) -> None:
        """Do something on the loop."""
        if not self._gathering.is_started:
            work(*values)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing is stamped any more
            self._gathering.loop.call_soon_threadsafe(work, *values)

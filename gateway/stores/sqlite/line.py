"""
The event loop's side of the ledger: records are stamped, and leave in groups.

A group is handed to the thread that writes as soon as the loop has nothing else to do, and
only once the one before it is durable (`gathering`).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

from gateway import ledger
from gateway.errors import GatewayError, InvalidRequest
from gateway.ledger import pseudonyms
from gateway.stores.gathering import Gathered, Gathering, resolve
from gateway.stores.sqlite.writer import Barrier, Batch, Writer

_ENDS = (ledger.Settle, ledger.CostSettle)


class Line:
    """What one gateway appends."""

    def __init__(self, writer: Writer, names: pseudonyms.Names) -> None:
        self.replica = writer.replica
        self._writer = writer
        self._names = names
        self._seq = 1  # its start's
        self._cost_seq = 0
        self._gathering = Gathering(self._send)
        self._closed = False

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

        Raises:
            LedgerUnavailable: it cannot be kept.
            InvalidRequest: it is larger than a leaf can be.

        """
        guard = self._writer.guard
        is_taken = self._gathering.is_started and not self._closed and guard.failed is None
        if not is_taken or (guard.stuck and not isinstance(record, _ENDS)):
            self._give_back(record)
            raise guard.unavailable()
        try:
            return self._gathering.add(record, urgent=urgent)
        except InvalidRequest:
            self._give_back(record)
            raise

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        self._gathering.expedite()

    async def flush(self) -> None:
        """Return when all that was appended is in order and signed. Raises LedgerUnavailable."""
        if self._closed:
            raise self._writer.guard.unavailable()
        waiting: asyncio.Future[str] = self._gathering.loop.create_future()
        self._gathering.leave()
        self._writer.queue.put(Barrier(partial(self._tell, waiting)))
        await waiting

    def _give_back(self, record: ledger.Record) -> None:
        """Take back the number of a record that is not taken, so that no gap is left."""
        if isinstance(record, ledger.CostIntent | ledger.CostSettle):
            self._cost_seq -= record.replica_seq == self._cost_seq
        else:
            self._seq -= record.replica_seq == self._seq

    def _put(self, record: ledger.Record) -> None:
        """Append a stamped record, with nobody who waits, whether or not a loop runs."""
        self._gathering.leave()
        batch = Batch([ledger.encode(record)], [record], self._names.take_fresh(), _nobody_waits)
        self._writer.queue.put(batch)

    def _send(self, gathered: Gathered) -> None:
        done = partial(self._came, gathered.waiting)
        salts = self._names.take_fresh()
        self._writer.queue.put(Batch(gathered.lines, gathered.records, salts, done))

    def _came(
        self,
        waiting: Sequence[asyncio.Future[str]],
        error: GatewayError | None,
        promises: Sequence[str],
    ) -> None:
        """Called by the writer."""
        self._gathering.told(waiting, promises if error is None else error)

    def _tell(self, waiting: asyncio.Future[str], error: GatewayError | None) -> None:
        """Tell one who waits for a job; called by the writer."""
        came = [""] if error is None else error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._gathering.loop.call_soon_threadsafe(resolve, [waiting], came)


def _nobody_waits(_: GatewayError | None, __: Sequence[str]) -> None:
    """Tell nobody."""

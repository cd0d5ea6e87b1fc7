"""
The event loop's side of the ledger: records are stamped, encoded, and leave in groups.

A group is handed to the thread that writes as soon as the loop has nothing else to do, and
only once the one before it is durable.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway import ledger
from gateway.errors import GatewayError, InvalidRequest
from gateway.ledger import pseudonyms
from gateway.stores.sqlite.writer import Barrier, Batch, Writer

GROUP_MAX: Final = 512
GATHER_S: Final = 0.003
"""The longest a record waits for others, and only while the loop has other work to do."""
IDLE_TURN_S: Final = 20e-6
"""A turn of the loop shorter than this did nothing but come round."""
PATIENCE_S: Final = 0.005
"""The longest a record that is not urgent waits for company."""

_ENDS = (ledger.Settle, ledger.CostSettle)


class Line:
    """What one gateway appends."""

    def __init__(self, writer: Writer, names: pseudonyms.Names) -> None:
        self.replica = writer.replica
        self._writer = writer
        self._names = names
        self._seq = 1  # its start's
        self._cost_seq = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: list[bytes] = []
        self._records: list[ledger.Record] = []
        self._waiting: list[asyncio.Future[str]] = []
        self._writing = 0
        self._urgent = False
        self._patience: asyncio.TimerHandle | None = None
        self._armed = False
        self._turned_s = 0.0
        self._leave_by_s = 0.0
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

        One that is not urgent waits PATIENCE_S at most for others to share an fsync with.

        Raises:
            LedgerUnavailable: it cannot be kept.
            InvalidRequest: it is larger than a leaf can be.

        """
        loop, guard = self._loop, self._writer.guard
        if loop is None or self._closed or guard.failed is not None:
            self._give_back(record)
            raise guard.unavailable()
        if guard.stuck and not isinstance(record, _ENDS):
            self._give_back(record)
            raise guard.unavailable()
        line = ledger.encode(record)
        if len(line) > ledger.LEAF_BYTES_MAX:
            self._give_back(record)
            raise InvalidRequest(
                f"an entry of the ledger has up to {ledger.LEAF_BYTES_MAX} bytes, and this one"
                f" would have {len(line)}: send shorter names and reasons"
            )
        waiting: asyncio.Future[str] = loop.create_future()
        self._lines.append(line)
        self._records.append(record)
        self._waiting.append(waiting)
        if urgent:
            self.expedite()
        elif self._patience is None:
            self._patience = loop.call_later(PATIENCE_S, self.expedite)
        return waiting

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        self._urgent = bool(self._lines)
        if self._urgent and not self._armed and not self._writing:
            self._arm()

    async def flush(self) -> None:
        """Return when all that was appended is in order and signed. Raises LedgerUnavailable."""
        assert self._loop is not None
        waiting: asyncio.Future[str] = self._loop.create_future()
        self._hand_over()
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
        self._hand_over()
        batch = Batch([ledger.encode(record)], [record], self._names.take_fresh(), _nobody_waits)
        self._writer.queue.put(batch)

    def _arm(self) -> None:
        assert self._loop is not None
        self._armed = True
        self._turned_s = time.monotonic()
        self._leave_by_s = self._turned_s + GATHER_S
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        now_s = time.monotonic()
        busy = now_s - self._turned_s > IDLE_TURN_S
        if busy and now_s < self._leave_by_s and len(self._lines) < GROUP_MAX:
            assert self._loop is not None
            self._turned_s = now_s
            self._loop.call_soon(self._turn)
            return
        self._armed = False
        self._hand_over()

    def _hand_over(self) -> None:
        if not self._lines:
            return
        done = partial(self._tell_batch, self._waiting)
        self._writer.queue.put(Batch(self._lines, self._records, self._names.take_fresh(), done))
        self._lines, self._records, self._waiting = [], [], []
        self._urgent = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._writing += 1

    def _tell_batch(
        self,
        waiting: list[asyncio.Future[str]],
        error: GatewayError | None,
        promises: Sequence[str],
    ) -> None:
        """Called by the writer."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._batch_done, waiting, error, promises)

    def _batch_done(
        self,
        waiting: list[asyncio.Future[str]],
        error: GatewayError | None,
        promises: Sequence[str],
    ) -> None:
        self._writing -= 1
        for at, each in enumerate(waiting):
            _resolve(each, error, promises[at] if promises else "")
        if self._urgent and not self._armed and not self._writing:
            self._arm()

    def _tell(self, waiting: asyncio.Future[str], error: GatewayError | None) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_resolve, waiting, error, "")


def _resolve(waiting: asyncio.Future[str], error: GatewayError | None, promise: str) -> None:
    # A caller who is gone has cancelled its wait; the record stands all the same.
    if waiting.done():
        return
    if error is None:
        waiting.set_result(promise)
    else:
        waiting.set_exception(error)
        waiting.exception()  # somebody may have gone away: then nobody is to be told


def _nobody_waits(_: GatewayError | None, __: Sequence[str]) -> None:
    """Tell nobody."""

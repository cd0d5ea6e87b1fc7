"""
The ledger of the embedded gateway: `ports.Ledger` and `ports.Pseudonyms` over SQLite.

On the event loop an append encodes a record and hands it, with whatever else the loop
has appended meanwhile, to the one thread that writes (`writer`). A group leaves as soon as
the loop has nothing else to do, so a lone record never waits for company, and a busy loop
pays for one fsync per some dozen records.
"""

import asyncio
import contextlib
import os
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import msgspec

from gateway import ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger import decision_log, hours, projection, pseudonyms
from gateway.stores.sqlite import ledger_file
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.reading import Reading, leaf_at
from gateway.stores.sqlite.writer import Barrier, Batch, Policies, Writer
from gateway.values import BudgetUnit

GROUP_MAX = 512
GATHER_S = 0.003
"""The longest a record waits for others, and only while the loop has other work to do."""
IDLE_TURN_S = 20e-6
"""A turn of the loop shorter than this did nothing but come round."""
PATIENCE_S = 0.005
"""The longest a record that is not urgent waits for company."""
ORPHANS_AT_ONCE = 512


class Ledger:
    """One server's ledger. `open` it, `start` it on the loop, `close` it from any thread."""

    def __init__(
        self,
        folder: Path,
        connection: Connection,
        *,
        lock: int,
        secret: bytes,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.reading = Reading(folder)
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self.replica = "r" + random(4).hex()
        self._seq = 0
        month = pseudonyms.month_of(int((clock() - 86_400) * 1_000_000))
        known = [
            pseudonyms.Salt(principal=principal, month=month, salt=salt)
            for principal, month, salt in connection.execute(SQL["salts_since"], (month,))
        ]
        self._names = pseudonyms.Names(secret=secret, random=random, known=known)
        self._writer = Writer(connection, replica=self.replica, clock=clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: list[bytes] = []
        self._records: list[ledger.Leaf] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._first_seq = 1
        self._writing = 0
        self._urgent = False
        self._patience: asyncio.TimerHandle | None = None
        self._armed = False
        self._turned_s = 0.0
        self._leave_by_s = 0.0
        self._closed = False
        self.commitment = self._names.commitment
        self.weekly = self._names.weekly

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        secret: bytes,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Ledger":
        """
        Return the ledger of a folder: what a crash left is in order and settled.

        Raises:
            ConfigError: another server holds the folder, or the file cannot be used.

        """
        lock = ledger_file.hold(folder)
        try:
            connection = ledger_file.open_to_write(folder)
            made = cls(folder, connection, lock=lock, secret=secret, clock=clock, random=random)
            made._recover()
        except apsw.Error as error:
            os.close(lock)
            raise ConfigError(
                f"{folder / ledger_file.FILE}: the ledger cannot be written: {error}"
            ) from None
        except BaseException:
            os.close(lock)
            raise
        return made

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the writer; appends come from this loop."""
        self._loop = loop
        self._writer.start()

    @property
    def failed(self) -> bool:
        """Whether writing has failed: no record will be taken until a restart."""
        return self._writer.failed is not None

    @property
    def backlog(self) -> int:
        """Records that are durable and not yet in order."""
        return self._writer.backlog

    @property
    def clashes(self) -> int:
        """Records set aside since the start: same attempt and kind, other bytes."""
        return self._writer.sequencer.clashes

    def stamp(self) -> tuple[str, int]:
        """Return this replica's name and its next sequence number; `append` what you stamp."""
        self._seq += 1
        return self.replica, self._seq

    def append(self, record: ledger.Leaf, *, urgent: bool = True) -> asyncio.Future[None]:
        """
        Append a stamped record; done when it is durable.

        One that is not urgent waits PATIENCE_S at most for others to share an fsync with.

        Raises:
            LedgerUnavailable: it cannot be kept.

        """
        if self._writer.failed is not None or self._loop is None or self._closed:
            raise _unavailable()
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._lines.append(ledger.encode(record))
        self._records.append(record)
        self._waiting.append(waiting)
        if urgent:
            self.expedite()
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE_S, self.expedite)
        return waiting

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        self._urgent = bool(self._lines)
        if self._urgent and not self._armed and not self._writing:
            self._arm()

    def note(self, record: decision_log.Entry) -> None:
        """Add to the decision log; it is written with the next slice that is put in order."""
        if self._writer.failed is None:
            self._writer.decisions.append((record.at_us, ledger.encode(record)))

    def keep_policies(self, digest: str, files: Sequence[tuple[str, str]], at_us: int) -> None:
        """
        Keep the names and texts of the policy files behind a digest for good, some time soon.

        `at_us` is when they came into force; the first time counts.
        """
        packed = zlib.compress(msgspec.json.encode(files))
        if not self._closed:
            self._writer.queue.put(Policies(digest, at_us, packed, _ignore))

    async def flush(self) -> None:
        """Return when everything appended so far is in order. Raises LedgerUnavailable."""
        assert self._loop is not None
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._hand_over()
        self._writer.queue.put(Barrier(partial(self._tell, [waiting])))
        await waiting

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """Return what budgets have spent since a moment; see `Reading.spent`."""
        return self.reading.spent(since_us=since_us, columns=columns, unit=unit)

    def close(self) -> None:
        """Write what was appended, put it in order, and give the file back. Blocks."""
        if self._closed:
            return
        self._closed = True
        if self._loop is not None:
            self._hand_over()
            self._writer.queue.put(Barrier(_ignore, stop=True))
            self._writer.join()
        try:
            if self._writer.failed is None:
                self._writer.checkpoint()
            self._connection.close()
        finally:
            os.close(self._lock)

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
        count = len(self._lines)
        seqs = (self._first_seq, self._first_seq + count - 1)
        self._first_seq += count
        done = partial(self._tell_batch, self._waiting)
        batch = Batch(self._lines, self._records, self._names.take_fresh(), seqs, done)
        self._lines, self._records, self._waiting = [], [], []
        self._urgent = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._writing += 1
        self._writer.queue.put(batch)

    def _tell_batch(self, waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
        """Called by the writer."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._batch_done, waiting, error)

    def _tell(self, waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_resolve, waiting, error)

    def _batch_done(self, waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
        self._writing -= 1
        _resolve(waiting, error)
        if self._urgent and not self._armed and not self._writing:
            self._arm()

    def _recover(self) -> None:
        """Put the intake in order and settle what has no settle: its process is gone."""
        self._writer.adopt()
        after = -1
        while opened := self._open_intents(after):
            after = opened[-1][0]
            now_us = int(self._clock() * 1_000_000)
            self._add_now([projection.orphan(each, self.stamp(), now_us) for _, each in opened])
        costs = self._open_costs()
        for start in range(0, len(costs), ORPHANS_AT_ONCE):
            some = costs[start : start + ORPHANS_AT_ONCE]
            self._add_now([hours.orphan(each, self.stamp()) for each in some])
        self._first_seq = self._seq + 1

    def _open_intents(self, after: int) -> list[tuple[int, ledger.Intent]]:
        wanted = (after, ORPHANS_AT_ONCE)
        found: list[Any] = self._connection.execute(SQL["open_entries"], wanted).fetchall()
        intents: list[tuple[int, ledger.Intent]] = []
        for (index,) in found:
            intent = ledger.decode(leaf_at(self._connection, index))
            assert isinstance(intent, ledger.Intent)
            intents.append((index, intent))
        return intents

    def _open_costs(self) -> list[ledger.CostIntent]:
        found: list[Any] = self._connection.execute(SQL["open_costs"]).fetchall()
        intents = [ledger.decode(blob) for (blob,) in found]
        return [intent for intent in intents if isinstance(intent, ledger.CostIntent)]

    def _add_now(self, records: Sequence[ledger.Settle | ledger.CostSettle]) -> None:
        seqs = (records[0].replica_seq, records[-1].replica_seq)
        lines = [ledger.encode(record) for record in records]
        self._writer.add(Batch(lines, list(records), (), seqs, _ignore))
        self._writer.drain()


def _resolve(waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
    for each in waiting:
        # A caller who is gone has cancelled its wait; the record stands all the same.
        if each.done():
            continue
        if error is None:
            each.set_result(None)
        else:
            each.set_exception(_unavailable())
            each.exception()  # somebody may have gone away: then nobody is to be told


def _unavailable() -> LedgerUnavailable:
    return LedgerUnavailable(
        "the ledger cannot be written, so no call is made: look at the disk of the data folder,"
        " then restart the gateway"
    )


def _ignore(_: Exception | None) -> None:
    """Nobody waits."""

"""
The writer: one thread that makes records durable, a group at a time.

A group is all that was appended while the one before it was written. It is one row of the
intake, one commit and one fsync; then everybody who waits is told at once, with the promise
that their entries will be in the tree. Between groups the same thread sequences what is
durable, a slice at a time.

An error while writing ends the process: nothing is tried again, because after a failed fsync
nobody knows what is on the disk. A full disk is another matter, as nothing was written: what
was taken waits until there is room, and nothing new is taken.
"""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import apsw
import msgspec
from msgspec import Struct

from gateway import __version__, ledger
from gateway.errors import ConfigError, GatewayError
from gateway.ledger import decision_log, sequencing, series
from gateway.ledger.pseudonyms import Salt
from gateway.ledger.sequencing import Group
from gateway.stores import promising
from gateway.stores.sqlite.connection import BUSY_MS
from gateway.stores.sqlite.guard import Guard
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.sequencer import FULL, Noted, Sequencer

SLICE_RECORDS: Final = 512
"""Sequenced in one transaction: a few milliseconds in which no append is committed."""
SLICE_AGE_S: Final = 0.025
"""Records are put in order once the oldest of them has waited this long."""
FOREIGN_S: Final = 1.0
"""How often the intake is asked for what commands appended, and a full disk whether it still is."""
PATIENT_S: Final = 10.0
"""How long that is put off while groups wait."""
HOURS_S: Final = 60
"""How often it is asked whether an hour of unlinked cost is over."""
KEEP_DECISIONS_S: Final = 30 * 86_400
CALM_WAL_PAGES: Final = 2_000
"""The write-ahead log is moved into the file from here on when nothing waits, …"""
FULL_WAL_PAGES: Final = 8_000
"""… and from here on (32 MB) even when something does."""
PROMISE_S: Final = 86_400
"""How long a promise gives the log to keep it."""
BRIEF_MS: Final = 100
"""How long emptying the write-ahead log waits for readers, before it is put off."""


class Batch(Struct):
    """What the event loop hands over; `done` is called from the writer's thread."""

    lines: list[bytes]
    records: Sequence[ledger.Record]
    salts: Sequence[Salt]
    done: Callable[[GatewayError | None, Sequence[str]], None]
    """Is told the promises, one for each record; empty where there is none."""


class Job(Struct):
    """Something else that is written, in steps: between two of them groups are taken."""

    step: Callable[[], bool]
    """Does one transaction, or nothing when it fails; returns whether it was the last one."""
    done: Callable[[GatewayError | None], None]


class Barrier(Struct):
    """Everything handed over before it is in order, and signed, once `done` is called."""

    done: Callable[[GatewayError | None], None]
    stop: bool = False


Item: TypeAlias = Batch | Job | Barrier


class Writer:
    """The thread, what it was handed, and what it has not put in order yet."""

    def __init__(
        self,
        connection: Connection,
        sequencer: Sequencer,
        *,
        folder: Path,
        clock: Callable[[], float],
        die: Callable[[str], None],
    ) -> None:
        self.queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.decisions: deque[Noted] = deque()
        self.guard = Guard(folder, die)
        self.backlog = 0
        """Records that are durable and not yet in order."""
        self.sequencer = sequencer
        self.replica = ""
        self.truncate_due = False
        """Whether what was erased may still be in the write-ahead log."""
        self._connection = connection
        self._clock = clock
        self._held: deque[Item] = deque()
        self._jobs: deque[Job] = deque()
        self._groups: deque[Group] = deque()
        self._oldest_s = 0.0
        self._asked_s = 0.0
        self._wal_pages = 0
        self._hours_at = 0.0
        self._pruned_at = 0.0
        self._thread = threading.Thread(target=self.run, name="ledger", daemon=True)
        connection.set_wal_hook(self._committed)

    def start(self) -> None:
        """Start the thread; from here on only it touches the connection."""
        self._thread.start()

    def finish(self) -> None:
        """Return once a Barrier that stops it is reached, whether or not it was started."""
        if self._thread.ident is None:
            self.run()
        else:
            self._thread.join()

    def begin(self, replica: str, previous: str) -> None:
        """Write the start of a gateway's series, as its first record."""
        at_us = int(self._clock() * 1_000_000)
        record = series.start(
            replica, "gateway", at_us=at_us, version=__version__, previous=previous
        )
        self.replica = replica
        execute = self._connection.execute
        self.add(
            Batch([ledger.encode(record)], [record], (), _ignore),
            also=lambda: execute(SQL["set_replica"], (replica,)),
        )

    def add(self, batch: Batch, also: Callable[[], object] | None = None) -> list[str]:
        """Write a group, in one commit, and return its promises. For the thread alone."""
        self.sequencer.sync(FULL)
        values = (self.replica, b"\n".join(batch.lines))
        if batch.salts or also is not None:
            salts = [(each.principal, each.month, each.salt) for each in batch.salts]
            with self.transaction():
                self._connection.executemany(SQL["add_salt"], salts)
                self._connection.execute(SQL["add_intake"], values)
                if also is not None:
                    also()
                intake_id = self._connection.last_insert_rowid()
        else:
            self._connection.execute(SQL["add_intake"], values)
            intake_id = self._connection.last_insert_rowid()
        if not self._groups:
            self._oldest_s = time.monotonic()
        self._groups.append(Group(intake_id, batch.lines, batch.records))
        self.backlog += len(batch.lines)
        by_s = int(self._clock()) + PROMISE_S
        signer, origin = self.sequencer.signer, self.sequencer.origin
        return promising.promised(signer, origin, by_s, batch.lines, batch.records)

    def drain(self) -> None:
        """Put everything in order: what is known, what others appended, and the decisions."""
        while self._groups or self.decisions:
            self._slice()
        self._fetch_foreign()
        while self._groups:
            self._slice()

    def adopt(self) -> None:
        """Put in order what an earlier process left in the intake."""
        found: list[Any] = self._connection.execute(SQL["all_intake"]).fetchall()
        for intake_id, _, blob in found:
            self._push(intake_id, blob)
        while self._groups or self.decisions:
            self._slice()

    def move_wal(self) -> None:
        """Move the write-ahead log into the file, as far as no reader needs it."""
        with contextlib.suppress(apsw.BusyError):
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._wal_pages = 0

    def truncate_wal(self) -> None:
        """Move all of the write-ahead log into the file and empty it; later, if it is read now."""
        self.truncate_due = True
        self._connection.set_busy_timeout(BRIEF_MS)
        try:
            with contextlib.suppress(apsw.BusyError):
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self.truncate_due = False
        finally:
            self._connection.set_busy_timeout(BUSY_MS)

    @contextlib.contextmanager
    def transaction(self) -> Generator[None]:
        """Commit what is written, or, when it fails, none of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # An I/O error may have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def run(self) -> None:
        """Work until a Barrier says to stop."""
        stopped = False
        try:
            while not stopped:
                stopped = self._turn()
            for job in self._jobs:
                job.done(self.guard.unavailable())
        finally:
            if not stopped:
                self.guard.fail("the thread that writes it ended by an error of its own")

    def _turn(self) -> bool:
        """Take what there is; return whether it said to stop."""
        with contextlib.suppress(queue.Empty):
            self._held.append(self.queue.get(timeout=self._patience_s()))
        if self.guard.wait_s and not self._stopping:
            self._put_off()
            return False
        while self._held:
            item = self._held[0]
            if not self._take(item):
                self._put_off()
                return False
            self._held.popleft()
            if isinstance(item, Barrier) and item.stop:
                return True
        if self._jobs:
            self._step(self._jobs[0])
        self.guard.run(self._put_in_order)
        return False

    def _put_off(self) -> None:
        """Let nobody wait for an order that records are not in for the time being."""
        for item in [each for each in self._held if isinstance(each, Barrier) and not each.stop]:
            self._held.remove(item)
            item.done(self.guard.unavailable())

    @property
    def _stopping(self) -> bool:
        last = self._held[-1] if self._held else None
        return isinstance(last, Barrier) and last.stop

    def _patience_s(self) -> float:
        if self.guard.failed or self.guard.wait_s:
            return self.guard.wait_s or FOREIGN_S
        if self._jobs:
            return 0
        if self._groups:
            return SLICE_AGE_S
        due_s = self.sequencer.unsigned_s
        return FOREIGN_S if due_s is None else min(due_s, FOREIGN_S)

    def _take(self, item: Item) -> bool:
        """Do what an item asks; return False when it has to wait for room on the disk."""
        if isinstance(item, Batch):
            made: list[str] = []
            if self.guard.run(lambda: made.extend(self.add(item))):
                item.done(self.guard.failed, made)
            elif self._stopping:
                item.done(self.guard.unavailable(), ())
            else:
                return False
        elif isinstance(item, Job):
            self._jobs.append(item)
            if len(self._jobs) == 1:
                self._step(item)
        else:
            while item.stop and self._jobs and not self.guard.wait_s:
                self._step(self._jobs[0])
            done = self.guard.run(self._stop if item.stop else self._order)
            item.done(self.guard.failed if done else self.guard.unavailable())
        return True

    def _step(self, job: Job) -> None:
        """Do one step of a job that is under way."""
        ended: list[bool] = []
        error: GatewayError | None = None
        try:
            if not self.guard.run(lambda: ended.append(job.step())):
                return
            error = self.guard.failed
        except ConfigError as refused:
            error = refused
        if error or ended[0]:
            self._jobs.popleft()
            job.done(error)

    def _order(self) -> None:
        self.drain()
        self._close_hours()
        self.sequencer.move(sign=True)

    def _stop(self) -> None:
        self.drain()
        self._close_hours()
        stamp = self.sequencer.stamp()
        at_us = int(self._clock() * 1_000_000)
        ended = series.stopped(stamp, self.sequencer.last_cost_seq, at_us)
        self.sequencer.move(own=[ended], sign=True)
        self.move_wal()

    def _put_in_order(self) -> None:
        now_s = time.monotonic()
        waited = now_s - self._oldest_s >= SLICE_AGE_S
        if self.backlog >= SLICE_RECORDS or (waited and (self._groups or self.decisions)):
            self._slice()
        self.sequencer.sign_if_due()
        asked_s = now_s - self._asked_s
        if asked_s >= FOREIGN_S and (self.queue.empty() or asked_s >= PATIENT_S):
            self._asked_s = now_s
            self._look_around()
        if self._wal_pages >= FULL_WAL_PAGES or (
            self._wal_pages >= CALM_WAL_PAGES and self.queue.empty()
        ):
            self.move_wal()

    def _look_around(self) -> None:
        """Do what has to be done about once a second."""
        self._fetch_foreign()
        self._close_hours()
        self._prune()
        if self.truncate_due:
            self.truncate_wal()
        if not self._held:
            self.guard.look_for_room()

    def _slice(self) -> None:
        groups: list[Group] = []
        count = 0
        while self._groups and count < SLICE_RECORDS:
            groups.append(self._groups.popleft())
            count += len(groups[-1].lines)
        decisions = [self.decisions.popleft() for _ in range(len(self.decisions))]
        try:
            self.sequencer.move(groups, decisions)
        except BaseException:
            self._groups.extendleft(reversed(groups))
            self.decisions.extendleft(reversed(decisions))
            raise
        self.backlog -= count
        self._oldest_s = time.monotonic()

    def _fetch_foreign(self) -> None:
        found: list[Any] = self._connection.execute(
            SQL["foreign_intake"], (self.replica,)
        ).fetchall()
        there = {group.key for group in self._groups}
        for intake_id, _, blob in found:
            if intake_id not in there:
                self._push(intake_id, blob)
        while found and self._groups:
            self._slice()

    def _push(self, intake_id: int, blob: bytes) -> None:
        group = sequencing.read(intake_id, blob)
        unreadable: list[bytes] = []
        for line in group.unreadable:
            # Decisions went this way in the first releases.
            try:
                self.decisions.append((decision_log.entry(line).at_us, line))
            except msgspec.MsgspecError:
                unreadable.append(line)
        self._groups.append(Group(intake_id, group.lines, group.records, unreadable))
        self.backlog += len(group.lines)

    def _close_hours(self) -> None:
        now = self._clock()
        if abs(now - self._hours_at) >= HOURS_S:
            while self.sequencer.close_hours():
                pass
            self._hours_at = now

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned_at >= 3_600:  # noqa: PLR2004  # each hour
            self._pruned_at = now
            before_us = int((now - KEEP_DECISIONS_S) * 1_000_000)
            self._connection.execute(SQL["prune_decisions"], (before_us,))

    def _committed(self, _connection: Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK


def _ignore(_: GatewayError | None, __: Sequence[str]) -> None:
    """Nobody waits."""

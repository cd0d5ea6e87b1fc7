"""
The writer: one thread that makes records durable, a group at a time.

A group is all that was appended while the one before it was written. It is one row of the
intake, one commit and one fsync; then everybody who waits is told at once. Between groups
the same thread sequences what is durable, a slice at a time.

An error while writing ends it: nothing is tried again, because after a failed fsync nobody
knows what is on the disk. Whoever waits, and whoever comes later, gets LedgerUnavailable.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import apsw
from msgspec import Struct

from gateway import ledger
from gateway.ledger.pseudonyms import Salt
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.sequencer import Group, Noted, Sequencer, read

SLICE_RECORDS = 512
"""Sequenced in one transaction: a few milliseconds in which no append is committed."""
_FULL, _NORMAL = "FULL", "NORMAL"
"""SQLite's `synchronous`: an fsync with each commit, or only with a checkpoint."""
SLICE_AGE_S = 0.025
"""Records are put in order once the oldest of them has waited this long."""
FOREIGN_S = 1.0
"""How often the intake is asked for what commands appended."""
KEEP_DECISIONS_S = 30 * 86_400
CALM_WAL_PAGES = 2_000
"""A checkpoint is made from here on when nothing waits, …"""
FULL_WAL_PAGES = 8_000
"""… and from here on (32 MB) even when something does."""


class Batch(Struct):
    """What the event loop hands over; `durable` is called from the writer's thread."""

    lines: list[bytes]
    records: list[ledger.Leaf]
    salts: Sequence[Salt]
    seqs: tuple[int, int]
    """The first and the last sequence number in it."""
    done: Callable[[Exception | None], None]


class Policies(Struct):
    """The text behind a digest, to be kept for good."""

    digest: str
    at_us: int
    files: bytes
    done: Callable[[Exception | None], None]


class Barrier(Struct):
    """Everything handed over before it is in order once `done` is called."""

    done: Callable[[Exception | None], None]
    stop: bool = False


Item: TypeAlias = Batch | Policies | Barrier


class Writer:
    """The thread, what it was handed, and what it has not put in order yet."""

    def __init__(self, connection: Connection, *, replica: str, clock: Callable[[], float]) -> None:
        self.queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.decisions: deque[Noted] = deque()
        self.failed: Exception | None = None
        self.backlog = 0
        """Records that are durable and not yet in order."""
        self.sequencer = Sequencer(connection)
        self._connection = connection
        self._replica = replica
        self._clock = clock
        self._groups: deque[Group] = deque()
        self._oldest_s = 0.0
        self._asked_s = 0.0
        self._wal_pages = 0
        self._synchronous = _FULL
        self._pruned_at = 0.0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        connection.set_wal_hook(self._committed)

    def start(self) -> None:
        """Start the thread; from here on only it touches the connection."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread to end, after a Barrier that stops it."""
        if self._thread.is_alive():
            self._thread.join()

    def add(self, batch: Batch) -> None:
        """Write a group: one commit. For the thread, and for whoever has not started it."""
        self._sync(_FULL)
        execute = self._connection.execute
        blob = b"\n".join(batch.lines)
        values = (self._replica, *batch.seqs, blob)
        if batch.salts:
            execute("BEGIN IMMEDIATE")
            salts = [(each.principal, each.month, each.salt) for each in batch.salts]
            self._connection.executemany(SQL["add_salt"], salts)
            execute(SQL["add_intake"], values)
            intake_id = self._connection.last_insert_rowid()
            execute("COMMIT")
        else:
            execute(SQL["add_intake"], values)
            intake_id = self._connection.last_insert_rowid()
        if not self._groups:
            self._oldest_s = time.monotonic()
        self._groups.append(Group(intake_id, batch.lines, batch.records))
        self.backlog += len(batch.lines)

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
        while self._groups:
            self._slice()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file, as far as no reader needs it."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._wal_pages = 0

    def _run(self) -> None:
        while True:
            try:
                item = self.queue.get(timeout=SLICE_AGE_S if self._groups else FOREIGN_S)
            except queue.Empty:
                item = None
            if self.failed is None:
                self._guarded(partial(self._take, item))
            if item is not None:
                item.done(self.failed)
            if isinstance(item, Barrier):
                if item.stop:
                    return
            elif self.failed is None:
                self._guarded(self._put_in_order)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (apsw.Error, OSError) as problem:
            self.failed = problem

    def _take(self, item: Item | None) -> None:
        if isinstance(item, Batch):
            self.add(item)
        elif isinstance(item, Policies):
            values = (item.digest, item.at_us, item.files)
            self._connection.execute(SQL["keep_policies"], values)
        elif isinstance(item, Barrier):
            self.drain()

    def _put_in_order(self) -> None:
        now_s = time.monotonic()
        waited = now_s - self._oldest_s >= SLICE_AGE_S
        if self.backlog >= SLICE_RECORDS or (waited and (self._groups or self.decisions)):
            self._slice()
        if now_s - self._asked_s >= FOREIGN_S and self.queue.empty():
            self._asked_s = now_s
            self._fetch_foreign()
            self._prune()
        if self._wal_pages >= FULL_WAL_PAGES or (
            self._wal_pages >= CALM_WAL_PAGES and self.queue.empty()
        ):
            self.checkpoint()

    def _slice(self) -> None:
        groups: list[Group] = []
        count = 0
        while self._groups and count < SLICE_RECORDS:
            groups.append(self._groups.popleft())
            count += len(groups[-1].lines)
        decisions = [self.decisions.popleft() for _ in range(len(self.decisions))]
        # Nothing in a slice is new: the intake holds it durably until the same commit removes it.
        # In WAL mode that commit becomes durable, as a whole and in its place, with the next
        # append's fsync; a power cut before leaves the intake, and the slice is made again.
        self._sync(_NORMAL)
        self.sequencer.move(groups, decisions)
        self.backlog -= count
        self._oldest_s = time.monotonic()

    def _sync(self, mode: str) -> None:
        if mode != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous={mode}")
            self._synchronous = mode

    def _fetch_foreign(self) -> None:
        found: list[Any] = self._connection.execute(
            SQL["foreign_intake"], (self._replica,)
        ).fetchall()
        for intake_id, _, blob in found:
            self._push(intake_id, blob)
        while found and self._groups:
            self._slice()

    def _push(self, intake_id: int, blob: bytes) -> None:
        group = read(intake_id, blob)
        self._groups.append(group)
        self.backlog += len(group.lines)

    def _prune(self) -> None:
        now = self._clock()
        if now - self._pruned_at >= 3_600:  # noqa: PLR2004  # each hour
            self._pruned_at = now
            before_us = int((now - KEEP_DECISIONS_S) * 1_000_000)
            self._connection.execute(SQL["prune_decisions"], (before_us,))

    def _committed(self, _connection: Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

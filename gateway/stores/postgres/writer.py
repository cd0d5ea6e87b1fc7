"""
The writer: one thread that makes what a replica appends durable, a parcel at a time.

A parcel is all that was appended while the one before it was written: one row of the intake, one
commit, one fsync. When the database does not take one, nobody knows whether it did: the same
parcel goes to the spool, and all that follow, in order, until the database has had them all
(`returning`); what it had already changes nothing there. So parcels reach the intake in the order
they were made, each once.

A replica that was declared lost while it was away goes on under another name: what the database
had not taken is told anew, as a series of its own.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

import psycopg
from msgspec import Struct

from gateway import ledger
from gateway.errors import GatewayError, LedgerUnavailable
from gateway.ledger import series
from gateway.stores import promising
from gateway.stores.gathering import Gathered
from gateway.stores.postgres import intake, parcels
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.intake import Ended
from gateway.stores.postgres.parcels import NOTHING, Beside, Parcel, Shift
from gateway.stores.postgres.returning import Returned, Returning
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import SQL, Standing

PROMISE_S: Final = 86_400
"""How long a promise gives the log to keep it."""
BEAT_S: Final = 2.0
"""How often a replica says that it is there."""
DECISIONS_S: Final = 0.25
"""The longest a line of the decision log waits for others."""
DECISIONS_MAX: Final = 50_000
"""Lines that wait while the database is away; older ones are given up: they are diagnostics."""


class Batch(Struct, frozen=True):
    """A group, and what has to be kept with it."""

    gathered: Gathered
    beside: Beside = NOTHING


class Barrier(Struct, frozen=True):
    """Everything handed over before it is in the database when `done` is told so."""

    done: Callable[[tuple[str, int] | GatewayError], None]
    """Is told the replica's name and the number of its last group."""


class Stop(Struct, frozen=True):
    """Nothing follows."""


Item: TypeAlias = Batch | Barrier | Returned | Stop


class Heard(Struct, frozen=True, kw_only=True):
    """Whom the writer tells what, from its thread."""

    came: Callable[[Gathered, list[str] | GatewayError], None]
    """What became of a group."""
    renamed: Callable[[str, Shift], None]
    """That a series goes on as another."""
    appended: Callable[[], None]
    """That there is something to put in order."""
    erased: Callable[[set[bytes]], None]
    """Marks of people to be forgotten."""


class Writer:
    """The thread, its session, and the spool."""

    def __init__(
        self,
        standing: Standing,
        spool: Spool,
        session: Connection,
        heard: Heard,
        *,
        replica: str,
        group_seq: int,
    ) -> None:
        self.queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.decisions: deque[tuple[int, bytes]] = deque(maxlen=DECISIONS_MAX)
        self.failed: GatewayError | None = None
        self.away_since_s: float | None = None
        """Since when (Unix seconds) the database is away; None: it is there."""
        self.ordered = 0
        """Records of the series that are in order, as last heard."""
        self.taken = 0
        """Records of the series that are durable."""
        self.replica = replica
        self._standing = standing
        self._spool = spool
        self._session: Connection | None = session
        self._heard = heard
        self._group_seq = group_seq
        self._shifts: dict[str, Shift] = {}
        self._returning: Returning | None = None
        self._in_hand: Gathered | None = None
        self._beaten_s = self._noted_s = time.monotonic()
        row = session.execute(SQL["last_erased"]).fetchone()
        self._erased: int = row[0] if row else 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was handed over, to the spool if need be, and stop; blocks."""
        self.queue.put(Stop())
        self._thread.join()

    def _run(self) -> None:
        stopped = False
        try:
            while not stopped:
                try:
                    item = self.queue.get(timeout=DECISIONS_S if self.decisions else BEAT_S)
                except queue.Empty:
                    item = None
                stopped = isinstance(item, Stop)
                self._take(item)
                self._chores(at_once=stopped or isinstance(item, Barrier))
                if isinstance(item, Barrier):
                    self._pass(item)
        finally:
            if not stopped:
                self.failed = self.failed or LedgerUnavailable(
                    "the ledger's writer ended by an error of its own: restart the gateway"
                )
            self._end()

    def _take(self, item: Item | None) -> None:
        if isinstance(item, Batch):
            self._write(item)
        elif isinstance(item, Returned):
            self._come_back(item)

    def _write(self, batch: Batch) -> None:
        gathered = batch.gathered
        if self.failed is not None:
            self._heard.came(gathered, self.failed)
            return
        self._in_hand = gathered
        parcel = self._parcel(gathered, batch.beside)
        promises = self._add(parcel)
        self._heard.came(gathered, self._keep(parcel) if promises is None else promises)
        self._in_hand = None

    def _parcel(self, gathered: Gathered, beside: Beside) -> Parcel:
        records, lines = gathered.records, gathered.lines
        if self._shifts and any(each.replica in self._shifts for each in records):
            records = [parcels.restamped(each, self._shifts) for each in records]
            lines = [ledger.encode(each) for each in records]
        self._group_seq += bool(lines)
        self.taken += len(lines)
        return Parcel(self.replica, self._group_seq, lines, records, beside)

    def _add(self, parcel: Parcel) -> list[str] | None:
        """Give a parcel to the database; return its promises, None when it did not take it."""
        if self._session is None:
            return None
        try:
            intake.add(self._session, self._standing, parcel)
        except Ended:
            self._leave(self._session)
            return None
        except psycopg.Error:
            self._leave(None)
            return None
        self._heard.appended()
        by_s = int(self._standing.clock()) + PROMISE_S
        signer, origin = self._standing.signer, self._standing.origin
        return promising.promised(signer, origin, by_s, parcel.lines, parcel.records)

    def _keep(self, parcel: Parcel) -> list[str] | GatewayError:
        """Put a parcel in the spool. No promise: this disk may be lost, and is not the log's."""
        try:
            self._spool.put(parcel)
        except GatewayError as error:
            self.failed = error
            return error
        return [""] * len(parcel.lines)

    def _leave(self, session: Connection | None) -> None:
        """Go on without the database until it takes something again."""
        if self._session is not None and session is None:
            self._session.close()
        self._session = None
        if self.away_since_s is None:
            self.away_since_s = self._standing.clock()
        if session is not None:
            self.queue.put(Returned(session, is_lost=True))
        else:
            self._returning = Returning(self._standing, self._spool, self.queue.put)

    def _come_back(self, returned: Returned) -> None:
        session, self._returning = returned.session, None
        try:
            if returned.is_lost:
                self._begin_again(session)
            # What came while the last of the spool was on its way.
            intake.drain(session, self._standing, self._spool)
        except Ended:
            self._leave(session)
        except (psycopg.Error, GatewayError):
            session.close()
            self._leave(None)
        else:
            self._session, self.away_since_s = session, None
            self._heard.appended()

    def _begin_again(self, session: Connection) -> None:
        """Go on as another series: this one was declared lost."""
        standing, old = self._standing, self.replica
        if intake.has_ended(session, old) is False:
            return
        far = intake.far(session, old)
        name = "r" + standing.random(4).hex()
        shift = Shift(name, far.seq - 1, far.cost_seq)
        first = series.start(
            name, standing.role, at_us=standing.now_us(), version=standing.version, previous=old
        )
        opening = Parcel(name, 1, [ledger.encode(first)], [first])
        kept = parcels.going_on(self._spool.all(), {old: shift}, opening)
        self._spool.replace(kept, name)
        self._spool.ended([old])
        self._shifts[old] = shift
        self.replica, self._group_seq = name, kept[-1].group_seq
        self.ordered = 0
        self.taken = sum(len(parcel.lines) for parcel in kept)
        self._heard.renamed(old, shift)

    def _chores(self, *, at_once: bool) -> None:
        now_s = time.monotonic()
        try:
            if self.decisions and (at_once or now_s - self._noted_s >= DECISIONS_S):
                self._note(now_s)
            if now_s - self._beaten_s >= BEAT_S:
                self._beaten_s = now_s
                self._beat()
        except psycopg.Error:
            self._leave(None)

    def _note(self, now_s: float) -> None:
        if self._session is None:
            return
        self._noted_s = now_s
        noted = list(self.decisions)
        times = [at_us for at_us, _ in noted]
        lines = b"\n".join([line for _, line in noted])
        self._session.execute(SQL["add_decisions"], (min(times), max(times), lines))
        for _ in noted:
            self.decisions.popleft()

    def _beat(self) -> None:
        session = self._session
        if session is None:
            return
        if not intake.beat(session, self.replica):
            self._leave(session)
            return
        far = intake.far(session, self.replica)
        self.ordered = far.seq + far.cost_seq
        marks: set[bytes] = set()
        for place, mark in session.execute(SQL["erased_since"], (self._erased,)).fetchall():
            self._erased = place
            marks.add(mark)
        if marks:
            self._heard.erased(marks)

    def _pass(self, barrier: Barrier) -> None:
        if self._session is None or self.failed is not None:
            barrier.done(self.failed or away())
        else:
            barrier.done((self.replica, self._group_seq))

    def _end(self) -> None:
        """Tell everybody who still waits, and give the session back."""
        if self._returning is not None:
            self._returning.stop()
        if self._in_hand is not None:
            self._heard.came(self._in_hand, self.failed or away())
        while not self.queue.empty():
            item = self.queue.get()
            if isinstance(item, Batch):
                self._heard.came(item.gathered, self.failed or away())
            elif isinstance(item, Barrier):
                item.done(self.failed or away())
            elif isinstance(item, Returned):
                item.session.close()
        if self._session is not None:
            self._session.close()


def away() -> LedgerUnavailable:
    """Return the error of whoever needs the database while it is away."""
    return LedgerUnavailable(
        "the ledger's database is away, and the policy lets no new call through without it: see"
        " that it runs and can be reached, then try again"
    )

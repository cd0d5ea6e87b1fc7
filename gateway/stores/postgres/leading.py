"""
Who sequences: one replica of the fleet, by an advisory lock that its session holds.

Each replica has a thread that asks for the lock each second, and sequences while it holds it.
Losing the session loses the lock; one that hangs without losing it is ended by the others when
it did nothing for its lease. The lock only spares work: what keeps two from writing is the epoch
(`sequencer`).
"""

import logging
import threading
import time
from contextlib import closing
from typing import Final

import psycopg

from gateway.errors import GatewayError
from gateway.stores.postgres import connection
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.sequencer import SLICE_RECORDS, Deposed, Sequencer
from gateway.stores.postgres.standing import LOCK, SQL, Standing
from gateway.stores.postgres.tidying import Tidying

ASK_S: Final = 1.0
"""How often a replica asks for the lock, and the sequencer looks for chores."""
PAUSE_S: Final = 0.02
"""Between two slices, unless a slice was full."""
IDLE_S: Final = 0.1
"""Between two looks into an empty intake, unless this replica appends."""
SELDOM_S: Final = 60.0
STOP_S: Final = 10.0

_log = logging.getLogger("goodgate.stores")


class Leading:
    """The thread; `wake` it when there is something to put in order."""

    def __init__(self, standing: Standing) -> None:
        self.epoch: int | None = None
        """The term it sequences in; None: another replica does, or nobody."""
        self.clashes = 0
        """Records set aside by this replica since its start."""
        self.problem = ""
        """Why it cannot sequence, though nobody else does; empty: it can."""
        self._standing = standing
        self._woken = threading.Event()
        self._asked = self._heeded = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        """Start to ask for the lock."""
        self._thread.start()

    def wake(self) -> None:
        """Have the intake looked at soon, if it is this replica that does."""
        self._woken.set()

    def ask(self) -> None:
        """Have chores done and a checkpoint made soon, if it is this replica that does."""
        self._asked += 1
        self._woken.set()

    @property
    def is_asked(self) -> bool:
        """Whether it is about to do what it was asked for."""
        return self.epoch is not None and self._heeded < self._asked

    def stop(self) -> None:
        """Put what is there in order, end the term, and stop; blocks."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            self._ask()
        finally:
            if not self._stopping.is_set():
                self._tell("its thread ended by an error of its own: restart the gateway")

    def _ask(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(connection.connect(self._standing.address)) as session:
                    # A plan made while a table was small must not outlive that.
                    session.prepare_threshold = None
                    while not self._stopping.is_set() and not self._try(session):
                        self._stopping.wait(ASK_S)
            except Deposed:
                self._tell("another replica has taken over")
            except (psycopg.Error, GatewayError) as error:
                self._tell(type(error).__name__ if isinstance(error, psycopg.Error) else str(error))
                self._stopping.wait(ASK_S)
            finally:
                self.epoch = None

    def _try(self, session: Connection) -> bool:
        """Sequence, if the lock is to be had; return whether it was."""
        standing = self._standing
        row = session.execute(SQL["log"]).fetchone()
        assert row is not None
        standing.check_key(row[1])
        row = session.execute(SQL["lead"], (LOCK,)).fetchone()
        if row is None or not row[0]:
            lease = {"lease_s": standing.leader_lease_s, "lock": LOCK}
            session.execute(SQL["challenge"], lease)
            return False
        session.execute(SQL["claim"])  # taking over may take a while: nobody is to end it
        self._sequence(session, Sequencer(session, standing))
        return True

    def _sequence(self, session: Connection, term: Sequencer) -> None:
        self.epoch, self.problem = term.epoch, ""
        tidying = Tidying(session, self._standing, term)
        began_s = time.monotonic()
        often_s = seldom_s = began_s - SELDOM_S
        clashes = self.clashes
        while True:
            asked, is_asked = self._asked, self.is_asked
            if is_asked:
                tidying.asked()
            moved = term.slice(sign=is_asked)
            self._heeded = asked
            self.clashes = clashes + term.clashes
            now_s = time.monotonic()
            if now_s - often_s >= ASK_S:
                often_s = now_s
                tidying.often(may_declare=now_s - began_s >= self._standing.lease_s)
                if not term.is_led():
                    raise Deposed
            if now_s - seldom_s >= SELDOM_S:
                seldom_s = now_s
                tidying.seldom()
            if moved < SLICE_RECORDS and not self._pause(is_idle=not moved):
                break
        until_s = time.monotonic() + STOP_S / 2
        while term.slice() and time.monotonic() < until_s:
            pass
        tidying.settle_orphans()
        term.end()

    def _pause(self, *, is_idle: bool) -> bool:
        """Wait for more; return whether to go on."""
        if is_idle:
            self._woken.wait(IDLE_S)
        elif not self.is_asked:
            self._stopping.wait(PAUSE_S)
        self._woken.clear()
        return not self._stopping.is_set()

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            _log.warning("the ledger is not sequenced by this replica now: %s", problem)

"""
What a sequencer does beside: it ends what is gone, closes hours, drops what is retired or old.

Each is a turn of its own, so that a slice never waits long; each does a bounded amount and says
whether more is left.
"""

from typing import Final

from gateway import ledger
from gateway.ledger import hours, projection, series
from gateway.ledger.hours import HourKey, HourSum
from gateway.stores.postgres import leaves
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.sequencer import Sequencer
from gateway.stores.postgres.standing import SQL, Standing

ORPHANS_AT_ONCE: Final = 512
DROPS_AT_ONCE: Final = 8
KEEP_DECISIONS_S: Final = 30 * 86_400
KEEP_ERASED_S: Final = 62 * 86_400


class Tidying:
    """The chores of one term."""

    def __init__(self, session: Connection, standing: Standing, term: Sequencer) -> None:
        self._session = session
        self._standing = standing
        self._term = term

    def often(self, *, may_declare: bool) -> None:
        """Do what is done each second; `may_declare`: replicas had time to show themselves."""
        self._session.execute(SQL["remove_repeats"])
        self._session.execute(SQL["forget_ended"])
        if may_declare:
            self.declare_lost()
        self.settle_orphans()
        self.asked()

    def asked(self) -> None:
        """Do what somebody may wait for."""
        self.close_hours()
        for _ in range(DROPS_AT_ONCE):
            if not self._drop_retired():
                return

    def seldom(self) -> None:
        """Do what is done each minute."""
        now = self._standing.clock()
        before_us = int((now - KEEP_DECISIONS_S) * 1_000_000)
        self._session.execute(SQL["prune_decisions"], (before_us,))
        self._session.execute(SQL["prune_erased"], (int((now - KEEP_ERASED_S) * 1_000_000),))

    def declare_lost(self) -> None:
        """End the series of replicas that were not seen for their lease."""
        term = self._term
        with term.turn():
            # Locked: no parcel of theirs is on its way, and none will be taken any more.
            names = [name for (name,) in self._session.execute(SQL["lost"]).fetchall()]
            own: list[ledger.Record] = []
            for name in names:
                row = self._session.execute(SQL["is_drained"], (name,)).fetchone()
                if row is None or not row[0]:
                    continue  # what it left is put in order first
                self._session.execute(SQL["end_replica"], (name,))
                far = term.series_of(name)
                if not far.last_seq:
                    continue  # it never began
                last, now_us = (far.last_seq, far.last_cost_seq), self._standing.now_us()
                own.append(series.ended(name, last, "lost", stamp=term.stamp(), at_us=now_us))
            if own:
                term.write(own=own)

    def settle_orphans(self) -> None:
        """Settle the calls of series that ended, as lost and at the most they can have come to."""
        while self._settle_some() or self._settle_costs():
            pass

    def close_hours(self) -> None:
        """Turn hours of unlinked cost that are over into leaves."""
        until = int(self._standing.clock()) - 3_600 - hours.GRACE_S
        session, term = self._session, self._term
        if session.execute(SQL["pending_hours"], (until,)).fetchone() is None:
            return
        with term.turn():
            own: list[ledger.Record] = []
            for (hour,) in session.execute(SQL["pending_hours"], (until,)).fetchall():
                row = session.execute(SQL["next_n"], (f"hour_{hour}", "cost_hour")).fetchone()
                assert row is not None
                own += hours.leaves(
                    hour,
                    pending(session, hour),
                    first_n=row[0],
                    stamp=term.stamp,
                    is_small=self._standing.small_team,
                )
                session.execute(SQL["remove_pending"], (hour,))
            term.write(own=own)

    def _settle_some(self) -> bool:
        session, term = self._session, self._term
        if not session.execute(SQL["orphans"], (1,)).fetchall():
            return False
        with term.turn():
            indexes = [row[0] for row in session.execute(SQL["orphans"], (ORPHANS_AT_ONCE,))]
            intents = [ledger.decode(line) for line in leaves.some(session, indexes).values()]
            now_us = self._standing.now_us()
            term.write(
                own=[
                    projection.orphan(each, term.stamp(), now_us)
                    for each in intents
                    if isinstance(each, ledger.Intent)
                ]
            )
        return len(indexes) == ORPHANS_AT_ONCE

    def _settle_costs(self) -> bool:
        session, term = self._session, self._term
        if not session.execute(SQL["cost_orphans"], (1,)).fetchall():
            return False
        with term.turn():
            rows = session.execute(SQL["cost_orphans"], (ORPHANS_AT_ONCE,)).fetchall()
            intents = [ledger.decode(line) for (line,) in rows]
            term.write(
                own=[
                    hours.orphan(each, term.stamp(unlinked=True))
                    for each in intents
                    if isinstance(each, ledger.CostIntent)
                ]
            )
        return len(rows) == ORPHANS_AT_ONCE

    def _drop_retired(self) -> bool:
        retired = (self._term.retired,)
        if not self._term.retired:
            return False
        dropped = self._session.execute(SQL["drop_leaves"], retired).rowcount
        dropped += self._session.execute(SQL["drop_calls"], retired).rowcount
        return dropped > 0


def pending(session: Connection, hour: int) -> dict[HourKey, HourSum]:
    """Return what an hour came to beyond its `cost_hour` leaves."""
    return {
        HourKey(hour, team, model, reason): HourSum(calls, refused, tokens, cost_usd)
        for team, model, reason, calls, refused, tokens, cost_usd in session.execute(
            SQL["pending"], (hour,)
        )
    }

"""
What trackers told, until the ledger was told too: in PostgreSQL, for several replicas.

One replica at a time has the turn to tell. One session, used by one thread at a time; a session
that broke is replaced when the next question comes.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.stores.memory_outbox import LEASED_MAX, number_of
from gateway.stores.postgres import connection
from gateway.stores.postgres.session import Session
from gateway.values import Telling

TURN_S: Final = 30.0
"""How long a sender that says nothing more keeps its turn."""
FILE = "postgres_outbox.sql"
SQL = connection.load(FILE)


class Outbox:
    """What is to be told, and what is remembered of it: ids, subjects, tasks, and no person."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._holder = os.urandom(8).hex()

    @classmethod
    def open(cls, url: str) -> "Outbox":
        """Return the outbox in a database, begun if need be; raises ConfigError."""
        return cls(Session(url, "outbox", FILE))

    def close(self) -> None:
        """Give the turn back, and end the session; whoever is away has it for a while yet."""
        self._session.close("give_turn", (self._holder,))

    def add(
        self, tellings: Sequence[Telling], *, tracker: str = "", delivery_id: str = "", now: float
    ) -> bool:
        """
        Add what is to be told, in its order, but for ids that are there; all of it or nothing.

        Returns False, and adds nothing, when the delivery was remembered before.
        """
        with self._session.begin() as session, session.transaction():
            # Numbers are given when a row is added, not when it can be seen: one at a time.
            session.execute(SQL["lock"])
            if delivery_id:
                given = (tracker, delivery_id, now)
                if session.execute(SQL["remember"], given).fetchone() is None:
                    return False
            for each in tellings:
                session.execute(SQL["add"], _row(each))
        return True

    def is_replay(self, tracker: str, delivery_id: str) -> bool:
        """Return whether a delivery was remembered."""
        return bool(self._session.ask("delivery", (tracker, delivery_id)))

    def lease(self, now: float) -> list[Telling]:
        """Return the oldest that are to be told; none while another sender has the turn."""
        turn = {"holder": self._holder, "now": now, "until": now + TURN_S}
        with self._session.begin() as session, session.transaction():
            if session.execute(SQL["take_turn"], turn).fetchone() is None:
                return []
            rows = session.execute(SQL["to_tell"], (LEASED_MAX,)).fetchall()
        return [_telling(each) for each in rows]

    def told(self, ids: Sequence[str], now: float) -> None:
        """Remember that some were told, and drop what they said."""
        self._session.ask("told", (now, list(ids)))

    def accepted_for(self, subject: str) -> list[str]:
        """Return the tasks a subject was ever taken for, sorted."""
        return [task_id for (task_id,) in self._session.ask("accepted_for", (subject,))]

    def last_valuation(self, root_id: str) -> tuple[int, str]:
        """Return the highest n that was added for a root, and its mark; (-1, "") for none."""
        found = self._session.ask("last_valuation", (root_id,))
        return (number_of(found[0][0]), found[0][1]) if found else (-1, "")

    def valued_roots(self) -> list[str]:
        """Return the roots that have a valuation, sorted."""
        return [root_id for (root_id,) in self._session.ask("valued_roots")]

    def heard(self, tracker: str, now: float) -> None:
        """Remember that a tracker was heard of."""
        self._session.ask("heard", (tracker, now))

    def heard_at(self) -> Mapping[str, float]:
        """Return when each tracker was last heard of (Unix seconds)."""
        return dict(self._session.ask("heard_at"))

    def place(self, tracker: str, what: str) -> str:
        """Return how far something was read from a tracker; empty for not at all."""
        found = self._session.ask("place", (tracker, what))
        return str(found[0][0]) if found else ""

    def set_place(self, tracker: str, what: str, value: str) -> None:
        """Remember how far something was read."""
        self._session.ask("set_place", (tracker, what, value))

    def forget(self, before: float) -> int:
        """Forget deliveries from before a moment; return how many."""
        return len(self._session.ask("forget", (before,)))


def _row(each: Telling) -> tuple[Any, ...]:
    return (
        each.id,
        each.event,
        each.tracker,
        each.subject,
        each.task_id,
        each.root_id,
        each.mark,
        each.at_us,
        each.body,
    )


def _telling(row: tuple[Any, ...]) -> Telling:
    telling_id, event, tracker, subject, task_id, root_id, mark, at_us, body = row
    return Telling(
        id=telling_id,
        event=event,
        tracker=tracker,
        subject=subject,
        task_id=task_id,
        root_id=root_id,
        mark=mark,
        at_us=at_us,
        body=bytes(body),
    )

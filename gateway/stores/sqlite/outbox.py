"""
What trackers told, until the ledger was told too: in a SQLite file of the data folder.

A command that syncs beside a running gateway adds to it, and the gateway tells the ledger.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.stores import queries
from gateway.stores.memory_outbox import LEASED_MAX, number_of
from gateway.stores.sqlite.file import File
from gateway.values import Telling

SQL = queries.load("outbox.sql")
FILE = "outbox.sqlite"


class Outbox:
    """What is to be told, and what is remembered of it: ids, subjects, tasks, and no person."""

    def __init__(self, file: File) -> None:
        self._file = file

    @classmethod
    def open(cls, folder: Path) -> "Outbox":
        """Return the outbox of a data folder, made if need be; raises ConfigError."""
        return cls(File(folder, FILE, SQL))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(
        self, tellings: Sequence[Telling], *, tracker: str = "", delivery_id: str = "", now: float
    ) -> bool:
        """
        Add what is to be told, in its order, but for ids that are there; all of it or nothing.

        Returns False, and adds nothing, when the delivery was remembered before.
        """
        with self._file.writing() as run:
            if delivery_id and not list(run("remember", (tracker, delivery_id, now))):
                return False
            for each in tellings:
                run("add", _row(each))
        return True

    def is_replay(self, tracker: str, delivery_id: str) -> bool:
        """Return whether a delivery was remembered."""
        return bool(self._file.ask("delivery", (tracker, delivery_id))[0][0])

    def lease(self, now: float) -> list[Telling]:
        """Return the oldest that are to be told; one gateway alone uses a data folder."""
        return [_telling(each) for each in self._file.ask("to_tell", (LEASED_MAX,))]

    def told(self, ids: Sequence[str], now: float) -> None:
        """Remember that some were told, and drop what they said."""
        with self._file.writing() as run:
            for each in ids:
                run("told", (now, each))

    def accepted_for(self, subject: str) -> list[str]:
        """Return the tasks a subject was ever taken for, sorted."""
        return [task_id for (task_id,) in self._file.ask("accepted_for", (subject,))]

    def last_valuation(self, root_id: str) -> tuple[int, str]:
        """Return the highest n that was added for a root, and its mark; (-1, "") for none."""
        found = self._file.ask("last_valuation", (root_id,))
        return (number_of(found[0][0]), found[0][1]) if found else (-1, "")

    def valued_roots(self) -> list[str]:
        """Return the roots that have a valuation, sorted."""
        return [root_id for (root_id,) in self._file.ask("valued_roots")]

    def heard(self, tracker: str, now: float) -> None:
        """Remember that a tracker was heard of."""
        self._file.ask("heard", (tracker, now))

    def heard_at(self) -> Mapping[str, float]:
        """Return when each tracker was last heard of (Unix seconds)."""
        return dict(self._file.ask("heard_at"))

    def place(self, tracker: str, what: str) -> str:
        """Return how far something was read from a tracker; empty for not at all."""
        found = self._file.ask("place", (tracker, what))
        return str(found[0][0]) if found else ""

    def set_place(self, tracker: str, what: str, value: str) -> None:
        """Remember how far something was read."""
        self._file.ask("set_place", (tracker, what, value))

    def forget(self, before: float) -> int:
        """Forget deliveries from before a moment; return how many."""
        return len(self._file.ask("forget", (before,)))


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
        body=body,
    )

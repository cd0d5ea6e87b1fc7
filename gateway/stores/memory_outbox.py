"""
What trackers told, until the ledger was told too: in memory, the reference.

What is told is told by one sender at a time, in the order in which it came: a root's worth stands
before its first outcome.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.values import Telling

LEASED_MAX: Final = 100
_TAKEN: Final = frozenset(("merged", "closed", "accepted"))


class Outbox:
    """What is to be told, and what is remembered of it: ids, subjects, tasks, and no person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tellings: dict[str, Telling] = {}
        self._told: set[str] = set()
        self._deliveries: dict[tuple[str, str], float] = {}
        self._heard: dict[str, float] = {}
        self._places: dict[tuple[str, str], str] = {}

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def add(
        self, tellings: Sequence[Telling], *, tracker: str = "", delivery_id: str = "", now: float
    ) -> bool:
        """
        Add what is to be told, in its order, but for ids that are there; all of it or nothing.

        Returns False, and adds nothing, when the delivery was remembered before.
        """
        with self._lock:
            if delivery_id:
                if (tracker, delivery_id) in self._deliveries:
                    return False
                self._deliveries[tracker, delivery_id] = now
            for each in tellings:
                self._tellings.setdefault(each.id, each)
        return True

    def is_replay(self, tracker: str, delivery_id: str) -> bool:
        """Return whether a delivery was remembered."""
        return (tracker, delivery_id) in self._deliveries

    def lease(self, now: float) -> list[Telling]:
        """Return the oldest that are to be told."""
        with self._lock:
            waiting = [each for key, each in self._tellings.items() if key not in self._told]
        return waiting[:LEASED_MAX]

    def told(self, ids: Sequence[str], now: float) -> None:
        """Remember that some were told, and drop what they said."""
        with self._lock:
            self._told.update(ids)

    def accepted_for(self, subject: str) -> list[str]:
        """Return the tasks a subject was ever taken for, sorted."""
        found = {
            each.task_id
            for each in self._tellings.values()
            if subject and each.subject == subject and each.event in _TAKEN
        }
        return sorted(found - {""})

    def last_valuation(self, root_id: str) -> tuple[int, str]:
        """Return the highest n that was added for a root, and its mark; (-1, "") for none."""
        found = [
            each
            for each in self._tellings.values()
            if each.event == "valuation" and each.root_id == root_id
        ]
        return (number_of(found[-1].id), found[-1].mark) if found else (-1, "")

    def valued_roots(self) -> list[str]:
        """Return the roots that have a valuation, sorted."""
        valued = (each for each in self._tellings.values() if each.event == "valuation")
        return sorted({each.root_id for each in valued})

    def heard(self, tracker: str, now: float) -> None:
        """Remember that a tracker was heard of."""
        self._heard[tracker] = max(now, self._heard.get(tracker, now))

    def heard_at(self) -> Mapping[str, float]:
        """Return when each tracker was last heard of (Unix seconds)."""
        return dict(self._heard)

    def place(self, tracker: str, what: str) -> str:
        """Return how far something was read from a tracker; empty for not at all."""
        return self._places.get((tracker, what), "")

    def set_place(self, tracker: str, what: str, value: str) -> None:
        """Remember how far something was read."""
        self._places[tracker, what] = value

    def forget(self, before: float) -> int:
        """Forget deliveries from before a moment; return how many."""
        with self._lock:
            old = [key for key, at in self._deliveries.items() if at < before]
            for key in old:
                del self._deliveries[key]
        return len(old)


def number_of(telling_id: str) -> int:
    """Return the n of a valuation's id."""
    return int(telling_id.rpartition(":")[2])

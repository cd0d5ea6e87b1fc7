"""
The reference ledger: correct, in process, and gone when the process is.

Good for tests and for reading. The SQLite ledger must behave as this one does.
"""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from gateway import ledger
from gateway.ledger import decision_log, hours, projection, pseudonyms
from gateway.ledger.decision_log import Entry, Page
from gateway.ledger.hours import HourKey, HourSum
from gateway.values import BudgetUnit


class MemoryLedger:
    """Leaves in a list, each at its index; everything else is worked out when asked for."""

    def __init__(
        self,
        *,
        secret: bytes = b"memory",
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lines: list[bytes] = []
        self._indexes: dict[tuple[str, str], int] = {}
        self._calls: dict[str, ledger.Intent | ledger.Refusal] = {}
        self._settles: dict[str, ledger.Settle] = {}
        self._costs: list[ledger.CostIntent | ledger.CostSettle] = []
        self._noted: list[Entry] = []
        self._policies: dict[str, list[tuple[str, str]]] = {}
        self._clashes: list[tuple[str, bytes]] = []
        self._salts: list[pseudonyms.Salt] = []
        self._names = pseudonyms.Names(secret=secret, random=random)
        self._seq = 0
        self.reading = self
        self.failed = False
        self.backlog = 0

    def stamp(self) -> tuple[str, int]:
        """Return this replica's name and its next sequence number."""
        self._seq += 1
        return "memory", self._seq

    def append(self, record: ledger.Leaf, *, urgent: bool = True) -> asyncio.Future[None]:
        """Append a stamped record."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self.add(record)
        # Done a turn later, as with a real ledger: a cancellation needs somewhere to land.
        loop.call_soon(_resolve, done)
        return done

    def add(self, record: ledger.Leaf) -> None:
        """Put a record in its place."""
        if isinstance(record, ledger.DecisionRecord | ledger.SettledRecord | ledger.StartedRecord):
            self._noted.append(record)
        elif isinstance(record, ledger.CostIntent | ledger.CostSettle):
            self._costs.append(record)
        else:
            self._add_leaf(record)

    def expedite(self) -> None:
        """Everything appended so far is as durable as it will be."""

    def note(self, record: Entry) -> None:
        """Add to the decision log."""
        self._noted.append(record)

    def commitment(self, principal: str, at_us: int) -> str:
        """Return the commitment of a person in the month of `at_us`."""
        made = self._names.commitment(principal, at_us)
        self._salts += self._names.take_fresh()
        return made

    def weekly(self, name: str, at_us: int) -> str:
        """Return the pseudonym of a person in the week of `at_us`."""
        return self._names.weekly(name, at_us)

    async def flush(self) -> None:
        """Everything is in order already."""

    def close(self) -> None:
        """There is nothing to give back."""

    def rows(
        self, query: ledger.Query, people: Collection[str] | None = None
    ) -> list[projection.Row]:
        """Return the calls asked for, newest first, up to the query's limit."""
        found = [
            (call.received_at_us, self._index(attempt_id), attempt_id)
            for attempt_id, call in self._calls.items()
            if projection.matches(query, call, people)
        ]
        found.sort(reverse=True)
        return [
            projection.row(self._calls[attempt_id], self._settles.get(attempt_id), index)
            for _, index, attempt_id in found[: query.limit]
        ]

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return unlinked cost by hour, newest first."""
        sums = hours.fold(self._costs, lambda _: None).sums
        return hours.chosen(sums, query)

    def persons(self) -> dict[str, str]:
        """Return who each commitment stands for."""
        return pseudonyms.persons(self._salts)

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments that stand for a person."""
        return frozenset(held for held, person in self.persons().items() if person == principal)

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """Return what settled calls received since a moment came to, by values of columns."""
        chosen = projection.spent_columns(columns)
        names = self.persons()
        parts = [
            projection.part(call, self._settles[attempt_id], chosen, unit, names)
            for attempt_id, call in self._calls.items()
            if attempt_id in self._settles and call.received_at_us >= since_us
        ]
        sums = hours.fold(self._costs, lambda _: None).sums
        return projection.total([*parts, *hours.spent(sums, since_us, chosen, unit)])

    def decision_log(
        self, since_us: int = 0, until_us: int = 2**62, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """Yield what was decided in a window and how it was settled, in the order written."""
        lines = (ledger.encode(each) for each in self._noted)
        chosen = filter(decision_log.tells_of_shadows, lines) if shadowed else lines
        return decision_log.within(map(decision_log.entry, chosen), since_us, until_us)

    def decision_page(
        self, *, after: str = "", since_us: int = 0, until_us: int = 2**62, limit: int = 1000
    ) -> Page:
        """Return lines of the decision log, those that follow where another page ended."""
        found = list(decision_log.within(self._noted, since_us, until_us))
        start = int(after or 0)
        lines = [ledger.encode(each) for each in found[start : start + limit]]
        ends = start + limit
        return Page(lines=lines, after=str(ends) if ends < len(found) else "")

    def decision(self, request_id: str) -> ledger.DecisionRecord | None:
        """Return what was decided about a call; None: nothing is known."""
        decisions = (each for each in self._noted if isinstance(each, ledger.DecisionRecord))
        return next((each for each in decisions if each.request_id == request_id), None)

    def last_policy(self) -> str:
        """Return the digest of the policies that decided last; empty: nothing was decided."""
        digests = [each.policy for each in self._noted if isinstance(each, ledger.DecisionRecord)]
        return digests[-1] if digests else ""

    def keep_policies(self, digest: str, files: Sequence[tuple[str, str]], at_us: int) -> None:
        """Keep the names and texts of the policy files behind a digest for good."""
        self._policies.setdefault(digest, list(files))

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        return self._policies.get(digest)

    def leaves(self) -> list[bytes]:
        """Return the bytes of all leaves, in the order of their indexes."""
        return list(self._lines)

    def clashes(self) -> list[tuple[str, bytes]]:
        """Return the records that were set aside, each with the reason."""
        return list(self._clashes)

    def _add_leaf(
        self, record: ledger.Intent | ledger.Settle | ledger.Refusal | ledger.Reveal
    ) -> None:
        line = ledger.encode(record)
        kind = "call" if isinstance(record, ledger.Intent | ledger.Refusal) else type(record)
        key = (record.attempt_id, str(kind))
        there = self._indexes.get(key)
        if there is not None:
            if self._lines[there] != line:
                self._clashes.append(("other bytes", line))
            return
        if isinstance(record, ledger.Settle):
            if not isinstance(self._calls.get(record.attempt_id), ledger.Intent):
                self._clashes.append(("settles no intent", line))
                return
            self._settles[record.attempt_id] = record
        elif isinstance(record, ledger.Intent | ledger.Refusal):
            self._calls[record.attempt_id] = record
        self._indexes[key] = len(self._lines)
        self._lines.append(line)

    def _index(self, attempt_id: str) -> int:
        settled = self._indexes.get((attempt_id, str(ledger.Settle)))
        return self._indexes[attempt_id, "call"] if settled is None else settled


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)

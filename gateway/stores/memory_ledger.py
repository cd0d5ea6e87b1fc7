"""
The reference ledger: correct, in process, and gone when the process is.

Good for tests and for reading. The SQLite ledger must behave as this one does.
"""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from gateway import __version__, ledger
from gateway.errors import InvalidRequest
from gateway.ledger import decision_log, hours, projection, pseudonyms, series
from gateway.ledger.call_rows import CallRow
from gateway.ledger.decision_log import Entry, Page
from gateway.ledger.hours import HourKey, HourSum
from gateway.stores import finding, promising
from gateway.stores.finding import Beside, Found
from gateway.stores.memory_log import MemoryLog
from gateway.values import BudgetUnit

PROMISE_S = 86_400
_WEEK_US = 7 * 86_400 * 1_000_000
_PSEUDONYMS_US = 31 * 86_400 * 1_000_000


def never(_team: str) -> bool:
    """Return that no team is small."""
    return False


class MemoryLedger(MemoryLog):
    """Leaves in a list, each at its index; most else is worked out when asked for."""

    def __init__(
        self,
        *,
        secret: bytes = b"memory",
        random: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.time,
        small_team: Callable[[str], bool] = never,
    ) -> None:
        super().__init__(
            origin=f"goodgate/{random(8).hex()}",
            seed=random(32),
            clock=clock,
            small_team=small_team,
        )
        self._noted: list[Entry] = []
        self._salts: list[pseudonyms.Salt] = []
        self._names = pseudonyms.Names(secret=secret, random=random)
        self.replica = "memory"
        self._seq = 1
        self._cost_seq = 0
        self.reading = self
        self.failed = False
        self.backlog = 0
        at_us = self._now_us()
        self.add(series.start(self.replica, "gateway", at_us=at_us, version=__version__))

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """Return this replica's name and its next sequence number, of one of its two series."""
        if unlinked:
            self._cost_seq += 1
            return self.replica, self._cost_seq
        self._seq += 1
        return self.replica, self._seq

    def append(self, record: ledger.Record, *, urgent: bool = True) -> asyncio.Future[str]:
        """Append a stamped record; done with the promise of its entry."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()
        line, by_s = ledger.encode(record), int(self._clock()) + PROMISE_S
        if len(line) > ledger.LEAF_BYTES_MAX:
            self._seq -= 1  # it is given back, so that no gap is left
            raise InvalidRequest(f"an entry has up to {ledger.LEAF_BYTES_MAX} bytes: send less")
        self.add(record)
        origin = self._signer.verifier.name
        [promise] = promising.promised(self._signer, origin, by_s, [line], [record])
        # Done a turn later, as with a real ledger: a cancellation needs somewhere to land.
        loop.call_soon(_resolve, done, promise)
        return done

    def add(self, record: ledger.Record) -> None:
        """Put a record in its place."""
        self._take(record)

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

    async def erase(self, principal: str, *, auditor: str, reason: str) -> int:
        """Delete what ties a person to commitments and pseudonyms; return how many salts."""
        kept = [each for each in self._salts if each.principal != principal]
        count = len(self._salts) - len(kept)
        replica, seq = self.stamp()
        self.add(
            ledger.Erasure(
                at_us=self._now_us(),
                attempt_id=f"erasure_{replica}_{seq}",
                auditor=auditor,
                reason=reason,
                replica=replica,
                replica_seq=seq,
                salts=count,
            )
        )
        self._salts = kept
        self._names.forget(principal)
        now_us = self._now_us()
        weeks = range(now_us - _PSEUDONYMS_US, now_us + _WEEK_US, _WEEK_US)
        blank = {self.weekly(principal, at_us) for at_us in weeks}
        lines = [pseudonyms.blanked(ledger.encode(each), blank) for each in self._noted]
        self._noted = [decision_log.entry(line) for line in lines]
        return count

    async def retire(self, size: int) -> None:
        """Drop the leaves below an index and the rows of their calls; raises ConfigError."""
        await self.flush()
        root = self._check_retirement(size)
        replica, seq = self.stamp()
        self.add(
            ledger.Retirement(
                at_us=self._now_us(),
                attempt_id=f"retirement_{replica}_{seq}",
                replica=replica,
                replica_seq=seq,
                root=root,
                size=size,
            )
        )
        await self.flush()
        self._drop(size)

    def close(self) -> None:
        """End the series; there is nothing to give back."""
        self.add(series.stopped(self.stamp(), self._cost_seq, self._now_us()))
        self._take(series.stopped(self._stamp_own(), 0, self._now_us()))
        self._sign()

    def rows(
        self, query: ledger.Query, people: Collection[str] | None = None
    ) -> list[projection.Row]:
        """Return the calls asked for, newest first, up to the query's limit."""
        found = [
            Found(self._call(row), self._settle(row), _place(row))
            for row in self._calls.values()
            if projection.matches(query, self._call(row), people)
        ]
        beside = Beside(self._places, self._some, self._counted, retired=self.retired())
        return finding.rows(found, query, people, beside)

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
            projection.part(self._call(row), settle, chosen, unit, names)
            for row in self._calls.values()
            if (settle := self._settle(row)) is not None and row.received_at_us >= since_us
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

    def policy_in_force(self, digest: str, files: Sequence[tuple[str, str]]) -> None:
        """Keep the policy files behind a digest, and say in the log that they are in force."""
        at_us = self._now_us()
        self.keep_policies(digest, files, at_us)
        replica, seq = self.stamp()
        self.add(
            ledger.PolicyInForce(
                at_us=at_us,
                attempt_id=f"policy_{replica}_{seq}",
                digest=digest,
                files_sha256=ledger.policy_sha256(files),
                replica=replica,
                replica_seq=seq,
            )
        )

    def _places(self, root_id: str) -> list[tuple[int, int | None]]:
        calls = ((row, self._call(row)) for row in self._calls.values())
        return [(row.index_intent, None) for row, call in calls if call.root_id == root_id]

    def _some(self, indexes: Iterable[int]) -> dict[int, bytes]:
        return {index: self._lines[index] for index in indexes}

    def _counted(self, root_id: str) -> int:
        root = self.credit().roots.get(root_id)
        return 0 if root is None else root.all_calls

    def _call(self, row: CallRow) -> ledger.Intent | ledger.Refusal:
        found = self._leaves[row.index_intent]
        assert isinstance(found, ledger.Intent | ledger.Refusal)
        return found

    def _settle(self, row: CallRow) -> ledger.Settle | ledger.Adjust | None:
        found = None if row.index_settle is None else self._leaves[row.index_settle]
        return found if isinstance(found, ledger.Settle | ledger.Adjust) else None


def _place(row: CallRow) -> int:
    """Return the index a call is shown under."""
    return row.index_intent if row.index_settle is None else row.index_settle


def _resolve(done: asyncio.Future[str], promise: str) -> None:
    if not done.done():
        done.set_result(promise)

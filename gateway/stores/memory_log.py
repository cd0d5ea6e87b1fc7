"""
The reference log: leaves in a list, their tree, its checkpoints and its sums, in process.

Records are in order as soon as they are taken.
"""

from collections.abc import Callable, Sequence
from typing import Final

from gateway import __version__, credit, ledger
from gateway.errors import ConfigError, LedgerCorrupt
from gateway.ledger import checkpoints, hours, notes, rollups, sequencing, series, tiles
from gateway.ledger.call_rows import CallRow
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import Group, OfRule, Rollups, RollupSum
from gateway.ledger.sequencing import Known, Plan, Series, Unique
from gateway.ledger.series import LogName

SIGN_EVERY: Final = 1_000


class MemoryLog:
    """A log, its sequencer, and what is asked of both."""

    def __init__(
        self,
        *,
        origin: str,
        seed: bytes,
        clock: Callable[[], float],
        small_team: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._is_small = small_team
        self._signer = notes.Signer.from_seed(origin, seed)
        self._lines: list[bytes] = []
        self._leaves: list[ledger.Leaf] = []
        self._calls: dict[str, CallRow] = {}
        self._others: dict[Unique, int] = {}
        self._series: dict[str, Series] = {}
        self._rollups = Rollups()
        self._costs: list[ledger.CostIntent | ledger.CostSettle] = []
        self._open_costs: dict[str, ledger.CostIntent] = {}
        self._pending: dict[HourKey, HourSum] = {}
        self._clashes: list[tuple[str, bytes]] = []
        self._policies: dict[str, list[tuple[str, str]]] = {}
        self._tree = tiles.Tree.empty()
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._checkpoints: dict[int, str] = {}
        self._cosignatures: dict[int, list[str]] = {}
        self._retired = 0
        self._own_seq = 1
        start = series.start(
            series.sequencer(1), "sequencer", at_us=self._now_us(), version=__version__, epoch=1
        )
        self._take(start)

    def log(self) -> LogName:
        """Return which log it is."""
        return LogName(self._signer.verifier.name, self._signer.verifier.vkey)

    def holds(self, attempt_id: str, kind: str, n: int) -> bool:
        """Return whether a leaf that is no intent, refusal or settle is in order."""
        return (attempt_id, kind, n) in self._others

    def size(self) -> int:
        """Return how many leaves there are."""
        return len(self._lines)

    def retired(self) -> int:
        """Return the index below which leaves were dropped."""
        return self._retired

    def checkpoint(self) -> str:
        """Return the newest checkpoint's note, with its cosignatures; empty: there is none."""
        found = list(self._checkpoints)[-1:]
        return self._note(found[0]) if found else ""

    def checkpoints(self, above: int = -1, limit: int = 1000) -> list[tuple[int, str]]:
        """Return the sizes and notes of checkpoints above a size, with their cosignatures."""
        sizes = [size for size in self._checkpoints if size > above]
        return [(size, self._note(size)) for size in sizes[:limit]]

    def tile(self, level: int, number: int) -> bytes:
        """Return a tile of hashes as it is packed; raises KeyError when it is not there."""
        return self._tiles[level, number]

    def lines(self, first: int, count: int) -> list[bytes]:
        """Return the bytes of some leaves; raises LedgerCorrupt when one is not there."""
        found = self._lines[first : first + count]
        if len(found) < count or (count and first < self._retired):
            raise LedgerCorrupt(f"leaf {first} or one of the next {count} is missing")
        return found

    def leaves(self) -> list[bytes]:
        """Return the bytes of all leaves that were not retired, in the order of their indexes."""
        return self._lines[self._retired :]

    def places(self, request_id: str) -> tuple[int, int | None] | None:
        """Return the indexes of a call's intent (or refusal) and of its settle, if it has one."""
        row = self._calls.get("att_" + request_id.removeprefix("req_"))
        if row is None:
            return None
        settled = None if row.index_settle == row.index_intent else row.index_settle
        return row.index_intent, settled

    def credit(self) -> credit.Folded:
        """Return the fold of credit over all leaves."""
        roots = credit.recompute(lambda: self._leaves).roots
        return credit.Folded(size=self.size(), checkpoint=self.checkpoint(), roots=roots)

    def outcomes(self) -> list[tuple[int, ledger.Outcome]]:
        """Return the outcomes that were not retired, with their indexes, in order."""
        found = enumerate(self._leaves)
        return [
            (at, leaf)
            for at, leaf in found
            if isinstance(leaf, ledger.Outcome) and at >= self._retired
        ]

    def workers(self) -> dict[str, set[str]]:
        """Return the commitments of those who made calls, by root."""
        found: dict[str, set[str]] = {}
        for row in self._calls.values():
            if row.decision != "refused":
                found.setdefault(row.root_id, set()).add(row.principal)
        return found

    def clashes(self) -> list[tuple[str, bytes]]:
        """Return the records that were set aside, each with the reason."""
        return list(self._clashes)

    def policy_texts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the digest of each policy set ever in force, and its files' names and texts."""
        return list(self._policies.items())

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        return self._policies.get(digest)

    def series(self) -> dict[str, Series]:
        """Return how far each replica's records have come."""
        return dict(self._series)

    def rollups(self) -> Rollups:
        """Return all hourly sums of calls."""
        return self._rollups

    def usage(self, by: Sequence[str], query: ledger.Query) -> list[tuple[Group, RollupSum]]:
        """Return hourly sums by what is asked for: see `gateway.ledger.rollups.usage`."""
        return rollups.usage(self._rollups.sums, by, query)

    def rule_usage(self, query: ledger.Query) -> list[tuple[OfRule, int]]:
        """Return calls by rule, team and decision: see `gateway.ledger.rollups.rule_usage`."""
        return rollups.rule_usage(self._rollups.rules, query)

    async def flush(self) -> None:
        """Turn hours that are over into leaves, and sign all there is."""
        self._close_hours()
        self._sign()

    async def cosign(self, size: int, line: str) -> None:
        """Keep a witness' cosignature of a checkpoint; raises ConfigError when there is none."""
        if size not in self._checkpoints:
            raise ConfigError(f"there is no checkpoint of {size} entries to cosign")
        kept = self._cosignatures.setdefault(size, [])
        if line.rstrip() not in kept:
            kept.append(line.rstrip())

    def _take(self, *records: ledger.Record) -> None:
        """Put some records in their places."""
        group = sequencing.Group(None, [ledger.encode(each) for each in records], records)
        known = Known(self._calls, self._others, self._series, self._line)
        self._write(sequencing.plan([group], len(self._lines), known))

    def _write(self, plan: Plan) -> None:
        self._tiles |= self._tree.extend(plan.hashes)
        self._lines += plan.lines
        self._leaves += plan.leaves
        self._calls |= plan.rows
        self._calls |= plan.changed
        self._others |= plan.others
        self._series |= plan.series
        self._clashes += plan.set_aside
        for key, came_to in plan.rollups.sums.items():
            self._rollups.at(key).add(came_to)
        for rule, calls in plan.rollups.rules.items():
            self._rollups.rules[rule] = self._rollups.rules.get(rule, 0) + calls
        self._costs += plan.costs
        done = hours.fold(plan.costs, self._open_costs.get)
        for attempt_id in done.closed:
            del self._open_costs[attempt_id]
        self._open_costs |= done.opened
        for at, sum_of_hour in done.sums.items():
            self._pending.setdefault(at, HourSum()).add(sum_of_hour)
        if len(self._lines) >= self._signed_size() + SIGN_EVERY:
            self._sign()

    def _stamp_own(self) -> tuple[str, int]:
        """Return the series of the sequencer and its next number."""
        self._own_seq += 1
        return series.sequencer(1), self._own_seq

    def _close_hours(self) -> None:
        over = sorted({at.hour for at in self._pending if hours.is_closed(at.hour, self._clock())})
        for hour in over:
            sums = {at: self._pending.pop(at) for at in list(self._pending) if at.hour == hour}
            name = f"hour_{hour}"
            first_n = sum((name, "cost_hour") == key[:2] for key in self._others)
            made = hours.leaves(
                hour, sums, first_n=first_n, stamp=self._stamp_own, is_small=self._is_small
            )
            self._take(*made)

    def _sign(self) -> None:
        if self._tree.size > self._signed_size():
            made = Checkpoint(
                origin=self._signer.verifier.name, size=self._tree.size, root=self._tree.root()
            )
            self._checkpoints[self._tree.size] = checkpoints.sign(made, self._signer)

    def _signed_size(self) -> int:
        return next(reversed(self._checkpoints), 0)

    def _check_retirement(self, size: int) -> str:
        """Return the root at a size, in base64; raises ConfigError when it cannot be retired."""
        below = [row for row in self._calls.values() if row.index_intent < size]
        last_us = max((row.received_at_us for row in below), default=0)
        waiting = {at.hour for at in self._pending}
        waiting |= {intent.hour for intent in self._open_costs.values()}
        if size % tiles.WIDTH or size <= self._retired:
            raise ConfigError(f"entries are retired up to a multiple of {tiles.WIDTH}")
        if size > self._signed_size():
            raise ConfigError(f"no checkpoint covers {size} entries yet")
        if any(row.index_settle is None for row in below):
            raise ConfigError(f"calls below entry {size} are under way")
        if any(hour * 1_000_000 <= last_us for hour in waiting):
            raise ConfigError(f"unlinked cost of the time before entry {size} is in no entry yet")
        root = tiles.Reader(self._tree.size, self._packed).root(size)
        return notes.to_base64(root)

    def _packed(self, level: int, number: int) -> bytes:
        return self._tiles[level, number]

    def _drop(self, size: int) -> None:
        """Drop the leaves below an index, and the rows of their calls."""
        self._retired = size
        self._lines[:size] = [b""] * size
        self._calls = {name: row for name, row in self._calls.items() if row.index_intent >= size}

    def _line(self, index: int) -> bytes | None:
        return None if index < self._retired else self._lines[index]

    def _note(self, size: int) -> str:
        lines = sorted(self._cosignatures.get(size, []))
        return self._checkpoints[size] + "".join(f"{line}\n" for line in lines)

    def _now_us(self) -> int:
        return int(self._clock() * 1_000_000)

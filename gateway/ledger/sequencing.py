"""
What putting records in order comes to: which become leaves, at which index, and what follows.

A pure function of the records and of what is there already, so every store puts the same
records in the same order to the same effect. A record that is there changes nothing; other
bytes under one (attempt, kind, n), or under a number its series used before, are set aside.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.ledger import codec
from gateway.ledger.call_rows import CallRow, figures, row_of, sum_key
from gateway.ledger.codec import LEAF_BYTES_MAX, Happening, Leaf, Record
from gateway.ledger.entry import (
    SCHEMA_VERSION,
    Adjust,
    CostIntent,
    CostSettle,
    Intent,
    Refusal,
    Settle,
)
from gateway.ledger.happenings import ReplicaEnd
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.rollups import Rollups, RollupSum, figures_of, key_of

Unique: TypeAlias = tuple[str, str, int]
"""Attempt, kind (of intents and refusals: `call`) and n."""

LATE: Final = "the call had been given up as lost"
LOST: Final = "unknown_crash"
"""The completion of a call whose process is gone."""

_COSTS = (CostIntent, CostSettle)
_BEGINNINGS = (Intent, Refusal)
_ENDS = (Settle, Adjust)
_OF_CALLS = (*_BEGINNINGS, *_ENDS)


class Series(Struct):
    """How far a replica's records have come."""

    last_seq: int = 0
    last_cost_seq: int = 0
    ended: bool = False


class Group(Struct, frozen=True):
    """Records that became durable together."""

    key: Any
    """What the store knows them by; None for what the sequencer itself adds."""
    lines: Sequence[bytes]
    records: Sequence[Record]
    unreadable: Sequence[bytes] = ()
    """Lines that are no records."""


class Plan(Struct):
    """What a slice of records comes to. A store writes all of it in one transaction."""

    first_index: int
    lines: list[bytes] = []
    leaves: list[Leaf] = []
    """What the lines hold."""
    hashes: list[bytes] = []
    """Of the leaves (RFC 6962)."""
    rows: dict[str, CallRow] = {}
    """New calls, by attempt."""
    changed: dict[str, CallRow] = {}
    """Calls of earlier slices that were settled or adjusted."""
    others: dict[Unique, int] = {}
    """Index of each new leaf that is no intent, refusal or settle."""
    costs: list[CostIntent | CostSettle] = []
    series: dict[str, Series] = {}
    """As they are now; those of the slice only."""
    rollups: Rollups = msgspec.field(default_factory=Rollups)
    set_aside: list[tuple[str, bytes]] = []
    """Reason and bytes."""
    gaps: int = 0
    """Records before which one of their series is missing."""

    @property
    def next_index(self) -> int:
        """The index of the leaf that comes next."""
        return self.first_index + len(self.lines)


class Known(Struct, frozen=True):
    """What is there already of what the records name. See `wanted`."""

    calls: Mapping[str, CallRow]
    """By attempt."""
    others: Mapping[Unique, int]
    series: Mapping[str, Series]
    leaf: Callable[[int], bytes | None]
    """The bytes of the leaf at an index; None when it was retired."""


class Wanted(Struct, frozen=True):
    """What has to be looked up before some records can be put in order."""

    attempts: list[str]
    others: list[Unique]
    replicas: list[str]


def read(key: Any, blob: bytes) -> Group:
    """Return a row of the intake (a JSON record per line) as a group."""
    lines: list[bytes] = []
    records: list[Record] = []
    unreadable: list[bytes] = []
    for line in blob.split(b"\n"):
        try:
            records.append(codec.decode(line))
            lines.append(line)
        except msgspec.MsgspecError:
            unreadable.append(line)
    return Group(key, lines, records, unreadable)


def unique(leaf: Leaf) -> Unique:
    """Return what no other leaf may have. A call begins once, with an intent or a refusal."""
    kind = "call" if isinstance(leaf, _BEGINNINGS) else leaf.kind
    return leaf.attempt_id, kind, leaf.n


def wanted(groups: Iterable[Group]) -> Wanted:
    """Return what has to be known of the ledger to put some groups in order."""
    attempts: dict[str, None] = {}
    others: list[Unique] = []
    replicas: dict[str, None] = {}
    for group in groups:
        for record in group.records:
            replicas[record.replica] = None
            if isinstance(record, _OF_CALLS):
                attempts[record.attempt_id] = None
                if isinstance(record, Adjust):
                    others.append(unique(record))
            elif not isinstance(record, _COSTS):
                others.append(unique(record))
                if isinstance(record, ReplicaEnd):
                    replicas[record.ended] = None
    return Wanted(list(attempts), others, list(replicas))


def plan(groups: Iterable[Group], first_index: int, known: Known) -> Plan:
    """Return what putting some groups in order comes to, from an index on."""
    made = Plan(first_index=first_index)
    work = _Work(made, known)
    for group in groups:
        for line, record in zip(group.lines, group.records, strict=True):
            work.take(line, record)
        made.set_aside += [("unreadable", line) for line in group.unreadable]
    work.finish()
    return made


class _Work:
    """A plan that is being made."""

    def __init__(self, made: Plan, known: Known) -> None:
        self._plan = made
        self._known = known
        self._touched: dict[str, Series] = {}
        self._sums: dict[str, RollupSum] = {}
        """What the calls of the slice are summed in, by attempt."""

    def take(self, line: bytes, record: Record) -> None:
        """Put one record in its place."""
        series = self._touched.get(record.replica) or self._series(record.replica)
        if isinstance(record, _BEGINNINGS):
            self._begin(line, record, series)
        elif isinstance(record, _ENDS):
            self._end(line, record, series)
        elif isinstance(record, _COSTS):
            self._fold(record, series)
        else:
            self._happen(line, record, series)

    def finish(self) -> None:
        """Tell how far the series have come: those that ever began, not those of schema 1."""
        self._plan.series = {
            name: each for name, each in self._touched.items() if each.last_seq or each.ended
        }

    def _fold(self, record: CostIntent | CostSettle, series: Series) -> None:
        if series.last_seq:
            if record.replica_seq <= series.last_cost_seq:
                return  # folded before: of these nothing is left to compare with
            self._plan.gaps += record.replica_seq != series.last_cost_seq + 1
            series.last_cost_seq = record.replica_seq
        self._plan.costs.append(record)

    def _begin(self, line: bytes, record: Intent | Refusal, series: Series) -> None:
        made = self._plan
        row = self._call(record.attempt_id)
        if row is not None:
            self._compare(row.index_intent, line)
            return
        if not self._is_next(line, record, series):
            return
        made.rows[record.attempt_id] = row_of(record, self._add(line, record))
        key = key_of(record)
        made.rollups.begin(key, record.rules)
        self._sums[record.attempt_id] = made.rollups.at(key)

    def _end(self, line: bytes, record: Settle | Adjust, series: Series) -> None:
        row = self._call(record.attempt_id)
        if row is None:
            self._plan.set_aside.append(("settles no intent", line))
            return
        if (
            row.completion == LOST
            and isinstance(record, Settle)
            and self._is_late(line, record, row)
        ):
            record = _adjust(record, row)
            line = codec.encode(record)
        if isinstance(record, Adjust):
            self._replace(line, record, row, series)
        elif row.index_settle is None:
            if self._is_next(line, record, series):
                self._settle(record, row, self._add(line, record))
        elif not row.adjusts or record.replica_seq > series.last_seq:
            # Else an adjust stands in the place of the settle this may be.
            self._compare(row.index_settle, line)

    def _replace(self, line: bytes, record: Adjust, row: CallRow, series: Series) -> None:
        key = unique(record)
        there = self._other(key)
        if there is not None:
            self._compare(there, line)
        elif row.index_settle in {None, row.index_intent}:
            self._plan.set_aside.append(("adjusts no settle", line))
        elif self._is_next(line, record, series):
            under = self._under(row)
            under.add(figures(row), -1)
            index = self._plan.others[key] = self._add(line, record)
            row.adjusts = record.n
            self._settle(record, row, index)

    def _happen(self, line: bytes, record: Happening, series: Series) -> None:
        key = unique(record)
        there = self._other(key)
        if there is not None:
            self._compare(there, line)
        elif self._is_next(line, record, series):
            self._plan.others[key] = self._add(line, record)
            if isinstance(record, ReplicaEnd):
                self._series(record.ended).ended = True

    def _is_next(self, line: bytes, record: Leaf, series: Series) -> bool:
        """Return whether a record that is not there yet can be the next leaf of its series."""
        made = self._plan
        if len(line) > LEAF_BYTES_MAX:
            made.set_aside.append(("too large", line))
            return False
        if record.schema == SCHEMA_VERSION:
            if record.replica_seq <= series.last_seq:
                made.set_aside.append(("a number its series used before", line))
                return False
            made.gaps += record.replica_seq != series.last_seq + 1
            series.last_seq = record.replica_seq
        return True

    def _add(self, line: bytes, leaf: Leaf) -> int:
        made = self._plan
        index = made.first_index + len(made.lines)
        made.lines.append(line)
        made.leaves.append(leaf)
        made.hashes.append(leaf_hash(line))
        return index

    def _settle(self, record: Settle | Adjust, row: CallRow, index: int) -> None:
        if record.attempt_id not in self._plan.rows:
            self._plan.changed[record.attempt_id] = row
        figures = figures_of(record)
        self._under(row).add(figures)
        row.index_settle = index
        row.completion = record.completion
        row.input_tokens = record.input_tokens
        row.output_tokens = record.output_tokens
        row.cache_read_tokens = record.cache_read_tokens
        row.cache_write_tokens = record.cache_write_tokens
        row.reasoning_tokens = record.reasoning_tokens
        row.cost_nano_usd = figures.cost_nano_usd

    def _is_late(self, line: bytes, record: Settle, row: CallRow) -> bool:
        """Return whether this is the call's own settle, and not the one it was given up with."""
        if row.index_settle is None or record.completion == LOST:
            return False
        return self._leaf(row.index_settle) not in {None, line}

    def _compare(self, index: int, line: bytes) -> None:
        """Set a record aside unless it is the one that is there, as far as that is kept."""
        there = self._leaf(index)
        if there is not None and there != line:
            self._plan.set_aside.append(("other bytes", line))

    def _under(self, row: CallRow) -> RollupSum:
        return self._sums.get(row.attempt_id) or self._plan.rollups.at(sum_key(row))

    def _series(self, replica: str) -> Series:
        found = self._touched.get(replica)
        if found is None:
            there = self._known.series.get(replica)
            found = self._touched[replica] = Series() if there is None else copy(there)
        return found

    def _call(self, attempt_id: str) -> CallRow | None:
        """Return the row of a call, which may be changed."""
        made = self._plan
        found = made.rows.get(attempt_id) or made.changed.get(attempt_id)
        if found is None:
            there = self._known.calls.get(attempt_id)
            found = None if there is None else copy(there)
        return found

    def _other(self, key: Unique) -> int | None:
        found = self._plan.others.get(key)
        return self._known.others.get(key) if found is None else found

    def _leaf(self, index: int) -> bytes | None:
        made = self._plan
        if index >= made.first_index:
            return made.lines[index - made.first_index]
        return self._known.leaf(index)


_OF_SETTLE: Sequence[str] = tuple(
    name for name in Settle.__struct_fields__ if name not in ("kind", "n")
)


def _adjust(record: Settle, row: CallRow) -> Adjust:
    return Adjust(
        n=row.adjusts + 1,
        reason=LATE,
        **{name: getattr(record, name) for name in _OF_SETTLE},
    )

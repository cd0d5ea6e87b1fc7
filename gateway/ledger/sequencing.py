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
from gateway.ledger.codec import LEAF_BYTES_MAX, Leaf, Record
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
from gateway.ledger.rollups import RollupKey, Rollups, RollupSum, figures_of, key_of

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


class CallRow(Struct, kw_only=True):
    """A call as auditors ask for it: one row of `entry`, which the leaves can rebuild."""

    index_intent: int
    """The refusal's, for a refused call."""
    attempt_id: str
    received_at_us: int
    principal: str
    team: str
    tenant: str
    task_id: str
    root_id: str
    model_requested: str
    model_served: str
    """Empty for a refused call."""
    provider: str
    decision: str
    rules: tuple[str, ...]
    replica: str
    """Whose call it is: when that is gone, the call is given up as lost."""
    index_settle: int | None = None
    """None while the call is open; of the last adjust, when there is one."""
    completion: str = ""
    adjusts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0


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

    def take(self, line: bytes, record: Record) -> None:
        """Put one record in its place."""
        series = self._series(record.replica)
        if isinstance(record, _COSTS):
            self._fold(record, series)
            return
        if isinstance(record, Settle) and self._is_late(line, record):
            record = self._adjust(record)
            line = codec.encode(record)
        key = unique(record)
        index = self._index(key)
        if index is not None:
            if not self._is_there(index, line, record, series):
                self._plan.set_aside.append(("other bytes", line))
            return
        reason = self._objection(line, record, series)
        if reason:
            self._plan.set_aside.append((reason, line))
        else:
            self._add(line, record, series, key)

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

    def _objection(self, line: bytes, record: Leaf, series: Series) -> str:
        """Return why a record that is not there yet cannot be a leaf; empty: it can."""
        if len(line) > LEAF_BYTES_MAX:
            return "too large"
        if record.schema == SCHEMA_VERSION and record.replica_seq <= series.last_seq:
            return "a number its series used before"
        if isinstance(record, _ENDS):
            row = self._call(record.attempt_id)
            if row is None:
                return "settles no intent"
            if isinstance(record, Adjust) and (row.index_settle in {None, row.index_intent}):
                return "adjusts no settle"
        return ""

    def _add(self, line: bytes, record: Leaf, series: Series, key: Unique) -> None:
        made = self._plan
        index = made.next_index
        if record.schema == SCHEMA_VERSION:
            made.gaps += record.replica_seq != series.last_seq + 1
            series.last_seq = record.replica_seq
        made.lines.append(line)
        made.hashes.append(leaf_hash(line))
        if isinstance(record, _BEGINNINGS):
            made.rows[record.attempt_id] = _row(record, index)
            made.rollups.begin(key_of(record), record.rules)
            return
        if isinstance(record, _ENDS):
            self._settle(record, index)
        if isinstance(record, ReplicaEnd):
            self._series(record.ended).ended = True
        if not isinstance(record, Settle):
            made.others[key] = index

    def _settle(self, record: Settle | Adjust, index: int) -> None:
        made = self._plan
        row = made.rows.get(record.attempt_id)
        if row is None:
            row = self._call(record.attempt_id)
            assert row is not None
            row = made.changed[record.attempt_id] = copy(row)
        under = made.rollups.at(_key_of_row(row))
        if isinstance(record, Adjust):
            under.add(_figures_of_row(row), -1)
            row.adjusts = record.n
        under.add(figures_of(record))
        row.index_settle = index
        row.completion = record.completion
        row.input_tokens = record.input_tokens
        row.output_tokens = record.output_tokens
        row.cache_read_tokens = record.cache_read_tokens
        row.cache_write_tokens = record.cache_write_tokens
        row.reasoning_tokens = record.reasoning_tokens
        row.cost_nano_usd = figures_of(record).cost_nano_usd

    def _is_late(self, line: bytes, record: Settle) -> bool:
        """Return whether a call was given up as lost before this settle of it arrived."""
        row = self._call(record.attempt_id)
        if row is None or row.index_settle is None or record.completion == LOST:
            return False
        there = self._leaf(row.index_settle) if row.completion == LOST else None
        return there is not None and there != line

    def _is_there(self, index: int, line: bytes, record: Leaf, series: Series) -> bool:
        """Return whether a record is the one that is there already, as far as that is kept."""
        there = self._leaf(index)
        if there is None or there == line:
            return True
        if not isinstance(record, Settle):
            return False
        # A settle that came late became an adjust, and an adjust stands in a settle's place.
        row = self._call(record.attempt_id)
        return row is not None and bool(row.adjusts) and record.replica_seq <= series.last_seq

    def _adjust(self, record: Settle) -> Adjust:
        row = self._call(record.attempt_id)
        assert row is not None
        return Adjust(
            n=row.adjusts + 1,
            reason=LATE,
            **{name: getattr(record, name) for name in _OF_SETTLE},
        )

    def _series(self, replica: str) -> Series:
        found = self._touched.get(replica)
        if found is None:
            there = self._known.series.get(replica)
            found = self._touched[replica] = Series() if there is None else copy(there)
        return found

    def _call(self, attempt_id: str) -> CallRow | None:
        made = self._plan
        return (
            made.rows.get(attempt_id)
            or made.changed.get(attempt_id)
            or self._known.calls.get(attempt_id)
        )

    def _index(self, key: Unique) -> int | None:
        attempt_id, kind, _ = key
        if kind in ("call", "settle"):
            row = self._call(attempt_id)
            if row is None:
                return None
            return row.index_intent if kind == "call" else row.index_settle
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
_OF_ROW: Sequence[str] = (
    "attempt_id",
    "received_at_us",
    "principal",
    "team",
    "tenant",
    "task_id",
    "root_id",
    "model_requested",
    "rules",
    "replica",
)


def _row(call: Intent | Refusal, index: int) -> CallRow:
    shared = {name: getattr(call, name) for name in _OF_ROW}
    if isinstance(call, Refusal):
        return CallRow(
            index_intent=index,
            index_settle=index,
            model_served="",
            provider="",
            decision="refused",
            **shared,
        )
    return CallRow(
        index_intent=index,
        model_served=call.model_served,
        provider=call.provider,
        decision=call.decision,
        **shared,
    )


def _key_of_row(row: CallRow) -> RollupKey:
    hour = row.received_at_us // 3_600_000_000 * 3_600
    return RollupKey(hour, row.team, row.root_id, row.task_id, row.model_served, row.decision)


def _figures_of_row(row: CallRow) -> RollupSum:
    return RollupSum(
        settled=1,
        failed=int(row.completion != "complete"),
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        cost_nano_usd=row.cost_nano_usd,
    )

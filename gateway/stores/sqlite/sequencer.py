"""
The sequencer: puts what the intake holds in order, each record once.

One slice is one transaction: leaves, the rows auditors ask for, the sums of unlinked cost,
and the removal from the intake stand or fall together, so a crash at any point loses
nothing and counts nothing twice. The straight way assumes that every record is new; when
the file's unique keys say otherwise the slice starts over, record by record: the same
bytes again change nothing, other bytes under one (attempt, kind, n) are set aside.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

import apsw
import msgspec
from msgspec import Struct

from gateway import ledger
from gateway.ledger import hours, projection
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.reading import leaf_at

RUN_MAX = 256
"""Leaves in one row of `leaf_run`."""
ROWS_PER_STATEMENT = 32
"""Each statement lets go of the interpreter once; fewer of them disturb the line less."""

_INTENT = attrgetter(
    "attempt_id",
    "received_at_us",
    "principal",
    "team",
    "task_id",
    "root_id",
    "model_requested",
    "model_served",
    "decision",
)
_REFUSAL = attrgetter(
    "attempt_id", "received_at_us", "principal", "team", "task_id", "root_id", "model_requested"
)
_NOTED = (ledger.DecisionRecord, ledger.SettledRecord, ledger.StartedRecord)
_NOT_LEAVES = (ledger.CostIntent, ledger.CostSettle, *_NOTED)
_ENTRY_WIDTH = 13
_OPEN = (None, 0, 0)


Noted: TypeAlias = tuple[int, bytes]
"""A line of the decision log, under its moment (Unix microseconds)."""


class Group(Struct, frozen=True):
    """The records of one row of the intake."""

    intake_id: int
    lines: Sequence[bytes]
    records: Sequence[ledger.Leaf]
    unreadable: Sequence[bytes] = ()
    """Lines that are no records."""


class _NotNew(Exception):
    """A record of the slice is there already, or settles what is not there."""


class _Slice(Struct):
    """What a slice will write."""

    next_index: int
    lines: list[bytes] = []
    calls: dict[str, list[Any]] = {}
    """Rows of `entry`, by attempt."""
    late: list[tuple[int, int, int, str]] = []
    """Settles of calls that were sequenced before."""
    others: list[tuple[str, str, int, int]] = []
    costs: list[ledger.CostIntent | ledger.CostSettle] = []
    decisions: list[Noted] = []


class Sequencer:
    """Moves the intake into the ledger, on the connection that writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.clashes = 0
        """Records set aside since the start."""

    def move(self, groups: Sequence[Group], decisions: Sequence[Noted] = ()) -> None:
        """
        Move some rows of the intake, and add lines to the decision log, all or nothing.

        Raises:
            apsw.Error: the file cannot be written; it is as it was.

        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            records = [
                pair for group in groups for pair in zip(group.lines, group.records, strict=True)
            ]
            self._move(records)
            for line in chain.from_iterable(group.unreadable for group in groups):
                self._set_aside("unreadable", line)
            self._note(decisions)
            done = json.dumps([group.intake_id for group in groups])
            self._connection.execute(SQL["remove_intake"], (done,))
            self._connection.execute("COMMIT")
        except BaseException:
            # An I/O error may have rolled back already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _move(self, records: Sequence[tuple[bytes, ledger.Leaf]]) -> None:
        if not records:
            return
        self._connection.execute("SAVEPOINT slice")
        try:
            self._write(self._sorted(records))
        except (apsw.ConstraintError, _NotNew):
            self._connection.execute("ROLLBACK TO slice")
            self._write(self._sorted(self._new_ones(records)))
        self._connection.execute("RELEASE slice")

    def _sorted(self, records: Iterable[tuple[bytes, ledger.Leaf]]) -> _Slice:
        found = self._connection.execute(SQL["next_index"]).fetchone()
        part = _Slice(next_index=found[0] if found else 0)
        index, lines = part.next_index, part.lines
        for line, record in records:
            kind = type(record)
            if kind is ledger.CostIntent or kind is ledger.CostSettle:
                part.costs.append(record)  # type: ignore[arg-type]  # as was just asked
                continue
            if kind in _NOTED:
                part.decisions.append((record.at_us, line))  # type: ignore[union-attr]  # as asked
                continue
            lines.append(line)
            if kind is ledger.Settle:
                _settle(part, record, index)  # type: ignore[arg-type]
            else:
                _begin(part, record, index)
            index += 1
        return part

    def _write(self, part: _Slice) -> None:
        execute, executemany = self._connection.execute, self._connection.executemany
        for start in range(0, len(part.lines), RUN_MAX):
            run = part.lines[start : start + RUN_MAX]
            execute(SQL["add_leaves"], (part.next_index + start, len(run), b"\n".join(run)))
        rows = list(part.calls.values())
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            some = rows[start : start + ROWS_PER_STATEMENT]
            execute(_add_entries(len(some)), tuple(chain.from_iterable(some)))
        if part.late:
            before = self._connection.total_changes()
            executemany(SQL["settle_entry"], part.late)
            if self._connection.total_changes() - before != len(part.late):
                raise _NotNew
        executemany(SQL["add_other_leaf"], part.others)
        if part.costs:
            self._fold(part.costs)
        self._note(part.decisions)

    def _fold(self, costs: Sequence[ledger.CostIntent | ledger.CostSettle]) -> None:
        done = hours.fold(costs, self._open_cost)
        executemany = self._connection.executemany
        executemany(SQL["remove_open_cost"], [(attempt,) for attempt in done.closed])
        executemany(
            SQL["add_open_cost"],
            [(attempt, ledger.encode(intent)) for attempt, intent in done.opened.items()],
        )
        for key, came_to in done.sums.items():
            before = self._connection.execute(SQL["cost_hour"], key).fetchone()
            if before:
                calls, refused, tokens, cost_usd = before
                came_to.add(hours.HourSum(calls, refused, tokens, Decimal(cost_usd)))
            self._connection.execute(
                SQL["put_cost_hour"],
                (*key, came_to.calls, came_to.refused, came_to.tokens, f"{came_to.cost_usd:f}"),
            )

    def _open_cost(self, attempt_id: str) -> ledger.CostIntent | None:
        found = self._connection.execute(SQL["open_cost"], (attempt_id,)).fetchone()
        return msgspec.json.decode(found[0], type=ledger.CostIntent) if found else None

    def _note(self, decisions: Sequence[Noted]) -> None:
        if decisions:
            times = [at_us for at_us, _ in decisions]
            lines = b"\n".join([line for _, line in decisions])
            self._connection.execute(SQL["add_decisions"], (min(times), max(times), lines))

    def _new_ones(
        self, records: Sequence[tuple[bytes, ledger.Leaf]]
    ) -> list[tuple[bytes, ledger.Leaf]]:
        """Return the records that are neither there already nor in each other's way."""
        fresh: list[tuple[bytes, ledger.Leaf]] = []
        seen: dict[tuple[str, str, int], bytes] = {}
        for line, record in records:
            if isinstance(record, _NOT_LEAVES):
                fresh.append((line, record))
                continue
            key = _key(record)
            there = seen.get(key) or self._known(key)
            if there is None and isinstance(record, ledger.Settle):
                intended = (record.attempt_id, "call", 0)
                if intended not in seen and self._known(intended) is None:
                    self._set_aside("settles no intent", line)
                    continue
            if there is None:
                seen[key] = line
                fresh.append((line, record))
            elif there != line:
                self._set_aside("other bytes", line)
        return fresh

    def _known(self, key: tuple[str, str, int]) -> bytes | None:
        attempt_id, kind, n = key
        if kind in ("call", "settle"):
            found = self._connection.execute(SQL["entry_indexes"], (attempt_id,)).fetchone()
            index = found[1 if kind == "settle" else 0] if found else None
        else:
            found = self._connection.execute(
                SQL["other_leaf_index"], (attempt_id, kind, n)
            ).fetchone()
            index = found[0] if found else None
        return None if index is None else leaf_at(self._connection, index)

    def _set_aside(self, reason: str, line: bytes) -> None:
        self.clashes += 1
        self._connection.execute(SQL["add_clash"], (reason, line))


def _begin(part: _Slice, record: ledger.Leaf, index: int) -> None:
    if isinstance(record, ledger.Intent):
        values = [index, *_INTENT(record), *_OPEN]
    elif isinstance(record, ledger.Refusal):
        values = [index, *_REFUSAL(record), "", "refused", index, 0, 0]
    else:
        assert isinstance(record, ledger.Reveal)
        part.others.append((*_key(record), index))
        return
    if part.calls.setdefault(record.attempt_id, values) is not values:
        raise _NotNew


def _settle(part: _Slice, record: ledger.Settle, index: int) -> None:
    tokens = record.input_tokens + record.output_tokens
    cost_nano_usd = projection.nano_usd(record.cost_usd)
    values = part.calls.get(record.attempt_id)
    if values is None:
        part.late.append((index, tokens, cost_nano_usd, record.attempt_id))
    elif values[-3] is None:
        values[-3:] = (index, tokens, cost_nano_usd)
    else:
        raise _NotNew


def _key(record: ledger.Leaf) -> tuple[str, str, int]:
    """Return what is unique. A call begins once, with an intent or with a refusal."""
    if isinstance(record, ledger.Intent | ledger.Refusal):
        return record.attempt_id, "call", record.n
    if isinstance(record, ledger.Settle):
        return record.attempt_id, "settle", record.n
    assert isinstance(record, ledger.Reveal)
    return record.attempt_id, "reveal", record.n


def read(intake_id: int, blob: bytes) -> Group:
    """Return a row of the intake as a group."""
    lines: list[bytes] = []
    records: list[ledger.Leaf] = []
    unreadable: list[bytes] = []
    for line in blob.split(b"\n"):
        try:
            records.append(ledger.decode(line))
            lines.append(line)
        except msgspec.MsgspecError:
            unreadable.append(line)
    return Group(intake_id, lines, records, unreadable)


@cache
def _add_entries(count: int) -> str:
    head, _, _ = SQL["add_entries"].rpartition("VALUES")
    row = "(" + ", ".join("?" * _ENTRY_WIDTH) + ")"
    return f"{head}VALUES {', '.join([row] * count)}"

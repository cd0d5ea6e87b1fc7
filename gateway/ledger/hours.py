"""
Cost nobody is named on: the fold of `cost_intent` and `cost_settle` into hours.

Each pair is folded once. A settle whose intent is not open any more was folded before and
changes nothing; money is added in Decimal, so the sums are exact.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
from msgspec import Struct

from gateway.ledger import codec, projection
from gateway.ledger.entry import CostIntent, CostSettle
from gateway.ledger.happenings import CostHour, CostRow
from gateway.ledger.query import Query
from gateway.values import BudgetUnit

GRACE_S = 120
"""How long after its end an hour is still waited for; what comes later is a further leaf."""
SMALL_TEAMS = "(small teams)"
"""Under this name stand teams in which an hour's cost could be told to be one person's."""

_HOUR_S = 3_600
_HOUR_US = 3_600_000_000
_FRAME_BYTES = 512
"""More than a `cost_hour` leaf has beside its rows."""


class HourKey(NamedTuple):
    """What unlinked cost is kept by."""

    hour: int
    """Its start, Unix seconds."""
    team: str
    model: str
    reason: str


class HourSum(Struct):
    """What it came to. `refused` are those of the calls that were never sent."""

    calls: int = 0
    refused: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)

    def add(self, other: "HourSum") -> None:
        """Add another sum to this one."""
        self.calls += other.calls
        self.refused += other.refused
        self.tokens += other.tokens
        self.cost_usd += other.cost_usd


class Fold(Struct):
    """What folding some records did."""

    sums: dict[HourKey, HourSum]
    opened: dict[str, CostIntent]
    """Intents still without a settle, by attempt."""
    closed: list[str]
    """Attempts that were open before and are not any more."""


def fold(
    records: Iterable[CostIntent | CostSettle], earlier: Callable[[str], CostIntent | None]
) -> Fold:
    """Fold records in their order; `earlier` finds an intent that was open before them."""
    done = Fold(sums={}, opened={}, closed=[])
    for record in records:
        if isinstance(record, CostSettle):
            _settle(done, record, earlier)
        elif record.settled:
            done.sums.setdefault(key(record), HourSum()).add(HourSum(calls=1, refused=1))
        else:
            done.opened[record.attempt_id] = record
    return done


def key(intent: CostIntent) -> HourKey:
    """Return the hour an intent belongs to."""
    return HourKey(intent.hour, intent.team, intent.model, intent.reason)


def orphan(intent: CostIntent, stamp: tuple[str, int]) -> CostSettle:
    """Return the settle of an intent whose process is gone: the most it can have come to."""
    return CostSettle(
        attempt_id=intent.attempt_id,
        cost_usd=intent.reserved_cost_usd,
        replica=stamp[0],
        replica_seq=stamp[1],
        tokens=intent.reserved_tokens,
    )


def is_closed(hour: int, now_s: float) -> bool:
    """Return whether an hour (its start, Unix seconds) is over, and for long enough."""
    return now_s >= hour + _HOUR_S + GRACE_S


def leaves(
    hour: int,
    sums: Mapping[HourKey, HourSum],
    *,
    first_n: int,
    stamp: Callable[[], tuple[str, int]],
    is_small: Callable[[str], bool],
) -> list[CostHour]:
    """Return what an hour came to as leaves: one, or as many as its rows need."""
    merged: dict[HourKey, HourSum] = {}
    for at, came_to in sums.items():
        team = SMALL_TEAMS if is_small(at.team) else at.team
        merged.setdefault(at._replace(team=team), HourSum()).add(came_to)
    made: list[CostHour] = []
    for rows in _fitting([_cost_row(*each) for each in sorted(merged.items(), key=_by_key)]):
        replica, seq = stamp()
        made.append(
            CostHour(
                attempt_id=f"hour_{hour}",
                hour=hour,
                n=first_n + len(made),
                replica=replica,
                replica_seq=seq,
                rows=rows,
            )
        )
    return made


def summed(rows: Iterable[tuple[int, CostRow]]) -> dict[HourKey, HourSum]:
    """Return what the rows of `cost_hour` leaves come to, each with its hour."""
    sums: dict[HourKey, HourSum] = {}
    for hour, row in rows:
        at = HourKey(hour, row.team, row.model, row.reason)
        came_to = HourSum(row.calls, row.refused, row.tokens, Decimal(row.cost_usd))
        sums.setdefault(at, HourSum()).add(came_to)
    return sums


def chosen(sums: Mapping[HourKey, HourSum], query: Query) -> list[tuple[HourKey, HourSum]]:
    """Return the hours a query asks for (team, model, time), newest first, up to its limit."""
    found = [
        (at, came_to)
        for at, came_to in sums.items()
        if query.team in ("", at.team)
        and query.model in ("", at.model)
        and (query.since_us is None or at.hour * 1_000_000 + _HOUR_US > query.since_us)
        and (query.until_us is None or at.hour * 1_000_000 < query.until_us)
    ]
    found.sort(key=lambda each: (-each[0].hour, each[0]))
    return found[: query.limit]


def spent(
    sums: Mapping[HourKey, HourSum],
    since_us: int,
    columns: Sequence[str],
    unit: BudgetUnit,
) -> list[tuple[tuple[str, ...], int]]:
    """Return what hours came to by columns; nothing where a person or a task is asked for."""
    if {"principal", "task_id", "root_id"}.intersection(columns):
        return []
    parts: list[tuple[tuple[str, ...], int]] = []
    for at, came_to in sums.items():
        if at.hour * 1_000_000 + _HOUR_US <= since_us:
            continue
        values = tuple(at.team if name == "team" else at.model for name in columns)
        amount = {
            "calls": came_to.calls - came_to.refused,
            "tokens": came_to.tokens,
            "cost_usd": projection.nano_usd(f"{came_to.cost_usd:f}"),
        }[unit]
        parts.append((values, amount))
    return parts


def _settle(done: Fold, record: CostSettle, earlier: Callable[[str], CostIntent | None]) -> None:
    intent = done.opened.pop(record.attempt_id, None)
    if intent is None:
        if record.attempt_id in done.closed:
            return
        intent = earlier(record.attempt_id)
        if intent is None:
            return
        done.closed.append(record.attempt_id)
    came_to = HourSum(calls=1, tokens=record.tokens, cost_usd=Decimal(record.cost_usd))
    done.sums.setdefault(key(intent), HourSum()).add(came_to)


def _by_key(each: tuple[HourKey, HourSum]) -> HourKey:
    return each[0]


def _cost_row(at: HourKey, came_to: HourSum) -> CostRow:
    return CostRow(
        at.team,
        at.model,
        at.reason,
        came_to.calls,
        came_to.refused,
        came_to.tokens,
        f"{came_to.cost_usd:f}",
    )


def _fitting(rows: Sequence[CostRow]) -> list[tuple[CostRow, ...]]:
    """Return the rows in parts that fit into a leaf each."""
    parts: list[list[CostRow]] = []
    room = 0
    for row in rows:
        size = len(msgspec.json.encode(row)) + 1
        if size > room:
            parts.append([])
            room = codec.LEAF_BYTES_MAX - _FRAME_BYTES
        parts[-1].append(row)
        room -= size
    return [tuple(part) for part in parts]

"""
What a sequencer looks up in the ledger's tables, and how it writes what it has planned.

Many rows go into a few statements: each statement lets go of the interpreter once, and fewer
of them disturb the line less. Transactions are the caller's.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import msgspec

from gateway import ledger
from gateway.ledger import hours
from gateway.ledger.call_rows import CallRow
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import Rollups
from gateway.ledger.sequencing import Known, Plan, Series, Unique, Wanted
from gateway.stores.crediting import Earlier
from gateway.stores.sqlite import leaves
from gateway.stores.sqlite.ledger_file import SQL, Connection

_STEPS: Final = (32, 8, 1)
"""Rows in one statement: few different texts, so that all of them stay prepared."""
_COLUMNS: Final = CallRow.__struct_fields__
_RULES: Final = _COLUMNS.index("rules")
_ROW: Final = attrgetter(*_COLUMNS)
_SETTLED: Final = attrgetter(
    "index_intent",
    "index_settle",
    "completion",
    "adjusts",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
)
_SUM: Final = attrgetter(
    "calls",
    "settled",
    "failed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
)


def known(connection: Connection, wanted: Wanted, retired: int) -> Known:
    """Return what is there already of what some records name, in one statement of each sort."""

    def leaf(index: int) -> bytes | None:
        return None if index < retired else leaves.at(connection, index)

    return Known(
        calls=_calls(connection, wanted.attempts) if wanted.attempts else {},
        others=known_others(connection, wanted.others) if wanted.others else {},
        series=_series(connection, wanted.replicas),
        leaf=leaf,
    )


def write(connection: Connection, plan: Plan, touched: Mapping[tuple[int, int], bytes]) -> None:
    """Write what a plan comes to, but for its leaves: tiles, rows, sums, series, what is aside."""
    rows = list(plan.rows.values())
    put(connection, "put_tiles", [(*place, packed) for place, packed in touched.items()])
    put(connection, "add_entries", [_values(row) for row in rows])
    put(
        connection,
        "add_entry_rules",
        [
            (rule, row.received_at_us, row.index_intent)
            for row in rows
            for rule in dict.fromkeys(row.rules)
        ],
    )
    put(connection, "settle_entries", [_SETTLED(row) for row in plan.changed.values()])
    put(connection, "add_other_leaves", [(*key, index) for key, index in plan.others.items()])
    put(
        connection,
        "put_series",
        [
            (name, each.last_seq, each.last_cost_seq, int(each.ended))
            for name, each in plan.series.items()
        ],
    )
    _add_to_rollups(connection, plan.rollups)
    put(connection, "add_clash", plan.set_aside)
    if plan.costs:
        _fold(connection, plan.costs)


def earlier(connection: Connection, known: Known) -> Earlier:
    """Return what the fold of credit finds of the slices before the one `known` is for."""

    def roots(ids: Sequence[str]) -> dict[str, bytes]:
        return dict(connection.execute(SQL["roots"], (json.dumps(ids),)))

    def places(root_id: str) -> list[tuple[int, int | None]]:
        found: list[tuple[int, int | None]] = connection.execute(
            SQL["calls_of_root"], (root_id,)
        ).fetchall()
        return found

    return Earlier(known, roots, places)


def put(connection: Connection, name: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement that ends its values in `(?, ?, ...)` for many rows."""
    at = 0
    for step in _STEPS:
        while len(rows) - at >= step:
            values = tuple(chain.from_iterable(rows[at : at + step]))
            connection.execute(_many(name, step), values)
            at += step


def pending(connection: Connection, hour: int) -> dict[HourKey, HourSum]:
    """Return what an hour came to beyond its `cost_hour` leaves."""
    return sums(connection.execute(SQL["pending_of_hour"], (hour,)))


def sums(rows: Iterable[tuple[Any, ...]]) -> dict[HourKey, HourSum]:
    """Return rows of hours, by what they are kept by."""
    return {HourKey(*values[:4]): _sum(*values[4:]) for values in rows}


def _calls(connection: Connection, attempts: Sequence[str]) -> dict[str, CallRow]:
    found: dict[str, CallRow] = {}
    for values in connection.execute(SQL["known_calls"], (json.dumps(attempts),)):
        fields = dict(zip(_COLUMNS, values, strict=True))
        fields["rules"] = tuple(json.loads(fields["rules"]))
        row = CallRow(**fields)
        found[row.attempt_id] = row
    return found


def known_others(connection: Connection, keys: Sequence[Unique]) -> dict[Unique, int]:
    """Return the index of each leaf that is there, by what no other leaf may have."""
    return {
        (attempt_id, kind, n): index
        for attempt_id, kind, n, index in connection.execute(
            SQL["known_others"], (json.dumps(keys),)
        )
    }


def _series(connection: Connection, replicas: Sequence[str]) -> dict[str, Series]:
    return series(connection.execute(SQL["known_series"], (json.dumps(replicas),)))


def series(rows: Iterable[tuple[Any, ...]]) -> dict[str, Series]:
    """Return rows of series, by replica."""
    return {
        replica: Series(last_seq, last_cost_seq, ended=bool(ended))
        for replica, last_seq, last_cost_seq, ended in rows
    }


def _values(row: CallRow) -> list[Any]:
    values = list(_ROW(row))
    values[_RULES] = json.dumps(row.rules)
    return values


def _add_to_rollups(connection: Connection, rollups: Rollups) -> None:
    put(
        connection,
        "put_rollups",
        [(*key, *_SUM(came_to)) for key, came_to in rollups.sums.items()],
    )
    put(
        connection,
        "put_rule_rollups",
        [(*key, count) for key, count in rollups.rules.items()],
    )


def _fold(connection: Connection, costs: Sequence[ledger.CostIntent | ledger.CostSettle]) -> None:
    def earlier(attempt_id: str) -> ledger.CostIntent | None:
        found = connection.execute(SQL["open_cost"], (attempt_id,)).fetchone()
        return msgspec.json.decode(found[0], type=ledger.CostIntent) if found else None

    done = hours.fold(costs, earlier)
    connection.executemany(SQL["remove_open_cost"], [(attempt,) for attempt in done.closed])
    connection.executemany(
        SQL["add_open_cost"],
        [(attempt, ledger.encode(intent)) for attempt, intent in done.opened.items()],
    )
    for key, came_to in done.sums.items():
        for table in ("cost_hour", "cost_pending"):
            _add_to_hour(connection, table, key, came_to)


def _sum(calls: int, refused: int, tokens: int, cost_usd: str) -> HourSum:
    return HourSum(calls, refused, tokens, Decimal(cost_usd))


def _add_to_hour(connection: Connection, table: str, key: HourKey, came_to: HourSum) -> None:
    before = connection.execute(SQL[table], key).fetchone()
    total = _sum(*before) if before else HourSum()
    total.add(came_to)
    connection.execute(
        SQL[f"put_{table}"],
        (*key, total.calls, total.refused, total.tokens, f"{total.cost_usd:f}"),
    )


@cache
def _many(name: str, count: int) -> str:
    """Return a statement with its one row of places repeated."""
    head, places, tail = _split(SQL[name])
    return f"{head}{', '.join([places] * count)}{tail}"


def _split(statement: str) -> Iterator[str]:
    start = statement.index("VALUES (?") + len("VALUES ")
    end = statement.index(")", start) + 1
    return iter((statement[:start], statement[start:end], statement[end:]))

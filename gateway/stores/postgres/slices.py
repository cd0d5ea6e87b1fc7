"""
A slice of the log as tables: what has to be looked up for a plan, and what a plan writes.

Everything here is called within the transaction of one slice, by whoever may sequence.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from gateway import ledger
from gateway.ledger import hours, sequencing
from gateway.ledger.call_rows import CallRow
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import Rollups
from gateway.ledger.sequencing import Plan, Series, Unique, Wanted
from gateway.stores.crediting import Earlier
from gateway.stores.postgres import leaves
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.standing import SQL

RUN_MAX = 256
"""Leaves in one row; no row goes across a multiple of it."""

_CALL = CallRow.__struct_fields__
_CALL_SQL = [
    name.strip().encode() for name in SQL["calls"].decode().split("FROM")[0][6:].split(",")
]
assert set(_CALL) == {name.decode() for name in _CALL_SQL}
_CALL_ORDER = [name.decode() for name in _CALL_SQL]


def known(
    session: Connection, wanted: Wanted, series: dict[str, Series], retired: int
) -> sequencing.Known:
    """Return what there is of what is wanted; `series` are remembered from slice to slice."""
    missing = [name for name in wanted.replicas if name not in series]
    if missing:
        for name, last_seq, last_cost_seq, ended in session.execute(SQL["series"], (missing,)):
            series[name] = Series(last_seq, last_cost_seq, ended)
    return sequencing.Known(
        calls=_calls(session, wanted.attempts),
        others=known_others(session, wanted.others),
        series=series,
        leaf=lambda index: None if index < retired else leaves.leaf(session, index),
    )


def write(session: Connection, plan: Plan, groups: Mapping[str, int]) -> None:
    """Write a plan, and that the groups up to these numbers are in order."""
    _write_leaves(session, plan)
    _write_calls(session, plan)
    if plan.others:
        columns = [list(column) for column in zip(*plan.others, strict=True)]
        session.execute(SQL["add_others"], (*columns, list(plan.others.values())))
    for reason, line in plan.set_aside:
        session.execute(SQL["add_clash"], (reason, line))
    _write_costs(session, plan.costs)
    _write_rollups(session, plan.rollups)
    _write_series(session, plan.series)
    if groups:
        done = {"replicas": list(groups), "groups": list(groups.values())}
        session.execute(SQL["put_groups"], done)
        session.execute(SQL["remove_intake"], done)


def earlier(session: Connection, known: sequencing.Known) -> Earlier:
    """Return what the fold of credit finds of the slices before the one `known` is for."""

    def roots(ids: Sequence[str]) -> dict[str, bytes]:
        rows = session.execute(SQL["roots"], (list(ids),), binary=True)
        return {root_id: bytes(packed) for root_id, packed in rows}

    def places(root_id: str) -> list[tuple[int, int | None]]:
        return [
            (begun, ended) for begun, ended in session.execute(SQL["calls_of_root"], (root_id,))
        ]

    return Earlier(known, roots, places)


def write_roots(session: Connection, roots: Mapping[str, bytes]) -> None:
    """Write roots that changed, as they were packed."""
    if roots:
        session.execute(SQL["put_roots"], (list(roots), list(roots.values())))


def write_tiles(session: Connection, tiles: Mapping[tuple[int, int], bytes]) -> None:
    """Write tiles of the tree that changed."""
    for (level, number), packed in tiles.items():
        session.execute(SQL["put_tile"], (level, number, packed))


def _calls(session: Connection, attempts: list[str]) -> dict[str, CallRow]:
    found: dict[str, CallRow] = {}
    if attempts:
        for row in session.execute(SQL["calls"], (attempts,)):
            values = dict(zip(_CALL_ORDER, row, strict=True))
            values["rules"] = tuple(values["rules"])
            found[values["attempt_id"]] = CallRow(**values)
    return found


def known_others(session: Connection, wanted: Sequence[Unique]) -> dict[Unique, int]:
    """Return the index of each leaf that is there, by what no other leaf may have."""
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*wanted, strict=True)]
    rows = session.execute(SQL["others"], columns)
    return {(attempt_id, kind, n): index for attempt_id, kind, n, index in rows}


def _write_leaves(session: Connection, plan: Plan) -> None:
    first = plan.first_index
    while first < plan.next_index:
        until = min(plan.next_index, first - first % RUN_MAX + RUN_MAX)
        run = plan.lines[first - plan.first_index : until - plan.first_index]
        session.execute(SQL["add_leaves"], (first, len(run), b"\n".join(run)))
        first = until


def _write_calls(session: Connection, plan: Plan) -> None:
    rows, changed = list(plan.rows.values()), list(plan.changed.values())
    if rows:
        session.execute(SQL["add_calls"], (_json(rows),))
    opened = [row for row in rows if row.index_settle is None]
    if opened:
        columns = [row.index_intent for row in opened], [row.replica for row in opened]
        session.execute(SQL["open_calls"], columns)
    if changed:
        session.execute(SQL["settle_calls"], (_json(changed),))
        session.execute(SQL["close_calls"], ([row.index_intent for row in changed],))


def _write_costs(
    session: Connection, costs: Sequence[ledger.CostIntent | ledger.CostSettle]
) -> None:
    if not costs:
        return
    settled = [each.attempt_id for each in costs if isinstance(each, ledger.CostSettle)]
    rows = session.execute(SQL["costs_open"], (settled,)) if settled else ()
    earlier = {found.attempt_id: found for found in map(_cost_intent, rows)}
    done = hours.fold(costs, earlier.get)
    if done.closed:
        session.execute(SQL["close_costs"], (done.closed,))
    if done.opened:
        intents = list(done.opened.values())
        columns = (
            [each.attempt_id for each in intents],
            [each.replica for each in intents],
            [ledger.encode(each) for each in intents],
        )
        session.execute(SQL["open_costs"], columns)
    if done.sums:
        sums = _json([_cost_row(*each) for each in done.sums.items()])
        session.execute(SQL["add_costs"], (sums,))
        session.execute(SQL["add_pending"], (sums,))


def _write_rollups(session: Connection, added: Rollups) -> None:
    if added.sums:
        sums = [
            key._asdict() | msgspec.structs.asdict(came_to) for key, came_to in added.sums.items()
        ]
        session.execute(SQL["add_rollups"], (_json(sums),))
    if added.rules:
        counts = [key._asdict() | {"calls": calls} for key, calls in added.rules.items()]
        session.execute(SQL["add_rule_rollups"], (_json(counts),))


def _write_series(session: Connection, series: Mapping[str, Series]) -> None:
    if series:
        columns = (
            list(series),
            [each.last_seq for each in series.values()],
            [each.last_cost_seq for each in series.values()],
            [each.ended for each in series.values()],
        )
        session.execute(SQL["put_series"], columns)


def _cost_intent(row: tuple[Any, ...]) -> ledger.CostIntent:
    found = ledger.decode(row[0])
    assert isinstance(found, ledger.CostIntent)
    return found


def _cost_row(key: HourKey, came_to: HourSum) -> dict[str, Any]:
    row = key._asdict() | msgspec.structs.asdict(came_to)
    return row | {"cost_usd": f"{came_to.cost_usd:f}"}


def _json(rows: Iterable[Any]) -> str:
    return msgspec.json.encode(rows).decode()

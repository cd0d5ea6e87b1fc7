"""The Goodhart meter over a log: calls, tokens and credit of each team and week, and outcomes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.ledger.projection import iso
from gateway.reports import account as accounts
from gateway.reports import goodhart
from gateway.reports.account import Account
from gateway.reports.goodhart import Cell
from gateway.reports.store import Store
from gateway.values import Task

METRICS: Final = ("calls", "tokens", "credit")
_DAY_S: Final = 86_400
_MONDAY: Final = 3
"""1970-01-01 was a Thursday: three days into its week."""
_WEEK_S: Final = 7 * _DAY_S
WARNING: Final = (
    "{metric} goes with outcomes less than it used to: whoever is judged by it has begun to make"
    " more of it without more coming of it"
)


def meter(store: Store, catalogue: Sequence[Task], as_of_us: int) -> dict[str, Any]:
    """Return how each metric goes with accepted tasks, in windows of weeks, and what drifts."""
    found = accounts.account(store, catalogue, as_of_us)
    of = {name: dict[tuple[str, int], float]() for name in (*METRICS, "accepted")}
    _add_usage(store, found, of)
    _add_outcomes(found, of)
    read = {name: goodhart.reading(_cells(of[name], of["accepted"])) for name in METRICS}
    return {
        "as_of": iso(as_of_us),
        "window_weeks": goodhart.WINDOW_WEEKS,
        "cells_min": goodhart.CELLS_MIN,
        "metrics": {
            name: {
                "drifted": each.drifted,
                "warning": WARNING.format(metric=name) if each.drifted else "",
                "windows": [
                    {
                        "from": _date(window.first_week),
                        "cells": window.cells,
                        "correlation": window.correlation,
                        "low": window.low,
                        "high": window.high,
                    }
                    for window in each.windows
                ],
            }
            for name, each in read.items()
        },
    }


def _add_usage(
    store: Store, found: Account, of: Mapping[str, dict[tuple[str, int], float]]
) -> None:
    teams = {line.credit.root_id: line.team for line in found.lines}
    everything = accounts.query(None, None)
    for (root_id, day), came_to in store.usage(("root_id", "day"), everything):
        cell = (teams.get(str(root_id), ""), week_of(int(day)))
        tokens = came_to.input_tokens + came_to.output_tokens
        of["calls"][cell] = of["calls"].get(cell, 0) + came_to.calls
        of["tokens"][cell] = of["tokens"].get(cell, 0) + tokens


def _add_outcomes(found: Account, of: Mapping[str, dict[tuple[str, int], float]]) -> None:
    for line in found.lines:
        root = line.credit
        for since_us in root.since_us:
            cell = (line.team, week_of(since_us // 1_000_000))
            part = float(root.settled + root.provisional) / len(root.since_us)
            of["accepted"][cell] = of["accepted"].get(cell, 0) + 1
            of["credit"][cell] = of["credit"].get(cell, 0) + part


def _cells(
    metric: Mapping[tuple[str, int], float], accepted: Mapping[tuple[str, int], float]
) -> list[Cell]:
    """Return a cell for each week of each team, from its first to its last; quiet ones are 0."""
    spans: dict[str, list[int]] = {}
    for team, week in (*metric, *accepted):
        spans.setdefault(team, []).append(week)
    return [
        Cell(
            week=week,
            metric=metric.get((team, week), 0),
            accepted=accepted.get((team, week), 0),
        )
        for team, weeks in sorted(spans.items())
        for week in range(min(weeks), max(weeks) + 1)
    ]


def week_of(moment_s: int) -> int:
    """Return the number of the week (from Monday, UTC) that a moment is in."""
    return (moment_s // _DAY_S + _MONDAY) // 7


def _date(week: int) -> str:
    return iso((week * _WEEK_S - _MONDAY * _DAY_S) * 1_000_000)[:10]

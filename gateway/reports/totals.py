"""
What calls came to, summed: from the rollups the sequencer keeps, and so equal to the ledger.

By time, team, task, model, decision and rule. By person there is none: a table of people by
tokens is what this program is there to replace.
"""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway import ledger
from gateway.errors import InvalidRequest
from gateway.ledger.projection import iso
from gateway.ledger.rollups import RollupSum
from gateway.reports.forms import plain
from gateway.reports.store import Row, Sums

BY: Mapping[str, str] = {
    "hour": "hour",
    "day": "day",
    "month": "month",
    "team": "team",
    "root": "root_id",
    "root_id": "root_id",
    "task": "task_id",
    "task_id": "task_id",
    "model": "model",
    "decision": "decision",
}
"""What sums may be asked by, and which column of the rollups it is."""
RULE = "rule"
FIGURES: Sequence[str] = (
    "calls",
    "settled",
    "failed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
)
_RULE_COLUMNS = (RULE, "team", "decision")
_PEOPLE = frozenset(
    ("principal", "principal_id", "principal.id", "person", "people", "user", "key", "key_id")
)
_FORMATS = {"day": "%Y-%m-%d", "month": "%Y-%m"}


def columns(by: str) -> tuple[str, ...]:
    """
    Return the columns some names stand for: `team,month`.

    Raises:
        InvalidRequest: one of them is a person's, none there is, or there twice.

    """
    names = [name.strip() for name in by.split(",")]
    for name in names:
        if name in _PEOPLE:
            raise InvalidRequest(
                "no sums are kept by person, so that no ranking of people can be made of them:"
                f" ask by {_choices()}"
            )
        if name not in BY and name != RULE:
            raise InvalidRequest(f"there are no sums by {name[:40]!r}: ask by {_choices()}")
    if RULE in names:
        if len(names) > 1:
            raise InvalidRequest("by=rule stands alone: its rows say team and decision too")
        return _RULE_COLUMNS
    found = tuple(BY[name] for name in names)
    if len(set(found)) < len(found):
        raise InvalidRequest("by names one thing twice: name each once")
    return found


def summed(store: Sums, by: Sequence[str], query: ledger.Query) -> list[Row]:
    """Return what calls came to by some columns (`columns`), in the order of their values."""
    if tuple(by) == _RULE_COLUMNS:
        counts = sorted(store.rule_usage(query))
        return [
            {**dict(zip(_RULE_COLUMNS, values, strict=True)), "calls": calls}
            for values, calls in counts[: query.limit]
        ]
    rows = [
        {**{name: _shown(name, value) for name, value in zip(by, values, strict=True)},
         **_figures(came_to)}
        for values, came_to in store.usage(by, query)
    ]  # fmt: skip
    rows.sort(key=lambda row: [row[name] for name in by])
    return rows[: query.limit]


def _figures(came_to: RollupSum) -> Row:
    figures: Row = {name: getattr(came_to, name) for name in FIGURES[:-1]}
    figures["cost_usd"] = plain(Decimal(came_to.cost_nano_usd) / 10**9)
    return figures


def _shown(column: str, value: str | int) -> str:
    """Return a value as people read it: a period by its start, in UTC."""
    if isinstance(value, str):
        return value
    if column in _FORMATS:
        moment = datetime.datetime.fromtimestamp(value, tz=datetime.UTC)
        return moment.strftime(_FORMATS[column])
    return iso(value * 1_000_000)


def _choices() -> str:
    return "hour, day, month, team, root, task, model, decision, or by rule alone"

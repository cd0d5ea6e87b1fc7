"""
What looks odd about roots, and why: shown beside figures, never a verdict.

A root may be one person's, so a reason holds none of its figures.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from gateway.reports.account import Account, Line

UMBRELLA_DAYS: Final = 90
UMBRELLA_SHARE: Final = Decimal("0.2")
_DAY_S: Final = 86_400


def marks(found: Account, as_of_us: int) -> list[dict[str, Any]]:
    """Return each mark with its root and the reason for it, by root."""
    costs: dict[str, int] = {}
    for line in found.lines:
        costs[line.team] = costs.get(line.team, 0) + line.credit.cost_nano_usd
    return [
        {"root_id": line.credit.root_id, "team": line.team, "mark": mark, "why": why}
        for line in found.lines
        for mark, why in _of(line, costs[line.team], as_of_us)
    ]


def _of(line: Line, team_cost: int, as_of_us: int) -> Iterator[tuple[str, str]]:
    root, task = line.credit, line.task
    if root.unscored:
        yield "unscored", root.unscored
    if root.thin and root.since_us:
        yield "thin", "all that was asked for it was asked by one call"
    if task is not None and task.canary and root.calls:
        yield "canary", "no honest flow uses it, and calls did"
    if root.since_us or root.unscored or not root.calls:
        return
    days = 0
    if task is not None and task.status == "open" and task.opened_at is not None:
        days = int(as_of_us / 1_000_000 - task.opened_at) // _DAY_S
    if days > UMBRELLA_DAYS:
        yield "umbrella", f"open for {days} days with nothing of it accepted"
    elif team_cost and Decimal(root.cost_nano_usd) / team_cost > UMBRELLA_SHARE:
        yield "umbrella", "over 20 % of its team's cost with nothing of it accepted"

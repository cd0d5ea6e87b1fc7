"""
Wins: tasks that somebody else accepted and that AI was used for.

What a company should look at instead of a leaderboard: what was done, for what, at what cost, how
long it took, where to see it, and that a second person took it. Nobody is named.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median
from typing import Any

from gateway import ledger
from gateway.credit import acceptance
from gateway.credit.worth import DAY_US
from gateway.ledger.projection import iso
from gateway.reports import account as accounts
from gateway.reports.account import Account, Line
from gateway.reports.forms import plain
from gateway.reports.months import Months
from gateway.reports.report import UNPROVEN, evidence
from gateway.reports.store import Store
from gateway.values import Task

_HOUR_US = 3_600 * 1_000_000


def wins(
    store: Store,
    catalogue: Sequence[Task],
    *,
    months: Months,
    team: str = "",
    use_case: str = "",
    as_of_us: int,
) -> dict[str, Any]:
    """Return accepted tasks, the last first, and what they come to by use case."""
    found = accounts.account(store, catalogue, as_of_us)
    rows = [
        row
        for row in _rows(store, found, as_of_us)
        if months.holds(row["accepted_at"][:7])
        and team in ("", row["team"])
        and use_case in ("", row["use_case"])
    ]
    rows.sort(key=lambda row: (row["accepted_at"], row["task_id"]), reverse=True)
    return {
        "as_of": iso(as_of_us),
        "period": {"first": months.first, "last": months.last},
        "wins": rows,
        "use_cases": _by_use_case(rows),
        "evidence": evidence(found, as_of_us),
        "unproven": UNPROVEN,
    }


def _rows(store: Store, found: Account, as_of_us: int) -> list[dict[str, Any]]:
    hours, costs = _worked(store)
    accepted = _accepted(store)
    rows: list[dict[str, Any]] = []
    for line in found.lines:
        root = found.folded.roots[line.credit.root_id]
        for task_id, events in root.events.items():
            since_us = acceptance.standing(events).since_us
            if since_us is None or task_id not in root.newest_us or task_id not in hours:
                continue
            rows.append(
                _row(found.tasks.get(task_id), line, since_us, as_of_us)
                | {"task_id": task_id, "root_id": line.credit.root_id}
                | {"hours": max(0, since_us - hours[task_id]) // _HOUR_US}
                | {"calls": costs[task_id][0], "cost_usd": plain(costs[task_id][1])}
                | _attested(accepted.get(task_id, ()))
            )
    return rows


def _row(task: Task | None, line: Line, since_us: int, as_of_us: int) -> dict[str, Any]:
    known = task or Task(id="", spelling="")
    is_held = as_of_us < since_us + line.credit.settle_days * DAY_US
    return {
        "title": known.title,
        "use_case": known.use_case or line.use_case,
        "team": line.team,
        "url": known.url,
        "accepted_at": iso(since_us),
        "state": "unscored" if line.credit.unscored else "provisional" if is_held else "settled",
    }


def _worked(store: Store) -> tuple[dict[str, int], dict[str, tuple[int, Decimal]]]:
    """Return when each task was first worked on, and how many calls it had at what cost."""
    everything = accounts.query(None, None)
    first: dict[str, int] = {}
    costs: dict[str, tuple[int, Decimal]] = {}
    for (task_id, hour), came_to in store.usage(("task_id", "hour"), everything):
        if not came_to.settled:
            continue
        begun = int(hour) * 1_000_000
        first[str(task_id)] = min(first.get(str(task_id), begun), begun)
        calls, cost = costs.get(str(task_id), (0, Decimal(0)))
        spent = Decimal(came_to.cost_nano_usd) / 10**9
        costs[str(task_id)] = (calls + came_to.settled, cost + spent)
    return first, costs


def _accepted(store: Store) -> dict[str, list[tuple[int, ledger.Outcome]]]:
    """Return what counts as an acceptance, by task, with the index of each entry."""
    found: dict[str, list[tuple[int, ledger.Outcome]]] = {}
    for index, outcome in store.outcomes():
        event = acceptance.event_of(outcome)
        if event is not None and event.kind == "accepted":
            found.setdefault(outcome.task_id, []).append((index, outcome))
    return found


def _attested(some: Sequence[tuple[int, ledger.Outcome]]) -> dict[str, Any]:
    links = dict.fromkeys(each.evidence for _, each in some if each.evidence)
    others = {who for _, each in some for who in each.reviewers if who != each.author}
    return {
        "evidence": list(links),
        "entries": [index for index, _ in some],
        "accepted_by_others": len(others),
    }


def _by_use_case(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["use_case"], []).append(row)
    made: list[dict[str, Any]] = []
    for use_case, some in sorted(groups.items()):
        cost = sum((Decimal(row["cost_usd"]) for row in some), Decimal(0))
        made.append(
            {
                "use_case": use_case,
                "tasks": len(some),
                "calls": sum(row["calls"] for row in some),
                "cost_usd": plain(cost),
                "cost_per_task": plain((cost / len(some)).quantize(Decimal("1e-9"))),
                "median_hours": median(row["hours"] for row in some),
            }
        )
    return made

"""
What accepted tasks came to and cost: by root, use case, owning team and month, never by person.

All that was spent stands beside what came of it, what had no verified task in tiers of its own,
and what is needed to work all of it out again.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway import ledger
from gateway.credit import RootCredit
from gateway.errors import InvalidRequest
from gateway.ledger.projection import iso
from gateway.reports import account as accounts
from gateway.reports.account import Account
from gateway.reports.blocks import Block, blocks
from gateway.reports.forms import plain
from gateway.reports.marks import marks
from gateway.reports.months import Months
from gateway.reports.store import Store
from gateway.reports.teams import PEOPLE_MIN
from gateway.values import Task

BY: Final = {
    "root": "root_id",
    "root_id": "root_id",
    "use_case": "use_case",
    "use-case": "use_case",
    "team": "team",
    "month": "month",
    "period": "month",
}
TIERS: Final = ("verified", "claimed", "inferred", "none", "refused")
"""Of calls: how well their task was known, or that they were turned away."""
CLAIMED: Final = frozenset(("unknown", "not_yours", "closed", "stale"))
WITHHELD: Final = (
    f"all of it is about fewer than {PEOPLE_MIN} people, so it is shown to an auditor only, and"
    " only with --reveal REASON, which is recorded"
)
UNPROVEN: Final = (
    "Not proven: that outcomes are true, reviewers honest, values right, or that AI caused them."
)


def columns(by: str) -> tuple[str, ...]:
    """Return the columns some names stand for: `team,month`; raises InvalidRequest."""
    found: dict[str, None] = {}
    for name in (each.strip() for each in by.split(",")):
        if name not in BY:
            raise InvalidRequest(
                f"there is no report by {name[:40]!r}: ask by root, use_case, team or month (by"
                " person there is none, so that nobody can be ranked)"
            )
        found[BY[name]] = None
    return tuple(found)


def report(  # one argument for each thing that can be asked
    store: Store,
    catalogue: Sequence[Task],
    *,
    by: Sequence[str],
    months: Months,
    team: str = "",
    as_of_us: int,
    revealed: bool = False,
) -> dict[str, Any]:
    """Return a report as plain values; figures are texts in plain digits, so nothing is rounded."""
    found = accounts.account(store, catalogue, as_of_us)
    shown = blocks(
        found.lines,
        lambda line: line.place,
        lambda line: line.people,
        0 if revealed else PEOPLE_MIN,
    )
    chosen = [
        each for each in shown if months.holds(each.place.month) and team in ("", each.place.team)
    ]
    tiers = _tiers(store, accounts.query(months.since_us, months.until_us))
    return {
        "as_of": iso(as_of_us),
        "period": {"first": months.first, "last": months.last},
        "by": list(by),
        "rows": _rows(found, chosen, by, revealed=revealed),
        "total": _figures([found.lines[at].credit for each in chosen for at in each.lines]),
        "withheld": WITHHELD if found.lines and not shown else "",
        "spent": tiers,
        "unlinked_share": _unlinked(tiers),
        "marks": [each for each in marks(found, as_of_us) if team in ("", each["team"])],
        "evidence": evidence(found, as_of_us),
        "unproven": UNPROVEN,
    }


def evidence(found: Account, as_of_us: int) -> dict[str, Any]:
    """Return what shows that figures are right, and how to work them out again."""
    return {
        "entries": found.folded.size,
        "root": found.root_hash,
        "key": found.vkey,
        "checkpoint": found.folded.checkpoint,
        "reproduce": (
            "goodgate audit export ./log && goodgate credit recompute ./log"
            f" --key {found.vkey} --entries {found.folded.size} --as-of {iso(as_of_us)}"
        ),
    }


def _rows(
    found: Account, chosen: Sequence[Block], by: Sequence[str], *, revealed: bool
) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[Block]] = {}
    for block in chosen:
        groups.setdefault(tuple(getattr(block.place, name) for name in by), []).append(block)
    rows: list[dict[str, Any]] = []
    for values, some in sorted(groups.items()):
        people = frozenset[str]().union(*(each.people for each in some))
        row: dict[str, Any] = dict(zip(by, values, strict=True))
        row["people"] = len(people)
        if revealed:
            row["names"] = sorted(people)
        rows.append(row | _figures([found.lines[at].credit for each in some for at in each.lines]))
    return rows


def _figures(roots: Collection[RootCredit]) -> dict[str, Any]:
    accepted = sum(len(each.since_us) for each in roots)
    cost = Decimal(sum(each.cost_nano_usd for each in roots)) / 10**9
    return {
        "roots": len(roots),
        "tasks": sum(each.tasks for each in roots),
        "accepted_tasks": accepted,
        "settled": plain(sum((each.settled for each in roots), Decimal(0))),
        "provisional": plain(sum((each.provisional for each in roots), Decimal(0))),
        "reversed": plain(sum((each.reversed for each in roots), Decimal(0))),
        "calls": sum(each.calls for each in roots),
        "cost_usd": plain(cost),
        "cost_per_accepted_task": plain((cost / accepted).quantize(Decimal("1e-9")))
        if accepted
        else None,
    }


def _tiers(store: Store, asked: ledger.Query) -> list[dict[str, Any]]:
    """Return calls and cost by how well their task was known; tiers are never merged."""
    calls = dict.fromkeys(TIERS, 0)
    cost = dict.fromkeys(TIERS, Decimal(0))
    for (decision,), came_to in store.usage(("decision",), asked):
        tier = "refused" if decision == "refused" else "verified"
        calls[tier] += came_to.calls
        cost[tier] += Decimal(came_to.cost_nano_usd) / 10**9
    for key, hour in store.cost_hours(asked):
        tier = "claimed" if key.reason in CLAIMED else key.reason
        tier = tier if tier in TIERS else "refused"
        calls[tier] += hour.calls
        cost[tier] += hour.cost_usd
    return [
        {"evidence": tier, "calls": calls[tier], "cost_usd": plain(cost[tier])} for tier in TIERS
    ]


def _unlinked(tiers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what part of what was sent had no verified task, with what it is a part of."""
    sent = [each for each in tiers if each["evidence"] != "refused"]
    shares: dict[str, Any] = {}
    for name in ("calls", "cost_usd"):
        whole = sum((Decimal(each[name]) for each in sent), Decimal(0))
        rest = whole - sum(Decimal(each[name]) for each in sent if each["evidence"] == "verified")
        share = None if not whole else plain((rest / whole).quantize(Decimal("0.0001")))
        shares[name] = {"unlinked": plain(rest), "of": plain(whole), "share": share}
    return shares

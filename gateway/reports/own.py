"""What a person may see of their own: their tasks, what their calls cost, and what came of them."""

from decimal import Decimal
from typing import Any

from gateway import ledger
from gateway.ledger.projection import iso
from gateway.reports import account as accounts
from gateway.reports.forms import plain
from gateway.reports.store import Store

CALLS_MAX = 100_000
"""Of theirs, the newest, that are looked at."""


def own(store: Store, principal: str, as_of_us: int) -> dict[str, Any]:
    """
    Return the roots a person made calls for, by id.

    Credit is of a root, shared by all who worked on it: no part of it is anybody's.
    """
    asked = ledger.Query(limit=CALLS_MAX)
    calls: dict[str, int] = {}
    costs: dict[str, Decimal] = {}
    for row in store.rows(asked, store.commitments(principal)):
        if row["decision"] == "refused":
            continue
        root_id = row["root_id"]
        calls[root_id] = calls.get(root_id, 0) + 1
        costs[root_id] = costs.get(root_id, Decimal(0)) + Decimal(row["cost_usd"] or 0)
    _, statement = accounts.stated(store, as_of_us)
    return {
        "as_of": iso(as_of_us),
        "rows": [
            {
                "root_id": each.root_id,
                "calls": calls[each.root_id],
                "cost_usd": plain(costs[each.root_id]),
                "accepted_tasks": len(each.since_us),
                "root_settled": plain(each.settled),
                "root_provisional": plain(each.provisional),
                "root_reversed": plain(each.reversed),
            }
            for each in statement.roots
            if each.root_id in calls
        ],
    }

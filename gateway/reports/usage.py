"""
Usage as auditors see it: pseudonyms, unless names are revealed.

A pseudonym is new for each query, so that no two answers can be laid side by side to rank
people; within one answer a person has one pseudonym, also across months. Revealing is an
entry of the ledger (`ledger.Reveal`) that must be durable before `entries` is called with
`revealed`.
"""

import hmac
import sys
from collections.abc import Callable, Sequence

import msgspec

from gateway import ledger
from gateway.errors import NotAllowed
from gateway.ledger.hours import SMALL_TEAMS, HourKey, HourSum
from gateway.ledger.projection import iso
from gateway.reports.store import Calls, Row

ERASED = "erased"
"""Shown, where names are revealed, for a person whose salt was deleted."""
UNLINKED: Sequence[str] = ("hour", "team", "model", "reason", "calls", "tokens", "cost_usd")
_PSEUDONYM_HEX = 12


def entries(store: Calls, query: ledger.Query, *, key: bytes, revealed: bool) -> list[Row]:
    """
    Return the calls asked for, newest first; `key` is random and new for each query.

    Raises:
        NotAllowed: one person's calls are asked for, and names are not revealed.

    """
    if query.principal and not revealed:
        raise NotAllowed(
            "principal needs reveal: people are pseudonyms, new for each query; an auditor may"
            " ask with --reveal REASON, which is recorded"
        )
    people = store.commitments(query.principal) if query.principal else None
    rows = store.rows(query, people)
    names = store.persons()
    for row in rows:
        commitment = row["principal"]
        if revealed:
            row["principal"] = names.get(commitment, ERASED)
        else:
            row["principal"] = pseudonym(key, names.get(commitment, commitment))
    return rows


def unlinked(store: Calls, query: ledger.Query, is_small: Callable[[str], bool]) -> list[Row]:
    """
    Return the cost of what had no verified task, by hour, team, model and reason, newest first.

    Rows of teams for which `is_small` are one row: asking for one of these teams finds nothing.
    """
    asked = msgspec.structs.replace(query, team="", limit=sys.maxsize)
    sums: dict[HourKey, HourSum] = {}
    for key, came_to in store.cost_hours(asked):
        shown = key._replace(team=SMALL_TEAMS) if is_small(key.team) else key
        if query.team in ("", shown.team):
            sums.setdefault(shown, HourSum()).add(came_to)
    rows = sorted(sums.items(), key=lambda each: (-each[0].hour, each[0]))
    return [
        {
            "hour": iso(key.hour * 1_000_000),
            "team": key.team,
            "model": key.model,
            "reason": key.reason,
            "calls": came_to.calls,
            "tokens": came_to.tokens,
            "cost_usd": format(came_to.cost_usd, "f"),
        }
        for key, came_to in rows[: query.limit]
    ]


def pseudonym(key: bytes, person: str) -> str:
    """Return what stands for a person under a key: `p-` and 12 hex digits."""
    return "p-" + hmac.digest(key, person.encode(), "sha256").hex()[:_PSEUDONYM_HEX]

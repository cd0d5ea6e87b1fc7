"""
Usage as auditors see it: pseudonyms, unless names are revealed.

A pseudonym is new for each query, so that no two answers can be laid side by side to rank
people; within one answer a person has one pseudonym, also across months. Revealing is an
entry of the ledger (`ledger.Reveal`) that must be durable before `entries` is called with
`revealed`.
"""

import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from gateway import ledger
from gateway.errors import NotAllowed
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.projection import iso

Row: TypeAlias = dict[str, Any]

ERASED = "erased"
"""Shown, where names are revealed, for a person whose salt was deleted."""
UNLINKED: Sequence[str] = ("hour", "team", "model", "reason", "calls", "tokens", "cost_usd")
_PSEUDONYM_HEX = 12


class Store(Protocol):
    """A ledger, as it is read."""

    def rows(self, query: ledger.Query, people: Collection[str] | None = None) -> list[Row]:
        """Return calls that match, newest first; `principal` is a commitment."""
        ...

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return unlinked cost by hour, newest first."""
        ...

    def persons(self) -> Mapping[str, str]:
        """Return who each commitment stands for, as far as salts are left."""
        ...

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments that stand for a person."""
        ...


def entries(store: Store, query: ledger.Query, *, key: bytes, revealed: bool) -> list[Row]:
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


def unlinked(store: Store, query: ledger.Query) -> list[Row]:
    """Return the cost of what had no verified task, by hour, team, model and reason."""
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
        for key, came_to in store.cost_hours(query)
    ]


def pseudonym(key: bytes, person: str) -> str:
    """Return what stands for a person under a key: `p-` and 12 hex digits."""
    return "p-" + hmac.digest(key, person.encode(), "sha256").hex()[:_PSEUDONYM_HEX]

"""
Which teams are so small that a row about them would be one about a person.

A team has as many people as hold a live key in it; nobody known counts as few. Rows of small
teams are shown as one, and never by the team's own name.
"""

from collections.abc import Callable, Iterable

from gateway.values import Key

PEOPLE_MIN = 5


def small(keys: Iterable[Key], now: float) -> Callable[[str], bool]:
    """Return what tells whether a team has under five people at a moment (Unix seconds)."""
    people: dict[str, set[str]] = {}
    for key in keys:
        if key.revoked_at is None and (key.expires_at is None or key.expires_at > now):
            people.setdefault(key.principal.team, set()).add(key.principal.id)
    return lambda team: len(people.get(team, ())) < PEOPLE_MIN

"""
How much new was asked: the 64 smallest hashes of everything asked under a root.

The smallest of a union are the smallest of its parts' smallest, so that any order, any split over
replicas and any repeat come to the same; and there is no more to be had than 64.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

KEPT_MAX: Final = 64
UNIT_BYTES: Final = 8


def merged(kept: tuple[str, ...], units: Sequence[str]) -> tuple[str, ...]:
    """Return the smallest of both, sorted; `kept` and `units` are sorted already."""
    if len(kept) == KEPT_MAX:
        units = units[: bisect_left(units, kept[-1])]
    if not units:
        return kept
    held = set(kept)
    fresh = [unit for unit in dict.fromkeys(units) if unit not in held]
    # Two runs that are in order each: sorting them costs one pass.
    return tuple(sorted([*kept, *fresh])[:KEPT_MAX]) if fresh else kept


def new_units(calls: Iterable[tuple[str, Sequence[str]]]) -> dict[str, int]:
    """Return how many of the smallest came in with each call, by attempt, in the calls' order."""
    found: dict[str, int] = {}
    kept: tuple[str, ...] = ()
    for attempt_id, units in calls:
        grown = merged(kept, units)
        found[attempt_id] = len(set(grown).difference(kept))
        kept = grown
    return found

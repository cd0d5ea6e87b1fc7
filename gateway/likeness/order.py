"""
What stands in both texts, but elsewhere: blocks that moved, and words that change places.

Whole clauses and sentences in another order ask for the same; two names that change
places do not. A block counts as moved only when the difference has it once as gone and
once as come.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.likeness.difference import Hunk

_PLACES_MAX = 8
_NAME_MAX = 4
"""A name that changes places with another has at most this many words."""


class Block(NamedTuple):
    """Words that both texts have, at different places."""

    old: int
    new: int
    length: int


def moved(old: Sequence[int], new: Sequence[int], found: Iterable[Hunk]) -> list[Block]:
    """Return the blocks that are gone in one hunk and come in another, longest first tried."""
    found = list(found)
    free: dict[int, list[int]] = {}
    gone: set[int] = set()
    for hunk in found:
        gone.update(range(hunk.old_start, hunk.old_end))
        for at in range(hunk.old_start, hunk.old_end):
            free.setdefault(old[at], []).append(at)
    blocks: list[Block] = []
    for hunk in found:
        at = hunk.new_start
        while at < hunk.new_end:
            block = _longest(old, new, at, hunk.new_end, free.get(new[at], ()), gone)
            if block.length:
                blocks.append(block)
                gone.difference_update(range(block.old, block.old + block.length))
            at += max(1, block.length)
    return blocks


def _longest(  # noqa: PLR0913, PLR0917 - two texts, a span of one, and what is left of the other
    old: Sequence[int],
    new: Sequence[int],
    at: int,
    end: int,
    places: Sequence[int],
    gone: set[int],
) -> Block:
    best = Block(0, at, 0)
    tried = 0
    for place in places:
        if place not in gone:
            continue
        length = 0
        while (
            at + length < end and place + length in gone and old[place + length] == new[at + length]
        ):
            length += 1
        if length > best.length:
            best = Block(place, at, length)
        tried += 1
        if tried == _PLACES_MAX:
            break
    return best


def are_swapped(old: Sequence[int], new: Sequence[int], found: Sequence[Hunk]) -> bool:
    """Return whether all that happened is that two names changed places."""
    if _is_exchange(old, new, found):
        return True
    first, last = found[0], found[-1]
    left = old[first.old_start : last.old_end]
    right = new[first.new_start : last.new_end]
    if len(left) != len(right):
        return False
    return any(
        left[:a] == right[-a:] and left[-b:] == right[:b] and left[a:-b] == right[b:-a]
        for a in range(1, min(_NAME_MAX + 1, len(left)))
        for b in range(1, min(_NAME_MAX + 1, len(left) - a + 1))
    )


def _is_exchange(old: Sequence[int], new: Sequence[int], found: Sequence[Hunk]) -> bool:
    """Return whether every hunk puts one of two words for the other."""
    pairs: set[frozenset[int]] = set()
    for hunk in found:
        if hunk.old_end - hunk.old_start != 1 or hunk.new_end - hunk.new_start != 1:
            return False
        pairs.add(frozenset((old[hunk.old_start], new[hunk.new_start])))
    return len(pairs) == 1 and len(found) > 1

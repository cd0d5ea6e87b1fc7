"""
What stands in both texts, but elsewhere: blocks that moved, and words that change places.

Whole clauses and sentences in another order ask for the same; two names that change
places do not. A word counts as moved only when the difference has it once as gone and once
as come.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gateway.likeness.difference import Hunk

_PLACES_MAX = 8
_BLOCKS_MAX = 600
"""Of more moved words no blocks are made: one place after another is taken for each word."""
_NAMES_MAX = 3
_NAME_MAX = 4
"""A name that changes places with another has at most this many words."""


class Block(NamedTuple):
    """Words that both texts have, at different places."""

    old: Sequence[int]
    new: Sequence[int]


def leftovers(old: Sequence[int], new: Sequence[int], gap: Hunk) -> tuple[int, int]:
    """Return how many tokens of a gap each text has that the other has not, wherever."""
    gone = Counter(old[gap.old_start : gap.old_end])
    come = Counter(new[gap.new_start : gap.new_end])
    common = (gone & come).total()
    return gone.total() - common, come.total() - common


def without_slips(blocks: Sequence[Block], found: Iterable[Hunk]) -> list[Block]:
    """
    Return the blocks without single words that stand for a single word, here and there.

    Two places that were mistyped, each in one of the texts, look as if the word had moved.
    """
    singles = {
        hunk.old_start: hunk.new_start
        for hunk in found
        if hunk.old_end - hunk.old_start == hunk.new_end - hunk.new_start == 1
    }
    places = set(singles.values())
    return [
        block
        for block in blocks
        if len(block.new) > 1 or block.old[0] not in singles or block.new[0] not in places
    ]


def moved(old: Sequence[int], new: Sequence[int], found: Iterable[Hunk]) -> list[Block]:
    """Return the blocks that are gone in one hunk and come in another; each word is in one."""
    gone = [at for hunk in found for at in range(hunk.old_start, hunk.old_end)]
    come = [at for hunk in found for at in range(hunk.new_start, hunk.new_end)]
    free: dict[int, deque[int]] = {}
    for at in gone:
        free.setdefault(old[at], deque()).append(at)
    if min(len(gone), len(come)) > _BLOCKS_MAX:
        taken = [(free[new[at]].popleft(), at) for at in come if free.get(new[at])]
        return [Block([i for i, _ in taken], [j for _, j in taken])] if taken else []
    left, wanted = set(gone), set(come)
    blocks: list[Block] = []
    skip = 0
    for at in come:
        if at < skip or new[at] not in free:
            continue
        block = _longest(old, new, at, free[new[at]], (left, wanted))
        if block.new:
            blocks.append(block)
            left.difference_update(block.old)
            skip = at + len(block.new)
    return blocks


def _longest(
    old: Sequence[int],
    new: Sequence[int],
    at: int,
    places: deque[int],
    unmatched: tuple[set[int], set[int]],
) -> Block:
    left, wanted = unmatched
    while places and places[0] not in left:
        places.popleft()
    best = Block((), ())
    tried = 0
    for place in places:
        if place in left and tried < _PLACES_MAX:
            tried += 1
            size = 0
            while (
                place + size in left and at + size in wanted and old[place + size] == new[at + size]
            ):
                size += 1
            if size > len(best.new):
                best = Block(range(place, place + size), range(at, at + size))
    return best


def are_swapped(old: Sequence[int], new: Sequence[int], found: Sequence[Hunk]) -> bool:
    """Return whether all that happened is that two names changed places."""
    first, last = found[0], found[-1]
    left = old[first.old_start : last.old_end]
    right = new[first.new_start : last.new_end]
    if len(left) != len(right):
        return False
    return _is_exchange(left, right) or any(
        left[:a] == right[-a:] and left[-b:] == right[:b] and left[a:-b] == right[b:-a]
        for a in range(1, min(_NAME_MAX + 1, len(left)))
        for b in range(1, min(_NAME_MAX + 1, len(left) - a + 1))
    )


def _is_exchange(old: Sequence[int], new: Sequence[int]) -> bool:
    """Return whether all that differs is that two or three words stand for one another."""
    pairs = {(a, b) for a, b in zip(old, new, strict=True) if a != b}
    return len(pairs) <= _NAMES_MAX and {a for a, _ in pairs} == {b for _, b in pairs}

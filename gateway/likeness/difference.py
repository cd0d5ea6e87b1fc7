"""
Where do two texts differ: the runs of tokens that one has and the other has not.

Texts are sequences of 24-bit values (20 bits of keyed hash, 4 of class). What begins and
ends alike is set aside; in between, tokens that are rare on both sides are matched, in the
longest order both share, and the gaps between them again. So the work is bounded by the
length, however often a token repeats.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.uint32]

PAIRS_MAX = 4
"""A token is an anchor when it has at most this many pairs of places."""
SMALL = 300
"""A gap of at most this many pairs of places is matched token by token."""
DEPTH_MAX = 4


class Hunk(NamedTuple):
    """One run of the earlier text where the later one has another; either may be empty."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def decode(words: bytes) -> Values:
    """Return the values of a signature's words, one for every 3 bytes."""
    padded = np.zeros((len(words) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(words, np.uint8).reshape(-1, 3)
    return padded.view(">u4").ravel().astype(np.uint32)


def shared_ends(old: Values, new: Values) -> tuple[int, int]:
    """Return how many tokens both begin with, and how many of the others both end with."""
    least = min(len(old), len(new))
    start = _alike(old[:least], new[:least])
    rest = least - start
    if rest == 0:
        return start, 0
    return start, _alike(old[::-1][:rest], new[::-1][:rest])


def _alike(old: Values, new: Values) -> int:
    equal = old == new
    first = int(equal.argmin()) if len(equal) else 0
    return len(equal) if len(equal) == 0 or equal[first] else first


def hunks(old: Sequence[int], new: Sequence[int], start: int, end: int) -> list[Hunk]:
    """Return the hunks between the first `start` and the last `end` tokens, in order."""
    gap = Hunk(start, len(old) - end, start, len(new) - end)
    kept = _within(old, new, gap)
    if kept is not None:
        return list(_between(gap, kept))
    return _bridged(old, new, list(_gap(old, new, gap, 0)))


def _bridged(old: Sequence[int], new: Sequence[int], found: list[Hunk]) -> list[Hunk]:
    """
    Join what came to what went when one shared token stands between the two.

    It may be shared by chance: `innovember in` came for `in november in`.
    """
    joined: list[Hunk] = []
    for hunk in found:
        last = joined[-1] if joined else None
        if last and _is_bridge(last, hunk) and _share_none(old, new, last, hunk):
            joined[-1] = Hunk(last.old_start, hunk.old_end, last.new_start, hunk.new_end)
        else:
            joined.append(hunk)
    return joined


def _is_bridge(left: Hunk, right: Hunk) -> bool:
    one_apart = right.old_start - left.old_end == right.new_start - left.new_end == 1
    came_and_went = left.old_start == left.old_end and right.new_start == right.new_end
    went_and_came = left.new_start == left.new_end and right.old_start == right.old_end
    return one_apart and (came_and_went or went_and_came)


def _share_none(old: Sequence[int], new: Sequence[int], left: Hunk, right: Hunk) -> bool:
    gone = (*old[left.old_start : left.old_end], *old[right.old_start : right.old_end])
    return set(gone).isdisjoint(
        (*new[left.new_start : left.new_end], *new[right.new_start : right.new_end])
    )


def _within(old: Sequence[int], new: Sequence[int], gap: Hunk) -> list[tuple[int, int]] | None:
    """Return where a shorter side stands in the longer, when all of it does, in its order."""
    a, b, c, d = gap
    if b - a > d - c:
        found = _places(new[c:d], old, a, b)
        return None if found is None else list(zip(found, range(c, d), strict=True))
    found = _places(old[a:b], new, c, d)
    return None if found is None else list(zip(range(a, b), found, strict=True))


def _places(few: Sequence[int], many: Sequence[int], start: int, end: int) -> list[int] | None:
    found: list[int] = []
    at = start
    for value in few:
        while at < end and many[at] != value:
            at += 1
        if at == end:
            return None
        found.append(at)
        at += 1
    return found


def _between(gap: Hunk, matches: Sequence[tuple[int, int]]) -> Iterator[Hunk]:
    """Yield what is left of a gap between matches."""
    at_old, at_new = gap.old_start, gap.new_start
    for i, j in [*matches, (gap.old_end, gap.new_end)]:
        if i > at_old or j > at_new:
            yield Hunk(at_old, i, at_new, j)
        at_old, at_new = i + 1, j + 1


def _gap(old: Sequence[int], new: Sequence[int], gap: Hunk, depth: int) -> Iterator[Hunk]:
    """Yield what differs within a gap."""
    gap = _trimmed(old, new, gap)
    if gap.old_start == gap.old_end or gap.new_start == gap.new_end:
        if gap.old_start < gap.old_end or gap.new_start < gap.new_end:
            yield gap
        return
    matches = _matches(old, new, gap) if depth < DEPTH_MAX else []
    if not matches:
        yield gap
        return
    for part in _between(gap, matches):
        yield from _gap(old, new, part, depth + 1)


def _trimmed(old: Sequence[int], new: Sequence[int], gap: Hunk) -> Hunk:
    """Leave out what both sides of a gap begin or end with."""
    a, b, c, d = gap
    while a < b and c < d and old[a] == new[c]:
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
    return Hunk(a, b, c, d)


def _matches(old: Sequence[int], new: Sequence[int], gap: Hunk) -> list[tuple[int, int]]:
    """Return pairs of places of equal tokens, rising on both sides."""
    a, b, c, d = gap
    places: dict[int, list[int]] = {}
    for i in range(a, b):
        places.setdefault(old[i], []).append(i)
    found = [(j, places[new[j]]) for j in range(c, d) if new[j] in places]
    if (b - a) * (d - c) > SMALL:
        counts: dict[int, int] = {}
        for j, _ in found:
            counts[new[j]] = counts.get(new[j], 0) + 1
        found = [(j, at) for j, at in found if len(at) * counts[new[j]] <= PAIRS_MAX]
    return _rising([(i, j) for j, at in found for i in reversed(at)])


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest chain of pairs that rises on both sides (Hunt and Szymanski)."""
    ends: list[int] = []
    chains: list[int] = []
    before: list[int] = []
    for at, (i, _) in enumerate(pairs):
        length = bisect_left(ends, i)
        before.append(chains[length - 1] if length else -1)
        if length == len(ends):
            ends.append(i)
            chains.append(at)
        else:
            ends[length] = i
            chains[length] = at
    chain: list[tuple[int, int]] = []
    at = chains[-1] if chains else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]

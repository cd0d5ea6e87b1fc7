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

from gateway.likeness.lexicon import WordClass

Values = NDArray[np.uint32]

CLASS = 15
"""The bits of a value that hold its class."""

PAIRS_MAX = 4
"""A token is an anchor when it has at most this many pairs of places."""
SMALL = 300
"""A gap of at most this many pairs of places is matched token by token."""
DEPTH_MAX = 4
_PROBE = 8
_WIDE = 64
_HUGE = 300
_SCATTERED = 8
_NEAR = 12
_MISSED_MAX = 0.7
_STEPS = sorted(
    ((a, b) for a in range(_NEAR) for b in range(_NEAR) if a + b and abs(a - b) < _NEAR // 2),
    key=lambda step: max(step) + abs(step[0] - step[1]) / 2,
)
"""How far both sides are followed for the next words they share, the nearest first."""


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


def shared_core(old: Values, new: Values, start: int, end: int) -> tuple[int, int, int]:
    """
    Return where a run around the middle stands in both, between what they begin and end with.

    The place in each, and the length: 0 when the middle of the earlier text is not found.
    """
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    middle = len(left) // 2
    probe = left[middle : middle + _PROBE]
    if min(len(left), len(right)) < 2 * _PROBE:
        return 0, 0, 0
    found = right.tobytes().find(probe.tobytes())
    if found < 0 or found % 4:
        return 0, 0, 0
    at = found // 4
    before = _alike_until(left[:middle], right[:at])
    after = _alike_from(left[middle:], right[at:])
    return start + middle - before, start + at - before, before + after


def _alike_from(old: Values, new: Values) -> int:
    least = min(len(old), len(new))
    return _alike(old[:least], new[:least])


def _alike_until(old: Values, new: Values) -> int:
    return _alike_from(old[::-1], new[::-1])


def hunks(
    old: Sequence[int],
    new: Sequence[int],
    ends: tuple[int, int],
    core: tuple[int, int, int],
    *,
    is_far: bool = False,
) -> list[Hunk] | None:
    """
    Return the hunks around what is known to be shared: both ends, and a core between them.

    None for long texts that `is_far` calls rather different, when they cannot be followed.
    """
    start, end = ends
    i, j, length = core
    last = Hunk(start, len(old) - end, start, len(new) - end)
    gaps = [last]
    if length:
        first = last._replace(old_end=i, new_end=j)
        gaps = [first, last._replace(old_start=i + length, new_start=j + length)]
    found: list[Hunk] = []
    for gap in gaps:
        part = _hunks(old, new, gap, is_far=is_far)
        if part is None:
            return None
        found += part
    return found


def _hunks(old: Sequence[int], new: Sequence[int], gap: Hunk, *, is_far: bool) -> list[Hunk] | None:
    gap = _trimmed(old, new, gap)
    width = min(gap.old_end - gap.old_start, gap.new_end - gap.new_start)
    kept = _within(old, new, gap)
    if kept is None and width > _WIDE:
        kept = _followed(old, new, gap)
        if kept is None and is_far and width > _HUGE:
            return None
    if kept is not None:
        return list(_between(gap, kept))
    return _bridged(old, new, list(_gap(old, new, gap, 0)))


def _followed(old: Sequence[int], new: Sequence[int], gap: Hunk) -> list[tuple[int, int]] | None:
    """
    Return the places that match when both sides are followed word by word.

    After a difference both go on at the nearest two words in a row that they share; None when
    they are too far away, or differ too often: then more moved than words here and there.
    """
    i, old_end, j, new_end = gap
    found: list[tuple[int, int]] = []
    missed = 0
    while i < old_end and j < new_end:
        if old[i] == new[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
            continue
        missed += 1
        if missed > len(found) * _MISSED_MAX + _WIDE:
            return None
        step = _step(old, new, i, j, min(old_end - i, new_end - j))
        if step is not None:
            i, j = i + step[0], j + step[1]
        elif max(old_end - i, new_end - j) > _NEAR:
            return None
        else:
            break
    return found


def _step(
    old: Sequence[int], new: Sequence[int], i: int, j: int, room: int
) -> tuple[int, int] | None:
    """Return how far both sides are from the next words that they share."""
    for a, b in _STEPS:
        if old[i + a : i + a + 2] == new[j + b : j + b + 2]:
            return a, b
    for a in range(1, min(room, 2 * _NEAR)):
        if old[i + a] == new[j + a] and old[i + a] & CLASS != WordClass.COMMON:
            return a, a
    return None


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
    width = min(gap.old_end - gap.old_start, gap.new_end - gap.new_start)
    if not matches and depth < DEPTH_MAX and width > _NEAR:
        matches = _followed(old, new, gap) or []
    if not matches or (width > _HUGE and len(matches) < width // _SCATTERED):
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

"""
Which runs of words are boilerplate: learnt from many roots, and frozen for a policy version.

What stands in the calls of many tasks, a template or an instruction that is copied, says nothing
new in any of them. Runs are known here by hashes of a key of their own, which no root changes and
no ledger ever holds. What is learnt while one policy version is in force counts from the next one
on, so that neither the order of calls nor the replica that takes them decides what one earns.

A root has a say in no more than 256 runs of a period: who would make a colleague's words
boilerplate needs many roots of his own, and each of them for the same few words.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

GRAMS_MAX: Final = 256
"""Of one root, in one period: the first that are seen."""
FROZEN_MAX: Final = 65_536
"""Of one policy version: 512 KiB; the most widespread."""
WAITING_MAX: Final = 4_096
"""Turns that wait to be written down; of more, the oldest are forgotten."""
ROOTS_REMEMBERED_MAX: Final = 2_048

_HASH: Final = np.dtype("<u8")
_TURN_GRAMS_MAX: Final = 4 * GRAMS_MAX


class Learning:
    """What is boilerplate now, and what was seen that may become it. For one thread."""

    def __init__(self) -> None:
        self._frozen: NDArray[np.uint64] = np.empty(0, _HASH)
        self._waiting: deque[tuple[str, NDArray[np.uint64]]] = deque(maxlen=WAITING_MAX)
        self._seen: OrderedDict[str, set[int]] = OrderedDict()
        self._period = ""

    @property
    def size(self) -> int:
        """Return how many runs are boilerplate."""
        return len(self._frozen)

    def freeze(self, grams: bytes) -> None:
        """Put into force what `widespread` found: 8 bytes a run, sorted."""
        self._frozen = np.frombuffer(grams, _HASH)

    def is_boilerplate(self, grams: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return for each run whether it is; ask only when `size` is not 0."""
        places = self._frozen.searchsorted(grams)
        found: NDArray[np.bool_] = self._frozen.take(places, mode="clip") == grams
        return found

    def wants(self, root: str) -> bool:
        """Return whether a root may still have a say in this period."""
        return len(self._seen.get(root, ())) < GRAMS_MAX

    def note(self, root: str, grams: NDArray[np.uint64]) -> None:
        """Remember what a turn of a root said, until it is taken."""
        if self.wants(root) and len(grams):
            self._waiting.append((root, grams[:_TURN_GRAMS_MAX].copy()))

    def take(self, period: str) -> list[tuple[str, bytes]]:
        """Return what was noted and was not taken before in this period: root, 8 bytes a run."""
        if period != self._period:
            self._period = period
            self._seen.clear()
        taken: dict[str, dict[int, None]] = {}
        while self._waiting:
            root, grams = self._waiting.popleft()
            seen = self._seen.setdefault(root, set())
            self._seen.move_to_end(root)
            fresh = [each for each in dict.fromkeys(grams.tolist()) if each not in seen]
            fresh = fresh[: GRAMS_MAX - len(seen)]
            seen.update(fresh)
            taken.setdefault(root, {}).update(dict.fromkeys(fresh))
        while len(self._seen) > ROOTS_REMEMBERED_MAX:
            self._seen.popitem(last=False)
        return [(root, np.array(list(new), _HASH).tobytes()) for root, new in taken.items() if new]


def widespread(seen: Iterable[tuple[str, bytes]], roots_min: int) -> bytes:
    """Return the runs that so many different roots have, 8 bytes each, sorted."""
    by_root: dict[str, list[bytes]] = {}
    for root, part in seen:
        by_root.setdefault(root, []).append(part)
    said = [np.unique(np.frombuffer(b"".join(parts), _HASH)) for parts in by_root.values()]
    if not said:
        return b""
    grams, roots = np.unique(np.concatenate(said), return_counts=True)
    grams, roots = grams[roots >= roots_min], roots[roots >= roots_min]
    most = np.argsort(-roots, kind="stable")[:FROZEN_MAX]
    return np.sort(grams[most]).astype(_HASH).tobytes()

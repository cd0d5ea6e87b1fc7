"""
The fold as a sequencer keeps it: slice by slice, each root written with the leaves it came from.

What was used of late stays in memory. All of it can be read back from the store, so that after
an error, a restart, or a term of somebody else the fold goes on from what was committed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from gateway.credit.fold import LOST, Credit, OpenCall
from gateway.credit.roots import pack, unpack
from gateway.ledger import Adjust, Intent, Leaf, Outcome, Settle, Valuation

ROOTS_MAX: Final = 4_096
"""That stay in memory: some 30 MB where all are full."""
_OF_ROOTS: Final = (Intent, Outcome, Valuation)


class Shelf(Protocol):
    """What is kept of the slices before."""

    def roots(self, ids: Sequence[str], /) -> Mapping[str, bytes]:
        """Return roots as they were packed, those there are."""
        ...

    def opened(self, attempt_id: str) -> OpenCall | None:
        """Return a call that has not ended, or was given up; None: it has, or there is none."""
        ...

    def calls(self, root_id: str) -> Iterable[Leaf]:
        """Return the intents and ends of a root's calls, as far as they were not retired."""
        ...


class Keeping:
    """The roots of a log as far as its slices were taken."""

    def __init__(self) -> None:
        """Begin with nothing in memory."""
        self._credit = Credit()

    def forget(self) -> None:
        """Let go of what is in memory: what it came from was not committed."""
        self._credit = Credit()

    def take(self, leaves: Sequence[Leaf], shelf: Shelf) -> dict[str, bytes]:
        """
        Fold the leaves of a slice, in the order of the log; return the roots that changed, packed.

        An acceptance that turns out to be older than calls that were counted has its root's calls
        folded again. Where some of these were retired they stay as they were counted: then the
        archives alone say what came before the acceptance.
        """
        credit = self._credit
        touched = self._touched(leaves, shelf)
        missing = [root for root in touched if root not in credit.roots]
        if missing:
            for root_id, packed in shelf.roots(missing).items():
                credit.roots[root_id] = unpack(packed)
        again = {root_id for leaf in leaves if (root_id := credit.take(leaf))}
        for root_id in again:
            self._refold(root_id, [*shelf.calls(root_id), *leaves])
        for leaf in leaves:
            if isinstance(leaf, Settle | Adjust) and leaf.completion == LOST:
                credit.open.pop(leaf.attempt_id, None)
        changed = {root_id: pack(credit.roots[root_id]) for root_id in touched}
        self._let_go(touched)
        return changed

    def _touched(self, leaves: Sequence[Leaf], shelf: Shelf) -> dict[str, None]:
        """Return the roots that a slice is about, its calls of earlier slices being open."""
        begun: dict[str, str] = {}
        touched: dict[str, None] = {}
        for leaf in leaves:
            if isinstance(leaf, Intent):
                begun[leaf.attempt_id] = leaf.root_id
            if isinstance(leaf, Settle | Adjust):
                root_id = begun.get(leaf.attempt_id) or self._reopened(leaf.attempt_id, shelf)
            else:
                root_id = leaf.root_id if isinstance(leaf, _OF_ROOTS) else ""
            if root_id:
                touched[root_id] = None
        return touched

    def _reopened(self, attempt_id: str, shelf: Shelf) -> str:
        """Return the root of a call of an earlier slice; empty: it ends nothing."""
        found = self._credit.open.get(attempt_id) or shelf.opened(attempt_id)
        if found is None:
            return ""
        self._credit.open[attempt_id] = found
        return found.root_id

    def _refold(self, root_id: str, leaves: Sequence[Leaf]) -> None:
        begun = {
            leaf.attempt_id
            for leaf in leaves
            if isinstance(leaf, Intent) and leaf.root_id == root_id
        }
        if len(begun) == self._credit.root(root_id).all_calls:
            self._credit.refold(root_id, _of(begun, leaves))

    def _let_go(self, touched: Collection[str]) -> None:
        roots = self._credit.roots
        for root_id in touched:
            roots[root_id] = roots.pop(root_id)
        while len(roots) > ROOTS_MAX:
            del roots[next(iter(roots))]


def _of(attempts: Collection[str], leaves: Iterable[Leaf]) -> list[Leaf]:
    return [leaf for leaf in leaves if leaf.attempt_id in attempts]

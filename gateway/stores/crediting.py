"""What a slice of the log finds of the slices before it, for the fold of credit."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from gateway import credit, ledger
from gateway.credit import OpenCall
from gateway.ledger.sequencing import LOST, Known


class Earlier(Struct, frozen=True):
    """The slices before one, as its plan knew them."""

    known: Known
    """Of the plan: its calls as they were before."""
    roots: Callable[[Sequence[str]], Mapping[str, bytes]]
    """Roots as they were packed, by id."""
    places: Callable[[str], Iterable[tuple[int, int | None]]]
    """The indexes of the intents and settles of a root's calls."""

    def opened(self, attempt_id: str) -> OpenCall | None:
        """Return a call that has not ended, or was given up; None: it has, or there is none."""
        row = self.known.calls.get(attempt_id)
        if row is None or not (row.index_settle is None or row.completion == LOST):
            return None
        intent = self._leaf(row.index_intent)
        return credit.opened(intent, row.cost_nano_usd) if type(intent) is ledger.Intent else None

    def calls(self, root_id: str) -> Iterator[ledger.Leaf]:
        """Yield the intents and ends of a root's calls, as far as they were not retired."""
        for pair in self.places(root_id):
            for index in pair:
                leaf = None if index is None else self._leaf(index)
                if leaf is not None:
                    yield leaf

    def _leaf(self, index: int) -> ledger.Leaf | None:
        line = self.known.leaf(index)
        return None if line is None else ledger.leaf(line)

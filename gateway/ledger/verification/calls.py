"""
Calls: each begins once and settles once, in this order, and no two entries are the same one.

Unique are `attempt_id`, `kind` and `n`, where intent and refusal are one kind. What is kept of a
call is its attempt's id and how far it has come.
"""

from gateway.ledger.codec import Leaf
from gateway.ledger.entry import Adjust, Intent, Refusal, Settle
from gateway.ledger.happenings import CostHour
from gateway.ledger.outcomes import Valuation
from gateway.ledger.verification.report import Wrong

_OPEN, _SETTLED, _REFUSED = range(3)


class Calls:
    """Which calls there are, and what else must not be there twice."""

    def __init__(self) -> None:
        """Begin with none."""
        self._calls: dict[str, int] = {}
        self._others: set[tuple[str, str, int]] = set()
        self.open = 0
        """Calls without a settle so far."""
        self.lenient = False
        """Whether entries before these were not to be had."""

    def take(self, leaf: Leaf) -> None:
        """Put an entry with those of its call; raises Wrong."""
        if type(leaf) is Intent:
            self._begin(leaf, _OPEN)
            self.open += 1
        elif type(leaf) is Settle:
            self._settle(leaf)
        elif type(leaf) is Refusal:
            self._begin(leaf, _REFUSED)
        else:
            self._other(leaf)

    def _begin(self, leaf: Intent | Refusal, how: int) -> None:
        if leaf.n:
            raise _wrong_n(leaf)
        if leaf.attempt_id in self._calls:
            raise Wrong("unique", f"attempt {leaf.attempt_id} begins a second time")
        self._calls[leaf.attempt_id] = how

    def _settle(self, leaf: Settle) -> None:
        if leaf.n:
            raise _wrong_n(leaf)
        found = self._calls.get(leaf.attempt_id)
        if found == _SETTLED:
            raise Wrong("unique", f"attempt {leaf.attempt_id} is settled a second time")
        if found == _OPEN:
            self.open -= 1
        elif found == _REFUSED or not self.lenient:
            raise Wrong(
                "pair",
                f"this settles attempt {leaf.attempt_id}, and no intent of it stands before",
            )
        self._calls[leaf.attempt_id] = _SETTLED

    def _other(self, leaf: Leaf) -> None:
        if type(leaf) is Adjust:
            self._adjust(leaf)
        elif leaf.n < 0 or (leaf.n and type(leaf) not in (CostHour, Valuation)):
            raise _wrong_n(leaf)
        key = (leaf.attempt_id, leaf.kind, leaf.n)
        if key in self._others:
            raise Wrong("unique", f"there is a {leaf.kind} {leaf.attempt_id} of n {leaf.n} before")
        self._others.add(key)

    def _adjust(self, leaf: Adjust) -> None:
        if leaf.n < 1:
            raise _wrong_n(leaf)
        found = self._calls.get(leaf.attempt_id)
        if found != _SETTLED and (found is not None or not self.lenient):
            raise Wrong(
                "pair",
                f"this adjusts attempt {leaf.attempt_id}, and no settle of it stands before",
            )


def _wrong_n(leaf: Leaf) -> Wrong:
    return Wrong("leaf", f"no {leaf.kind} has n {leaf.n}")

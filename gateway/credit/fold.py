"""
Leaves into roots: one at a time as the sequencer writes them, or a whole log at once.

Both come to the same. Only one thing needs a second look: an acceptance that is older than calls
which were counted already; its root is named, and its calls are folded again.
"""

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, structs

from gateway.credit.acceptance import event_of
from gateway.credit.roots import Root, Worth
from gateway.credit.sketch import UNIT_BYTES
from gateway.ledger import Adjust, Intent, Leaf, Outcome, Settle, Valuation
from gateway.ledger.projection import nano_usd

CREDITABLE: Final = frozenset(("chat", "completions", "responses", "messages", "generate", "batch"))
"""Routes on which something new can be asked, by name."""

LOST: Final = "unknown_crash"
"""The completion of a call that was given up: its settle may still come, as an adjust."""
_COMPLETE: Final = "complete"
_UNIT_LENGTH: Final = {2 * UNIT_BYTES}


class OpenCall(Struct, frozen=True):
    """A call whose end is to come, or was guessed."""

    root_id: str
    task_id: str
    received_at_us: int
    units: tuple[str, ...]
    cost_nano_usd: int = 0
    """What it was settled at already."""


class Credit:
    """The roots of a log, as far as its leaves were taken."""

    def __init__(self) -> None:
        """Begin with none."""
        self.roots: dict[str, Root] = {}
        self.open: dict[str, OpenCall] = {}
        """By attempt."""

    def take(self, leaf: Leaf) -> str:
        """Fold a leaf; return the root whose calls must be folded again (`refold`), if any."""
        if type(leaf) is Intent:
            self._begin(leaf)
        elif isinstance(leaf, Settle | Adjust):
            self._end(leaf)
        elif type(leaf) is Outcome:
            return self._come(leaf)
        elif type(leaf) is Valuation:
            self._value(leaf)
        return ""

    def refold(self, root_id: str, leaves: Iterable[Leaf]) -> None:
        """Count the calls of a root again, from its intents and settles so far."""
        root = self.root(root_id)
        root.forget_calls()
        again = Credit()
        again.roots[root_id] = Root(events=root.events)
        for leaf in leaves:
            if isinstance(leaf, Intent | Settle | Adjust):
                again.take(leaf)
        counted = again.roots[root_id]
        root.units, root.calls, root.newest_us = counted.units, counted.calls, counted.newest_us

    def root(self, root_id: str) -> Root:
        """Return a root; a new one when nothing was known of it."""
        found = self.roots.get(root_id)
        if found is None:
            found = self.roots[root_id] = Root()
        return found

    def _begin(self, intent: Intent) -> None:
        self.open.setdefault(intent.attempt_id, opened(intent))
        self.root(intent.root_id).all_calls += 1

    def _end(self, end: Settle | Adjust) -> None:
        call = self.open.pop(end.attempt_id, None)
        if call is None:
            return
        root = self.root(call.root_id)
        cost = nano_usd(end.cost_usd)
        root.cost_nano_usd += cost - call.cost_nano_usd
        if end.completion == _COMPLETE:
            root.add_call(call.task_id, call.received_at_us, call.units)
        elif end.completion == LOST:
            self.open[end.attempt_id] = structs.replace(call, cost_nano_usd=cost)

    def _come(self, outcome: Outcome) -> str:
        event = event_of(outcome)
        root = self.root(outcome.root_id) if outcome.root_id else Root()
        if event is None:
            root.refused += 1
            return ""
        if root.is_flooded:
            return ""
        return outcome.root_id if root.add_event(outcome.task_id, event) else ""

    def _value(self, leaf: Valuation) -> None:
        self.root(leaf.root_id).worth.setdefault(
            leaf.n,
            Worth(
                n=leaf.n,
                at_us=leaf.at_us,
                team=leaf.team,
                team_size=leaf.team_size,
                value=leaf.value,
                is_independent=bool(leaf.valued_by) and leaf.valued_by not in leaf.beneficiaries,
                by_bot=leaf.by_bot,
                weights=leaf.weights,
            ),
        )


def opened(intent: Intent, cost_nano_usd: int = 0) -> OpenCall:
    """Return a call whose end is to come, and what it was settled at already."""
    counts = intent.evidence == "verified" and intent.route in CREDITABLE
    # What no gateway writes asks nothing: one wrong leaf must not stop those that follow it.
    return OpenCall(
        intent.root_id,
        intent.task_id,
        intent.received_at_us,
        intent.units if counts and _are_units(intent.units) else (),
        cost_nano_usd,
    )


def _are_units(units: tuple[str, ...]) -> bool:
    joined = "".join(units)
    try:
        # In C; it takes capitals and spaces too, which no unit has.
        unhexed = bytes.fromhex(joined)
    except ValueError:
        return False
    is_plain = 2 * len(unhexed) == len(joined) and joined == joined.lower()
    return is_plain and _UNIT_LENGTH.issuperset(map(len, units))


def recompute(leaves: Callable[[], Iterable[Leaf]]) -> Credit:
    """Return what all leaves of a log come to; `leaves` gives them anew each time it is called."""
    credit = Credit()
    for leaf in leaves():
        if isinstance(leaf, Outcome | Valuation):
            credit.take(leaf)
    for leaf in leaves():
        if isinstance(leaf, Intent | Settle | Adjust):
            credit.take(leaf)
    return credit

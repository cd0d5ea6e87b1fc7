"""Calls that were found in a ledger, those not in order yet among them, and the rows they print."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from gateway import credit, ledger
from gateway.ledger import projection

Places: TypeAlias = Callable[[str], Iterable[tuple[int, int | None]]]
"""Gives the indexes of the intents and settles of a root's calls."""
Lines: TypeAlias = Callable[[Iterable[int]], Mapping[int, bytes]]
"""Gives the bytes of leaves by index."""


class Found(NamedTuple):
    """A call, what it came to, and the index of the leaf it stands for."""

    call: ledger.Intent | ledger.Refusal
    settle: ledger.Settle | ledger.Adjust | None
    place: int | None

    @property
    def order(self) -> tuple[int, float]:
        """Return what the newest has most of."""
        return self.call.received_at_us, float("inf") if self.place is None else self.place


class Overlay(Struct):
    """What the intake holds."""

    calls: dict[str, ledger.Intent | ledger.Refusal] = {}
    settles: dict[str, ledger.Settle] = {}
    costs: list[ledger.CostIntent | ledger.CostSettle] = []

    def lay(self, line: bytes) -> None:
        """Add a record of the intake; what cannot be read is set aside when it is sequenced."""
        with contextlib.suppress(msgspec.MsgspecError):
            record = ledger.decode(line)
            if isinstance(record, ledger.Intent | ledger.Refusal):
                self.calls.setdefault(record.attempt_id, record)
            elif isinstance(record, ledger.Settle):
                self.settles.setdefault(record.attempt_id, record)
            elif isinstance(record, ledger.CostIntent | ledger.CostSettle):
                self.costs.append(record)

    def waiting(self, root_id: str) -> Iterator[ledger.Intent]:
        """Yield the calls of a root that are in no order yet."""
        for call in self.calls.values():
            if isinstance(call, ledger.Intent) and call.root_id == root_id:
                yield call


class Beside(Struct, frozen=True):
    """What rows need that is not of the calls themselves."""

    places: Places
    lines: Lines
    counted: Callable[[str], int]
    """Gives how many calls a root ever had; asked where leaves were retired."""
    overlay: Overlay = msgspec.field(default_factory=Overlay)
    retired: int = 0


def rows(
    sequenced: Sequence[Found],
    query: ledger.Query,
    people: Collection[str] | None,
    beside: Beside,
) -> list[projection.Row]:
    """
    Return the rows of calls that are in order and of those that wait, newest first, to a limit.

    Each says how much new it asked under its root: how many of the root's 64 smallest units came
    in with it, in the order of the ledger; null where earlier calls of the root were
    retired, and only the archives could say.
    """
    known, overlay = {each.call.attempt_id for each in sequenced}, beside.overlay
    waiting = [
        Found(call, overlay.settles.get(attempt_id), None)
        for attempt_id, call in overlay.calls.items()
        if attempt_id not in known and projection.matches(query, call, people)
    ]
    found = sorted([*sequenced, *waiting], key=lambda each: each.order, reverse=True)[: query.limit]
    roots = {each.call.root_id for each in found if isinstance(each.call, ledger.Intent)}
    new: dict[str, int] = {}
    for root_id in roots:
        new |= _new_units(root_id, beside)
    return [
        projection.row(*each, units_new=new.get(each.call.attempt_id))
        if isinstance(each.call, ledger.Intent)
        else projection.row(*each, units_new=0)
        for each in found
    ]


def _new_units(root_id: str, beside: Beside) -> dict[str, int]:
    indexes = sorted(index for index, _ in beside.places(root_id))
    lines = beside.lines(indexes)
    leaves = [ledger.leaf(lines[index]) for index in indexes]
    calls = [leaf for leaf in leaves if isinstance(leaf, ledger.Intent)]
    if beside.retired and beside.counted(root_id) > len(calls):
        return {}
    begun = {call.attempt_id for call in calls}
    calls += [call for call in beside.overlay.waiting(root_id) if call.attempt_id not in begun]
    return credit.new_units((call.attempt_id, call.units) for call in calls)

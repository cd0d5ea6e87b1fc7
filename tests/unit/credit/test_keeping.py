"""The fold as a sequencer keeps it: slices of any length, with nothing or something in memory."""

from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import credit, ledger
from gateway.credit import Keeping, OpenCall, keeping
from gateway.ledger.projection import nano_usd
from tests.unit.credit.stories import (
    NOW_US,
    UNITS,
    adjust,
    call,
    of_root,
    outcome,
    settle,
    valuation,
)


class Shelf:
    """A store: packed roots, and the leaves so far."""

    def __init__(self) -> None:
        self.packed: dict[str, bytes] = {}
        self.leaves: list[ledger.Leaf] = []

    def roots(self, ids: Sequence[str], /) -> dict[str, bytes]:
        return {name: self.packed[name] for name in ids if name in self.packed}

    def opened(self, attempt_id: str) -> OpenCall | None:
        mine = [each for each in self.leaves if each.attempt_id == attempt_id]
        if not mine:
            return None
        begun, *ends = mine
        assert isinstance(begun, ledger.Intent)
        if not ends:
            return credit.opened(begun)
        last = ends[-1]
        assert isinstance(last, ledger.Settle | ledger.Adjust)
        is_lost = last.completion == "unknown_crash"
        return credit.opened(begun, nano_usd(last.cost_usd)) if is_lost else None

    def calls(self, root_id: str) -> Iterable[ledger.Leaf]:
        return of_root(self.leaves, root_id)

    def commit(self, kept: Keeping, leaves: Sequence[ledger.Leaf]) -> None:
        self.packed |= kept.take(leaves, self)
        self.leaves += leaves


def story(work: list[tuple[set[int], str, int]], accepted: int) -> list[ledger.Leaf]:
    """Return calls of three roots, each ended in some way, and what came of two of the roots."""
    leaves: list[ledger.Leaf] = []
    for number, (units, end, root) in enumerate(work):
        name = f"PAY-{root}"
        begun, ended = call(number, units, root_id=name, task_id=name)
        leaves += (
            [begun, ended]
            if end == "complete"
            else [begun, settle(begun.attempt_id, completion=end)]
        )
        if end == "unknown_crash" and root:
            leaves.append(adjust(begun.attempt_id, cost_usd="0.25", n=1))
    for root in range(2):
        name = f"PAY-{root}"
        leaves.append(valuation(root_id=name))
        leaves.append(
            outcome(root, root_id=name, task_id=name, subject=f"s{root}", at_us=NOW_US + accepted)
        )
    return leaves


WORK = st.lists(
    st.tuples(UNITS, st.sampled_from(["complete", "failed", "unknown_crash"]), st.integers(0, 2)),
    max_size=8,
)


@given(WORK, st.integers(0, 10), st.lists(st.integers(1, 5), max_size=20), st.data())
def test_slices_of_any_length_come_to_what_the_whole_does(
    work: list[tuple[set[int], str, int]],
    accepted: int,
    lengths: list[int],
    data: st.DataObject,
) -> None:
    """In any order in which calls begin before they end, also when nothing stays in memory."""
    leaves = story(work, accepted)
    places = data.draw(st.permutations(range(len(leaves))))
    order = sorted(
        range(len(leaves)),
        key=lambda at: max(
            places[one] for one in range(at + 1) if leaves[one].attempt_id == leaves[at].attempt_id
        ),
    )
    shelf, kept = Shelf(), Keeping()
    forgets = data.draw(st.booleans())
    todo = [leaves[at] for at in order]
    for length in [*lengths, len(todo)]:
        if forgets:
            kept.forget()
        shelf.commit(kept, todo[:length])
        todo = todo[length:]
    wanted = credit.recompute(lambda: shelf.leaves).roots
    assert shelf.packed == {name: credit.pack(root) for name, root in wanted.items()}


def test_a_call_that_was_given_up_does_not_stay_in_memory() -> None:
    """Its settle may never come: it is found again if it does."""
    begun, _ = call(1, {1})
    shelf, kept = Shelf(), Keeping()
    shelf.commit(kept, [begun, settle(begun.attempt_id, completion="unknown_crash")])
    assert kept._credit.open == {}


def test_few_roots_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "ROOTS_MAX", 2)
    shelf, kept = Shelf(), Keeping()
    for number in range(10):
        name = f"PAY-{number % 4}"
        shelf.commit(kept, call(number, {number}, root_id=name, task_id=name))
        assert len(kept._credit.roots) <= 2
    assert {name: credit.unpack(each).calls for name, each in shelf.packed.items()} == {
        "PAY-0": 3,
        "PAY-1": 3,
        "PAY-2": 2,
        "PAY-3": 2,
    }


def test_what_was_retired_stays_as_it_was_counted() -> None:
    """The calls that are left alone would come to less than all of them did."""
    shelf, kept = Shelf(), Keeping()
    shelf.commit(kept, [*call(1, {1}), *call(50, {2}), valuation()])
    shelf.leaves = shelf.leaves[2:]
    kept.forget()
    shelf.commit(kept, [outcome(at_us=NOW_US + 20)])
    assert credit.unpack(shelf.packed["PAY-1"]).units == (f"{1:016x}", f"{2:016x}")


@pytest.mark.parametrize("units", [("zz",), ("0" * 16, ""), ("0" * 15 + "G",), ("0" * 17,)])
def test_units_no_gateway_writes_ask_nothing_and_stop_nothing(units: tuple[str, ...]) -> None:
    begun, ended = call(1, ())
    begun = msgspec.structs.replace(begun, units=units)
    shelf = Shelf()
    shelf.commit(Keeping(), [begun, ended, *call(2, {5})])
    assert credit.unpack(shelf.packed["PAY-1"]).units == (f"{5:016x}",)


def test_an_end_of_nothing_changes_no_root() -> None:
    shelf = Shelf()
    shelf.commit(Keeping(), [settle("att_of_nobody")])
    assert shelf.packed == {}

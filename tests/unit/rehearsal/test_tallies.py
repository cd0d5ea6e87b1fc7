"""Exact totals, and the rows with the most calls."""

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.rehearsal.replays.tallies import EXAMPLES_MAX, Rows, Tally


@given(st.lists(st.sampled_from([f"t{n}" for n in range(40)]), max_size=400))
def test_a_row_never_counts_more_than_there_was_and_misses_no_more_than_it_says(
    names: list[str],
) -> None:
    rows = Rows(most=8)
    for name in names:
        rows.add(name)
    truly = Counter(names)
    kept = {row.name: row.calls for row in rows.top()}
    assert len(kept) <= 8
    for name, calls in truly.items():
        assert calls - rows.missed <= kept.get(name, 0) <= calls
    if len(truly) <= 8:
        assert rows.missed == 0


def test_rows_come_with_most_calls_first_and_then_by_name() -> None:
    rows = Rows()
    for name in ("b", "a", "c", "c"):
        rows.add(name)
    assert [row.name for row in rows.top()] == ["c", "a", "b"]


def test_a_tally_says_who_what_and_at_what_cost() -> None:
    tally = Tally()
    for number in range(7):
        rows = tally.add(
            f"r{number}",
            rules=[("one", "code_one"), ("two", "code_two")][: 1 + number % 2],
            person=f"p{number % 3}",
            team="payments",
            task=f"T-{number % 2}",
        )
        for row in rows:
            row.cost_nano_usd += 1_000_000_000
    tally.unpriced = 2
    found = tally.found()
    assert (found.calls, found.people, found.unpriced) == (7, 3, 2)
    assert (found.cost_usd, found.later_usd) == (Decimal(7), Decimal(0))
    assert [(row.name, row.code, row.calls, row.people) for row in found.by_rule] == [
        ("one", "code_one", 7, 3),
        ("two", "code_two", 3, 3),
    ]
    assert [(row.name, row.calls) for row in found.by_task] == [("T-0", 4), ("T-1", 3)]
    assert [row.cost_nano_usd for row in found.by_team] == [7_000_000_000]
    assert found.examples == ("r0", "r1", "r2", "r3", "r4")[:EXAMPLES_MAX]
    assert found.missed == 0

"""The 64 smallest of everything asked, and what of it was new with which call."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.credit.sketch import KEPT_MAX, merged, new_units

_UNITS = st.sets(st.integers(0, 300), max_size=70).map(
    lambda found: tuple(f"{each:016x}" for each in sorted(found))
)


@given(st.lists(_UNITS, max_size=8))
def test_what_was_new_with_each_call_is_no_less_than_what_is_kept_of_all(
    calls: list[tuple[str, ...]],
) -> None:
    found = new_units((str(place), units) for place, units in enumerate(calls))
    kept: tuple[str, ...] = ()
    for units in calls:
        kept = merged(kept, units)
    assert list(found) == [str(place) for place in range(len(calls))]
    assert sum(found.values()) >= len(kept)
    if len({unit for units in calls for unit in units}) <= KEPT_MAX:
        assert sum(found.values()) == len(kept)


@given(_UNITS, _UNITS)
def test_what_was_said_before_is_never_new(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    found = new_units([("a", one), ("b", other), ("c", one), ("d", other)])
    assert found["a"] == min(len(one), KEPT_MAX)
    assert (found["c"], found["d"]) == (0, 0)


@given(st.permutations([("a", ("1",)), ("b", ("1", "2")), ("c", ("3",))]))
def test_the_order_decides_with_which_call_it_came(
    calls: list[tuple[str, tuple[str, ...]]],
) -> None:
    found = new_units(calls)
    assert sum(found.values()) == 3
    assert found[calls[0][0]] == len(calls[0][1])

"""The Goodhart meter: correlations that are known, intervals, and the warning."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.reports import goodhart
from gateway.reports.goodhart import Cell


def weeks(first: int, count: int, teams: int, noise: float, seed: int) -> list[Cell]:
    """Return cells in which a metric follows outcomes, as far as noise lets it."""
    pick = random.Random(seed)
    cells: list[Cell] = []
    for week in range(first, first + count):
        for _ in range(teams):
            accepted = pick.randrange(20)
            metric = accepted * (1 - noise) + noise * pick.uniform(0, 20)
            cells.append(Cell(week=week, metric=metric, accepted=accepted))
    return cells


@pytest.mark.parametrize(
    ("one", "other", "rho"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 400], 1.0),
        ([1, 2, 3, 4], [9, 7, 5, -3], -1.0),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),
        ([1, 2, 2, 3], [1, 3, 2, 4], 0.9486832980505138),
        ([7, 7, 7], [1, 2, 3], None),
        ([], [], None),
    ],
)
def test_ranks_are_correlated_with_ties_at_their_mean(
    one: list[float], other: list[float], rho: float | None
) -> None:
    assert goodhart.correlation(one, other) == (None if rho is None else pytest.approx(rho))


def test_an_interval_is_that_of_bonett_and_wright() -> None:
    assert goodhart.interval(0.5, 50) == pytest.approx((0.24123, 0.69239), abs=1e-5)
    assert goodhart.interval(-1.0, 9) == (-1.0, -1.0)


@given(st.floats(-0.99, 0.99), st.integers(4, 500))
def test_an_interval_holds_what_it_is_of_and_narrows_with_more_pairs(rho: float, n: int) -> None:
    low, high = goodhart.interval(rho, n)
    assert -1 <= low <= rho <= high <= 1
    narrower = goodhart.interval(rho, 4 * n)
    assert narrower[1] - narrower[0] < high - low


def test_a_metric_that_goes_with_outcomes_has_not_drifted() -> None:
    found = goodhart.reading(weeks(0, 24, teams=5, noise=0.3, seed=1))
    assert [window.first_week for window in found.windows] == [0, 8, 16]
    assert all(window.low and window.low > 0.5 for window in found.windows)
    assert not found.drifted


def test_a_metric_that_became_a_target_is_warned_about() -> None:
    honest = weeks(0, 16, teams=5, noise=0.3, seed=1)
    gamed = weeks(16, 8, teams=5, noise=1.0, seed=2)
    assert goodhart.reading([*honest, *gamed]).drifted
    assert not goodhart.reading([*gamed[:40], *weeks(24, 8, teams=5, noise=0.3, seed=3)]).drifted


def test_a_newest_window_with_too_few_cells_warns_of_nothing() -> None:
    cells = [*weeks(0, 8, teams=5, noise=0.1, seed=1), *weeks(8, 1, teams=5, noise=1.0, seed=2)]
    found = goodhart.reading(cells)
    assert (found.windows[-1].correlation, found.windows[-1].cells) == (None, 5)
    assert not found.drifted
    assert goodhart.reading([]).windows == ()

"""
The Goodhart meter: does a metric still go with outcomes, or has it become a target?

For calls, tokens and credit alike: the rank correlation (Spearman) between what teams had of the
metric in a week and how many of their tasks were accepted, in windows of weeks one after another.
A metric that people are pushed to raise rises without outcomes, and the correlation falls.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

WINDOW_WEEKS: Final = 8
CELLS_MIN: Final = 12
"""Of a window: with fewer, an interval says nothing."""
_Z: Final = 1.959963984540054
"""Of the normal distribution, two-sided 95 %."""


class Cell(Struct, frozen=True, kw_only=True):
    """One team in one week."""

    week: int
    """Counted from any week, without gaps."""
    metric: float
    accepted: float
    """Tasks of the team accepted in it."""


class Window(Struct, frozen=True, kw_only=True):
    """How a metric went with outcomes for some weeks."""

    first_week: int
    cells: int
    correlation: float | None
    """Between -1 and 1; None: too few cells, or all alike."""
    low: float | None = None
    high: float | None = None
    """The 95 % interval."""


class Reading(Struct, frozen=True, kw_only=True):
    """What the meter says of one metric."""

    windows: tuple[Window, ...]
    drifted: bool
    """Whether the newest window's interval lies wholly below that of an earlier one."""


def reading(cells: Iterable[Cell], window_weeks: int = WINDOW_WEEKS) -> Reading:
    """Return how a metric went with outcomes, window by window, oldest first."""
    by_window: dict[int, list[Cell]] = {}
    for cell in cells:
        by_window.setdefault(cell.week // window_weeks, []).append(cell)
    windows = tuple(
        _window(number * window_weeks, by_window[number]) for number in sorted(by_window)
    )
    known = [each for each in windows if each.correlation is not None]
    drifted = (
        len(known) > 1
        and known[-1] is windows[-1]
        and any(_is_below(known[-1], earlier) for earlier in known[:-1])
    )
    return Reading(windows=windows, drifted=drifted)


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties at their mean rank; None when all of one tie."""
    ranks, others = _ranks(one), _ranks(other)
    mean = (len(ranks) + 1) / 2
    spread = math.fsum((rank - mean) ** 2 for rank in ranks)
    spread *= math.fsum((rank - mean) ** 2 for rank in others)
    if not spread:
        return None
    pairs = zip(ranks, others, strict=True)
    together = math.fsum((rank - mean) * (another - mean) for rank, another in pairs)
    return max(-1.0, min(1.0, together / math.sqrt(spread)))


def interval(rho: float, pairs: int) -> tuple[float, float]:
    """
    Return the 95 % interval of a rank correlation over more than three pairs.

    Fisher's transformation with the standard error of Bonett and Wright (2000), Psychometrika 65.
    """
    if abs(rho) == 1:
        return rho, rho
    error = math.sqrt((1 + rho * rho / 2) / (pairs - 3))
    middle = math.atanh(rho)
    return math.tanh(middle - _Z * error), math.tanh(middle + _Z * error)


def _window(first_week: int, cells: Sequence[Cell]) -> Window:
    found = None
    if len(cells) >= CELLS_MIN:
        found = correlation([each.metric for each in cells], [each.accepted for each in cells])
    if found is None:
        return Window(first_week=first_week, cells=len(cells), correlation=None)
    low, high = interval(found, len(cells))
    return Window(first_week=first_week, cells=len(cells), correlation=found, low=low, high=high)


def _is_below(newest: Window, earlier: Window) -> bool:
    assert newest.high is not None
    assert earlier.low is not None
    return newest.high < earlier.low


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for at in range(first, last + 1):
            ranks[order[at]] = (first + last) / 2 + 1
        first = last + 1
    return ranks

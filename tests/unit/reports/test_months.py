"""Periods are whole months."""

import pytest

from gateway.errors import InvalidRequest
from gateway.reports.months import months

OCTOBER_US = 1_790_812_800_000_000
DECEMBER_US = 1_796_083_200_000_000


def test_both_ends_are_in_it() -> None:
    found = months("2026-10", "2026-11")
    assert (found.since_us, found.until_us) == (OCTOBER_US, DECEMBER_US)
    months_in = ("2026-09", "2026-10", "2026-11", "2026-12", "")
    assert [found.holds(month) for month in months_in] == [False, True, True, False, False]


def test_without_an_end_it_goes_on_and_without_both_it_is_the_whole() -> None:
    assert months("2026-10", "").holds("2030-01")
    assert months("", "2026-10").holds("2020-01")
    assert not months("", "2026-10").holds("2026-11")
    assert months("", "").holds("")
    assert (months("", "").since_us, months("", "").until_us) == (None, None)
    assert months("", "2026-12").until_us == DECEMBER_US + 31 * 86_400_000_000


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "7d", "2026-11-03", "٢٠٢٦-11"])
def test_what_is_no_month_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(InvalidRequest, match="whole months"):
        months(text, "")
    with pytest.raises(InvalidRequest, match="whole months"):
        months("", text)


def test_a_period_does_not_end_before_it_begins() -> None:
    with pytest.raises(InvalidRequest, match="2026-11 is after 2026-10"):
        months("2026-11", "2026-10")

"""The arithmetic of quotas: exact, and never to the advantage of who waits."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import quota
from gateway.quota import Quota
from gateway.values import Draw, DrawUnit, Usage

SECOND = 10**9
limits = st.integers(1, 10**12)
windows = st.integers(1, 31 * 86_400).map(lambda seconds: seconds * SECOND)
instants = st.integers(0, 4 * 10**9 * SECOND)


@given(limit=limits, window=windows, at=instants)
def test_exactly_the_limit_fits_at_once(limit: int, window: int, at: int) -> None:
    rate = Quota(limit, window)
    assert rate.remaining(0, at) == limit
    full = rate.take(0, at, limit)
    assert rate.remaining(full, at) == 0
    assert rate.remaining(full, at + window) == limit


@given(limit=st.integers(1, 1000), window=windows, at=instants)
def test_drawing_one_by_one_is_drawing_all(limit: int, window: int, at: int) -> None:
    rate = Quota(limit, window)
    spoken = 0
    for drawn in range(limit):
        assert rate.remaining(spoken, at) == limit - drawn
        spoken = rate.take(spoken, at, 1)
    assert spoken == rate.take(0, at, limit)


@given(limit=limits, window=windows, at=instants, data=st.data())
def test_what_is_refused_fits_after_the_wait_and_not_before(
    limit: int, window: int, at: int, data: st.DataObject
) -> None:
    rate = Quota(limit, window)
    spoken = rate.take(0, at, data.draw(st.integers(0, limit)))
    amount = data.draw(st.integers(1, limit))
    wait = rate.wait_ns(spoken, at, amount)
    assert rate.remaining(spoken, at + wait) >= amount
    assert wait == 0 or rate.remaining(spoken, at + wait - 1) < amount


def test_what_can_never_fit_has_no_wait() -> None:
    assert Quota(10, SECOND).wait_ns(0, 0, 11) == 0


@given(limit=limits, window=windows, at=instants, data=st.data())
def test_giving_all_back_at_once_undoes_a_draw(
    limit: int, window: int, at: int, data: st.DataObject
) -> None:
    rate = Quota(limit, window)
    before = rate.take(0, at, data.draw(st.integers(0, limit)))
    amount = data.draw(st.integers(0, limit))
    after = rate.take(before, at, amount)
    assert rate.give_back(after, after, at, amount) == before


def test_what_time_has_given_back_is_not_given_back_again() -> None:
    rate = Quota(10, 10 * SECOND)
    first = rate.take(0, 0, 10)
    later = 10 * SECOND
    second = rate.take(first, later, 10)
    assert rate.give_back(second, first, later, 10) == second


def test_half_of_what_time_has_half_given_back_is_given_back() -> None:
    rate = Quota(10, 10 * SECOND)
    spoken = rate.take(0, 0, 10)
    at = 7 * SECOND
    assert rate.remaining(rate.give_back(spoken, spoken, at, 10), at) == 10
    assert rate.remaining(rate.give_back(spoken, spoken, at, 1), at) == 8


def test_more_use_than_was_reserved_leaves_less_than_nothing() -> None:
    rate = Quota(10, 10 * SECOND)
    assert rate.remaining(rate.take(rate.take(0, 0, 10), 0, 5), 0) == -5


@given(spoken=instants, limit=limits, limit_new=limits)
def test_another_limit_keeps_the_instant(spoken: int, limit: int, limit_new: int) -> None:
    found = quota.rescale(spoken * limit, limit, limit_new)
    assert Fraction(found, limit_new) == spoken
    assert quota.rescale(spoken, limit, limit) == spoken


@given(now=st.floats(1e9, 4e9), wait=st.integers(1, 10**17))
def test_a_wait_in_seconds_is_long_enough_and_hardly_longer(now: float, wait: int) -> None:
    wait_s = quota.retry_after_s(wait)
    assert quota.instant_ns(now + wait_s) - quota.instant_ns(now) >= min(wait, 10**14)
    assert wait_s * SECOND < wait + 2_000_000


def test_no_wait_is_no_wait() -> None:
    assert quota.retry_after_s(0) == 0


@pytest.mark.parametrize(("unit", "amount"), [("calls", 3), ("tokens", 12), ("cost_usd", 99)])
def test_what_a_call_came_to_is_in_the_unit_of_its_draw(unit: DrawUnit, amount: int) -> None:
    draw = Draw(rule="r", key="k", unit=unit, amount=3, limit=9, window_s=1)
    used = Usage(input_tokens=7, output_tokens=5, reasoning_tokens=4, cache_read_tokens=2)
    assert quota.actual(draw, used, 99) == amount

"""The arithmetic of quotas: as exact as doubles are, and never to the advantage of who waits."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import quota
from gateway.quota import Bucket
from gateway.values import Draw, DrawUnit, Usage

NOW = 1_795_348_800.25
limits = st.integers(1, 10**15)
windows = st.integers(1, 31 * 86_400).map(float)
instants = st.floats(1e9, 4e9)


def empty(limit: float, window_s: float, now: float = NOW) -> Bucket:
    return quota.stand(None, limit, window_s, now)


@given(limit=limits, window_s=windows, now=instants)
def test_exactly_the_limit_fits_at_once(limit: int, window_s: float, now: float) -> None:
    bucket = empty(limit, window_s, now)
    assert bucket.remaining == limit
    full = bucket.take(limit)
    assert full.remaining == 0
    assert full.drained(now + window_s + 1).remaining == limit


@given(limit=st.integers(1, 1000), window_s=windows, now=instants, began=st.floats(0, 1))
def test_drawing_one_by_one_is_drawing_all(
    limit: int, window_s: float, now: float, began: float
) -> None:
    """Also when what is in it is no whole number."""
    bucket = empty(limit, window_s, now).take(limit).drained(now + began * window_s)
    left = bucket.remaining
    assert bucket.take(left).remaining == 0
    for drawn in range(left):
        assert bucket.remaining == left - drawn
        bucket = bucket.take(1)
    assert bucket.remaining == 0


@given(limit=limits, window_s=windows, now=instants, amounts=st.lists(limits, max_size=8))
def test_amounts_at_one_instant_add_up_exactly(
    limit: int, window_s: float, now: float, amounts: list[int]
) -> None:
    """Up to a million dollars each, in nano-dollars."""
    bucket = empty(limit, window_s, now)
    for amount in amounts:
        bucket = bucket.drained(now).take(amount)
    assert bucket.remaining == limit - sum(amounts)


@given(
    limit=st.integers(1, 10**15),
    window_s=windows,
    now=instants,
    drawn=st.floats(0, 1),
    wanted=st.floats(0, 1),
    later=st.floats(0, 1),
)
def test_what_is_refused_fits_after_the_wait_and_not_much_before(
    limit: int, window_s: float, now: float, drawn: float, wanted: float, later: float
) -> None:
    bucket = empty(limit, window_s, now).take(round(drawn * limit))
    now += later * window_s
    bucket = bucket.drained(now)
    amount = max(1, round(wanted * limit))
    wait_s = quota.retry_after_s(bucket.wait_s(amount, now))
    assert (wait_s == 0) is (bucket.remaining >= amount)
    assert bucket.drained(now + wait_s).remaining >= amount
    sooner = now + wait_s - 0.003
    if sooner > now:
        exact = Fraction(bucket.level) - (Fraction(sooner) - Fraction(now)) * limit / Fraction(
            window_s
        )
        assert limit - exact < amount + Fraction(1, 1000) + Fraction(limit, 10**12)


def test_what_can_never_fit_has_no_wait() -> None:
    assert empty(10, 1.0).take(10).wait_s(11, NOW) == 0


@given(limit=limits, window_s=windows, now=instants, data=st.data())
def test_giving_all_back_at_once_undoes_a_draw(
    limit: int, window_s: float, now: float, data: st.DataObject
) -> None:
    before = empty(limit, window_s, now).take(data.draw(st.integers(0, limit)))
    amount = data.draw(st.integers(0, limit))
    taken = before.take(amount)
    assert taken.give_back(taken, amount) == before


def test_what_time_has_given_back_is_not_given_back_again() -> None:
    first = empty(10, 10.0).take(10)
    second = first.drained(NOW + 9).take(9)
    assert second.drained(NOW + 10).give_back(first, 10).remaining == 1
    assert second.drained(NOW + 11).give_back(first, 10) == second.drained(NOW + 11)


def test_half_of_what_time_has_half_given_back_is_given_back() -> None:
    taken = empty(10, 10.0).take(10)
    later = taken.drained(NOW + 7)
    assert later.give_back(taken, 10).remaining == 10
    assert later.give_back(taken, 1).remaining == 8


def test_a_bucket_that_ran_dry_gives_back_only_what_was_drawn_since() -> None:
    first = empty(10, 10.0).take(5)
    second = first.drained(NOW + 5).take(4)
    assert second.born == NOW + 5
    assert second.give_back(first, 5) == second
    assert second.give_back(second, 4).remaining == 10


@given(limit=limits, window_s=windows, level=st.floats(0, 1), waited=st.floats(0, 1e7))
def test_whether_a_dry_bucket_is_forgotten_makes_no_difference(
    limit: int, window_s: float, level: float, waited: float
) -> None:
    bucket = empty(limit, window_s).take(level * limit).drained(NOW + waited)
    if bucket.level == 0:
        assert bucket == empty(limit, window_s, NOW + waited)


def test_time_that_runs_backwards_drains_nothing() -> None:
    bucket = empty(10, 10.0).take(6)
    assert bucket.drained(NOW - 3_600) == bucket
    assert bucket.wait_s(5, NOW - 3_600) == pytest.approx(3_601)


def test_more_use_than_was_reserved_leaves_less_than_nothing() -> None:
    assert empty(10, 10.0).take(10).take(5).remaining == -5


@given(
    level=st.floats(0.001, 1),
    limit=limits,
    limit_new=limits,
    window_s=windows,
    window_new_s=windows,
)
def test_under_another_limit_it_ends_at_the_same_instant(
    level: float, limit: int, limit_new: int, window_s: float, window_new_s: float
) -> None:
    before = empty(limit, window_s).take(level * limit)
    after = quota.stand(before, limit_new, window_new_s, NOW)
    assert after.level * window_new_s / limit_new == pytest.approx(level * window_s)
    assert (after.limit, after.window_s) == (limit_new, window_new_s)
    assert before.under(limit, window_s) is before


def test_what_was_drawn_under_another_limit_is_given_back_under_this_one() -> None:
    """Half a window was spoken for, and a tenth of it is over."""
    taken = empty(10, 10.0).take(5)
    bucket = quota.stand(taken, 20, 10.0, NOW).drained(NOW + 1)
    assert bucket.remaining == 12
    assert bucket.give_back(taken, 5).remaining == 17
    assert bucket.give_back(taken, 50).remaining == 20


MOST = Fraction(1, 1000)


@given(
    limit=st.integers(1, 50),
    window_s=st.integers(1, 100).map(float),
    steps=st.lists(
        st.tuples(st.integers(0, 30_000).map(lambda ms: ms / 1024), st.integers(1, 50)),
        min_size=1,
        max_size=40,
    ),
)
def test_in_any_window_at_most_twice_the_limit_is_admitted(
    limit: int, window_s: float, steps: list[tuple[float, int]]
) -> None:
    """And it admits what a bucket in fractions does, but for what is within a thousandth."""
    bucket, now = empty(limit, window_s), NOW
    level, admitted = Fraction(0), list[tuple[float, int]]()
    for pause_s, amount in steps:
        now += pause_s
        level = max(Fraction(0), level - Fraction(pause_s) * limit / Fraction(window_s))
        bucket = bucket.drained(now)
        exact = limit - level
        assert floor(exact - MOST) <= bucket.remaining <= floor(exact + MOST)
        if bucket.remaining >= amount:
            bucket = bucket.take(amount)
            level += amount
            admitted.append((now, amount))
    for began, _ in admitted:
        inside = sum(amount for at, amount in admitted if began <= at < began + window_s)
        assert inside <= 2 * limit


@given(now=instants, wait_s=st.floats(0, 31 * 86_400))
def test_a_wait_is_rounded_up_past_what_a_clock_can_lose_and_hardly_more(
    now: float, wait_s: float
) -> None:
    rounded = quota.retry_after_s(wait_s)
    assert Fraction(now + rounded) - Fraction(now) >= Fraction(wait_s)
    assert rounded < wait_s + 0.002


def test_no_wait_is_no_wait() -> None:
    assert quota.retry_after_s(0) == 0
    assert quota.retry_after_s(-1) == 0


@pytest.mark.parametrize(
    ("unit", "amount"), [("calls", 3), ("tokens", 12), ("cost_usd", 99), ("concurrent", 0)]
)
def test_what_a_call_came_to_is_in_the_unit_of_its_draw(unit: DrawUnit, amount: int) -> None:
    draw = Draw(rule="r", key="k", unit=unit, amount=3, limit=9, window_s=1)
    used = Usage(input_tokens=7, output_tokens=5, reasoning_tokens=4, cache_read_tokens=2)
    assert quota.actual(draw, used, 99) == amount

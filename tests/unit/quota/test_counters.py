"""Counters in memory: all or none, given back once, and forgotten when they say nothing more."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.quota import PERIOD_S_MAX, Counters, Drawn, Held
from gateway.quota.counters import FORGOTTEN_FREE, SWEPT_LEAST
from gateway.values import Draw, Usage

NOW = 1_795_348_800.25
START = NOW - 100
DAY_S = 86_400.0


def draw_of(key: str, amount: int = 1, **changes: Any) -> Draw:
    fields: dict[str, Any] = {"unit": "calls", "limit": 10, "window_s": 60.0}
    return Draw(rule=key, key=key, amount=amount, **fields | changes)


def rate(amount: int = 1, **changes: Any) -> Draw:
    return draw_of("rate", amount, **{"unit": "tokens", **changes})


def budget(amount: int = 1, **changes: Any) -> Draw:
    fields: dict[str, Any] = {"unit": "tokens", "period_start": START, "window_s": DAY_S}
    return draw_of("budget", amount, **fields | changes)


def concurrent(limit: int = 10, **changes: Any) -> Draw:
    return draw_of("at once", unit="concurrent", limit=limit, window_s=0.0, **changes)


def ask(counters: Counters, *draws: Draw, now: float = NOW, cluster: str = "") -> Drawn:
    return counters.draw("default", draws, cluster, now)


def told(drawn: Drawn) -> list[tuple[bool, int, float]]:
    return [(each.taken, each.remaining, each.retry_after_s) for each in drawn.readings]


def end(counters: Counters, drawn: Drawn, used: int | None = None, now: float = NOW) -> None:
    for held in drawn.held:
        if used is None:
            counters.release(held, now)
        else:
            counters.settle(held, Usage(input_tokens=used), 0, now)


def test_every_sort_is_drawn_together_or_not_at_all() -> None:
    counters = Counters()
    found = ask(counters, rate(10), budget(10), concurrent(1))
    assert told(found) == [(True, 0, 0.0), (True, 0, 0.0), (True, 0, 0.0)]
    assert [held.draw for held in found.held] == [rate(10), budget(10), concurrent(1)]
    assert not found.is_refused
    for draw, wait_s in ((rate(), 6.001), (budget(), DAY_S - 100 + 0.001), (concurrent(1), 1.0)):
        free = draw_of("free")
        refused = ask(counters, free, draw)
        assert told(refused) == [(False, 10, 0.0), (False, 0, pytest.approx(wait_s, abs=0.002))]
        assert (refused.held, refused.is_refused) == ((), True)
    assert told(ask(counters, draw_of("free"))) == [(True, 9, 0.0)]


@pytest.mark.parametrize("draw", [rate(11), budget(11)])
def test_what_can_never_fit_has_no_wait(draw: Draw) -> None:
    assert told(ask(Counters(), draw)) == [(False, 10, 0.0)]


def test_a_shadow_never_refuses_and_is_taken_only_with_the_rest() -> None:
    counters = Counters()
    quiet = [rate(6, shadow=True), budget(6, shadow=True), concurrent(1, shadow=True)]
    assert [each[0] for each in told(ask(counters, *quiet))] == [True, True, True]
    found = ask(counters, *quiet)
    assert [each[0] for each in told(found)] == [False, False, False]
    assert (found.held, found.is_refused) == ((), False)
    fresh = Counters()
    assert ask(fresh, *quiet, draw_of("full", 11)).is_refused
    assert len(fresh) == 0


@pytest.mark.parametrize(("used", "left"), [(None, 10), (0, 10), (4, 6), (6, 4), (13, -3)])
def test_what_was_used_replaces_what_was_reserved(used: int | None, left: int) -> None:
    counters = Counters()
    end(counters, ask(counters, rate(6), budget(6), concurrent()), used)
    asked = ask(counters, rate(11), budget(11), draw_of("at once", unit="concurrent"))
    assert [each.remaining for each in asked.readings] == [left, left, 10]


def test_a_call_is_one_call_until_it_is_released() -> None:
    counters = Counters()
    end(counters, ask(counters, draw_of("rate")), 500)
    assert told(ask(counters, draw_of("rate", 11)))[0][1] == 9


def test_calls_under_way_are_counted_until_they_end() -> None:
    counters = Counters()
    drawn = [ask(counters, concurrent(3)) for _ in range(4)]
    assert [told(each) for each in drawn] == [
        [(True, 2, 0.0)],
        [(True, 1, 0.0)],
        [(True, 0, 0.0)],
        [(False, 0, 1.0)],
    ]
    assert len(counters) == 1
    end(counters, drawn[0], 5, now=NOW + 9 * DAY_S)
    assert told(ask(counters, concurrent(2))) == [(False, 0, 1.0)]
    end(counters, drawn[1])
    end(counters, drawn[2], 0)
    assert len(counters) == 0
    end(counters, drawn[2], 0)
    assert told(ask(counters, concurrent(1))) == [(True, 0, 0.0)]


def test_what_nobody_settles_stays_reserved_but_for_the_call_under_way() -> None:
    counters = Counters()
    for held in ask(counters, rate(6), budget(6), concurrent(1)).held:
        counters.abandon(held, NOW)
    found = ask(counters, rate(4), budget(4), concurrent(1))
    assert [each.remaining for each in found.readings] == [0, 0, 0]


def test_a_cluster_is_part_of_the_key_where_a_draw_says_so() -> None:
    counters = Counters()
    near = [rate(10, by_cluster=True), concurrent(1, by_cluster=True)]
    assert not ask(counters, *near, cluster="one").is_refused
    assert not ask(counters, *near, cluster="other").is_refused
    assert ask(counters, near[0], cluster="one").is_refused
    assert ask(counters, near[1], cluster="one").is_refused
    assert not ask(counters, rate(10), concurrent(1), cluster="one").is_refused


def test_tenants_share_no_counter() -> None:
    counters = Counters()
    draws = (rate(10), budget(10), concurrent(1))
    assert not counters.draw("acme", draws, "", NOW).is_refused
    assert not counters.draw("other", draws, "", NOW).is_refused


def test_what_is_used_is_told_and_seeded() -> None:
    counters, key = Counters(), ("default", "budget")
    assert counters.used(key, START) == 0
    ask(counters, budget(3))
    assert counters.used(key, START) == 3
    assert counters.used(key, START + DAY_S) == 0
    counters.seed(key, START, 7)
    counters.seed(key, START, 5)
    assert counters.used(key, START) == 7
    assert told(ask(counters, budget(3))) == [(True, 0, 0.0)]


def test_a_limit_that_changes_keeps_what_was_drawn() -> None:
    counters = Counters()
    held = ask(counters, rate(10))
    assert told(ask(counters, rate(1, limit=20)))[0][:2] == (False, 0)
    end(counters, held, 12)
    assert told(ask(counters, rate(11)))[0][1] == -2


def test_counters_that_say_nothing_are_forgotten_and_others_are_not() -> None:
    counters = Counters()
    ask(counters, rate(10), budget(10), concurrent(1))
    counters.seed(("default", "seeded"), START, 1)
    counters.sweep(NOW + 30)
    assert len(counters) == 4
    counters.sweep(NOW + 61)
    assert len(counters) == 3
    counters.sweep(NOW + 2 * DAY_S)
    assert len(counters) == 2
    counters.sweep(START + PERIOD_S_MAX + 3_601)
    assert len(counters) == 1
    assert ask(counters, concurrent(1), now=NOW + 99 * DAY_S).is_refused


def test_a_sweep_takes_no_longer_than_it_may_however_much_is_over() -> None:
    """After a quiet night there may be a million; the next call must not pay for all of them."""
    counters = Counters()
    for number in range(60):
        ask(counters, draw_of(f"r{number}"))
    counters.sweep(NOW)
    assert len(counters) == 60
    counters.sweep(NOW + 3_600)
    assert len(counters) == 60 - FORGOTTEN_FREE - SWEPT_LEAST


@pytest.mark.parametrize("used", [None, 0, 6])
def test_nothing_is_given_back_to_what_was_forgotten(used: int | None) -> None:
    counters = Counters()
    drawn = ask(counters, rate(6), budget(6))
    counters.sweep(late := NOW + 2 * DAY_S)
    assert len(counters) == 0
    end(counters, drawn, used, late)
    assert len(counters) == 0


def test_what_was_used_beyond_what_was_reserved_is_charged_although_forgotten() -> None:
    counters = Counters()
    drawn = ask(counters, rate(1))
    counters.sweep(late := NOW + 100)
    end(counters, drawn, 9, late)
    assert told(ask(counters, rate(11), now=late))[0][1] == 2


class Model:
    """Calls under way, as a list of those that are."""

    def __init__(self) -> None:
        self.open: dict[str, list[Held]] = {"a": [], "b": []}


@given(
    limits=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    steps=st.lists(
        st.tuples(st.sampled_from(["a", "b", "both", "end a", "end b"]), st.booleans()), max_size=60
    ),
)
def test_no_more_are_under_way_than_may_be_and_none_is_lost(
    limits: tuple[int, int], steps: list[tuple[str, bool]]
) -> None:
    counters, model = Counters(), Model()
    sizes = dict(zip("ab", limits, strict=True))
    for what, released in steps:
        if what.startswith("end"):
            under_way = model.open[what[-1]]
            if under_way:
                over = under_way.pop()
                if released:
                    counters.release(over, NOW)
                else:
                    counters.settle(over, Usage(input_tokens=3), 4, NOW)
            continue
        wanted = ["a", "b"] if what == "both" else [what]
        draws = [draw_of(key, unit="concurrent", limit=sizes[key], window_s=0.0) for key in wanted]
        drawn = ask(counters, *draws)
        assert drawn.is_refused is any(len(model.open[key]) >= sizes[key] for key in wanted)
        for held in drawn.held:
            model.open[held.draw.key].append(held)
        left = [sizes[key] - len(model.open[key]) for key in wanted]
        assert [each.remaining for each in drawn.readings] == left
    assert len(counters) == sum(1 for each in model.open.values() if each)

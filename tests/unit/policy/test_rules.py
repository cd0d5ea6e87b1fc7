"""Limits: their counters, and the calendar of budgets."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.values import Draw, Facts, Principal, TaskLink
from tests.unit.policy import cases

RATE = "{id: rate, quota: {calls: 10, per: 1m, by: [principal, task]}}"


def draws(rule: str, facts: Facts | None = None) -> tuple[Draw, ...]:
    found = facts or cases.facts()
    return policy.plan(cases.load(rule), found, cases.RESERVE, cases.NOW).draws


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("hour", "2026-11-22 12:00", "2026-11-22 13:00"),
        ("day", "2026-11-22 00:00", "2026-11-23 00:00"),
        ("week", "2026-11-16 00:00", "2026-11-23 00:00"),
        ("month", "2026-11-01 00:00", "2026-12-01 00:00"),
    ],
)
def test_a_budget_counts_in_its_calendar_period_in_utc(period: str, start: str, end: str) -> None:
    (draw,) = draws(f"{{id: b, budget: {{calls: 5, period: {period}, by: []}}}}")
    began = datetime.fromisoformat(f"{start}+00:00").timestamp()
    ends = datetime.fromisoformat(f"{end}+00:00").timestamp()
    assert (draw.period_start, draw.window_s) == (began, ends - began)


@given(st.floats(0, 4e9), st.sampled_from(["hour", "day", "week", "month"]))
def test_periods_tile_time(now: float, period: str) -> None:
    (budget,) = cases.load(f"{{id: b, budget: {{calls: 5, period: {period}, by: []}}}}").budgets
    start, end = budget.bounds(now)
    assert start <= now < end
    assert budget.bounds(end)[0] == end
    assert budget.bounds(start) == (start, end)
    assert datetime.fromtimestamp(start, UTC).minute == 0


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=2, unique=True))
def test_no_two_sets_of_values_share_a_counter(pairs: list[tuple[str, str]]) -> None:
    rules = cases.load(RATE)
    keys = set()
    for principal, task in pairs:
        found = cases.facts(
            TaskLink(task_id=task), principal=Principal(id=principal, team="t", key_id="k")
        )
        keys.add(policy.plan(rules, found, cases.RESERVE, cases.NOW).draws[0].key)
    assert len(keys) == len(pairs)


def test_a_counter_has_a_short_name_whatever_it_counts_by() -> None:
    rule = "{id: r, quota: {calls: 1, per: 1m, by: [model, call.stream]}}"
    short, long, longer = (
        draws(rule, facts=cases.facts(model=model))[0].key
        for model in ("m", "m" * 10_000, "m" * 10_001)
    )
    assert short == "r/calls/|1:m|5:False"
    assert len(long) < 100
    assert long != longer


def test_a_draw_is_a_value() -> None:
    (draw,) = draws(RATE)
    assert draw == Draw(
        rule="rate",
        key="rate/calls/|5:alice|6:PROJ-1",
        unit="calls",
        amount=1,
        limit=10,
        window_s=60,
    )


@pytest.mark.parametrize(
    ("limit", "free"),
    [
        ("quota: {concurrent: 5, by: []}", True),
        ("quota: {tokens: 5, per: 1m, by: []}", True),
        ("budget: {cost_usd: 5, period: day, by: []}", True),
        ("quota: {calls: 5, per: 1m, by: [likeness.cluster]}", True),
        ("quota: {calls: 5, per: 1m, by: []}", False),
        ("budget: {calls: 5, period: day, by: []}", False),
    ],
)
def test_only_counts_of_calls_count_those_that_share_a_reply(limit: str, free: bool) -> None:  # noqa: FBT001  # a table of cases
    assert cases.load(f"{{id: a, {limit}}}").rule("a").free_when_shared is free

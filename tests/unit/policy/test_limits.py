"""Limits as they are written: amounts, counters, and what they say in words."""

import pytest

from gateway.policy.rules import Limit
from tests.unit.policy import cases


def limit(text: str) -> Limit:
    found = cases.load(f"{{id: a, {text}}}").rule("a").limit
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quota: {concurrent: 5, by: [principal]}",
         "At most 5 calls for each principal may be under way at once."),
        ("quota: {concurrent: 1, by: []}", "At most 1 call may be under way at once."),
        ("quota: {concurrent: 2, by: [likeness.cluster]}",
         "At most 2 calls for each group of near-identical prompts may be under way at once."),
        ("quota: {calls: 10, per: 1m, by: [team, model]}",
         "The quota of 10 calls per 1m for each team and model is used up."),
        ("quota: {calls: 1, per: 1m, by: []}", "The quota of 1 call per 1m is used up."),
        ("quota: {tokens: 1, per: 1m, by: []}", "The quota of 1 token per 1m is used up."),
        ("quota: {calls: 10, per: 1m, by: [likeness.cluster]}",
         "This is nearly the same prompt again and again, more than 10 calls per 1m."),
        ("budget: {cost_usd: 1.50, period: week, by: [root]}",
         "The budget of 1.5 USD per week for each root is used up."),
        ("budget: {cost_usd: 200, period: month, by: []}",
         "The budget of 200 USD per month is used up."),
        ("effect: forbid", "A rule of this gateway forbids this call."),
    ],
)  # fmt: skip
def test_a_rule_without_a_message_says_what_is_used_up(text: str, said: str) -> None:
    assert cases.load(f"{{id: a, {text}}}").rule("a").message == said


def test_calls_under_way_are_counted_without_a_window_or_a_period() -> None:
    assert limit("quota: {concurrent: 5, by: [principal, call.stream]}") == Limit(
        unit="concurrent",
        amount=5,
        text="5 calls",
        by=("principal.id", "call.stream"),
        by_text=" for each principal and call.stream",
        prefix="a/concurrent/",
    )


def test_a_quota_is_so_much_in_a_window() -> None:
    read = limit("quota: {tokens: 1000, per: 6h, by: [key]}")
    assert (read.unit, read.amount, read.window_s, read.per, read.period) == (
        *("tokens", 1_000, 21_600, "6h"),
        None,
    )


def test_a_budget_counts_money_exactly() -> None:
    read = limit("budget: {cost_usd: 0.000001, period: hour, by: [principal.team]}")
    assert (read.amount, read.period, read.window_s) == (1_000, "hour", 0)
    assert read.by == ("principal.team",)
    largest = limit("budget: {cost_usd: 1000000000, period: month, by: []}")
    assert largest.amount == 10**18


def test_zeros_that_say_nothing_make_no_other_policy() -> None:
    texts = ["1.5", "1.50", "1.5e0"]
    rules = [f"{{id: a, budget: {{cost_usd: {text}, period: day, by: []}}}}" for text in texts]
    assert len({cases.load(rule).digest for rule in rules}) == 1

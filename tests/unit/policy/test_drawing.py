"""What a rule draws: how much of which counter."""

from decimal import Decimal

import pytest

from gateway.policy import drawing
from gateway.values import Reserve
from tests.unit.policy import cases

RESERVE = Reserve(input_tokens=7, output_tokens=5, cost_usd=Decimal("0.0000000012"))


@pytest.mark.parametrize(
    ("limit", "amount"),
    [
        ("quota: {calls: 10, per: 1m, by: []}", 1),
        ("quota: {concurrent: 10, by: []}", 1),
        ("quota: {tokens: 10, per: 1m, by: []}", 12),
        ("budget: {cost_usd: 10, period: day, by: []}", 2),
    ],
)
def test_a_call_takes_the_most_it_can_come_to(limit: str, amount: int) -> None:
    rule = cases.load(f"{{id: r, {limit}}}").rule("r")
    assert rule.limit is not None
    assert drawing.amount(rule.limit, RESERVE) == amount
    drawn = drawing.draw(rule, cases.facts(), amount, cases.NOW)
    assert (drawn.rule, drawn.unit, drawn.amount) == ("r", rule.limit.unit, amount)
    assert (drawn.limit, drawn.shadow, drawn.meter) == (rule.limit.amount, False, False)


def test_a_budget_is_drawn_in_the_period_that_is_now() -> None:
    rule = cases.load("{id: r, budget: {calls: 1, period: day, by: [team]}, mode: shadow}").rule(
        "r"
    )
    drawn = drawing.draw(rule, cases.facts(), 1, cases.NOW)
    assert (drawn.period_start, drawn.window_s) == (cases.NOW - 43_200, 86_400)
    assert (drawn.key, drawn.shadow) == ("r/calls/day|8:payments", True)

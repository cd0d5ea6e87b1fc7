"""A whole policy set: its digest, and what it tells the stores."""

from gateway import policy
from tests.unit.policy import cases

QUOTA = "{id: rate, quota: {calls: 10, per: 1m, by: [principal, task]}}"
BUDGET = "{id: cost, budget: {cost_usd: 1.5, period: month, by: [team]}, mode: shadow}"


def test_budgets_are_listed_with_the_keys_their_draws_will_have() -> None:
    found = cases.load(QUOTA, BUDGET)
    (budget,) = found.budgets
    assert (budget.rule, budget.unit, budget.period, budget.by) == (
        *("cost", "cost_usd", "month"),
        ("principal.team",),
    )
    draws = policy.plan(found, cases.facts(), cases.RESERVE, cases.NOW).draws
    (drawn,) = [draw for draw in draws if draw.rule == "cost"]
    assert budget.key(["payments"]) == drawn.key
    assert budget.bounds(cases.NOW)[0] == drawn.period_start


def test_any_change_of_meaning_changes_the_digest_and_a_change_of_form_does_not() -> None:
    plain = cases.load(QUOTA).digest
    assert plain.startswith("sha256:")
    assert len(plain) == len("sha256:") + 16
    quoted = QUOTA.replace("calls: 10", "'calls': 10").replace("1m", "'1m'")
    assert cases.load(quoted, extra="# a comment\ndisconnect: drain\n").digest == plain
    assert cases.load(QUOTA.replace("10", "11")).digest != plain
    assert cases.load(QUOTA, extra="disconnect: cancel\n").digest != plain
    assert cases.load(QUOTA.replace("{id", "{mode: shadow, id")).digest != plain

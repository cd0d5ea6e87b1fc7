"""A whole policy set: its digest, and what it tells the stores."""

from gateway import policy
from gateway.policy.facts import METERED_WHO, NOTHING_USED
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


SPENT = "{id: spent, when: usage.task.day.cost_usd > 1.0, effect: forbid}"
BUSY = (
    "{id: busy, when: usage.team.month.calls > 5 || usage.task.day.cost_usd > 2.0, effect: forbid}"
)


def test_each_usage_some_rule_reads_has_one_meter_which_is_no_rule_of_a_file() -> None:
    assert cases.load(QUOTA).meters == ()
    found = cases.load(SPENT, BUSY, QUOTA, BUDGET)
    names = ["usage.task.day.cost_usd", "usage.team.month.calls"]
    assert [meter.id for meter in found.meters] == names
    assert [rule.id for rule in found.rules] == ["busy", "cost", "rate", "spent"]
    assert [rule.id for rule in found.draw_rules] == ["cost", "rate"]
    assert [found.rule(name) for name in names] == list(found.meters)
    for meter in found.meters:
        assert meter.meter
        assert meter.shadow
        assert meter.limit is not None
        assert meter.limit.amount == 2**52


def test_meters_are_counted_again_from_the_ledger_as_budgets_are() -> None:
    found = cases.load(SPENT, BUDGET)
    assert [budget.rule for budget in found.budgets] == ["cost", "usage.task.day.cost_usd"]
    facts = cases.facts()
    (draw,) = found.usage_draws(facts, cases.NOW)
    budget = found.budgets[1]
    assert (budget.unit, budget.period, budget.by) == ("cost_usd", "day", ("task.id",))
    assert (budget.key(["PROJ-1"]), budget.bounds(cases.NOW)[0]) == (draw.key, draw.period_start)
    assert draw.key == "usage.task.day.cost_usd/cost_usd/day|6:PROJ-1"


def test_levels_are_told_as_facts_in_the_units_rules_are_written_in() -> None:
    found = cases.load(SPENT, BUSY)
    draws = found.usage_draws(cases.facts(), cases.NOW)
    assert [(draw.rule, draw.amount, draw.meter) for draw in draws] == [
        ("usage.task.day.cost_usd", 0, True),
        ("usage.team.month.calls", 0, True),
    ]
    usage = found.usage(draws, [1_250_000_000, 7])
    assert usage == {"usage.task.day.cost_usd": 1.25, "usage.team.month.calls": 7}
    assert {type(value) for value in usage.values()} == {float, int}
    known = cases.facts() | usage
    assert policy.decide(policy.plan(found, known, cases.RESERVE, cases.NOW), ()).reasons == (
        *("busy", "spent"),
    )
    assert cases.load(QUOTA).usage_draws(cases.facts(), cases.NOW) == ()


def test_every_usage_fact_has_a_meter_that_counts_what_it_says() -> None:
    for name, nothing in NOTHING_USED.items():
        number = "1.0" if isinstance(nothing, float) else "1"
        found = cases.load(f"{{id: r, when: {name} > {number}, effect: permit}}")
        (draw,) = found.usage_draws(cases.facts(), cases.NOW)
        _, who, period, unit = name.split(".")
        assert draw.rule == name
        assert draw.unit == unit
        assert draw.window_s == {"day": 86_400, "month": 30 * 86_400}[period]
        value = cases.facts()[METERED_WHO[who]]
        assert draw.key == f"{name}/{unit}/{period}|{len(value)}:{value}"
        assert found.usage([draw], [0]) == {name: nothing}

"""What shadow rules would have done."""

from decimal import Decimal

from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.shadows import WAITED_S, Shadow, shadows
from tests.unit.rehearsal.records import decision, rules, settled, started

POLICIES = rules(
    "{id: budget, mode: shadow, budget: {calls: 1, period: week, by: [team]}}",
    "{id: quiet, mode: shadow, when: call.stream, effect: forbid}",
    "{id: away, mode: shadow, when: call.choices == 2, route: {model: o3}}",
    "{id: real, when: call.choices == 9, effect: forbid}",
    "{id: spent, when: usage.team.day.calls > 99, effect: forbid}",
)


def test_every_shadow_rule_in_force_is_told_of_also_one_that_did_nothing() -> None:
    one = decision(1, would_have=("away", "budget"), facts={"principal.team": "a"})
    two = decision(2, would_have=("budget", "gone"), facts={"principal.team": "b"})
    three = decision(3, would_have=("budget",), facts={"principal.id": "bob"})
    plain = decision(4)
    log = [one, two, started(), settled(one), plain, settled(plain), settled(two), three]
    found = shadows(log, POLICIES)
    assert found.policy == POLICIES.digest
    away, budget, quiet = found.rules
    assert budget == Shadow(
        rule="budget",
        place="policies/a.yaml:4",
        does="refuse",
        calls=3,
        people=2,
        teams=3,
        cost_usd=Decimal("0.004"),
    )
    assert (away.rule, away.does, away.calls, away.cost_usd) == (
        "away",
        "send elsewhere",
        1,
        Decimal("0.002"),
    )
    assert (quiet.rule, quiet.calls, quiet.people, quiet.cost_usd) == ("quiet", 0, 0, 0)


def test_people_are_one_over_the_weeks_where_they_are_known() -> None:
    def weekly(name: str, at_us: int) -> str:
        return f"{name}{at_us // 604_800_000_000}"

    seconds = 7 * 86_400.0
    log = [
        decision(1, would_have=("quiet",), principal=weekly("alice", decision(1).at_us)),
        decision(
            2,
            seconds=seconds,
            would_have=("quiet",),
            principal=weekly("alice", decision(2, seconds=seconds).at_us),
        ),
    ]
    assert shadows(log, POLICIES).rules[2].people == 2
    assert shadows(log, POLICIES, People(weekly, principals=["alice"])).rules[2].people == 1


def test_ends_are_waited_for_a_day() -> None:
    one = decision(1, would_have=("quiet",))
    two = decision(2, would_have=("quiet",), seconds=WAITED_S)
    found = shadows([one, two, settled(one), settled(two)], POLICIES)
    assert found.rules[2].cost_usd == Decimal("0.002")

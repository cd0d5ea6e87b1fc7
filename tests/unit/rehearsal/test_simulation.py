"""Calls decided one after the other, as the line decides them."""

from decimal import Decimal
from typing import Any

from gateway import policy
from gateway.policy import drawing
from gateway.rehearsal import simulation
from gateway.rehearsal.simulation import Asked, Simulation
from gateway.rehearsal.trials.situations import AT, whole
from gateway.values import Reserve, Terms, Usage
from tests.unit.rehearsal.records import rules

RESERVE = Reserve(input_tokens=1_000, output_tokens=1_000, cost_usd=Decimal("0.5"))
ONE = "{id: one, quota: {concurrent: 1, by: [principal]}}"
DAY = "{id: day, budget: {cost_usd: 1, period: day, by: [task]}}"


def asked(number: int, *, seconds: float = 0.0, **changes: Any) -> Asked:
    facts = whole(changes.pop("facts", {}), AT + seconds)
    fields = {"request_id": f"r{number}", "facts": facts, "reserve": RESERVE, "now": AT + seconds}
    return Asked(**(fields | changes))


def test_a_quota_counts_from_call_to_call() -> None:
    made = Simulation(rules("{id: two, quota: {calls: 2, per: 10s, by: [principal]}}"))
    effects = [made.decide(asked(n, seconds=n)).decision.effect for n in range(3)]
    assert effects == ["permit", "permit", "throttle"]
    assert made.decide(asked(3, facts={"principal.id": "bob"})).decision.effect == "permit"
    assert made.counters == 2


def test_calls_under_way_end_when_they_are_settled_or_released() -> None:
    made = Simulation(rules(ONE))
    assert made.decide(asked(1)).decision.effect == "permit"
    assert made.decide(asked(2)).decision.effect == "throttle"
    made.settle("r1", Usage(), 0, AT)
    made.settle("r1", Usage(), 0, AT)
    assert made.decide(asked(3)).decision.effect == "permit"
    made.release("r3", AT)
    made.release("r3", AT)
    assert made.held == 0
    assert made.decide(asked(4)).decision.effect == "permit"


def test_a_settle_replaces_what_was_reserved_by_what_was_used() -> None:
    made = Simulation(rules(DAY))
    for number in range(2):
        assert made.decide(asked(number)).decision.effect == "permit"
        made.settle(f"r{number}", Usage(input_tokens=1), 1_000_000, AT)
    draw = made.decide(asked(9)).readings[0].draw
    assert made.level(draw) == 502_000_000
    made.release("r9", AT)
    assert made.level(draw) == 2_000_000


def test_nothing_is_drawn_for_a_call_that_a_rule_forbids() -> None:
    forbid = "{id: no, when: call.stream, effect: forbid}"
    made = Simulation(rules(ONE, forbid))
    found = made.decide(asked(1, facts={"call.stream": True}))
    assert (found.decision.effect, found.readings, made.held) == ("forbid", (), 0)


def test_a_shared_reply_draws_only_what_every_call_draws() -> None:
    made = Simulation(rules(ONE, DAY, "{id: rate, quota: {calls: 5, per: 1m, by: [team]}}"))
    for kind in ("new", "short"):
        call = asked(1, served="coalesced", facts={"likeness.kind": kind})
        found = made.decide(call)
        assert [each.draw.rule for each in found.readings] == ["rate"]


def test_a_shared_reply_of_a_call_that_is_forbidden_as_a_repeat_draws_nothing() -> None:
    exact = "{id: no-repeats, when: 'likeness.kind == \"exact\"', effect: forbid}"
    made = Simulation(rules("{id: rate, quota: {calls: 5, per: 1m, by: [team]}}", exact))
    found = made.decide(asked(1, served="coalesced", facts={"likeness.kind": "exact"}))
    assert (found.decision.effect, found.readings) == ("forbid", ())


def test_likeness_clusters_are_counted_apart() -> None:
    near = "{id: near, quota: {calls: 1, per: 1h, by: [likeness.cluster]}}"
    made = Simulation(rules(near))
    effects = [
        made.decide(asked(n, facts={"likeness.cluster": name})).decision.effect
        for n, name in enumerate("aba")
    ]
    assert effects == ["permit", "permit", "throttle"]


def test_tenants_are_counted_apart() -> None:
    made = Simulation(rules(ONE))
    assert made.decide(asked(1)).decision.effect == "permit"
    assert made.decide(asked(2, tenant="other")).decision.effect == "permit"


def test_usage_facts_come_from_its_own_meters() -> None:
    made = Simulation(rules("{id: spent, when: usage.task.day.cost_usd >= 0.5, effect: forbid}"))
    first = made.decide(asked(1))
    assert (first.decision.effect, first.facts["usage.task.day.cost_usd"]) == ("permit", 0.0)
    second = made.decide(asked(2))
    assert (second.decision.effect, second.facts["usage.task.day.cost_usd"]) == ("forbid", 0.5)
    made.settle("r1", Usage(), 100_000_000, AT)
    assert made.decide(asked(3)).facts["usage.task.day.cost_usd"] == 0.1


def test_usage_facts_that_are_known_stay() -> None:
    made = Simulation(rules("{id: spent, when: usage.task.day.calls > 3, effect: forbid}"))
    facts = {"usage.task.day.calls": 4}
    assert made.decide(asked(1, facts=facts)).decision.effect == "permit"
    assert made.decide(asked(2, facts=facts, usage_known=True)).decision.effect == "forbid"


def test_what_was_used_before_can_be_told() -> None:
    made = Simulation(rules(DAY))
    draw = drawing.draw(made.policies.rule("day"), whole({}, AT), 0, AT)
    made.seed(draw, 900_000_000)
    assert made.decide(asked(1)).decision.effect == "forbid"


def test_what_a_key_refuses_is_given_back_at_once_or_when_it_is_said() -> None:
    made = Simulation(rules(ONE))
    found = made.decide(asked(1, by_key=True))
    assert (found.decision.effect, found.decision.reasons) == ("forbid", ())
    assert found.decision.refusal == simulation.BY_KEY
    assert made.decide(asked(2, by_key=True, held=True)).readings[0].taken
    assert made.decide(asked(3)).decision.effect == "throttle"
    made.release("r2", AT)
    assert made.decide(asked(4)).decision.effect == "permit"


def test_a_rule_that_forbids_says_so_even_if_the_key_would() -> None:
    made = Simulation(rules("{id: no, effect: forbid}"))
    assert made.decide(asked(1, by_key=True)).decision.reasons == ("no",)


def test_a_reserve_may_hang_on_where_the_call_is_sent() -> None:
    route = "{id: cheap, when: 'call.model == \"gpt-5\"', route: {model: gpt-5-mini}}"
    made = Simulation(rules(route, DAY))
    told: list[Terms] = []

    def reserve_for(terms: Terms) -> Reserve:
        told.append(terms)
        return Reserve(input_tokens=1, output_tokens=1, cost_usd=Decimal("0.9"))

    found = made.decide(asked(1, reserve_for=reserve_for))
    assert [each.model for each in told] == ["gpt-5-mini"]
    assert found.reserve.cost_usd == Decimal("0.9")
    assert found.readings[0].draw.amount == 900_000_000


def test_policies_can_be_replaced_and_the_counters_stay() -> None:
    made = Simulation(rules(ONE))
    made.decide(asked(1))
    made.policies = rules(ONE, "{id: other, when: call.stream, effect: forbid}")
    assert made.decide(asked(2)).decision.effect == "throttle"


def test_memory_is_bounded_by_what_is_in_use() -> None:
    made = Simulation(rules(ONE, "{id: rate, quota: {calls: 1, per: 1s, by: [principal]}}"))
    for number in range(5_000):
        facts = {"principal.id": f"p{number}"}
        made.decide(asked(number, seconds=number, facts=facts))
        made.settle(f"r{number}", Usage(), 0, AT + number)
    assert made.counters < 100
    assert made.held == 0


def test_what_nobody_settles_is_forgotten_after_a_day() -> None:
    made = Simulation(rules(ONE))
    made.decide(asked(0))
    for number in range(1, simulation.SWEPT_EVERY):
        facts = {"principal.id": f"p{number}"}
        made.decide(asked(number, seconds=86_400.0 * 2, facts=facts))
    assert made.held == simulation.SWEPT_EVERY - 1
    assert made.decide(asked(99, seconds=86_400.0 * 2)).decision.effect == "permit"


def test_a_decision_is_that_of_the_plan() -> None:
    policies = rules("{id: no, when: call.stream, effect: forbid, message: No.}")
    call = asked(1, facts={"call.stream": True})
    plan = policy.plan(policies, call.facts, RESERVE, AT)
    assert Simulation(policies).decide(call).decision == policy.decide(plan, ())


LINKED = {"task.evidence": "verified"}


def test_a_restart_empties_quotas_and_counts_budgets_again_from_the_ledger() -> None:
    made = Simulation(
        rules(
            "{id: at-once, quota: {concurrent: 1, by: []}}",
            "{id: rate, quota: {calls: 2, per: 1h, by: []}}",
            "{id: spent, budget: {tokens: 9000, period: day, by: [principal]}}",
        )
    )

    def remaining(number: int, **changes: Any) -> tuple[int, ...]:
        readings = made.decide(asked(number, facts=LINKED, **changes)).readings
        return tuple(each.remaining for each in readings)

    assert remaining(1) == (0, 1, 7_000)
    made.settle("r1", Usage(input_tokens=20, output_tokens=30), 5, AT)
    assert remaining(2) == (0, 0, 6_950)
    made.restart(AT)
    assert made.held == 0
    made.settle("r2", Usage(), 0, AT)  # its process is gone: nothing is settled any more
    assert remaining(3) == (0, 1, 4_950)
    made.release("r3", AT)
    made.restart(AT)
    assert remaining(4, served="coalesced") == (1,)
    made.restart(AT)
    assert remaining(5) == (0, 1, 4_950)


def test_what_the_log_told_of_a_budget_outlives_a_restart() -> None:
    made = Simulation(rules("{id: spent, budget: {calls: 9, period: day, by: [principal]}}"))
    draw = drawing.draw(made.policies.rule("spent"), whole({}, AT), 0, AT)
    made.seed(draw, 3)
    for number in (1, 2):
        made.restart(AT)
        made.decide(asked(number, facts=LINKED))
        assert made.level(draw) == 3 + number
    made.restart(AT)
    made.decide(asked(3, facts={"principal.id": "bob"}))
    assert made.level(draw) == 5


def test_a_call_its_key_refused_is_no_call_for_the_ledger() -> None:
    made = Simulation(rules("{id: spent, budget: {calls: 9, period: day, by: [principal]}}"))
    made.decide(asked(1, facts=LINKED, by_key=True, held=True))
    made.restart(AT)
    [reading] = made.decide(asked(2, facts=LINKED)).readings
    assert reading.remaining == 8

"""What is drawn for each kind of likeness a call may turn out to have."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy.conditions.cel import Condition
from gateway.policy.facts import NOTHING_USED
from gateway.policy.index import Hits
from gateway.policy.matching import Matched, Matcher
from gateway.values import (
    Draw,
    Facts,
    LikenessKind,
    Offer,
    Principal,
    Reading,
    Reserve,
    TaskLink,
    Terms,
    Verdict,
)
from tests.unit.policy import cases

KINDS: Sequence[LikenessKind] = get_args(LikenessKind)
RATE = "{id: rate, quota: {calls: 100, per: 1m, by: [principal]}}"
TOKENS = "{id: tokens, quota: {tokens: 5000, per: 6h, by: [team]}}"
COST = "{id: cost, budget: {cost_usd: 200, period: day, by: [task]}}"
NEAR = (
    '{id: slow, when: \'likeness.kind in ["near", "exact"]\','
    " quota: {calls: 10, per: 1m, by: [principal, task, likeness.cluster]}}"
)
CLUSTER = "{id: groups, quota: {calls: 10, per: 1m, by: [likeness.cluster]}}"
COPIES = "{id: copies, when: 'likeness.kind == \"exact\"', quota: {calls: 5, per: 1m, by: [team]}}"
NO_COPIES = "{id: no-copies, when: 'likeness.kind == \"exact\"', effect: forbid}"
NOTHING = "{id: nothing, effect: forbid}"


def plans(*rules: str, facts: Facts | None = None) -> policy.Plans:
    return made(cases.load(*rules), facts or cases.facts())


def made(policies: policy.PolicySet, facts: Facts) -> policy.Plans:
    found = policy.Plans(policies, facts, cases.NOW)
    found.reserve = cases.RESERVE
    return found


def names(draws: Sequence[Draw]) -> list[str]:
    return [draw.rule for draw in draws]


def test_where_no_rule_asks_for_the_kind_all_kinds_have_one_plan() -> None:
    made = plans(RATE, COST)
    assert len({id(made.of(kind)) for kind in KINDS}) == 1
    offers = made.offers()
    assert offers.new == offers.exact == offers.retry
    assert names(offers.new.draws) == ["cost", "rate"]


def test_a_rule_that_asks_for_the_kind_draws_for_that_kind_alone() -> None:
    made = plans(RATE, NEAR)
    drawn = {kind: names(made.of(kind).draws) for kind in KINDS}
    slowed = [kind for kind in KINDS if "slow" in drawn[kind]]
    assert slowed == ["near", "exact"]
    assert all("rate" in each for each in drawn.values())
    assert made.of("near") is made.of("exact")
    assert made.of("new") is made.of("retry")


def test_a_draw_is_made_once_whatever_the_kind() -> None:
    made = plans(RATE, NEAR)
    (rate,) = made.of("new").draws
    assert any(draw is rate for draw in made.of("exact").draws)
    assert made.offers().shared.draws[0] is rate


def test_each_distinct_kind_is_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    match = Matcher.match

    def counted(matcher: Matcher, facts: Facts, known: Hits | None = None) -> Matched:
        asked.append(facts["likeness.kind"])
        return match(matcher, facts, known)

    monkeypatch.setattr(Matcher, "match", counted)
    for rules, wanted in (((RATE, CLUSTER), ["new"]), ((RATE, NEAR), ["exact", "new", "retry"])):
        asked.clear()
        made = plans(*rules)
        made.offers()
        made.offers()
        assert not made.forbidden
        assert sorted(asked) == wanted


MINE = "{id: mine, when: 'task.id == \"PROJ-1\"', quota: {calls: 5, per: 1m, by: [task]}}"
MINE_COPIES = (
    '{id: mine-too, when: \'task.id == "PROJ-1" && likeness.kind == "exact"\', effect: forbid}'
)


def test_a_condition_that_asks_for_no_kind_is_evaluated_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluated: list[str] = []
    holds = Condition.holds

    def counted(condition: Condition, activation: Any) -> bool | None:
        evaluated.append(condition.text)
        return holds(condition, activation)

    monkeypatch.setattr(Condition, "holds", counted)
    made = plans(RATE, MINE, MINE_COPIES, NEAR)
    assert not made.forbidden
    offers = made.offers()
    assert offers.exact.forbidden
    assert names(offers.new.draws) == names(offers.retry.draws) == ["mine", "rate"]
    assert names(made.of("near").draws) == ["mine", "rate", "slow"]
    assert evaluated.count('task.id == "PROJ-1"') == 1
    assert evaluated.count('task.id == "PROJ-1" && likeness.kind == "exact"') == 4


@pytest.mark.parametrize("kind", ["short", "continuation"])
def test_what_has_no_cluster_is_not_counted_by_it(kind: LikenessKind) -> None:
    made = plans(RATE, CLUSTER)
    assert names(made.of(kind).draws) == ["rate"]
    assert names(made.of("new").draws) == ["groups", "rate"]
    offers = made.offers(kind)
    assert offers.new == offers.exact == offers.retry == made.of(kind).offer
    assert names(offers.shared.draws) == ["rate"]


def test_a_call_that_shares_a_reply_draws_only_on_quotas_of_calls_that_ask_for_no_likeness() -> (
    None
):
    made = plans(RATE, TOKENS, COST, NEAR, CLUSTER, COPIES)
    offers = made.offers()
    assert names(offers.exact.draws) == ["copies", "cost", "groups", "rate", "slow", "tokens"]
    assert names(offers.shared.draws) == ["rate"]
    assert not offers.shared.forbidden


def test_what_a_rule_forbids_draws_nothing_and_shares_nothing() -> None:
    made = plans(RATE, NO_COPIES)
    offers = made.offers()
    assert offers.exact == Offer(draws=(), forbidden=True)
    assert offers.shared == Offer(draws=(), forbidden=True)
    assert names(offers.new.draws) == ["rate"]
    assert (made.forbidden, made.of("exact").forbidden, made.of("near").forbidden) == (
        *(False, True),
        False,
    )
    assert policy.decide(made.of("exact"), ()).reasons == ("no-copies",)
    assert policy.decide(made.of("near"), ()).effect == "permit"


def test_a_call_forbidden_whatever_it_is_need_not_be_asked_about() -> None:
    assert plans(RATE, NOTHING).forbidden
    every = ", ".join(f'"{kind}"' for kind in KINDS)
    assert plans(f"{{id: every, when: 'likeness.kind in [{every}]', effect: forbid}}").forbidden
    for kind in KINDS:
        rule = f"{{id: most, when: 'likeness.kind != \"{kind}\"', effect: forbid}}"
        assert not plans(rule).forbidden
        assert not plans(rule).of(kind).forbidden


def test_the_facts_of_a_verdict_hold_its_kind_and_cluster_and_change_nothing_else() -> None:
    known = cases.facts()
    made = plans(RATE, facts=known)
    found = made.facts(Verdict(kind="near", cluster="ab12", earlier="req_1"))
    changed = {"likeness.kind": "near", "likeness.cluster": "ab12"}
    assert found == known | changed
    assert known["likeness.kind"] == "new"


def test_the_key_of_a_draw_by_cluster_holds_a_mark_where_the_cluster_stands() -> None:
    (draw,) = plans(CLUSTER.replace("[likeness", "[team, likeness")).of("new").draws
    assert (draw.key, draw.by_cluster) == ("groups/calls/|8:payments|@", True)
    (plain,) = plans(RATE).of("new").draws
    assert not plain.by_cluster


FACTS_BY = ["principal", "task", "team", "likeness.cluster"]


@given(
    order=st.permutations(FACTS_BY),
    one=st.lists(st.text("@|:1a", max_size=4), min_size=3, max_size=3),
    two=st.lists(st.text("@|:1a", max_size=4), min_size=3, max_size=3),
)
def test_no_two_sets_of_values_and_no_two_rules_share_a_counter(
    order: list[str], one: list[str], two: list[str]
) -> None:
    """However values imitate the mark, the separators and the cluster behind the key."""
    by = ", ".join(order)
    plain = ", ".join(name for name in order if name != "likeness.cluster")
    rules = cases.load(
        f"{{id: a, quota: {{calls: 1, per: 1m, by: [{by}]}}}}",
        f"{{id: b, quota: {{calls: 1, per: 1m, by: [{by}]}}}}",
        f"{{id: c, quota: {{calls: 1, per: 1m, by: [{plain}]}}}}",
    )
    keys: set[str] = set()
    sets = {tuple(one), tuple(two)}
    for person, team, task in sets:
        principal = Principal(id=person, team=team, key_id="k")
        known = cases.facts(TaskLink(task_id=task), principal=principal)
        for draw in made(rules, known).of("near").draws:
            keys |= {f"{draw.key}@{each}" if draw.by_cluster else draw.key for each in ("aa", "bb")}
    assert len(keys) == len(sets) * 5


def refused(*rules: str) -> policy.Plan:
    return plans(*rules).of("near")


def test_a_throttle_by_cluster_has_its_own_code_and_says_how_long_to_wait() -> None:
    made = refused(NEAR)
    reading = Reading(draw=made.draws[0], taken=False, retry_after_s=5.4, remaining=0)
    decision = policy.decide(made, [reading])
    assert (decision.effect, decision.reasons) == ("throttle", ("slow",))
    assert decision.refusal is not None
    assert (decision.refusal.code, decision.refusal.retry_after_s) == ("near_identical_rate", 5.4)
    assert decision.refusal.message == (
        "This is nearly the same prompt again and again, more than 10 calls per 1m. "
        "Try again in 6 s. Policy: slow (a.yaml:3)."
    )


def test_a_rule_by_cluster_may_name_another_code() -> None:
    rules = cases.load(NEAR.replace("{id", "{code: quota_exceeded, id"), COPIES)
    assert rules.rule("slow").refusal.code == "quota_exceeded"
    assert rules.rule("copies").refusal.code == "quota_exceeded"


def test_facts_recorded_before_there_was_likeness_count_as_new() -> None:
    recorded = cases.facts()
    del recorded["likeness.kind"]
    del recorded["likeness.cluster"]
    found = policy.plan(cases.load(RATE, NEAR, CLUSTER), recorded, cases.RESERVE, cases.NOW)
    assert names(found.draws) == ["groups", "rate"]
    assert "likeness.kind" not in recorded


def test_recorded_facts_are_planned_for_the_kind_they_name() -> None:
    recorded = cases.facts() | {"likeness.kind": "near", "likeness.cluster": "ab12"}
    found = policy.plan(cases.load(RATE, NEAR), recorded, cases.RESERVE, cases.NOW)
    assert names(found.draws) == ["rate", "slow"]


def test_how_a_call_is_sent_is_known_before_it_is_known_what_it_is_like_and_costs() -> None:
    small = "{id: small, route: {model: nano}}"
    capped = "{id: capped, obligations: {max_output_tokens: 70}}"
    for rules in ((small, capped), (small, capped, NO_COPIES, NEAR)):
        found = policy.Plans(cases.load(*rules), cases.facts(), cases.NOW)
        assert (found.terms.model, found.terms.output_tokens_max) == ("nano", 70)
        assert not found.forbidden
    not_new = "{id: not-new, when: 'likeness.kind == \"new\"', effect: forbid}"
    assert plans(small, not_new).terms.rule == "small"
    assert plans(small, NOTHING).terms == Terms()


def test_a_call_draws_what_it_comes_to_as_it_will_be_sent() -> None:
    found = policy.Plans(cases.load(TOKENS), cases.facts(), cases.NOW)
    assert not found.forbidden
    found.reserve = Reserve(input_tokens=1, output_tokens=2, cost_usd=Decimal(0))
    assert [draw.amount for draw in found.of("new").draws] == [3]


def test_the_kinds_of_one_call_do_not_change_its_facts() -> None:
    known = cases.facts()
    before = dict(known)
    found = made(cases.load(NEAR, NO_COPIES, MINE_COPIES), known)
    assert [found.of(kind).forbidden for kind in KINDS] == [kind == "exact" for kind in KINDS]
    assert known == before
    assert found.facts(Verdict(kind="new")) == before


AT_ONCE = "{id: few, quota: {concurrent: 5, by: [principal]}}"
MUCH = "{id: much, when: usage.team.day.tokens > 5 && usage.team.day.calls > 5, effect: forbid}"


def test_meters_count_every_call_but_what_a_shared_one_does_not_use() -> None:
    found = plans(MUCH, AT_ONCE, facts={**cases.facts(), **NOTHING_USED})
    metered = ["usage.team.day.calls", "usage.team.day.tokens"]
    for kind in KINDS:
        draws = found.of(kind).draws
        assert names(draws) == ["few", *metered]
        assert [(draw.meter, draw.shadow) for draw in draws] == [(False, False)] + [
            (True, True)
        ] * 2
        assert [draw.amount for draw in draws] == [1, 1, 1000]
    assert names(found.offers().shared.draws) == ["usage.team.day.calls"]
    assert plans(MUCH, NOTHING, facts={**cases.facts(), **NOTHING_USED}).offers().new.draws == ()

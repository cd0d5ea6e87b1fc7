"""From facts to a decision: who wins, what is drawn, and what the caller is told."""

from decimal import Decimal

import pytest

from gateway import policy
from gateway.values import Decision, Facts, Reading, Reserve
from tests.unit.policy import cases

FORBID = "{id: forbids, when: 'call.model == \"opus\"', effect: forbid, message: No opus here.}"
RATE = "{id: rate, quota: {calls: 10, per: 1m, by: [principal, task]}}"
TOKENS = "{id: tokens, quota: {tokens: 5000, per: 6h, by: [team]}, code: near_identical_rate}"
COST = "{id: cost, budget: {cost_usd: 200, period: day, by: [task]}}"
SHADOW = "{id: shadow, budget: {calls: 5, period: hour, by: []}, mode: shadow}"


def plan(*rules: str, facts: Facts | None = None, reserve: Reserve = cases.RESERVE) -> policy.Plan:
    return policy.plan(cases.load(*rules), facts or cases.facts(), reserve, cases.NOW)


def decide(plan: policy.Plan, *short: str, wait_s: float = 6.0) -> Decision:
    """Decide, with the draws of some rules refused as short."""
    refused = any(draw.rule in short and not draw.shadow for draw in plan.draws)
    readings = [
        Reading(draw=draw, taken=False, retry_after_s=wait_s, remaining=0)
        if draw.rule in short
        else Reading(draw=draw, taken=not refused, remaining=draw.amount)
        for draw in plan.draws
    ]
    return policy.decide(plan, readings)


def test_no_match_permits() -> None:
    found = plan(FORBID)
    assert found.draws == ()
    decision = decide(found)
    assert (decision.effect, decision.reasons, decision.refusal) == ("permit", (), None)
    assert decision.policy == found.policies.digest
    assert decision.obligations.disconnect == "drain"


def test_a_permit_that_matches_is_a_reason() -> None:
    decision = decide(plan("{id: fine, effect: permit}", FORBID))
    assert (decision.effect, decision.reasons) == ("permit", ("fine",))


def test_a_forbid_wins_draws_nothing_and_names_its_place() -> None:
    found = plan(FORBID, RATE, "{id: fine, effect: permit}", facts=cases.facts(model="opus"))
    assert found.draws == ()
    decision = decide(found)
    assert (decision.effect, decision.reasons) == ("forbid", ("forbids",))
    refusal = decision.refusal
    assert refusal is not None
    assert refusal.message == "No opus here. Policy: forbids (a.yaml:3)."
    assert (refusal.code, refusal.rule, refusal.place) == ("policy_forbids", "forbids", "a.yaml:3")
    assert refusal.retry_after_s == 0


def test_of_several_forbids_all_are_reasons_and_the_first_by_name_speaks() -> None:
    decision = decide(plan("{id: b, effect: forbid}", "{id: a, effect: forbid}"))
    assert decision.reasons == ("a", "b")
    assert decision.refusal is not None
    assert decision.refusal.rule == "a"


def test_a_shadow_forbid_only_says_what_it_would_have_done() -> None:
    decision = decide(plan("{id: later, effect: forbid, mode: shadow}", RATE))
    assert (decision.effect, decision.would_have) == ("permit", ("later",))


def test_draws_are_in_the_unit_of_their_limit() -> None:
    reserve = Reserve(input_tokens=7, output_tokens=5, cost_usd=Decimal("0.0000000012"))
    by_rule = {draw.rule: draw for draw in plan(RATE, TOKENS, COST, reserve=reserve).draws}
    assert (by_rule["rate"].amount, by_rule["rate"].limit, by_rule["rate"].window_s) == (1, 10, 60)
    assert (by_rule["tokens"].amount, by_rule["tokens"].limit) == (12, 5000)
    assert (by_rule["cost"].amount, by_rule["cost"].limit) == (2, 200 * 10**9)
    assert by_rule["rate"].period_start is None
    assert not by_rule["cost"].shadow


def test_a_quota_that_is_short_throttles_and_says_how_long() -> None:
    decision = decide(plan(RATE, COST), "rate", wait_s=5.2)
    assert (decision.effect, decision.reasons) == ("throttle", ("rate",))
    refusal = decision.refusal
    assert refusal is not None
    assert (refusal.code, refusal.retry_after_s) == ("quota_exceeded", 5.2)
    assert refusal.message == (
        "The quota of 10 calls per 1m for each principal and task is used up. "
        "Try again in 6 s. Policy: rate (a.yaml:3)."
    )


def test_a_long_wait_is_told_as_a_time() -> None:
    decision = decide(plan(TOKENS), "tokens", wait_s=7199.5)
    assert decision.refusal is not None
    assert "Try again at 2026-11-22 14:00 UTC." in decision.refusal.message
    assert decision.refusal.code == "near_identical_rate"


def test_of_several_quotas_the_longest_wait_speaks() -> None:
    found = plan(RATE, TOKENS)
    decision = policy.decide(
        found,
        [
            Reading(draw=draw, taken=False, retry_after_s=index + 1.0, remaining=0)
            for index, draw in enumerate(found.draws)
        ],
    )
    assert decision.reasons == ("rate", "tokens")
    assert decision.refusal is not None
    assert decision.refusal.retry_after_s == 2.0


def test_a_budget_that_is_used_up_forbids_and_says_when_it_begins_anew() -> None:
    decision = decide(plan(RATE, COST), "rate", "cost", wait_s=40_000)
    assert (decision.effect, decision.reasons) == ("forbid", ("cost",))
    refusal = decision.refusal
    assert refusal is not None
    assert (refusal.code, refusal.retry_after_s) == ("quota_exceeded", 0)
    assert refusal.message == (
        "The budget of 200 USD per day for each task is used up. "
        "It begins anew at 2026-11-23 00:00 UTC. Policy: cost (a.yaml:4)."
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (TOKENS, "This call reserves 6000 tokens, more than the whole limit, and can never fit"),
        (COST.replace("200", "0.5"), "This call reserves 0.75 USD, more than the whole limit"),
    ],
)
def test_a_draw_larger_than_the_whole_limit_is_told_it_can_never_fit(rule: str, said: str) -> None:
    reserve = Reserve(input_tokens=1000, output_tokens=5000, cost_usd=Decimal("0.75"))
    found = plan(rule, reserve=reserve)
    decision = decide(found, found.draws[0].rule, wait_s=0.0)
    assert decision.effect == "forbid"
    assert decision.refusal is not None
    assert said in decision.refusal.message
    assert decision.refusal.retry_after_s == 0


def test_a_shadow_limit_only_says_what_it_would_have_done() -> None:
    decision = decide(plan(RATE, SHADOW), "shadow")
    assert (decision.effect, decision.would_have) == ("permit", ("shadow",))
    assert decision.refusal is None
    refused = decide(plan(RATE, SHADOW), "shadow", "rate")
    assert (refused.reasons, refused.would_have) == (("rate",), ("shadow",))


def test_a_draw_not_taken_because_another_was_short_is_no_reason() -> None:
    decision = decide(plan(RATE, TOKENS, SHADOW), "tokens")
    assert (decision.reasons, decision.would_have) == (("tokens",), ())


def test_draws_refused_without_a_shortage_still_refuse() -> None:
    found = plan(RATE)
    reading = Reading(draw=found.draws[0], taken=False, retry_after_s=1.0, remaining=10)
    assert policy.decide(found, [reading]).reasons == ("rate",)


AT_ONCE = "{id: few, quota: {concurrent: 5, by: [principal, task]}}"


def test_a_call_too_many_at_once_is_throttled_for_a_second() -> None:
    found = plan(AT_ONCE)
    (draw,) = found.draws
    assert (draw.unit, draw.amount, draw.limit, draw.window_s) == ("concurrent", 1, 5, 0)
    assert draw.period_start is None
    decision = decide(found, "few", wait_s=1.0)
    assert (decision.effect, decision.reasons) == ("throttle", ("few",))
    refusal = decision.refusal
    assert refusal is not None
    assert (refusal.code, refusal.retry_after_s) == ("quota_exceeded", 1.0)
    assert refusal.message == (
        "At most 5 calls for each principal and task may be under way at once. "
        "Try again when one of them has ended. Policy: few (a.yaml:3)."
    )


USAGE = "{id: much, when: usage.task.day.calls > 5, effect: forbid}"


def test_a_meter_never_refuses_and_is_never_told_of() -> None:
    found = plan(USAGE, RATE)
    assert [draw.rule for draw in found.draws] == ["rate", "usage.task.day.calls"]
    decision = decide(found, "usage.task.day.calls")
    assert (decision.effect, decision.would_have) == ("permit", ())
    refused = decide(found, "usage.task.day.calls", "rate")
    assert (refused.reasons, refused.would_have) == (("rate",), ())


NOTED = "{id: noted, obligations: {note: Mind the cost., reply_headers: {x-a: b}}}"
CAPPED = "{id: capped, obligations: {max_output_tokens: 70}}"
LATER = "{id: later, route: {model: small}, mode: shadow}"


def test_a_refusal_carries_neither_note_nor_headers_and_still_says_how_it_would_be_sent() -> None:
    found = plan(NOTED, CAPPED, LATER, RATE)
    permitted, refused = decide(found), decide(found, "rate")
    assert permitted.reasons == ("capped", "noted")
    assert permitted.obligations.note == "Mind the cost."
    assert permitted.obligations.reply_headers == (("x-a", "b"),)
    assert (refused.obligations.note, refused.obligations.reply_headers) == ("", ())
    assert refused.terms == permitted.terms
    assert refused.terms.output_tokens_max == 70
    assert refused.would_have == permitted.would_have == ("later",)
    forbidden = decide(plan(NOTED, CAPPED, LATER, "{id: no, effect: forbid}"))
    assert (forbidden.obligations.note, forbidden.terms.output_tokens_max) == ("", None)
    assert forbidden.would_have == ()


def test_a_shadow_limit_that_is_short_takes_nothing_from_a_permit() -> None:
    decision = decide(plan(NOTED, CAPPED, LATER, SHADOW), "shadow")
    assert (decision.reasons, decision.would_have) == (("capped", "noted"), ("later", "shadow"))
    assert decision.obligations.note == "Mind the cost."
    assert decision.terms.output_tokens_max == 70

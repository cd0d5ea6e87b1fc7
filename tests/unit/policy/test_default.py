"""The policy a new deployment starts with."""

from typing import get_args

import pytest

from gateway import policy
from gateway.values import Evidence, LikenessKind, Reading, TaskLink, TaskProblem
from tests.unit.policy import cases


@pytest.fixture(name="default", scope="module")
def _default() -> policy.PolicySet:
    return policy.load([("policies/default.yaml", cases.DEFAULT.read_text("utf-8"))])


def decide(default: policy.PolicySet, link: TaskLink, *, metered: bool = True) -> policy.Plan:
    found = cases.facts(link, metered=metered)
    return policy.plan(default, found, cases.RESERVE, cases.NOW)


def link(evidence: Evidence, problem: TaskProblem = "", *, lenient: bool = False) -> TaskLink:
    return TaskLink(task_id="P-1", evidence=evidence, problem=problem, lenient=lenient)


def test_a_call_for_an_open_task_of_ones_own_is_permitted(default: policy.PolicySet) -> None:
    found = decide(default, link("verified"))
    assert policy.decide(found, ()).effect == "permit"
    assert [draw.rule for draw in found.draws] == ["call-rate", "task-cost"]
    assert [draw.limit for draw in found.draws] == [1200, 200 * 10**9]


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (link("none"), "task_required", "Say which task this is for. Run `goodgate task start"),
        (link("inferred"), "task_required", "or send X-Task-Id."),
        (link("claimed", "unknown"), "task_unknown", "No such task is in the catalogue."),
        (link("claimed", "closed"), "task_closed", "This task is closed."),
        (link("claimed", "not_yours"), "task_not_yours", "You are no member of this task."),
    ],
)
def test_what_is_wrong_with_a_task_is_told_by_its_own_code(
    default: policy.PolicySet, given: TaskLink, code: str, says: str
) -> None:
    decision = policy.decide(decide(default, given), ())
    assert decision.effect == "forbid"
    assert decision.refusal is not None
    assert decision.refusal.code == code
    assert says in decision.refusal.message
    assert decision.refusal.message.endswith(f"({decision.refusal.place}).")
    assert "\n" not in decision.refusal.message


@pytest.mark.parametrize("problem", ["unknown", "closed", "stale"])
def test_a_task_served_leniently_is_permitted(
    default: policy.PolicySet, problem: TaskProblem
) -> None:
    given = link("claimed", problem, lenient=True)
    assert policy.decide(decide(default, given), ()).effect == "permit"


@pytest.mark.parametrize("evidence", ["none", "inferred", "claimed"])
def test_a_call_that_costs_nothing_needs_no_task_and_draws_nothing(
    default: policy.PolicySet, evidence: Evidence
) -> None:
    found = decide(default, link(evidence, "unknown"), metered=False)
    assert policy.decide(found, ()).effect == "permit"
    assert found.draws == ()


def plans(
    default: policy.PolicySet, *, metered: bool = True, results: bool = False
) -> policy.Plans:
    found = cases.facts(link("verified"), metered=metered, tool_results_only=results)
    plans = policy.Plans(default, found, cases.NOW)
    plans.reserve = cases.RESERVE
    return plans


@pytest.mark.parametrize("kind", ["near", "exact"])
def test_repeats_are_slowed_and_told_why(default: policy.PolicySet, kind: LikenessKind) -> None:
    plan = plans(default).of(kind)
    assert [draw.rule for draw in plan.draws] == ["call-rate", "near-identical", "task-cost"]
    draw = plan.draws[1]
    assert (draw.limit, draw.window_s, draw.by_cluster) == (10, 60, True)
    assert draw.key == "near-identical/calls/|5:alice|3:P-1|@"
    short = Reading(draw=draw, taken=False, retry_after_s=6.0, remaining=0)
    decision = policy.decide(plan, [short])
    assert decision.effect == "throttle"
    assert decision.refusal is not None
    assert decision.refusal.code == "near_identical_rate"
    assert "nearly the same prompt again and again." in decision.refusal.message
    assert "Try again in 6 s. Policy: near-identical" in decision.refusal.message


def test_what_is_no_repeat_is_left_alone(default: policy.PolicySet) -> None:
    for kind in get_args(LikenessKind):
        spared = plans(default, results=True).of(kind), plans(default, metered=False).of(kind)
        assert not any(draw.by_cluster for plan in spared for draw in plan.draws)
        if kind not in ("near", "exact"):
            assert not any(draw.by_cluster for draw in plans(default).of(kind).draws)


def test_identical_calls_under_way_share_a_reply_and_draw_on_the_rate_of_calls_alone(
    default: policy.PolicySet,
) -> None:
    reuse = default.settings.reuse
    assert (reuse.exact, reuse.share, reuse.ttl_s) == ("coalesce", "principal", 0)
    assert [draw.rule for draw in plans(default).offers().shared.draws] == ["call-rate"]


def test_it_drains_and_fails_closed(default: policy.PolicySet) -> None:
    assert default.disconnect == "drain"
    assert default.settings.on_store_failure.ledger == "closed"
    assert default.notes == ()

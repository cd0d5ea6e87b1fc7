"""Cases, run: quotas and clocks as the line has them, and what is said of a failure."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.rehearsal.simulation import Decided
from gateway.rehearsal.trials import testing
from tests.unit.rehearsal import files

RATE = files.policies("{id: rate, quota: {calls: 2, per: 1m, by: [principal]}}")
SPENT = files.policies("{id: spent, budget: {cost_usd: 1, period: day, by: [task]}}")
TOKENS = files.policies("{id: read, budget: {tokens: 10000, period: day, by: []}}")


def run(policies: policy.PolicySet, line: str) -> testing.Result:
    (case,) = files.read(policies, line)
    return testing.run(case, policies)


def test_a_quota_fills_and_drains_with_the_clock_of_the_case() -> None:
    result = run(
        RATE,
        "{name: A, steps: [{times: 2, expect: {effect: permit}},"
        "{expect: {effect: throttle, retry_after_s: 30}}, {after: 30s, expect: {effect: permit}},"
        "{facts: {principal.id: bob}, expect: {effect: permit, remaining: {rate: 1}}}]}",
    )

    assert result.failure is None
    assert result.passed


def test_each_case_begins_with_nothing_counted() -> None:
    line = "{{name: {}, steps: [{{times: 2, expect: {{effect: permit}}}}]}}"
    found = files.read(RATE, line.format("A"), line.format("B"))

    assert [testing.run(case, RATE).passed for case in found] == [True, True]


def test_the_first_call_that_comes_out_otherwise_is_told_with_the_rule_that_decided() -> None:
    result = run(RATE, "{name: A, steps: [{}, {times: 3, expect: {effect: permit, code: ''}}]}")

    failure = result.failure
    assert failure is not None
    assert not result.passed
    assert (failure.step, failure.call, failure.times, failure.line) == (2, 2, 3, 3)
    assert failure.where == "step 2, call 2 of 3"
    assert failure.lines == (
        "effect: expected permit, came throttle",
        "code: expected none, came quota_exceeded",
        f"decided by rate (policies/a.yaml:3): {failure.message}",
    )
    assert failure.message.startswith("The quota of 2 calls per 1m for each principal is used up.")


def test_a_failure_of_a_call_that_nothing_refused_says_so() -> None:
    result = run(
        SPENT,
        "{name: A, expect: {effect: forbid, reasons: [spent], message: Spent, "
        "remaining: {spent: 0.5}, obligations: {reply_headers: {x-a: b}}}}",
    )

    assert result.failure is not None
    assert result.failure.where == ""
    assert result.failure.lines == (
        "effect: expected forbid, came permit",
        "reasons: expected [spent], came []",
        "message: expected one with 'Spent' in it, came none",
        "obligations.reply_headers: expected {x-a: b}, came {}",
        "remaining.spent: expected 0.5, came 0.99",
        "no rule refused the call",
    )


def test_a_call_uses_what_it_reserved_unless_a_step_says_what_it_came_to() -> None:
    result = run(
        TOKENS,
        "{name: A, facts: {call.input_tokens: 600, call.output_tokens_max: 400}, steps: ["
        "{expect: {remaining: {read: 9000}}},"
        "{used: {input_tokens: 1, output_tokens: 2}, expect: {remaining: {read: 8000}}},"
        "{expect: {remaining: {read: 7997}}},"
        "{failed: true}, {expect: {remaining: {read: 6997}}}]}",
    )

    assert result.failure is None


def test_a_call_that_fails_uses_what_a_step_says_all_the_same() -> None:
    result = run(
        SPENT,
        "{name: A, steps: [{failed: true, used: {cost_usd: 0.5}}, {failed: true},"
        "{expect: {remaining: {spent: 0.49}}}]}",
    )

    assert result.failure is None


def test_a_call_that_shares_a_reply_costs_nothing() -> None:
    result = run(
        SPENT, "{name: A, steps: [{shared: reused}, {expect: {remaining: {spent: 0.99}}}]}"
    )

    assert result.failure is None


def test_calls_stay_under_way_until_a_step_closes_them() -> None:
    policies = files.policies("{id: once, quota: {concurrent: 2, by: []}}")
    result = run(
        policies,
        "{name: A, steps: [{times: 2, open: both}, {after: 1h, expect: {effect: throttle}},"
        "{close: both, times: 0}, {open: both, expect: {effect: permit, remaining: {once: 1}}}]}",
    )

    assert result.failure is None


def test_an_open_call_settles_at_what_its_own_step_says() -> None:
    result = run(
        SPENT,
        "{name: A, steps: [{open: x, used: {cost_usd: 0.25}}, {used: {},"
        "expect: {remaining: {spent: 0.98}}}, {close: x, expect: {remaining: {spent: 0.74}}}]}",
    )

    assert result.failure is None


def test_usage_is_counted_unless_it_is_given() -> None:
    policies = files.policies(
        "{id: worn, when: usage.task.day.cost_usd >= 0.02, effect: forbid}",
        "{id: team, when: usage.team.month.calls > 1, effect: forbid, mode: shadow}",
    )
    result = run(
        policies,
        "{name: A, steps: [{times: 2, expect: {effect: permit, would_have: []}},"
        "{expect: {reasons: [worn], would_have: [team]}},"
        "{facts: {usage.task.day.cost_usd: 0.01}, expect: {effect: permit, would_have: [team]}}]}",
    )

    assert result.failure is None


def test_a_capped_answer_reserves_no_more_than_its_cap() -> None:
    policies = files.policies(
        '{id: capped, when: call.model == "gpt-5", obligations: {max_output_tokens: 100}}',
        "{id: read, budget: {tokens: 10000, period: day, by: []}}",
    )
    result = run(
        policies,
        "{name: A, steps: [{expect: {remaining: {read: 8900}}},"
        "{facts: {call.output_tokens_max: 50}, expect: {remaining: {read: 7850}}},"
        "{facts: {call.model: other}, expect: {remaining: {read: 5850}}}]}",
    )

    assert result.failure is None


def test_whoever_watches_is_shown_every_decision() -> None:
    (case,) = files.read(RATE, "{name: A, steps: [{times: 3, expect: {reasons: []}}]}")
    seen: list[Decided] = []

    testing.run(case, RATE, seen.append)

    assert [each.decision.effect for each in seen] == ["permit", "permit", "throttle"]


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_quota_takes_its_limit_at_once_and_not_one_more(limit: int, asked: int) -> None:
    policies = files.policies(f"{{id: rate, quota: {{calls: {limit}, per: 1m, by: []}}}}")

    result = run(policies, f"{{name: A, steps: [{{times: {asked}, expect: {{effect: permit}}}}]}}")

    failure = result.failure
    assert (failure is None) == (asked <= limit)
    assert failure is None or failure.call == limit + 1

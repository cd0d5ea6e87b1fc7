"""Mutants of rules, and which of them cases notice."""

import pytest

from gateway import policy
from gateway.rehearsal.trials import mutation
from gateway.rehearsal.trials.mutation import Mutant
from tests.unit.rehearsal import files

FORBID = files.policies("{id: x, when: call.stream, effect: forbid}")

DUTIES = (
    "{id: x, obligations: {max_output_tokens: 5, note: N, "
    "provider_headers: {x-a: b, x-b: c}, reply_headers: {x-c: d}}}"
)


def words(policies: policy.PolicySet) -> list[str]:
    return [mutant.words for mutant in mutation.mutants(policies)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            ["{id: x, when: call.choices == 1, effect: forbid}"],
            [
                "'when' is dropped: it always matches",
                "call.choices == 1 becomes call.choices != 1",
                "1 becomes 2",
                "1 becomes 0",
                "forbid becomes permit",
                "'mode: shadow' is added",
            ],
        ),
        (
            ["{id: x, effect: forbid, mode: shadow}"],
            ["forbid becomes permit", "'mode: shadow' is dropped"],
        ),
        (["{id: x, effect: permit}"], ["permit becomes forbid"]),
        (
            ["{id: x, quota: {calls: 2, per: 1m, by: [principal, task]}}"],
            [
                "'mode: shadow' is added",
                "the quota is dropped",
                "2 calls and one more",
                "2 calls less one",
                "'per' is twice as long",
                "'per' is half as long",
                "'by' without principal.id",
                "'by' without task.id",
            ],
        ),
        (
            ["{id: x, quota: {concurrent: 2, by: []}}"],
            [
                "'mode: shadow' is added",
                "the quota is dropped",
                "2 calls and one more",
                "2 calls less one",
            ],
        ),
        (
            ["{id: x, budget: {tokens: 20, period: week, by: []}}"],
            [
                "'mode: shadow' is added",
                "the budget is dropped",
                "20 tokens doubled",
                "20 tokens halved",
                "the budget is for the day, not the week",
                "the budget is for the month, not the week",
            ],
        ),
        (
            [
                "{id: x, route: {model: a, provider: b, priority: 1}}",
                "{id: y, route: {provider: b}, mode: shadow}",
            ],
            [
                "'mode: shadow' is added",
                "'route' is dropped",
                "'route' without model",
                "'route' without provider",
                "'route' without priority",
                "'mode: shadow' is dropped",
                "'route' is dropped",
            ],
        ),
        (
            ["{id: x, route: {model: a, priority: 1}}"],
            ["'mode: shadow' is added", "'route' is dropped"],
        ),
        (
            [
                DUTIES,
            ],
            [
                "permit becomes forbid",
                "max_output_tokens is dropped",
                "max_output_tokens and one more",
                "max_output_tokens less one",
                "the note is dropped",
                "provider_headers without x-a",
                "provider_headers without x-b",
                "reply_headers without x-c",
            ],
        ),
        (
            ["{id: x, obligations: {reply_headers: {x-a: b}}}"],
            ["permit becomes forbid", "reply_headers without x-a"],
        ),
        (
            ["{id: x, obligations: {note: N}}"],
            ["permit becomes forbid", "the note is dropped"],
        ),
    ],
)
def test_each_rule_is_changed_in_one_thing_at_a_time(rules: list[str], expected: list[str]) -> None:
    assert words(files.policies(*rules)) == expected


def test_a_mutant_differs_and_says_where_its_rule_is() -> None:
    found = list(mutation.mutants(FORBID))

    assert all(mutant.rule != FORBID.rules[0] for mutant in found)
    assert {mutant.place for mutant in found} == {"policies/a.yaml:3"}


def test_mutants_that_no_case_notices_survive() -> None:
    cases = files.read(FORBID, "{name: A, facts: {call.stream: true}, expect: {effect: forbid}}")
    told: list[Mutant] = []

    survey = mutation.survey(FORBID, cases, told.append)

    assert survey.mutants == len(told) == 3
    assert [each.words for each in survey.survivors] == ["'when' is dropped: it always matches"]


def test_cases_that_look_at_both_sides_let_none_survive() -> None:
    cases = files.read(
        FORBID,
        "{name: A, facts: {call.stream: true}, expect: {effect: forbid}}",
        "{name: B, expect: {effect: permit}}",
    )

    assert mutation.survey(FORBID, cases).survivors == ()


def test_the_periods_and_counters_of_a_limit_are_looked_at() -> None:
    policies = files.policies("{id: x, budget: {cost_usd: 2, period: hour, by: [team]}}")
    blind = files.read(
        policies,
        "{name: A, steps: [{times: 200, expect: {effect: permit}}, {expect: {effect: forbid}}]}",
    )

    survivors = [each.words for each in mutation.survey(policies, blind).survivors]

    assert survivors == ["the budget is for the day, not the hour", "'by' without principal.team"]


def test_meters_are_no_rules_to_change() -> None:
    policies = files.policies("{id: x, when: usage.task.day.calls > 1, effect: forbid}")

    assert {mutant.rule.id for mutant in mutation.mutants(policies)} == {"x"}


def test_a_mutant_that_reads_usage_is_counted_for() -> None:
    policies = files.policies("{id: x, when: usage.task.day.calls >= 2, effect: forbid}")
    cases = files.read(
        policies,
        "{name: A, steps: [{times: 2, expect: {effect: permit}}, {expect: {effect: forbid}}]}",
    )

    assert mutation.survey(policies, cases).survivors == ()

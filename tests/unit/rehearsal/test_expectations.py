"""Expectations: read strictly, and met or not."""

from decimal import Decimal

import pytest
from msgspec import structs

from gateway.rehearsal.trials import testing
from gateway.rehearsal.trials.expectations import Expected
from tests.unit.rehearsal import files

POLICIES = files.policies(
    '{id: no-drafts, when: call.model == "draft", effect: forbid, message: Not this one.}',
    '{id: to-mini, when: call.model == "big", route: {model: mini, provider: local}}',
    '{id: capped, when: call.model == "big", obligations: {max_output_tokens: 10, '
    "provider_headers: {x-a: b}, reply_headers: {x-c: d}, note: Short answers.}}",
    '{id: shadowed, when: call.model == "small", effect: forbid, mode: shadow}',
    '{id: spent, when: call.model == "big", budget: {cost_usd: 2, period: day, by: []}}',
    '{id: rate, when: call.model == "slow", quota: {calls: 1, per: 1m, by: []}}',
    '{id: odd, when: call.model == "odd", quota: {calls: 7, per: 1m, by: []}}',
)


def met(model: str, expect: str, *, times: int = 1) -> bool:
    (case,) = files.read(
        POLICIES,
        f"{{name: A, facts: {{call.model: {model}}}, "
        f"steps: [{{times: {times - 1}}}, {{expect: {{{expect}}}}}]}}",
    )
    return testing.run(case, POLICIES).passed


@pytest.mark.parametrize(
    ("model", "right", "wrong"),
    [
        ("draft", "effect: forbid", "effect: permit"),
        ("draft", "reasons: [no-drafts]", "reasons: []"),
        ("draft", "code: policy_forbids", "code: quota_exceeded"),
        ("draft", "message: Not this one", "message: This one"),
        ("draft", "rule: no-drafts", "rule: rate"),
        ("draft", "rule: no-drafts", "rule: ''"),
        ("small", "rule: ''", "rule: shadowed"),
        ("small", "would_have: [shadowed]", "would_have: []"),
        ("small", "code: ''", "code: policy_forbids"),
        ("small", "message: ''", "message: Not"),
        ("draft", "message: Not", "message: ''"),
        ("small", "retry_after_s: 0", "retry_after_s: 1"),
        ("big", "route: {model: mini}", "route: {model: big}"),
        ("big", "route: {provider: local}", "route: {provider: ''}"),
        ("small", "route: {model: '', provider: ''}", "route: {model: small}"),
        ("big", "obligations: {max_output_tokens: 10}", "obligations: {max_output_tokens: 11}"),
        ("big", "obligations: {max_output_tokens: 10}", "obligations: {max_output_tokens: null}"),
        ("small", "obligations: {max_output_tokens: null}", "obligations: {max_output_tokens: 1}"),
        (
            "big",
            "obligations: {provider_headers: {x-A: b}}",
            "obligations: {provider_headers: {x-a: c}}",
        ),
        ("big", "obligations: {reply_headers: {x-c: d}}", "obligations: {reply_headers: {}}"),
        ("big", "obligations: {note: Short}", "obligations: {note: Long}"),
        ("big", "obligations: {note: Short}", "obligations: {note: ''}"),
        ("small", "obligations: {note: ''}", "obligations: {note: Short}"),
        ("big", "remaining: {spent: 1.99}", "remaining: {spent: 1.98}"),
        ("slow", "remaining: {rate: 0}", "remaining: {rate: 1}"),
        ("small", "effect: permit", "remaining: {rate: 0}"),
    ],
)
def test_an_expectation_is_met_or_not(model: str, right: str, wrong: str) -> None:
    assert met(model, right)
    assert not met(model, wrong)


def test_a_wait_is_told_in_whole_seconds() -> None:
    assert met("slow", "effect: throttle, retry_after_s: 60, code: quota_exceeded", times=2)
    assert not met("slow", "retry_after_s: 61", times=2)
    assert met("odd", "retry_after_s: 9", times=8)


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("efect: permit", "unknown key 'efect' in expect; did you mean 'effect'?"),
        ("effect: deny", "expected one of permit, throttle, forbid"),
        ("reasons: [no-draft]", "unknown rule 'no-draft'; did you mean 'no-drafts'?"),
        ("would_have: [zzz]", "unknown rule 'zzz'; the policies have no such rule"),
        ("rule: rat", "unknown rule 'rat'; did you mean 'rate'?"),
        ("reasons: rate", "expected a list"),
        ("reasons: [1]", "unknown rule '1'"),
        ("code: quota_exceded", "did you mean 'quota_exceeded'?"),
        ("message: 1", "expected a text"),
        ("retry_after_s: 1.5", "expected a whole number"),
        ("route: {modle: x}", "unknown key 'modle' in route; did you mean 'model'?"),
        ("route: mini", "expected route: a mapping"),
        ("obligations: {max_tokens: 1}", "unknown key 'max_tokens' in obligations"),
        ("obligations: {max_output_tokens: x}", "expected a whole number"),
        ("obligations: {reply_headers: x}", "expected reply_headers: a mapping"),
        ("remaining: {rates: 1}", "unknown rule 'rates'; did you mean 'rate'?"),
        ("remaining: {zzz: 1}", "unknown rule 'zzz'; the policies have no such rule"),
        ("remaining: {rate: many}", "expected a number"),
    ],
)
def test_a_mistake_is_told_with_the_nearest_name(expect: str, said: str) -> None:
    found = files.mistakes(POLICIES, files.case_file(f"{{name: A, expect: {{{expect}}}}}"))

    assert any(said in each for each in found), found


def test_only_words_are_contained() -> None:
    expected = Expected(what="message", value="x", line=1)

    assert expected.contained
    assert not structs.replace(expected, value="").contained
    assert not structs.replace(expected, what="code").contained
    assert not structs.replace(expected, what="remaining.a", value=Decimal(1)).contained

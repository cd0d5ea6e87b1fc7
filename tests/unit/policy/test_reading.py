"""One rule of a policy file: each mistake, whole, with its place; and what a sound rule becomes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import policy
from gateway.errors import ConfigError
from gateway.policy.rules import Duties, Rerouting
from tests.unit.policy import cases

NEAR = "'likeness.kind == \"near\"'"


def mistakes() -> Iterator[tuple[str, list[str]]]:
    """Yield each rule of `mistakes.txt`, and all that is to be said of it."""
    text = (Path(__file__).parent / "mistakes.txt").read_text("utf-8")
    for piece in text.split("\n\n")[1:]:
        rule, *said = piece.strip().split("\n")
        yield rule, [f"a.yaml:{line.strip()}" for line in said]


MISTAKES = tuple(mistakes())


def told_of(rule: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        cases.load(rule)
    return str(caught.value).split("\n")


@pytest.mark.parametrize(("rule", "said"), MISTAKES, ids=[rule for rule, _ in MISTAKES])
def test_a_mistake_in_a_rule_is_told_whole_with_its_place_and_its_remedy(
    rule: str, said: list[str]
) -> None:
    assert told_of(rule) == said


def test_a_great_many_different_mistakes_are_told_apart() -> None:
    different = {line.split(": ", 1)[1] for _, said in MISTAKES for line in said}
    assert len(different) > 60


def test_a_message_of_several_lines_becomes_one() -> None:
    text = "version: 1\nrules:\n - id: a\n   effect: forbid\n   message: |\n     x\n     y\n"
    assert policy.load([("a.yaml", text)]).rule("a").refusal.message == "x y Policy: a (a.yaml:3)."


@pytest.mark.parametrize(
    ("route", "read"),
    [
        ("{model: gpt-5-mini}", Rerouting(model="gpt-5-mini")),
        ("{provider: local, priority: -3}", Rerouting(provider="local", priority=-3)),
        (
            "{model: meta/llama:8b, provider: local, priority: 10}",
            Rerouting(model="meta/llama:8b", provider="local", priority=10),
        ),
    ],
)
def test_a_rule_with_a_route_permits_and_says_who_answers(route: str, read: Rerouting) -> None:
    rule = cases.load(f"{{id: a, route: {route}, mode: shadow}}").rule("a")
    assert (rule.effect, rule.route, rule.shadow, rule.duties) == ("permit", read, True, None)


def test_a_rule_with_obligations_permits_and_says_what_a_call_keeps_to() -> None:
    text = """\
version: 1
rules:
  - id: a
    effect: permit
    obligations:
      max_output_tokens: 10_000
      provider_headers: {x-b: "2", openai-project: p}
      reply_headers: {x-a: "say ~ !"}
      note: >
        Be brief,
        please.
""".replace("10_000", "10000")
    rule = policy.load([("a.yaml", text)]).rule("a")
    assert (rule.effect, rule.route, rule.refusal.code) == ("permit", None, "")
    assert rule.duties == Duties(
        output_tokens_max=10_000,
        provider_headers=(("openai-project", "p"), ("x-b", "2")),
        reply_headers=(("x-a", "say ~ !"),),
        note="Be brief, please.",
    )


def test_a_permit_with_nothing_else_is_a_rule() -> None:
    rule = cases.load("{id: a, effect: permit, mode: enforce}").rule("a")
    assert (rule.effect, rule.shadow, rule.limit, rule.refusal.code) == ("permit", False, None, "")


@pytest.mark.parametrize(
    ("rule", "effect", "code"),
    [
        ("{id: a, effect: forbid}", "forbid", "policy_forbids"),
        ("{id: a, effect: forbid, code: task_closed}", "forbid", "task_closed"),
        ("{id: a, effect: throttle, quota: {calls: 1, per: 1m, by: []}}", "throttle", "quota_exce"),
        ("{id: a, quota: {concurrent: 1, by: []}}", "throttle", "quota_exceeded"),
        ("{id: a, quota: {calls: 1, per: 1m, by: [likeness.cluster]}}", "throttle", "near_iden"),
        ("{id: a, quota: {concurrent: 1, by: [likeness.cluster]}}", "throttle", "quota_exceeded"),
        ("{id: a, effect: forbid, budget: {calls: 1, period: day, by: []}}", "forbid", "quota_exc"),
    ],
)
def test_what_a_rule_refuses_with_follows_from_its_limit(rule: str, effect: str, code: str) -> None:
    read = cases.load(rule).rule("a")
    assert read.effect == effect
    assert read.refusal.code.startswith(code)


def test_duties_that_no_provider_sees_may_depend_on_the_likeness() -> None:
    rule = f"{{id: a, when: {NEAR}, obligations: {{note: again?, reply_headers: {{x-a: b}}}}}}"
    assert cases.load(rule).rule("a").reads_kind


@pytest.mark.parametrize(
    "duty", ["max_output_tokens: 5", "provider_headers: {x-a: b}", "note: x, max_output_tokens: 5"]
)
def test_duties_that_a_provider_sees_may_not(duty: str) -> None:
    (said,) = told_of(f"{{id: a, when: {NEAR}, obligations: {{{duty}}}}}")
    assert said == (
        "a.yaml:3:20: in 'when': likeness.kind is known only once it is settled where the call "
        "goes, so max_output_tokens and provider_headers cannot depend on it: remove it"
    )


def test_where_a_condition_reads_what_it_may_not_is_shown_within_it() -> None:
    text = """\
version: 1
rules:
  - id: a
    route: {model: x}
    when: |
      call.metered
      && likeness . kind == "near" && likeness.kind == "exact"
"""
    for wide, place in ((text, "7:39"), (text.replace('likeness.kind == "exact"', "true"), "6:7")):
        with pytest.raises(ConfigError) as caught:
            policy.load([("a.yaml", wide)])
        assert str(caught.value).startswith(f"a.yaml:{place}: in 'when': likeness.kind is known")


def test_nothing_more_is_said_of_a_rule_whose_condition_is_wrong() -> None:
    (said,) = told_of("{id: a, route: {model: x}, when: 'likeness.kind == \"naer\"'}")
    assert "likeness.kind is never 'naer'" in said

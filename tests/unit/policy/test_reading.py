"""One rule of a policy file: each mistake, with its place and its remedy."""

import pytest

from gateway import policy
from gateway.errors import ConfigError
from tests.unit.policy import cases


def told_of(rule: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        cases.load(rule)
    return str(caught.value).split("\n")


MISTAKES = [
    ("{effect: forbid}", "3:5: a rule needs 'id', and it is missing"),
    ("{id: No, effect: forbid}", "3:10: read the text 'No' in 'id', expected 1 to 64 of"),
    ("{id: a}", "3:5: a rule needs 'effect', 'quota' or 'budget'"),
    ("{id: a, efect: forbid}", "3:13: unknown key 'efect' in a rule; did you mean 'effect'?"),
    ("{id: a, effect: forbit}", "3:21: read the text 'forbit' in 'effect', expected one of permit"),
    ("{id: a, effect: throttle}", "expected permit or forbid: only a rule with a quota throttles"),
    ("{id: a, effect: forbid, mode: shadw}", "did you mean 'shadow'?"),
    ("{id: a, effect: forbid, code: task_requird}", "did you mean 'task_required'?"),
    ("{id: a, effect: forbid, message: 1}", "read the number '1' in 'message', expected a text"),
    ("{id: a, effect: forbid, when: 5}", "3:35: read the number '5' in 'when', expected a text"),
    ("{id: a, effect: forbid, when: call.stram}", "3:35: in 'when': unknown fact 'call.stram'"),
    ("[a]", "3:5: read a list, expected a rule: a mapping"),
    ("{id: a, quota: 5}", "3:20: read the number '5', expected a quota: a mapping"),
    ("{id: a, quota: {calls: 5, per: 1m}}", "a quota needs 'by', and it is missing"),
    ("{id: a, quota: {per: 1m, by: []}}", "a quota needs exactly one of calls, tokens, cost_usd"),
    ("{id: a, quota: {calls: 1, tokens: 1, per: 1m, by: []}}", "a quota needs exactly one of"),
    ("{id: a, quota: {calls: 0, per: 1m, by: []}}", "expected more than 0, at most"),
    ("{id: a, quota: {calls: many, per: 1m, by: []}}", "expected a whole number"),
    ("{id: a, quota: {cost_usd: 0, per: 1m, by: []}}", "expected more than 0, at most"),
    ("{id: a, quota: {calls: 1, per: 1w, by: []}}", "expected a time such as 30s, 1m, 6h or 1d"),
    ("{id: a, quota: {calls: 1, per: 32d, by: []}}", "at most 31d"),
    ("{id: a, quota: {calls: 1, per: 60, by: []}}", "expected a time such as"),
    ("{id: a, quota: {calls: 1, per: 1m, by: [tsk]}}", "cannot count by the text 'tsk'; did you"),
    ("{id: a, quota: {calls: 1, per: 1m, by: [now.hour]}}", "cannot count by the text 'now.hour'"),
    ("{id: a, quota: {calls: 1, per: 1m, by: [likeness.kind]}}", "mean 'likeness.cluster'?"),
    ("{id: a, when: 'likeness.cluster != \"\"', quota: {calls: 1, per: 1m, by: []}}",
     "3:20: in 'when': likeness.cluster can be counted by, not compared"),
    ("{id: a, budget: {calls: 1, period: day, by: [task, likeness.cluster]}}",
     "the ledger counts budgets by principal, team, task, root, model: a quota can count by "),
    ("{id: a, budget: {calls: 1, period: day, by: [route]}}", "a quota can count by 'route'"),
    ("{id: a, budget: {calls: 1, period: day, by: [tsk]}}", "the text 'tsk'; did you mean 'task'?"),
    ("{id: a, quota: {calls: 1, per: 1m, by: [1]}}", "cannot count by the number '1'; expected"),
    ("{id: a, quota: {calls: 1, per: 1m, by: [task, task.id]}}", "'task.id' is counted by already"),
    ("{id: a, quota: {calls: 1, per: 1m, by: task}}", "expected a list"),
    ("{id: a, quota: {calls: 1, period: day, by: []}}", "unknown key 'period' in a quota"),
    ("{id: a, budget: {calls: 1, period: year, by: []}}", "expected one of hour, day, week, month"),
    ("{id: a, budget: {calls: 1, period: '', by: []}}", "expected one of hour, day, week, month"),
    ("{id: a, effect: forbid, quota: {calls: 1, per: 1m, by: []}}",
     "expected 'throttle' (or nothing) in a rule with a quota"),
    ("{id: a, effect: permit, budget: {calls: 1, period: day, by: []}}",
     "expected 'forbid' (or nothing) in a rule with a budget"),
    ("{id: a, quota: {calls: 1, per: 1m, by: []}, budget: {calls: 1, period: day, by: []}}",
     "3:49: a rule has a quota or a budget, and not both: write two rules"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "said"), MISTAKES)
def test_a_mistake_in_a_rule_is_told_with_its_remedy(rule: str, said: str) -> None:
    lines = told_of(rule)
    assert any(said in line for line in lines), lines
    assert all(line.startswith("a.yaml:3:") for line in lines)


def test_a_message_of_several_lines_becomes_one() -> None:
    found = policy.load(
        [
            (
                "a.yaml",
                "version: 1\nrules:\n - id: a\n   effect: forbid\n   message: |\n     x\n     y\n",
            )
        ]
    )
    assert found.rule("a").refusal.message == "x y Policy: a (a.yaml:3)."

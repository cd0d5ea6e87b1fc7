"""Which rules match, remembered or not, and what happens when a condition errs."""

import pytest

from gateway import policy
from gateway.policy import matching
from gateway.values import Decision, TaskLink
from tests.unit.policy import cases

FORBID = "{id: forbids, when: 'call.model == \"opus\"', effect: forbid, message: No opus here.}"


def plan(*rules: str) -> policy.Plan:
    return policy.plan(cases.load(*rules), cases.facts(), cases.RESERVE, cases.NOW)


def decide(plan: policy.Plan) -> Decision:
    return policy.decide(plan, ())


ERRS = "when: 1 / (call.choices - 1) == 0"


def test_a_condition_that_errs_matches_for_forbid_and_not_otherwise_and_is_counted() -> None:
    assert decide(found := plan(f"{{id: f, effect: forbid, {ERRS}}}")).effect == "forbid"
    assert found.errors == ("f",)
    found = plan(
        f"{{id: s, effect: forbid, mode: shadow, {ERRS}}}",
        f"{{id: p, effect: permit, {ERRS}}}",
        f"{{id: q, quota: {{calls: 1, per: 1m, by: []}}, {ERRS}}}",
        f"{{id: b, budget: {{calls: 1, period: day, by: []}}, {ERRS}}}",
    )
    assert found.draws == ()
    assert found.errors == ("b", "p", "q", "s")
    assert decide(found).would_have == ("s",)
    assert decide(found).reasons == ()


def test_what_is_remembered_of_facts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "REMEMBERED_MAX", 8)
    found = cases.load(FORBID)
    for number in range(100):
        facts = cases.facts(model=f"m{number}")
        assert policy.plan(found, facts, cases.RESERVE, cases.NOW).draws == ()
        assert len(found.matcher._verdicts) <= 8
    long = cases.facts(model="m" * 100_000)
    before = len(found.matcher._verdicts)
    assert policy.decide(policy.plan(found, long, cases.RESERVE, cases.NOW), ()).effect == "permit"
    assert len(found.matcher._verdicts) == before


def test_what_is_remembered_gives_the_same_decision_as_what_is_evaluated() -> None:
    rules = cases.load(
        FORBID,
        "{id: a, when: 'task.id == \"A-1\" && call.stream', effect: forbid}",
        "{id: b, when: 'task.id == \"A-1\"', effect: forbid}",
        "{id: c, when: 'task.evidence == \"none\"', effect: forbid}",
    )
    for _ in range(2):
        for link, model, reasons in (
            (cases.LINKED, "m", ()),
            (cases.LINKED, "opus", ("forbids",)),
            (TaskLink(task_id="A-1", evidence="claimed"), "m", ("b",)),
            (TaskLink(), "opus", ("c", "forbids")),
        ):
            found = cases.facts(link, model=model)
            decided = policy.decide(policy.plan(rules, found, cases.RESERVE, cases.NOW), ())
            assert decided.reasons == reasons

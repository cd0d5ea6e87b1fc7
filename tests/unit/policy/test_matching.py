"""Which rules match, remembered or not, and what happens when a condition errs."""

import pytest

from gateway import policy
from gateway.policy import matching
from gateway.values import Decision, TaskLink, Terms
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
        assert len(found.matcher._seen) <= 8
    long = cases.facts(model="m" * 100_000)
    before = len(found.matcher._seen)
    assert policy.decide(policy.plan(found, long, cases.RESERVE, cases.NOW), ()).effect == "permit"
    assert len(found.matcher._seen) == before


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


def terms(*rules: str) -> Terms:
    return decide(plan(*rules)).terms


SMALL = "{id: small, when: 'call.model == \"gpt-5-mini\"', route: {model: nano}}"
LOCAL = "{id: local, when: task.value < 1.0, route: {provider: here, priority: 5}}"


def test_the_route_of_the_highest_priority_has_its_way_and_alone_is_a_reason() -> None:
    both = decide(plan(SMALL, LOCAL, "{id: fine, effect: permit}"))
    assert both.terms == Terms(rule="local", place="a.yaml:4", provider="here")
    assert both.reasons == ("fine", "local")
    assert terms(SMALL) == Terms(rule="small", place="a.yaml:3", model="nano")
    never = SMALL.replace("gpt-5-mini", "opus")
    assert decide(plan(never)) == decide(plan(never))
    assert terms(never) == Terms()


@pytest.mark.parametrize(
    ("priority", "would_have"), [(4, ()), (5, ("later",)), (6, ("later",)), (-1, ())]
)
def test_a_shadow_route_would_have_had_its_way_unless_a_higher_one_has(
    priority: int, would_have: tuple[str, ...]
) -> None:
    later = f"{{id: later, route: {{model: x, priority: {priority}}}, mode: shadow}}"
    decided = decide(plan(LOCAL, later))
    assert (decided.terms.rule, decided.would_have) == ("local", would_have)
    assert decide(plan(later)).would_have == ("later",)
    assert decide(plan(later)).terms == Terms()


def test_of_several_duties_the_strictest_and_all_headers_and_notes_hold() -> None:
    decided = decide(
        plan(
            "{id: b, obligations: {max_output_tokens: 70, note: two, provider_headers: {x-b: b}}}",
            "{id: a, obligations: {note: one, provider_headers: {x-b: b, x-a: a}}}",
            "{id: c, obligations: {max_output_tokens: 90, reply_headers: {x-z: z, x-c: c}}}",
            "{id: d, when: call.stream, obligations: {max_output_tokens: 1, note: no}}",
            SMALL,
        )
    )
    assert decided.reasons == ("a", "b", "c", "small")
    assert decided.terms == Terms(
        rule="small",
        place="a.yaml:7",
        model="nano",
        output_tokens_max=70,
        headers=(("x-a", "a"), ("x-b", "b")),
    )
    assert decided.obligations.note == "one | two"
    assert decided.obligations.reply_headers == (("x-c", "c"), ("x-z", "z"))


def test_notes_together_are_no_longer_than_a_header_may_be() -> None:
    notes = [f"{{id: n{at}, obligations: {{note: {'x' * 248}}}}}" for at in range(3)]
    assert len(decide(plan(*notes[:2])).obligations.note) == 499
    note = decide(plan(*notes)).obligations.note
    assert (len(note), note[-4:]) == (500, "x...")


def test_duties_that_only_face_the_caller_may_depend_on_the_kind() -> None:
    rules = cases.load(
        "{id: again, when: 'likeness.kind == \"exact\"', obligations: {note: Again.}}"
    )
    for kind, note in (("new", ""), ("exact", "Again.")):
        facts = cases.facts() | {"likeness.kind": kind}
        decided = policy.decide(policy.plan(rules, facts, cases.RESERVE, cases.NOW), ())
        assert decided.obligations.note == note


def test_what_many_rules_say_at_once_is_remembered_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matching, "REMEMBERED_MAX", 8)
    found = cases.load(
        *(f"{{id: r{at}, when: call.choices > {at}, effect: permit}}" for at in range(64))
    )
    for choices in range(1, 60):
        facts = cases.facts() | {"call.choices": choices}
        decided = policy.decide(policy.plan(found, facts, cases.RESERVE, cases.NOW), ())
        assert len(decided.reasons) == choices
        assert len(found.matcher._matched) <= (8 if choices < 16 else 8 // (choices // 16) + 1)

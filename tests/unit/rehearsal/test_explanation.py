"""Explanations: the line's own decision, every rule beside it, and what was recorded."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from gateway import policy
from gateway.ledger import DecisionRecord, Level
from gateway.rehearsal.explanations import explanation
from gateway.rehearsal.explanations.explanation import Explanation, Said
from gateway.rehearsal.trials import situations
from gateway.values import Facts, Reserve
from tests.unit.policy.cases import load

NOW = 1_772_445_600.0
CAP = "max_output_tokens: 9, note: hi, provider_headers: {x-a: b}, reply_headers: {x-b: c}"
RULES = (
    "{id: no-task, when: 'task.evidence == \"none\"', effect: forbid, message: Name a task.}",
    "{id: rate, when: call.metered, quota: {calls: 10, per: 1m, by: [principal]}}",
    "{id: alike, when: call.metered, quota: {calls: 5, per: 1m, by: [likeness.cluster]}}",
    "{id: spend, budget: {cost_usd: 4, period: day, by: [team]}, mode: shadow}",
    "{id: cheap, when: task.value < 0.2, route: {model: gpt-5-mini, provider: local}}",
    "{id: cheaper, when: task.value < 0.1, route: {model: nano, priority: 2}}",
    "{id: cheapest, when: task.value < 0.1, route: {provider: x, priority: 3}, mode: shadow}",
    f"{{id: cap, obligations: {{{CAP}}}}}",
    "{id: fine, when: call.stream, effect: permit}",
    "{id: hush, when: call.stream, effect: forbid, mode: shadow}",
    "{id: odd, when: 1 / call.choices > 5, effect: forbid}",
    "{id: odder, when: 1 / call.choices > 5, effect: permit}",
)
POLICIES = load(*RULES)
NOTHING = policy.load([("a.yaml", "version: 1\nrules: []\n")])


def facts(**given: object) -> Facts:
    return situations.whole({name.replace("__", "."): each for name, each in given.items()}, NOW)


def explain(levels: tuple[Level, ...] = (), **given: object) -> Explanation:
    return explanation.explain(POLICIES, facts(**given), now=NOW, levels=levels)


def level(rule: str, remaining: int, *, amount: int = 1, taken: bool = False) -> Level:
    return Level(rule, amount, remaining, taken, 0.0 if taken else 6.0)


def words(found: Explanation) -> Mapping[str, str]:
    return {each.rule: each.came_to for each in found.rules}


def said(found: Explanation, rule: str) -> Said:
    return next(each for each in found.rules if each.rule == rule)


def test_a_refusal_is_that_of_the_line_and_its_rule_stands_first() -> None:
    found = explain(task__evidence="none", task__value=0.05)
    conclusion = found.conclusion
    assert (conclusion.effect, conclusion.code, conclusion.rule) == (
        "forbid",
        "policy_forbids",
        "no-task",
    )
    assert (conclusion.place, conclusion.message) == (
        "a.yaml:3",
        "Name a task. Policy: no-task (a.yaml:3).",
    )
    assert found.rules[0].rule == "no-task"
    assert found.at == "2026-03-02 10:00:00 UTC"
    assert words(found) == {
        "no-task": "refuses the call",
        "rate": "not asked: the call is refused whatever is left",
        "alike": "not asked: the call is refused whatever is left",
        "spend": "not asked: the call is refused whatever is left",
        "cheap": "would send the call to gpt-5-mini at local, were it not refused",
        "cheaper": "would send the call to nano, were it not refused",
        "cheapest": "would send the call to the same model at x, were it not refused",
        "cap": "demands at most 9 output tokens; x-a: b to the provider; x-b: c on the reply; "
        "a note to the caller: hi; the refusal wins",
        "fine": "",
        "hush": "",
        "odd": "",
        "odder": "",
    }


def test_a_permit_says_who_answers_and_whose_room_was_not_asked_for() -> None:
    found = explain(task__value=0.05, call__stream=True)
    conclusion = found.conclusion
    assert conclusion.permitted
    assert (conclusion.terms.rule, conclusion.terms.model) == ("cheaper", "nano")
    assert conclusion.would_have == ("cheapest", "hush")
    assert conclusion.unasked == ("alike", "rate")
    told = words(found)
    assert told["cheaper"] == "sends the call to nano"
    assert (
        told["cheap"] == "would send the call to gpt-5-mini at local; cheaper has a higher priority"
    )
    assert told["cheapest"] == "would have sent the call to the same model at x"
    assert told["hush"] == "would have refused the call"
    assert told["fine"] == "permits the call"
    assert told["rate"] == "counts the call, if there is room"
    assert [each.rule for each in found.rules if each.decided] == [
        *("cap", "cheaper", "fine"),
        *("cheapest", "hush"),
    ]


def test_a_condition_that_errs_matches_for_forbid_alone() -> None:
    found = explain(call__choices=0)
    assert found.conclusion.rule == "odd"
    assert said(found, "odd").verdict == said(found, "odder").verdict == "errs"
    told = words(found)
    assert told["odd"].startswith("refuses the call: a condition that errs counts as true")
    assert told["odder"] == "takes no part: a condition that errs counts as false here"


def test_levels_decide_as_they_did_on_the_line() -> None:
    levels = (
        level("rate", 0),
        level("alike", 3),
        level("spend", 5, amount=10_000_000),
    )
    found = explain(levels)
    assert (found.conclusion.effect, found.conclusion.reasons) == ("throttle", ("rate",))
    assert found.conclusion.would_have == ("spend",)
    assert found.rules[0].rule == "rate"
    told = words(found)
    assert told["rate"] == "slows the call"
    assert told["alike"] == "had room"
    assert told["spend"] == "would have refused the call"
    stood = said(found, "rate").standing
    assert stood is not None
    assert (stood.before, stood.limit, stood.fits) == (10, 10, False)


def test_a_call_larger_than_a_quota_is_refused_and_room_is_told() -> None:
    enforced = load(
        "{id: a, budget: {cost_usd: 1, period: day, by: [team]}}",
        "{id: b, quota: {calls: 1, per: 1m, by: [team]}}",
        "{id: c, quota: {calls: 1, per: 1m, by: [principal]}}",
    )
    levels = [level("a", 0, amount=5), level("b", 0), level("c", 1)]
    found = explanation.explain(enforced, facts(), now=NOW, levels=levels)
    assert (found.conclusion.effect, found.conclusion.rule) == ("forbid", "a")
    assert words(found) == {"a": "refuses the call", "b": "has no room either", "c": "had room"}
    taken = [level("a", 10, taken=True), level("b", 0, taken=True), level("c", 0, taken=True)]
    assert set(words(explanation.explain(enforced, facts(), now=NOW, levels=taken)).values()) == {
        "has room"
    }


def test_what_is_not_compared_is_not_counted_by_what_it_is_like() -> None:
    found = explain(likeness__kind="short")
    assert words(found)["alike"] == "does not count a call that is short"
    assert said(found, "alike").standing is None


def test_a_teams_own_rule_asks_for_the_team_first() -> None:
    file = "version: 1\nteam: web\nrules:\n  - {id: x, when: call.stream, effect: forbid}\n"
    other = "version: 1\nteam: web\nrules:\n  - {id: y, effect: forbid}\n"
    policies = policy.load([("teams/web.yaml", file)])
    found = explanation.explain(policies, facts(call__stream=True), now=NOW)
    parts = found.rules[0].parts
    assert parts is not None
    assert (found.rules[0].team, found.rules[0].verdict) == ("web", "does not match")
    assert parts.text == 'principal.team == "web" && call.stream'
    assert [each.decided for each in parts.below] == [True, False]
    alone = explanation.explain(policy.load([("teams/web.yaml", other)]), facts(), now=NOW)
    assert alone.conclusion.permitted
    assert alone.rules[0].parts is not None
    assert alone.rules[0].parts.text == 'principal.team == "web"'


def test_quotas_count_what_a_call_comes_to_as_it_is_sent() -> None:
    reserve = Reserve(input_tokens=1, output_tokens=2, cost_usd=Decimal("0.5"))
    found = explanation.explain(POLICIES, facts(), reserve=reserve, now=NOW)
    stood = said(found, "spend").standing
    assert stood is not None
    assert stood.asked == 0.5


def test_only_what_a_rule_demands_is_told() -> None:
    capped = load("{id: a, obligations: {max_output_tokens: 9}}", "{id: b, obligations: {note: x}}")
    assert words(explanation.explain(capped, facts(), now=NOW)) == {
        "a": "demands at most 9 output tokens",
        "b": "demands a note to the caller: x",
    }


def test_an_explanation_survives_the_way_over_http() -> None:
    found = explain((level("rate", 0),), task__value=0.05)
    sent = msgspec.json.decode(msgspec.json.encode(found))
    assert msgspec.convert(sent, type=Explanation) == found


# --- what was recorded ----------------------------------------------------------------------


def record(found: Explanation, **changes: object) -> DecisionRecord:
    """Return the record a call leaves that is decided as explained."""
    conclusion = found.conclusion
    made = DecisionRecord(
        at_us=int(NOW * 1e6),
        code=conclusion.code,
        effect=conclusion.effect,
        facts={**found.facts, "principal.id": "pseudonym", "principal.key_id": "other"},
        policy=conclusion.policy,
        principal="pseudonym",
        reasons=conclusion.reasons,
        request_id="req_1",
        reserved_cost_usd="0.01",
        would_have=conclusion.would_have,
        alike="req_0",
        because="said again",
        model="gpt-5",
        provider="openai",
    )
    return msgspec.structs.replace(made, **changes)


def test_a_record_is_explained_as_it_was_decided() -> None:
    levels = (level("rate", 0), level("alike", 3), level("spend", 5, amount=10_000_000))
    live = explain(levels)
    again = explanation.explain_record(record(live, levels=levels), POLICIES, in_force=POLICIES)
    assert again.conclusion == live.conclusion
    assert again.rules == live.rules
    assert again.notes == ()
    assert (again.request_id, again.alike, again.because) == ("req_1", "req_0", "said again")
    assert (again.model, again.provider, again.now_in_force) == ("gpt-5", "openai", None)


def test_others_see_a_pseudonym_and_the_caller_a_name() -> None:
    live = record(explain())
    assert explanation.explain_record(live, POLICIES).facts["principal.id"] == "pseudonym"
    named = explanation.explain_record(live, POLICIES, names={"principal.id": "alice"})
    assert named.facts["principal.id"] == "alice"
    assert named.facts["principal.key_id"] == "other"


def test_a_rule_that_asks_who_calls_may_answer_otherwise_under_a_pseudonym() -> None:
    policies = load("{id: x, when: principal.id == 'alice', effect: forbid}")
    live = explanation.explain(policies, facts(), now=NOW)
    found = explanation.explain_record(record(live), policies)
    assert found.conclusion.rule == "x"
    assert found.conclusion.code == "policy_forbids"
    assert found.conclusion.message == live.conclusion.message
    assert found.notes == (
        "x asks who calls, and here that is a pseudonym: the answer may be another than it was.",
    )
    named = explanation.explain_record(record(live), policies, names={"principal.id": "alice"})
    assert (named.notes, named.conclusion) == ((), live.conclusion)
    both = load(
        "{id: x, when: principal.id == 'alice', effect: forbid}",
        "{id: y, when: principal.key_id == 'a', effect: forbid}",
    )
    assert explanation.explain_record(record(live), both).notes[0].startswith("x, y ask who calls")


def test_what_is_recorded_is_not_overruled() -> None:
    live = record(explain(), effect="throttle", code="quota_exceeded", reasons=("rate",))
    found = explanation.explain_record(live, POLICIES)
    assert (found.conclusion.effect, found.conclusion.rule) == ("throttle", "rate")
    assert found.conclusion.place == "a.yaml:4"
    assert found.notes == (
        "The facts as kept give permit (cap); what is shown first is what was recorded.",
    )
    lost = explanation.explain_record(record(explain(), effect="permit", reasons=("x",)), NOTHING)
    assert "give permit (no rule)" in lost.notes[0]


def test_a_key_that_may_not_use_a_model_refuses_and_no_rule_does() -> None:
    live = record(explain(), effect="forbid", code="model_not_allowed", reasons=(), by_key=True)
    found = explanation.explain_record(live, POLICIES)
    assert found.conclusion.message.startswith("The key may not use the model 'gpt-5'")
    assert (found.conclusion.rule, found.conclusion.place, found.notes) == ("", "", ())


def test_policies_that_are_lost_leave_what_was_recorded() -> None:
    live = record(explain(task__evidence="none"), levels=(level("rate", 3),))
    found = explanation.explain_record(live, None, in_force=NOTHING)
    assert (found.conclusion.rule, found.conclusion.place, found.rules) == ("no-task", "", ())
    assert "is not kept" in found.notes[0]
    assert found.now_in_force is not None
    assert found.now_in_force.permitted


@pytest.mark.parametrize(("kind", "notes"), [("new", 1), ("short", 0)])
def test_a_call_nobody_compared_says_so_where_it_matters(kind: str, notes: int) -> None:
    policies = load(
        "{id: x, when: likeness.kind == 'near', effect: forbid}", "{id: y, effect: forbid}"
    )
    live = explanation.explain(policies, facts(likeness__kind=kind), now=NOW)
    assert len(explanation.explain_record(record(live, compared=False), policies).notes) == notes


def test_the_policies_of_now_are_asked_with_the_levels_that_still_mean_the_same() -> None:
    levels = (level("rate", 0), level("alike", 0))
    live = explain(levels)
    changed = [rule.replace("calls: 5", "calls: 50") for rule in RULES]
    gone = [rule for rule in changed if "id: rate" not in rule]
    one = explanation.explain_record(record(live, levels=levels), POLICIES, in_force=load(*changed))
    assert one.now_in_force is not None
    assert (one.now_in_force.effect, one.now_in_force.reasons) == ("throttle", ("rate",))
    assert one.now_in_force.unasked == ("alike",)
    other = explanation.explain_record(record(live, levels=levels), POLICIES, in_force=load(*gone))
    assert other.now_in_force is not None
    assert other.now_in_force.permitted


def test_a_shared_reply_is_counted_by_what_costs_alone() -> None:
    live = record(explain(), served="coalesced", levels=(level("spend", 5, amount=0, taken=True),))
    told = words(explanation.explain_record(live, POLICIES))
    assert told["rate"] == "does not count a shared reply"


def test_a_record_older_than_a_fact_is_explained_all_the_same() -> None:
    live = record(explain())
    del live.facts["call.client"]
    assert explanation.explain_record(live, POLICIES).facts["call.client"] == ""

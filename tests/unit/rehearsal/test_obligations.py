"""Calls that are permitted as before, with other obligations."""

from gateway import policy
from gateway.ledger import DecisionRecord
from gateway.rehearsal.replays.replay import Change, replay
from tests.unit.rehearsal.records import decision, rules

PLAIN = rules()
NOTE = "{id: note, when: call.stream, obligations: {note: Be brief.}}"
SHORT = "{id: short, when: call.stream, obligations: {max_output_tokens: 100}}"


def obliged(record: DecisionRecord, old: policy.PolicySet | None, new: policy.PolicySet) -> Change:
    return replay([record], old, new, None).changes["other_obligations"]


def stream(policies: policy.PolicySet, *reasons: str, output: int = 1_000) -> DecisionRecord:
    return decision(
        1,
        facts={"call.stream": True},
        policy=policies.digest,
        reasons=reasons,
        reserved_output_tokens=output,
    )


def test_a_new_obligation_is_told_by_its_rule() -> None:
    found = obliged(stream(PLAIN), PLAIN, rules(NOTE))
    assert (found.calls, [row.name for row in found.by_rule]) == (1, ["note"])


def test_an_obligation_that_is_gone_is_told_by_its_rule() -> None:
    old = rules(NOTE)
    found = obliged(stream(old, "note"), old, PLAIN)
    assert (found.calls, [row.name for row in found.by_rule]) == (1, ["note"])


def test_an_obligation_that_changes_is_told_by_its_rule() -> None:
    old, new = rules(NOTE), rules(NOTE.replace("brief", "terse"))
    found = obliged(stream(old, "note"), old, new)
    assert (found.calls, [row.name for row in found.by_rule]) == (1, ["note"])


def test_obligations_that_stay_are_no_change() -> None:
    old, new = rules(NOTE), rules(NOTE, "{id: other, when: call.choices == 9, effect: forbid}")
    assert obliged(stream(old, "note"), old, new).calls == 0
    assert obliged(stream(old, "note"), old, old).calls == 0
    assert obliged(decision(1, policy=old.digest), old, rules(SHORT)).calls == 0


def test_where_the_old_policies_are_not_known_only_the_length_of_the_answer_tells() -> None:
    for old in (None, PLAIN):
        for new in (rules(SHORT), rules(SHORT, NOTE)):
            assert obliged(stream(rules(NOTE)), old, new).calls == 1
    assert obliged(stream(rules(NOTE)), None, rules(NOTE)).calls == 0
    assert obliged(stream(rules(SHORT), "short", output=100), None, rules(SHORT)).calls == 0
    assert obliged(stream(rules(SHORT), "short", output=100), None, PLAIN).calls == 1


def test_calls_that_were_not_sent_as_asked_tell_nothing_of_length() -> None:
    new = rules(SHORT)
    facts = {"call.stream": True}
    for changes in ({"served": "reused"}, {"model": ""}, {"route": "r"}):
        assert obliged(decision(1, facts=facts, **changes), None, new).calls == 0

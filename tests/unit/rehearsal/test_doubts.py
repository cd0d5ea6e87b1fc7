"""What a replay cannot know is said where it applies, and nowhere else."""

from typing import Any

from gateway import policy
from gateway.ledger import DecisionRecord
from gateway.rehearsal.replays.replay import replay
from tests.unit.rehearsal.records import decision, rules, settled

PLAIN = rules()
WEEK_S = 7 * 86_400.0


def doubts(
    *records: DecisionRecord,
    new: policy.PolicySet = PLAIN,
    old: policy.PolicySet | None = PLAIN,
    **options: Any,
) -> dict[str, str]:
    log = [entry for each in records for entry in (each, settled(each))]
    found = replay(log, old, new, None, **options)
    assert len({doubt.code for doubt in found.doubts}) == len(found.doubts)
    return {doubt.code: doubt.text for doubt in found.doubts}


def test_a_replay_that_knows_everything_says_nothing() -> None:
    assert doubts(decision(1), decision(2)) == {}


def test_other_answers_are_not_known() -> None:
    found = doubts(decision(1), new=rules("{id: away, route: {model: o3}}"))
    assert found["answers"].startswith("1 call would be answered by another model")


def test_shorter_answers_count_at_the_length_they_had() -> None:
    found = doubts(decision(1), new=rules("{id: short, obligations: {max_output_tokens: 5}}"))
    assert set(found) == {"obligations"}


def test_what_callers_do_after_a_refusal_is_not_known() -> None:
    no = rules("{id: no, effect: forbid}")
    assert set(doubts(decision(1), new=no)) == {"callers"}
    shared = decision(2, served="coalesced")
    assert set(doubts(decision(1), shared, new=no)) == {"callers", "sharing"}


def test_newly_allowed_calls_were_never_made() -> None:
    refused = decision(1, effect="forbid", code="x", reasons=("r",))
    assert "never made: 1 call." in doubts(refused)["allowed"]


def test_likeness_after_a_refusal_is_not_known_where_it_matters() -> None:
    near = "{id: near, when: 'likeness.kind == \"near\"', effect: forbid}"
    no = "{id: no, when: call.stream, effect: forbid}"
    stream = decision(1, facts={"call.stream": True})
    assert "likeness" in doubts(stream, new=rules(near, no))
    uncompared = decision(2, effect="forbid", code="x", reasons=("r",), compared=False)
    found = doubts(uncompared, new=rules(near))
    assert found["uncompared"].endswith("counted as new: 1 call.")
    assert "uncompared" not in doubts(uncompared)
    by_cluster = rules("{id: c, quota: {calls: 9, per: 1m, by: [likeness.cluster]}}")
    assert "uncompared" in doubts(uncompared, new=by_cluster)


def test_quotas_and_budgets_begin_before_the_log_does() -> None:
    new = rules(
        "{id: rate, quota: {calls: 9, per: 1m, by: [team]}}",
        "{id: month, budget: {calls: 9, period: month, by: [team]}}",
        "{id: hour, budget: {calls: 9, period: hour, by: [team]}}",
        "{id: spent, when: usage.team.month.calls > 5, effect: forbid}",
    )
    found = doubts(decision(1), new=new)
    assert found["quotas"] == "Quotas begin empty at the first call, 2026-03-02 10:00 UTC: rate."
    assert found["budgets"].endswith("counts as nothing: month, usage.team.month.calls.")
    told = doubts(decision(1), new=new, old=new)
    assert set(told) == {"quotas", "budgets_told"}
    assert told["budgets_told"].endswith("month, usage.team.month.calls.")
    assert "budgets" in doubts(decision(1), new=new, old=None)


def test_names_that_are_not_known_are_told_with_the_rules_that_read_them() -> None:
    reading = "{id: alice-only, when: 'principal.id == \"alice\"', effect: forbid}"
    keyed = "{id: key-only, when: 'principal.key_id == \"k\"', effect: forbid}"
    found = doubts(
        decision(1), new=rules(reading, keyed, "{id: no, when: call.stream, effect: permit}")
    )
    assert found["names"].endswith("for them: alice-only, key-only.")


def test_people_and_clusters_have_new_names_each_week() -> None:
    clustered = rules("{id: c, quota: {calls: 9, per: 1m, by: [likeness.cluster]}}")
    later = decision(2, seconds=WEEK_S)
    assert {"weeks", "clusters"} <= set(doubts(decision(1), later, new=clustered))
    assert not {"weeks", "clusters"} & set(doubts(decision(1), new=clustered))
    assert "clusters" not in doubts(decision(1), later)


def test_calls_without_an_end_are_said() -> None:
    records = [decision(1), decision(2), decision(3, effect="forbid", code="x", reasons=("r",))]
    no = rules("{id: no, when: 'call.model == \"gpt-5\"', effect: forbid, code: task_closed}")
    found = replay([*records, settled(records[0])], PLAIN, no, None).doubts
    assert any(each.text.startswith("Of 1 call the log does not say") for each in found)


def test_facts_that_were_not_recorded_are_said() -> None:
    record = decision(1)
    del record.facts["call.client"]
    assert set(doubts(record)) == {"facts"}


def test_replicas_and_reuse_are_said() -> None:
    assert set(doubts(decision(1), shared=True)) == {"replicas"}
    sharing = rules(more="reuse: {exact: coalesce}\n")
    assert set(doubts(decision(1), new=sharing)) == {"reuse"}
    assert doubts(decision(1), new=sharing, old=None) == {}

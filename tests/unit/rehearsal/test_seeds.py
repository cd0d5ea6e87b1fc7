"""Budgets that had begun before the log did."""

from typing import Any

from gateway import policy
from gateway.ledger import DecisionRecord, Level
from gateway.rehearsal.replays.replay import replay
from gateway.rehearsal.replays.verification import verify
from tests.unit.rehearsal.records import decision, rules

MONTH = "{id: month, budget: {calls: 10, period: month, by: [team]}}"
SMALLER = MONTH.replace("calls: 10", "calls: 7")


def level(rule: str, remaining: int, *, taken: bool = True) -> Level:
    return Level(rule, 1, remaining, taken, 0.0)


def under(policies: policy.PolicySet, *levels: Level, **changes: Any) -> DecisionRecord:
    return decision(changes.pop("number", 1), policy=policies.digest, levels=levels, **changes)


def effects(log: list[DecisionRecord], old: policy.PolicySet, *new: str) -> int:
    return replay(log, old, rules(*new), None).changes["newly_refused"].calls


def test_a_budget_begins_where_the_log_says_it_stood() -> None:
    old = rules(MONTH)
    log = [under(old, level("month", 4 - n), number=n) for n in range(4)]
    assert effects(log, old, SMALLER) == 2
    assert effects(log, rules(), SMALLER) == 0


def test_a_refused_call_tells_it_too() -> None:
    old = rules(MONTH)
    refused = {"effect": "forbid", "code": "quota_exceeded", "reasons": ("month",)}
    log = [under(old, level("month", 0, taken=False), **refused)]
    found = replay(log, old, rules(MONTH.replace("calls: 10", "calls: 11")), None)
    assert found.changes["newly_allowed"].calls == 1
    assert verify(log, lambda _: old).same == 1


def test_only_the_first_word_counts() -> None:
    old = rules(MONTH)
    log = [under(old, level("month", 9), number=1), under(old, level("month", 2), number=2)]
    assert effects(log, old, SMALLER) == 0


def test_budgets_that_count_otherwise_and_quotas_are_left_alone() -> None:
    old = rules(MONTH, "{id: rate, quota: {calls: 10, per: 1h, by: [team]}}")
    log = [under(old, level("month", 0), level("rate", 0))]
    assert effects(log, old, MONTH.replace("team", "task")) == 0
    assert effects(log, old, "{id: rate, quota: {calls: 2, per: 1h, by: [team]}}") == 0


def test_a_period_that_begins_within_the_log_begins_empty() -> None:
    hour = "{id: hour, budget: {calls: 3, period: hour, by: [team]}}"
    old = rules(hour)
    log = [decision(1, policy=old.digest), under(old, level("hour", 0), number=2, seconds=3_600)]
    assert effects(log, old, hour.replace("calls: 3", "calls: 2")) == 0


def test_usage_facts_begin_where_the_log_says_they_stood() -> None:
    spent = "{id: spent, when: usage.task.month.cost_usd >= 2.0, effect: forbid}"
    many = "{id: many, when: usage.team.month.calls >= 3, effect: forbid}"
    old = rules("{id: none, when: usage.task.month.cost_usd > 99.0, effect: forbid}")
    used = {"usage.task.month.cost_usd": 1.995}
    log = [decision(n, policy=old.digest, facts=used) for n in range(2)]
    assert effects(log, old, spent) == 1
    calls = [decision(n, facts={"usage.team.month.calls": 2}) for n in range(2)]
    assert effects(calls, old, many) == 1
    assert effects([decision(1), decision(2)], old, many) == 0
    assert effects([decision(1, facts={"usage.team.month.calls": 0})], old, many) == 0

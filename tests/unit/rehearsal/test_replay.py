"""Recorded calls under other policies: what would be otherwise, and with what money."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from gateway import policy
from gateway.ledger.decision_log import Entry
from gateway.metering import PriceBook
from gateway.rehearsal.replays import replay as replaying
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.recorded import Places
from gateway.rehearsal.replays.replay import Report, replay
from gateway.rehearsal.replays.verification import verify
from gateway.settings.deployment import Deployment, ModelEntry
from tests.unit.rehearsal.records import decision, request_id, rules, settled, started
from tests.unit.rehearsal.traffic import Traffic, decisions

AT_ONCE = 250
PRICES = PriceBook({})
PLAIN = rules()
ROUTE = "{id: cheap, when: call.stream, route: {model: fast}}"
PLACES = Places(
    Deployment(
        providers={},
        models={
            "fast": ModelEntry(provider="openai", model="gpt-5-mini"),
            "*": ModelEntry(provider="openai"),
        },
    )
)


def replayed(
    log: Sequence[Entry],
    new: policy.PolicySet,
    *,
    old: policy.PolicySet | None = PLAIN,
    people: People | None = None,
) -> Report:
    return replay(log, old, new, PRICES, people, places=PLACES)


def changed(report: Report) -> dict[str, int]:
    return {kind: each.calls for kind, each in report.changes.items() if each.calls}


def codes(report: Report) -> list[str]:
    return [doubt.code for doubt in report.doubts]


def test_the_policies_in_force_give_back_every_decision_of_the_line() -> None:
    """`python -m tests.unit.rehearsal.traffic 100000` asks for as many as anybody likes."""
    asyncio.run(_all_come_back(12))


async def _all_come_back(times: int) -> None:
    effects: set[tuple[Any, ...]] = set()
    for seed in range(times):
        traffic = Traffic(seed)
        log = await traffic.run(AT_ONCE)
        made = decisions(log)
        policies, people = traffic.policies, traffic.people()
        found = verify(log, {policies.digest: policies}.get, people)
        assert (found.same, found.calls, found.differing) == (AT_ONCE, len(made), ()), traffic.text
        report = replay(log, policies, policies, PRICES, people)
        assert (report.unchanged, changed(report)) == (AT_ONCE, {})
        assert report.unnamed == 0
        effects |= {(each.effect, each.served, each.by_key) for each in made}
        effects |= {("route", bool(each.route), bool(each.would_have)) for each in made}
    for effect in ("permit", "throttle", "forbid"):
        assert (effect, "forwarded", False) in effects
    assert {("permit", "coalesced", False), ("forbid", "forwarded", True)} <= effects
    assert ("route", True, True) in effects


async def test_a_policy_that_was_not_in_force_does_not_give_all_back() -> None:
    traffic = Traffic(
        1, "version: 1\nrules:\n  - {id: rate, quota: {calls: 3, per: 10s, by: [principal]}}\n"
    )
    log = await traffic.run(200)
    other = rules("{id: rate, quota: {calls: 2, per: 10s, by: [principal]}}")
    assert verify(log, lambda _: other, traffic.people()).same < 200
    assert changed(replay(log, traffic.policies, other, PRICES, traffic.people()))


def test_newly_refused_calls_are_told_by_rule_team_and_task_with_what_they_had_cost() -> None:
    no = "{id: no-streams, when: call.stream, effect: forbid, code: policy_forbids}"
    one = decision(1, facts={"call.stream": True, "principal.id": "alice"})
    two = decision(2, facts={"call.stream": True, "principal.id": "bob", "task.id": ""})
    other = decision(3)
    report = replayed([one, two, settled(one), other, settled(two), settled(other)], rules(no))
    assert changed(report) == {"newly_refused": 2}
    assert (report.calls, report.unchanged, report.people) == (3, 1, 2)
    assert (report.permitted_then, report.permitted_now) == (3, 1)
    assert report.cost_usd == Decimal("0.006")
    found = report.changes["newly_refused"]
    assert (found.calls, found.people, found.cost_usd) == (2, 2, Decimal("0.004"))
    [row] = found.by_rule
    assert (row.name, row.code, row.calls, row.people) == ("no-streams", "policy_forbids", 2, 2)
    assert row.cost_nano_usd == 4_000_000
    assert [(each.name, each.calls) for each in found.by_team] == [("payments", 2)]
    assert sorted(each.name for each in found.by_task) == ["", "PROJ-123"]
    assert found.examples == (one.request_id, two.request_id)
    assert "callers" in codes(report)


def test_newly_allowed_calls_could_cost_what_they_would_have_reserved() -> None:
    record = decision(1, effect="forbid", code="task_required", reasons=("require-task",))
    report = replayed([record], PLAIN)
    assert changed(report) == {"newly_allowed": 1}
    found = report.changes["newly_allowed"]
    assert found.cost_usd == Decimal("0.01")
    assert [(row.name, row.code) for row in found.by_rule] == [("require-task", "task_required")]
    assert "allowed" in codes(report)


def test_a_newly_allowed_call_that_shares_a_reply_costs_nothing() -> None:
    record = decision(1, effect="throttle", code="slow", reasons=("r",), served="coalesced")
    found = replayed([record], PLAIN).changes["newly_allowed"]
    assert (found.calls, found.cost_usd) == (1, Decimal(0))


def test_a_newly_allowed_call_lasts_as_long_as_calls_do() -> None:
    one = rules("{id: one, quota: {concurrent: 1, by: [principal]}}")
    refused = {"effect": "forbid", "code": "x", "reasons": ("r",)}
    log: list[Entry] = [decision(1, **refused)]
    early = replayed([*log, decision(2, seconds=9)], one)
    assert changed(early) == {"newly_allowed": 1, "newly_refused": 1}
    late = replayed([*log, decision(2, seconds=10)], one)
    assert changed(late) == {"newly_allowed": 1}


def test_how_long_calls_last_is_learnt_from_the_log() -> None:
    one = rules("{id: one, quota: {concurrent: 1, by: [principal]}}")
    refused: dict[str, Any] = {"effect": "forbid", "code": "x", "reasons": ("r",)}
    first = decision(1, facts={"principal.id": "bob"})
    log: list[Entry] = [
        decision(8, facts={"principal.id": "carol"}, **refused),
        first,
        settled(first, after_s=2),
        decision(2, seconds=20, **refused),
        decision(3, seconds=21.9),
    ]
    assert changed(replayed(log, one)) == {"newly_allowed": 2, "newly_refused": 1}
    log[-1] = decision(3, seconds=22.1)
    assert changed(replayed(log, one)) == {"newly_allowed": 2}


def test_ids_that_tell_no_time_say_nothing_of_how_long_calls_last() -> None:
    one = rules("{id: one, quota: {concurrent: 1, by: [principal]}}")
    refused: dict[str, Any] = {"effect": "forbid", "code": "x", "reasons": ("r",)}
    first = decision(1, request_id="req_1", facts={"principal.id": "bob"})
    long_ago = decision(2, request_id=request_id(2, 1_000_000), facts={"principal.id": "bob"})
    log = [decision(8, facts={"principal.id": "carol"}, **refused), first, settled(first)]
    log += [long_ago, settled(long_ago), decision(3, **refused), decision(4, seconds=9)]
    assert changed(replayed(log, one))["newly_refused"] == 1


def test_refusals_of_another_kind_are_told_apart() -> None:
    slow = rules(
        "{id: slow, when: call.choices == 2, quota: {concurrent: 1, by: [principal]}}",
        "{id: stop, when: call.choices == 3, effect: forbid, code: task_closed}",
    )
    open_one = decision(1, facts={"call.choices": 2})
    log: list[Entry] = [
        open_one,
        decision(2, effect="forbid", code="no", reasons=("r",), facts={"call.choices": 2}),
        decision(
            3, effect="throttle", code="task_closed", reasons=("r",), facts={"call.choices": 3}
        ),
        decision(4, effect="forbid", code="no", reasons=("r",), facts={"call.choices": 3}),
        decision(5, effect="forbid", code="task_closed", reasons=("r",), facts={"call.choices": 3}),
    ]
    report = replayed(log, slow)
    assert changed(report) == {"slowed_instead": 1, "stopped_instead": 1, "other_reason": 1}
    assert report.unchanged == 2
    assert report.changes["slowed_instead"].by_rule[0].name == "slow"


def test_rerouted_calls_cost_what_as_many_tokens_cost_there() -> None:
    one = decision(1, facts={"call.stream": True})
    report = replayed([one, settled(one)], rules(ROUTE))
    assert changed(report) == {"rerouted": 1}
    found = report.changes["rerouted"]
    assert (found.cost_usd, found.later_usd) == (Decimal("0.002"), Decimal("0.000125"))
    assert [(row.name, row.later_nano_usd) for row in found.by_rule] == [("cheap", 125_000)]
    assert "answers" in codes(report)


def test_a_price_that_is_not_known_is_said() -> None:
    one = decision(1, facts={"call.stream": True})
    route = "{id: odd, route: {model: nobody-prices-it}}"
    found = replayed([one, settled(one)], rules(route)).changes["rerouted"]
    assert (found.unpriced, found.later_usd) == (1, Decimal("0.002"))


def test_a_cost_budget_counts_what_rerouted_calls_would_cost() -> None:
    budget = "{id: day, budget: {cost_usd: 0.0125, period: day, by: [task]}}"
    one = decision(1, facts={"call.stream": True})
    two = decision(2, seconds=5)
    log = [one, settled(one), two]
    assert changed(replayed(log, rules(ROUTE, budget))) == {"rerouted": 1}
    dear = [one, settled(one, cost_nano_usd=3_000_000), two]
    assert changed(replayed(dear, rules(budget))) == {"newly_refused": 1}


def test_a_call_sent_where_it_was_sent_before_is_unchanged() -> None:
    same = {"route": "old-name", "model": "gpt-5-mini", "facts": {"call.stream": True}}
    assert changed(replayed([decision(1, **same)], rules(ROUTE))) == {}
    back = replayed([decision(1, **same)], PLAIN)
    assert changed(back) == {"rerouted": 1}
    assert back.changes["rerouted"].by_rule[0].name == "old-name"


def test_another_provider_is_elsewhere_too() -> None:
    route = "{id: away, route: {provider: azure}}"
    assert changed(replayed([decision(1)], rules(route))) == {"rerouted": 1}
    unknown = {"provider": "", "model": "gpt-5", "route": "away"}
    assert changed(replayed([decision(1, **unknown)], rules(route))) == {}


def test_people_of_several_weeks_are_one_person_where_they_are_known() -> None:
    def weekly(name: str, at_us: int) -> str:
        return f"{name} in {at_us // 604_800_000_000}"

    week = "{id: month, budget: {calls: 1, period: month, by: [principal]}}"
    seconds = 8 * 86_400.0
    records = [
        decision(1, facts={"principal.id": weekly("alice", decision(1).at_us)}),
        decision(
            2,
            seconds=seconds,
            facts={"principal.id": weekly("alice", decision(2, seconds=seconds).at_us)},
        ),
    ]
    known = replayed(records, rules(week), people=People(weekly, principals=["alice"]))
    assert (known.people, known.unnamed, changed(known)) == (1, 0, {"newly_refused": 1})
    assert "alice" not in str(known)
    unknown = replayed(records, rules(week))
    assert (unknown.people, unknown.unnamed, changed(unknown)) == (2, 2, {})
    assert "weeks" in codes(unknown)


def test_what_a_key_refused_stays_refused_and_gives_back_what_it_drew() -> None:
    one = rules("{id: one, quota: {concurrent: 1, by: [principal]}}")
    by_key = {"effect": "forbid", "code": "model_not_allowed", "by_key": True}
    told = decision(1, **by_key)
    log = [told, settled(told, after_s=0.5, released=True), decision(2, seconds=0.7)]
    assert changed(replayed(log, one)) == {}
    untold = [decision(1, **by_key), decision(2, seconds=0.7), decision(3, seconds=1.1)]
    found = replayed(untold, one)
    assert changed(found) == {"newly_refused": 1}
    assert found.changes["newly_refused"].examples == (untold[1].request_id,)


def test_ends_are_waited_for_a_day() -> None:
    no = rules("{id: no, effect: forbid}")
    one, two = decision(1), decision(2, seconds=replaying.WAITED_S)
    report = replayed([one, two, settled(one), settled(two)], no)
    assert report.changes["newly_refused"].cost_usd == Decimal("0.002")


def test_a_call_that_was_never_made_after_all_cost_nothing() -> None:
    no = rules("{id: no, effect: forbid}")
    one = decision(1)
    report = replayed([one, settled(one, released=True, cost_nano_usd=0)], no)
    assert report.changes["newly_refused"].cost_usd == 0
    assert "unsettled" not in codes(report)


def test_an_empty_log_is_told_as_that() -> None:
    report = replayed([], rules(ROUTE))
    assert (report.calls, report.first_us, report.doubts, changed(report)) == (0, 0, (), {})


def test_the_policies_calls_were_decided_by_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "DIGESTS_MAX", 2)
    log = [decision(n, policy=f"sha256:{name}") for n, name in enumerate("abcab")]
    report = replayed(log, PLAIN)
    assert report.recorded_under == {"sha256:a": 2, "sha256:b": 2}
    assert report.calls == 5


def test_restarts_are_told_and_what_they_forget() -> None:
    team = "{id: team, budget: {calls: 9, period: day, by: [team]}}"
    task = "{id: task, budget: {calls: 9, period: day, by: [task]}}"
    log: list[Entry] = [started(), decision(1), started(seconds=1), decision(2, seconds=2)]
    report = replayed(log, rules(team))
    assert {"restarts"} == {"restarts", "unlinked"} & {*codes(report)}
    report = replayed([*log, started(seconds=3)], rules(team, task))
    told = {doubt.code: doubt.text for doubt in report.doubts}
    assert "started again 2 times" in told["restarts"]
    assert told["unlinked"].endswith("task: task.")
    assert "restarts" not in codes(replayed(log[:2], rules(task)))
    assert "restarts" not in codes(replayed([log[1], started(shared=True)], rules(task)))

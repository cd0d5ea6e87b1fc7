"""The decision log over HTTP, page by page and without names; and what shadow rules would do."""

import msgspec
import pytest

from gateway import ledger, policy
from gateway.stores.memory_ledger import MemoryLedger
from tests.unit.rehearsal.records import decision, settled
from tests.web.api_client import NOW, World, _weekly

SHADOW = "{id: quiet, mode: shadow, when: call.stream, effect: forbid}"
SECONDS_AGO = NOW - decision(1).at_us / 1e6


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a gateway that decided two calls of one person, a week apart, an hour ago."""
    made, log = World(), MemoryLedger()
    made.policies = policy.load([("a.yaml", f"version: 1\nrules:\n  - {SHADOW}\n")])
    for number, ago_s in enumerate((8 * 86_400, 3_600)):
        seconds = SECONDS_AGO - ago_s
        person = _weekly("alice", round((NOW - ago_s) * 1e6))
        call = decision(
            number, seconds=seconds, would_have=("quiet",), facts={"principal.id": person}
        )
        log.note(call)
        log.note(settled(call))
    log.note(decision(7, seconds=SECONDS_AGO - 60, facts={"principal.id": "bob@1"}))
    monkeypatch.setattr(made.decided, "decision_log", log.decision_log)
    monkeypatch.setattr(made.decided, "decision_page", log.decision_page)
    made.add_key("alice", principal="alice", role="developer")
    return made


def test_the_log_comes_page_by_page_in_the_order_it_was_written(world: World) -> None:
    first = world.ask("auditor", "GET", "/api/decisions?limit=3").json
    assert [each["kind"] for each in first["records"]] == ["decision", "settled", "decision"]
    rest = world.ask("admin", "GET", f"/api/decisions?limit=3&after={first['after']}").json
    assert [each["kind"] for each in rest["records"]] == ["settled", "decision"]
    assert rest["after"] == ""
    record = msgspec.convert(first["records"][0], ledger.DecisionRecord)
    assert record.facts["call.model"] == "gpt-5"


def test_names_never_leave(world: World) -> None:
    said = world.ask("auditor", "GET", "/api/decisions").body
    assert b'"alice@' in said
    assert b'"alice"' not in said


def test_a_window_is_asked_for_as_people_type_it(world: World) -> None:
    found = world.ask("auditor", "GET", "/api/decisions?since=1d&until=30m").json
    assert len(found["records"]) == 2


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=x", "limit=0", "limit=5001", "principal=alice"]
)
def test_what_means_nothing_is_refused(world: World, query: str) -> None:
    reply = world.ask("auditor", "GET", f"/api/decisions?{query}")
    assert (reply.status, reply.code) == (400, "invalid_request")


def test_shadow_rules_are_told_with_people_joined_over_weeks(world: World) -> None:
    found = world.ask("auditor", "GET", "/api/policy/shadow?since=30d").json
    [rule] = found["rules"]
    assert (rule["rule"], rule["calls"], rule["people"]) == ("quiet", 2, 1)
    assert (rule["does"], rule["cost_usd"]) == ("refuse", "0.004000000")
    assert found["policy"] == world.policies.digest


def test_shadow_rules_are_told_of_the_last_week_unless_asked_otherwise(world: World) -> None:
    [rule] = world.ask("admin", "GET", "/api/policy/shadow").json["rules"]
    assert rule["calls"] == 1
    assert world.ask("admin", "GET", "/api/policy/shadow?until=1d").status == 400

"""The auditor's side over HTTP: pseudonyms always, names only after they are accounted for."""

import json

import pytest

from gateway import ledger
from gateway.errors import LedgerUnavailable
from tests.web.api_client import NOW, World
from tests.web.test_api_log import CALLS, fill


def test_filters_reach_the_ledger_in_its_own_terms() -> None:
    world = World()

    found = world.ask(
        "admin", "GET", "/api/audit/entries?task=proj-1&team=t&since=7d&until=2027-01-15&limit=5"
    )

    assert [entry["index"] for entry in found.json] == [0, 1, 2]
    ((_, query, people),) = world.book.events
    assert people is None
    assert (query.task, query.team, query.limit) == ("PROJ-1", "t", 5)
    assert query.since_us == int((NOW - 7 * 86_400) * 1e6)
    assert query.until_us == int((NOW - 8 * 3600) * 1e6)


def test_a_reveal_is_an_entry_before_anything_is_shown() -> None:
    world = World()

    found = world.ask(
        "auditor", "GET", "/api/audit/entries?principal=alice&reveal=ticket%20SEC-42"
    ).json

    assert [entry["principal"] for entry in found] == ["alice", "alice", "erased"]
    recorded, (_, query, people) = world.book.events
    assert isinstance(recorded, ledger.Reveal)
    assert recorded.reason == "ticket SEC-42"
    assert recorded.auditor == world.ids["auditor"]
    assert json.loads(recorded.filters) == {"principal": ["c1", "c2"]}, "a leaf holds no name"
    assert recorded.attempt_id.startswith("att_")
    assert recorded.at_us == int(NOW * 1e6)
    assert (query.principal, people) == ("alice", {"c1", "c2"})


def test_people_are_pseudonyms_that_say_who_is_the_same_within_one_answer_only() -> None:
    """No ranking of people can be put together from two answers."""
    world = World()

    first, second = (
        [entry["principal"] for entry in world.ask("auditor", "GET", "/api/audit/entries").json]
        for _ in range(2)
    )

    assert first[0] == first[1] != first[2]
    assert not set(first) & set(second)
    assert not set(first) & {"alice", "c1", "c2", "c3"}


def test_when_a_reveal_cannot_be_recorded_nothing_is_shown() -> None:
    world = World()
    world.book.fails = LedgerUnavailable("the ledger takes no entry")

    reply = world.ask("auditor", "GET", "/api/audit/entries?reveal=x")

    assert (reply.status, reply.code) == (503, "ledger_unavailable")
    assert world.book.events == []


@pytest.mark.parametrize("who", ["admin", "developer"])
def test_nobody_but_an_auditor_sees_names(who: str) -> None:
    world = World()

    reply = world.ask(who, "GET", "/api/audit/entries?reveal=because")

    assert (reply.status, reply.code) == (403, "not_allowed")
    assert world.book.events == []


def test_asking_for_a_person_needs_a_reveal() -> None:
    """Else somebody could try names one by one and see whose pseudonym answers."""
    world = World()

    reply = world.ask("auditor", "GET", "/api/audit/entries?principal=alice")

    assert (reply.status, reply.code) == (403, "not_allowed")
    assert world.book.events == []


@pytest.mark.parametrize("reason", ["", "%20", "a%0Ab", "x" * 501])
def test_a_reveal_without_a_reason_is_refused(reason: str) -> None:
    world = World()

    reply = world.ask("auditor", "GET", f"/api/audit/entries?reveal={reason}")

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert world.book.events == []


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-13-01",
        "limit=-1",
        "limit=100001",
        "limit=1e3",
        f"limit=000000000001{'9' * 9}",
        f"limit=000000000001{'9' * 5000}",
        "task=%00",
        "tenant=other",
        "team=a&team=b",
        "team=%ff",
        "&".join(f"a{n}=1" for n in range(30)),
        "team=" + "x" * 9000,
    ],
)
def test_a_question_that_makes_no_sense_is_refused(query: str) -> None:
    world = World()

    reply = world.ask("auditor", "GET", "/api/audit/entries?" + query)

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert world.book.events == []


def test_unlinked_cost_has_no_filter_for_people() -> None:
    world = World()
    for number in range(5):
        world.add_key(f"k{number}", principal=f"p{number}", role="developer", team="t")

    (row,) = world.ask("admin", "GET", "/api/audit/unlinked?team=t").json
    assert row == {
        "hour": "2027-01-15T08:00:00.000000Z",
        "team": "t",
        "model": "m",
        "reason": "closed",
        "calls": 3,
        "tokens": 9,
        "cost_usd": "0.0000001",
    }
    for extra in ("principal=alice", "reveal=x", "task=PROJ-1"):
        assert world.ask("auditor", "GET", f"/api/audit/unlinked?{extra}").status == 400


def test_a_small_team_is_no_row_of_its_own_and_cannot_be_asked_for_by_name() -> None:
    """With four people, a row about the team is as good as one about a person."""
    world = World()
    for number in range(4):
        world.add_key(f"k{number}", principal=f"p{number}", role="developer", team="t")
    world.add_key("again", principal="p0", role="developer", team="t")

    (row,) = world.ask("admin", "GET", "/api/audit/unlinked").json

    assert row["team"] == "(small teams)"
    assert world.ask("admin", "GET", "/api/audit/unlinked?team=t").json == []


def test_a_revoked_key_is_nobody_of_a_team() -> None:
    world = World()
    for number in range(5):
        world.add_key(f"k{number}", principal=f"p{number}", role="developer", team="t")
    world.registry.revoke_key(world.ids["k0"], NOW)

    (row,) = world.ask("admin", "GET", "/api/audit/unlinked").json

    assert row["team"] == "(small teams)"


def test_usage_is_summed_by_what_is_asked_for() -> None:
    world = World()
    fill(world)

    (row,) = world.ask("admin", "GET", "/api/audit/usage?by=team,day&since=400d").json

    assert row == {
        "team": "payments",
        "day": "2026-11-18",
        "calls": CALLS,
        "settled": CALLS,
        "failed": 0,
        "input_tokens": 10 * CALLS,
        "output_tokens": 20 * CALLS,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": "0.00000052",
    }
    monthly = world.ask("admin", "GET", "/api/audit/usage").json
    assert [(each["team"], each["month"]) for each in monthly] == [("payments", "2026-11")]
    (hourly,) = world.ask("admin", "GET", "/api/audit/usage?by=hour").json
    assert hourly["hour"] == "2026-11-18T11:00:00.000000Z"


def test_the_effect_of_rules_is_counted_by_rule_team_and_decision() -> None:
    world = World()
    fill(world)

    found = world.ask("auditor", "GET", "/api/audit/usage?by=rule").json

    assert found == [
        {"rule": "require-task", "team": "payments", "decision": "forwarded", "calls": CALLS}
    ]


@pytest.mark.parametrize("name", ["principal", "person", "user", "key"])
def test_no_sums_by_person_exist(name: str) -> None:
    reply = World().ask("auditor", "GET", f"/api/audit/usage?by=team,{name}")

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert "no ranking of people" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    "query", ["by=price", "by=", "by=team,team", "by=task,task_id", "by=rule,team",
              "by=rule&task=PROJ-1", "rule=x", "principal=alice"],
)  # fmt: skip
def test_sums_that_make_no_sense_are_refused(query: str) -> None:
    reply = World().ask("auditor", "GET", f"/api/audit/usage?{query}")

    assert (reply.status, reply.code) == (400, "invalid_request")


def test_an_erasure_forgets_a_person_and_says_how_many_salts_went() -> None:
    world = World()
    log = world.book.log_of
    log.commitment("alice", int(NOW * 1e6))

    reply = world.ask(
        "auditor", "POST", "/api/audit/erase", {"principal": "alice", "reason": " request 7 "}
    )

    assert reply.json == {"salts": 1}
    assert log.persons() == {}
    (leaf,) = (each for each in map(ledger.decode, log.leaves()) if each.kind == "erasure")
    assert (leaf.auditor, leaf.reason, leaf.salts) == (world.ids["auditor"], "request 7", 1)


@pytest.mark.parametrize(
    "reason", ["", " ", "x" * 501, "a\nb", "Alice asked", "request of alice, 7"]
)
def test_an_erasure_without_a_reason_or_with_the_name_in_it_is_refused(reason: str) -> None:
    """The reason is an entry: a name in it could never be erased."""
    world = World()

    wish = {"principal": "alice", "reason": reason}
    reply = world.ask("auditor", "POST", "/api/audit/erase", wish)

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert not any(b"erasure" in line for line in world.book.log_of.leaves())


@pytest.mark.parametrize("size", [0, -256, 255, 300, "256", 10**15, None])
def test_only_whole_bundles_are_retired(size: object) -> None:
    reply = World().ask("admin", "POST", "/api/audit/retire", {"size": size})

    assert (reply.status, reply.code) == (400, "invalid_request")


def test_a_period_is_retired_up_to_an_index() -> None:
    world = World()
    fill(world)

    assert world.ask("admin", "POST", "/api/audit/retire", {"size": 256}).json == {"size": 256}
    assert world.book.log_of.retired() == 256


def test_entries_are_asked_for_by_rule() -> None:
    world = World()

    world.ask("admin", "GET", "/api/audit/entries?rule=team-budget")

    ((_, query, _),) = world.book.events
    assert query.rule == "team-budget"

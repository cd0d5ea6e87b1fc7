"""The auditor's side over HTTP: pseudonyms always, names only after they are accounted for."""

import json

import pytest

from gateway import ledger
from gateway.errors import LedgerUnavailable
from tests.web.api_client import NOW, World


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

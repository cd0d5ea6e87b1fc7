"""Who is shown what."""

import pytest

from gateway import ledger, reports
from gateway.errors import NotAllowed
from gateway.stores.memory_ledger import MemoryLedger
from tests.stores.ledgers import NOW_US, cost_intent, cost_settle, intent

MONTH_US = 40 * 86_400 * 1_000_000


@pytest.fixture
def store() -> MemoryLedger:
    """Two calls of alice in different months, one of bob, one of somebody erased."""
    made = MemoryLedger()
    earlier = NOW_US - MONTH_US
    people = [("alice", earlier), ("alice", NOW_US), ("bob", NOW_US)]
    for number, (person, at_us) in enumerate(people):
        commitment = made.commitment(person, at_us)
        made.add(intent(number, principal=commitment, received_at_us=at_us + number))
    made.add(intent(9, principal="e" * 32, received_at_us=earlier - 1))
    return made


def shown(store: MemoryLedger, *, key: bytes = b"k", revealed: bool = False) -> list[str]:
    rows = reports.entries(store, ledger.Query(), key=key, revealed=revealed)
    return [row["principal"] for row in rows]


def test_a_person_has_one_pseudonym_in_an_answer_whatever_the_month(store: MemoryLedger) -> None:
    bob, alice, earlier, erased = shown(store)
    assert alice == earlier
    assert len({alice, bob, erased}) == 3


def test_pseudonyms_are_new_for_each_query(store: MemoryLedger) -> None:
    assert not set(shown(store, key=b"1")) & set(shown(store, key=b"2"))


def test_without_a_reveal_nothing_names_a_person(store: MemoryLedger) -> None:
    answer = repr(reports.entries(store, ledger.Query(), key=b"k", revealed=False))
    for told in ("alice", "bob", *store.persons()):
        assert told not in answer


def test_a_reveal_shows_names_and_who_was_erased(store: MemoryLedger) -> None:
    assert shown(store, revealed=True) == ["bob", "alice", "alice", reports.ERASED]


def test_one_person_is_asked_for_only_with_a_reveal(store: MemoryLedger) -> None:
    asked = ledger.Query(principal="alice")
    with pytest.raises(NotAllowed, match="--reveal REASON"):
        reports.entries(store, asked, key=b"k", revealed=False)
    rows = reports.entries(store, asked, key=b"k", revealed=True)
    assert [row["principal"] for row in rows] == ["alice", "alice"]
    nobody = ledger.Query(principal="carol")
    assert reports.entries(store, nobody, key=b"k", revealed=True) == []


def test_unlinked_cost_names_hour_team_model_and_reason(store: MemoryLedger) -> None:
    store.add(cost_intent(1))
    store.add(cost_settle(1))
    [row] = reports.unlinked(store, ledger.Query(), lambda _: False)
    assert tuple(row) == tuple(reports.UNLINKED)
    assert row["hour"] == "2026-11-18T11:00:00.000000Z"
    assert (row["calls"], row["tokens"], row["cost_usd"]) == (1, 30, "0.1")


def test_rows_of_small_teams_are_one_and_the_limit_counts_what_is_shown() -> None:
    store = MemoryLedger()
    teams = ["a", "b", "big", "c"]
    for number, team in enumerate(teams):
        store.add(cost_intent(number, team=team))
        store.add(cost_settle(number))

    rows = reports.unlinked(store, ledger.Query(limit=2), lambda team: team != "big")
    asked = ledger.Query(team="(small teams)")

    assert [(row["team"], row["calls"], row["cost_usd"]) for row in rows] == [
        ("(small teams)", 3, "0.3"),
        ("big", 1, "0.1"),
    ]
    assert reports.unlinked(store, asked, lambda team: team != "big") == rows[:1]
    assert reports.unlinked(store, ledger.Query(team="a"), lambda team: team != "big") == []

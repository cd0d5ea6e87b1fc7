"""Commitments and weekly pseudonyms."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import decision_log, pseudonyms
from gateway.ledger.pseudonyms import Names, Salt
from tests.stores.ledgers import decision

NOVEMBER_US = 1_795_000_000_000_000
DAY_US = 86_400_000_000


def names(known: tuple[Salt, ...] = ()) -> Names:
    numbers = count()
    return Names(secret=b"k" * 32, random=lambda size: bytes([next(numbers)]) * size, known=known)


def test_a_commitment_is_salted_per_person_and_month() -> None:
    held = names()
    made = [
        held.commitment("alice", NOVEMBER_US),
        held.commitment("bob", NOVEMBER_US),
        held.commitment("alice", NOVEMBER_US + 20 * DAY_US),
    ]
    assert len(set(made)) == 3
    assert held.commitment("alice", NOVEMBER_US + DAY_US) == made[0]
    assert pseudonyms.persons(held.take_fresh()) == dict(
        zip(made, ["alice", "bob", "alice"], strict=True)
    )


def test_fresh_salts_are_handed_out_once() -> None:
    held = names()
    held.commitment("alice", NOVEMBER_US)
    assert [each.month for each in held.take_fresh()] == ["2026-11"]
    assert held.take_fresh() == []


def test_a_known_salt_is_used_again() -> None:
    first = names()
    made = first.commitment("alice", NOVEMBER_US)
    second = names(tuple(first.take_fresh()))
    assert second.commitment("alice", NOVEMBER_US) == made
    assert second.take_fresh() == []


def test_months_begin_and_end_at_midnight_utc() -> None:
    assert pseudonyms.month_of(1_796_083_199_999_999) == "2026-11"
    assert pseudonyms.month_of(1_796_083_200_000_000) == "2026-12"
    held = names()
    last = held.commitment("alice", 1_796_083_199_999_999)
    assert held.commitment("alice", 1_796_083_200_000_000) != last
    assert held.commitment("alice", 1_796_083_199_999_999) == last


def test_a_weekly_pseudonym_changes_on_monday() -> None:
    held = names()
    monday = 1_795_392_000_000_000  # 23 November 2026, 00:00 UTC
    sunday = held.weekly("alice", monday - 1)
    assert held.weekly("alice", monday - 7 * DAY_US) == sunday
    assert held.weekly("alice", monday) != sunday
    assert held.weekly("bob", monday) != held.weekly("alice", monday)
    assert held.take_fresh() == []


@given(st.text(min_size=1, max_size=20), st.integers(0, 2**52))
def test_names_never_show_the_person(person: str, at_us: int) -> None:
    held = names()
    for made in (held.commitment(person, at_us), held.weekly(person, at_us)):
        assert set(made) <= set("0123456789abcdef")
        assert len(made) in (32, 16)


def test_whoever_is_forgotten_has_a_fresh_salt_the_next_time() -> None:
    held = names()
    alice, bob = (held.commitment(name, NOVEMBER_US) for name in ("alice", "bob"))
    assert held.people() == {"alice", "bob"}
    held.forget("alice")
    assert held.people() == {"bob"}
    assert [each.principal for each in held.take_fresh()] == ["bob"]
    assert held.commitment("bob", NOVEMBER_US) == bob
    assert held.commitment("alice", NOVEMBER_US) != alice
    assert [each.principal for each in held.take_fresh()] == ["alice"]


def test_only_the_lines_of_a_person_are_blanked_and_with_as_many_zeros() -> None:
    facts = {"principal.id": "a" * 16, "principal.key_id": "b" * 16, "call.model": "b" * 16}
    line = ledger.encode(decision(1, principal="a" * 16, facts=facts))
    blank = pseudonyms.blanked(line, ["c" * 16, "a" * 16])
    assert len(blank) == len(line)
    found = decision_log.entry(blank)
    assert isinstance(found, ledger.DecisionRecord)
    assert found.principal == found.facts["principal.id"] == found.facts["principal.key_id"]
    assert found.principal == "0" * 16
    assert found.facts["call.model"] == "b" * 16
    assert pseudonyms.blanked(line, ["c" * 16]) == line


def test_pseudonyms_are_the_same_however_many_weeks_lie_between() -> None:
    held = names()
    weeks = [NOVEMBER_US + 7 * DAY_US * week for week in range(4)]
    made = [held.weekly("alice", at_us) for at_us in weeks]
    assert len(set(made)) == 4
    assert [held.weekly("alice", at_us) for at_us in weeks] == made

"""Weekly pseudonyms of one person are one person, for whoever has the secret."""

from gateway.ledger.pseudonyms import Weekly
from gateway.rehearsal.replays.people import Distinct, People

MONDAY_US = 1_795_392_000_000_000  # 23 November 2026, 00:00 UTC
WEEK_US = 7 * 86_400_000_000


def test_pseudonyms_of_any_week_lead_to_the_same_person() -> None:
    weekly = Weekly(b"k" * 32).of
    people = People(weekly, principals=["alice", "bob"], keys=["k1"])
    for at_us in (MONDAY_US - 1, MONDAY_US, MONDAY_US + WEEK_US, MONDAY_US - 1):
        names = people.names(at_us)
        assert names[weekly("alice", at_us)] == "alice"
        assert names[weekly("key k1", at_us)] == "k1"
        assert names.get(weekly("carol", at_us)) is None


def test_two_weeks_are_kept_and_no_more() -> None:
    asked: list[int] = []

    def weekly(name: str, at_us: int) -> str:
        asked.append(at_us)
        return f"{name}{at_us}"

    people = People(weekly, principals=["alice"])
    for week in (0, 1, 1, 0, 2, 1, 0):
        people.names(MONDAY_US + week * WEEK_US)
    assert [(at_us - MONDAY_US) // WEEK_US for at_us in asked] == [0, 1, 2, 0]


def test_without_the_secret_nobody_is_known() -> None:
    assert People().names(MONDAY_US) == {}


def test_people_are_counted_once() -> None:
    seen = Distinct()
    for name in ("alice", "bob", "alice"):
        seen.add(name)
    assert len(seen) == 2

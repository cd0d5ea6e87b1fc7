"""How many people a team has, as far as its keys tell."""

import pytest

from gateway import reports
from gateway.values import Key, Principal

NOW = 1_000.0


def key(
    person: str, team: str = "t", *, revoked: float | None = None, expires: float | None = None
) -> Key:
    principal = Principal(id=person, team=team, key_id=person, role="developer")
    return Key(
        id=person, digest=b"", principal=principal, created_at=0.0, revoked_at=revoked,
        expires_at=expires,
    )  # fmt: skip


def test_five_people_are_no_small_team_and_four_are() -> None:
    keys = [key(f"p{number}") for number in range(5)]

    assert not reports.small(keys, NOW)("t")
    assert reports.small(keys[:4], NOW)("t")


def test_a_team_nobody_knows_is_small() -> None:
    assert reports.small([], NOW)("t")
    assert reports.small([key(f"p{n}", "other") for n in range(9)], NOW)("t")


@pytest.mark.parametrize(
    ("dead", "is_small"),
    [
        ({"revoked": 1.0}, True),
        ({"expires": NOW}, True),
        ({"expires": NOW + 1}, False),
    ],
)
def test_only_live_keys_count(dead: dict[str, float], *, is_small: bool) -> None:
    keys = [*(key(f"p{number}") for number in range(4)), key("p4", **dead)]

    assert reports.small(keys, NOW)("t") is is_small


def test_two_keys_of_one_person_are_one_person() -> None:
    keys = [*(key(f"p{number}") for number in range(4)), key("p0")]

    assert reports.small(keys, NOW)("t")

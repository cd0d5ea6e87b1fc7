"""Keys over HTTP: made, listed, rotated, revoked; nothing assigned that was not meant to be."""

import json

import pytest

from tests.web.api_client import NOW, World


def test_a_key_made_here_works_at_once_and_its_secret_is_shown_once() -> None:
    world = World()

    wish = {"principal": "dora", "team": "search", "models": ["m1"], "expires_in_s": 3600}
    made = world.ask("admin", "POST", "/api/keys", wish).json

    assert made["key"].startswith(f"gg_{made['id']}_")
    assert (made["role"], made["models"]) == ("developer", ["m1"])
    who = world.ask(made["key"], "GET", "/api/whoami").json
    assert (who["principal"], who["team"], who["key_id"]) == ("dora", "search", made["id"])
    assert who["expires_at"] == made["expires_at"]
    listed = world.ask("admin", "GET", "/api/keys").body.decode()
    assert made["id"] in listed
    assert made["key"].rsplit("_", 1)[1] not in listed
    world.now = NOW + 3601
    assert world.ask(made["key"], "GET", "/api/whoami").status == 401


def test_rotating_revokes_the_old_key_and_keeps_what_it_may_do() -> None:
    world = World()
    old = world.ids["developer"]

    made = world.ask("admin", "POST", f"/api/keys/{old}/rotate").json

    assert made["replaces"] == old
    assert world.ask("developer", "GET", "/api/whoami").status == 401
    who = world.ask(made["key"], "GET", "/api/whoami").json
    assert (who["principal"], who["role"]) == ("developer", "developer")


def test_revoking_twice_changes_nothing() -> None:
    world = World()
    path = f"/api/keys/{world.ids['developer']}/revoke"

    first = world.ask("admin", "POST", path).json
    world.now += 60
    second = world.ask("admin", "POST", path).json

    assert first["revoked_at"] == second["revoked_at"] == "2027-01-15T08:00:00Z"
    assert world.ask("developer", "GET", "/api/whoami").status == 401


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_404(verb: str) -> None:
    reply = World().ask("admin", "POST", f"/api/keys/aaaaaaaaaaaa/{verb}")

    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize(
    "extra",
    [
        {"id": "aaaaaaaaaaaa"},
        {"digest": "00"},
        {"key_id": "aaaaaaaaaaaa"},
        {"tenant": "other"},
        {"created_at": 0},
        {"revoked_at": None},
        {"expires_at": 9e9},
        {"__proto__": {}},
    ],
)
def test_no_field_is_assigned_that_an_admin_may_not_say(extra: dict[str, object]) -> None:
    world = World()

    reply = world.ask("admin", "POST", "/api/keys", {"principal": "d", "team": "t"} | extra)

    assert (reply.status, reply.code) == (400, "invalid_request")
    assert len(world.registry.list_keys()) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"principal": "d"}',
        b'{"principal": "", "team": "t"}',
        b'{"principal": 7, "team": "t"}',
        b'{"principal": "a\\nb", "team": "t"}',
        b'{"principal": "d", "team": "t", "role": "root"}',
        b'{"principal": "d", "team": "t", "models": "all"}',
        b'{"principal": "d", "team": "t", "expires_in_s": 0}',
        b'{"principal": "d", "team": "t", "expires_in_s": 1e300}',
        json.dumps({"principal": "d" * 129, "team": "t"}).encode(),
    ],
)
def test_a_wish_that_makes_no_key_is_refused_and_makes_none(body: bytes) -> None:
    world = World()

    reply = world.ask("admin", "POST", "/api/keys", body)

    assert reply.status == 400
    assert len(world.registry.list_keys()) == 3


def test_a_developer_cannot_make_themselves_more() -> None:
    world = World()

    wish = {"principal": "developer", "team": "payments", "role": "admin"}
    assert world.ask("developer", "POST", "/api/keys", wish).status == 403
    own = world.ids["developer"]
    assert world.ask("developer", "POST", f"/api/keys/{own}/rotate").status == 403
    assert len(world.registry.list_keys()) == 3

"""The HTTP around the API: bodies that are too large, odd headers, and reloads."""

import pytest

from tests.web.api_client import World


def test_a_body_too_large_is_refused_whether_or_not_it_says_so() -> None:
    world = World()
    body = b'{"task": "' + b"A" * 70_000 + b'"}'

    honest = world.ask("developer", "POST", "/api/tasks/start", body)
    lying = world.ask(
        "developer", "POST", "/api/tasks/start", body, headers={"content-length": "9"}
    )

    for reply in (honest, lying):
        assert (reply.status, reply.code) == (413, "body_too_large")
        assert reply.headers["connection"] == "close"


def test_a_catalogue_may_be_larger_than_other_bodies() -> None:
    rows = "".join(f"T-{n},A title of some length,open,payments\n" for n in range(3000))
    body = ("id,title,status,team\n" + rows).encode()

    done = World().ask("admin", "POST", "/api/tasks/import?name=c.csv", body)

    assert len(body) > 64 * 1024
    assert done.json["tasks"] == 3000


def test_a_compressed_body_is_refused() -> None:
    reply = World().ask(
        "admin", "POST", "/api/keys", b"\x1f\x8b", headers={"content-encoding": "gzip"}
    )

    assert (reply.status, reply.code) == (415, "unsupported_encoding")


@pytest.mark.parametrize("size", [70_000, 10])
def test_a_stranger_is_turned_away_before_the_body_is_read(size: int) -> None:
    reply = World().ask("", "POST", "/api/keys", b"x" * size)

    assert reply.status == 401


def test_a_request_without_a_host_is_refused() -> None:
    reply = World().ask("admin", "GET", "/api/keys", headers={"host": ""})

    assert (reply.status, reply.code) == (400, "invalid_request")


def test_a_reload_says_which_policy_is_in_force_now() -> None:
    world = World()

    assert world.ask("admin", "POST", "/-/reload").json == {"policy": "sha256:new"}
    assert world.reloads == 1


def test_a_broken_file_is_told_and_nothing_is_reloaded() -> None:
    world = World()
    world.broken = "policies/default.yaml:3:1: there is no fact `cal.model`"

    reply = world.ask("admin", "POST", "/-/reload")

    assert (reply.status, reply.code) == (400, "config_error")
    assert reply.json["error"]["message"] == world.broken


def test_whoami_says_all_that_doctor_looks_at() -> None:
    who = World().ask("auditor", "GET", "/api/whoami").json

    assert (who["principal"], who["role"], who["tenant"]) == ("auditor", "auditor", "default")
    assert (who["version"], who["policy"], who["prices_as_of"]) == ("1", "sha256:p", "2026-11-01")
    assert who["catalogue"].startswith("sha256:")


def test_what_nobody_foresaw_shows_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(world.registry, "list_keys", fail)

    reply = world.ask("admin", "GET", "/api/keys")

    assert (reply.status, reply.body) == (500, b"Internal Server Error")


def test_every_reply_has_an_id_of_its_own() -> None:
    world = World()

    ids = {world.ask(who, "GET", "/api/keys").headers["x-request-id"] for who in ("", "admin")}

    assert len(ids) == 2
    assert all(one.startswith("req_") for one in ids)

"""`doctor`: one line a check, and what to do about it."""

import email.utils
import json

import pytest

from gateway import __version__
from gateway.cli import doctor
from gateway.cli.remote import Remote
from tests.unit.cli.conftest import Command, Scripted

TASK = {"id": "PROJ-1", "title": "Login", "problem": "", "usable": True, "said": ""}
WHO = {
    "principal": "alice",
    "team": "payments",
    "role": "developer",
    "key_id": "abcdefghijkl",
    "expires_at": None,
    "active_task": TASK,
    "version": __version__,
    "policy": "sha256:0123456789abcdef",
    "prices_as_of": "2999-01-01",
}
NOW = 1_800_000_000.0


def healthy(scripted: Scripted) -> Scripted:
    """Return a gateway with nothing wrong."""
    scripted.says("GET /health/live", {"status": "live"})
    scripted.says("GET /health/ready", {"ready": True})
    scripted.says("GET /api/whoami", WHO)
    scripted.says("GET /v1/models", {"data": [{"id": f"m{n}"} for n in range(7)]})
    return scripted


def states(scripted: Scripted, now: float | None = None) -> dict[str, tuple[str, str]]:
    """Return what each check found."""
    remote = Remote(scripted.url, "gg_x")
    if now is None:
        date = remote.fetch("GET", "/health/live").headers["date"]
        now = email.utils.parsedate_to_datetime(date).timestamp()
    moment = now
    return {line.check: (line.state, line.said) for line in doctor.examine(remote, lambda: moment)}


def test_a_healthy_gateway_is_all_ok(run: Command, scripted: Scripted) -> None:
    found = states(healthy(scripted))

    assert {state for state, _ in found.values()} == {"ok"}
    assert list(found) == [
        "reach", "ready", "store", "clock", "key", "task", "models", "policy", "prices", "version",
    ]  # fmt: skip
    assert found["models"][1] == "m0, m1, m2, m3, m4 and 2 more"

    code, out, _ = run("doctor", GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x")
    assert code == 0
    assert out.splitlines()[0] == f"ok    reach      {scripted.url}"


def test_nobody_there_is_one_failure_and_exit_code_1(run: Command) -> None:
    code, out, _ = run("doctor", "--json", GOODGATE_URL="http://127.0.0.1:9", GOODGATE_KEY="gg_x")

    (line,) = json.loads(out)
    assert code == 1
    assert (line["check"], line["state"]) == ("reach", "fail")
    assert "goodgate serve" in line["said"]


def test_something_else_at_the_url_fails(scripted: Scripted) -> None:
    assert states(scripted, NOW)["reach"][0] == "fail"


def test_not_ready_says_why(scripted: Scripted) -> None:
    healthy(scripted).says(
        "GET /health/ready", {"ready": False, "ledger": {"failed": "disk full"}}, status=503
    )

    assert states(scripted)["ready"] == (
        "fail",
        "not ready (ledger failed: disk full): see the server's log",
    )


def test_a_refused_reload_is_a_warning_and_admins_read_its_first_mistake(
    scripted: Scripted,
) -> None:
    reload = {"succeeded": False, "error": "default.yaml:3:1 and 1 more"}
    healthy(scripted).says("GET /health/ready", {"ready": True, "reload": reload})
    developers = states(scripted)
    scripted.says(
        "GET /api/whoami", {**WHO, "reload_error": "default.yaml:3:1: no such fact\nmore"}
    )
    admins = states(scripted)

    said = "the last reload was refused: default.yaml:3:1 and 1 more"
    assert developers["ready"] == admins["ready"] == ("warn", said)
    assert "reload" not in developers
    assert admins["reload"] == (
        "warn",
        "default.yaml:3:1: no such fact (and 1 more: `goodgate policy check`)",
    )


def test_a_wrong_clock_is_a_warning(scripted: Scripted) -> None:
    state, said = states(healthy(scripted), NOW * 2)["clock"]

    assert state == "warn"
    assert "ahead of the gateway's" in said


def test_a_wrong_key_fails_and_ends_the_checks(scripted: Scripted) -> None:
    error = {"error": {"code": "unknown_credential", "message": "no live key matches"}}
    healthy(scripted).says("GET /api/whoami", error, status=401)

    found = states(scripted)
    assert found["key"] == ("fail", "no live key matches")
    assert list(found)[-1] == "key"


@pytest.mark.parametrize(
    ("change", "check", "state"),
    [
        ({"active_task": None}, "task", "warn"),
        ({"active_task": TASK | {"problem": "closed", "usable": False}}, "task", "fail"),
        ({"active_task": TASK | {"problem": "stale"}}, "task", "warn"),
        ({"prices_as_of": "2020-01-01"}, "prices", "warn"),
        ({"prices_as_of": ""}, "prices", "warn"),
        ({"version": "9.9.9"}, "version", "warn"),
        ({"policy": ""}, "policy", "warn"),
    ],
)
def test_what_is_odd_is_shown(
    scripted: Scripted, change: dict[str, object], check: str, state: str
) -> None:
    healthy(scripted).says("GET /api/whoami", WHO | change)

    assert states(scripted)[check][0] == state


def test_a_model_list_that_is_none_fails(scripted: Scripted) -> None:
    healthy(scripted).says("GET /v1/models", b"<html>")
    assert states(scripted)["models"][0] == "fail"

    scripted.says("GET /v1/models", {"data": []})
    assert states(scripted)["models"][0] == "warn"


@pytest.mark.parametrize(
    ("store", "state", "said"),
    [
        ({}, "ok", "in this gateway's memory"),
        ({"kind": "redis", "is_shared": True, "replicas": 1}, "ok", "by this gateway alone"),
        ({"kind": "redis", "is_shared": True, "replicas": 3}, "ok", "shared by 3 replicas"),
        (
            {"kind": "redis", "is_shared": False, "replicas": 1, "reason": "refused"},
            "warn",
            "alone",
        ),
        ({"kind": "redis", "is_shared": False, "replicas": 3}, "warn", "its share of the limits"),
    ],
)
def test_the_store_is_said_to_be_shared_or_away(
    store: dict[str, object], state: str, said: str
) -> None:
    line = doctor._store(store)

    assert (line.check, line.state) == ("store", state)
    assert said in line.said

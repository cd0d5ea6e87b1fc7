"""`goodgate keys` over the stores of a folder, and over HTTP."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Command, Scripted


def made(run: Command, data: Path, *options: str) -> dict[str, Any]:
    """Return what `keys create --json` prints."""
    code, out, err = run(
        "keys", "create", "--principal", "alice", "--team", "payments",
        "--data", str(data), "--json", *options,
    )  # fmt: skip
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_first_key_makes_the_folder_private(run: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"

    key = made(run, data)

    assert key["key"].startswith(f"gg_{key['id']}_")
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in data.iterdir()} == {0o600}


def test_for_people_the_key_stands_alone_on_standard_output(run: Command, tmp_path: Path) -> None:
    code, out, err = run(
        "keys", "create", "--principal", "alice", "--team", "payments", "--role", "auditor",
        "--expires", "90d", GOODGATE_DATA=str(tmp_path),
    )  # fmt: skip

    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("gg_")
    assert "for alice (payments, auditor, until 20" in err
    assert "shown this once" in err


def test_a_key_may_be_held_to_models_and_a_time(run: Command, tmp_path: Path) -> None:
    key = made(run, tmp_path, "--models", "fast, gpt-5-mini", "--expires", "2w")

    assert key["models"] == ["fast", "gpt-5-mini"]
    assert key["created_at"] < key["expires_at"]


def test_keys_are_listed_rotated_and_revoked(run: Command, tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    old = made(run, tmp_path)

    code, out, _ = run("keys", "rotate", old["id"], *data, "--json")
    new = json.loads(out)
    assert (code, new["replaces"]) == (0, old["id"])
    code, out, _ = run("keys", "revoke", new["id"], *data)
    assert (code, out) == (0, f"{new['id']} revoked\n")

    code, out, _ = run("keys", "list", *data, "--json")
    listed = json.loads(out)
    assert {key["id"] for key in listed} == {old["id"], new["id"]}
    assert all(key["revoked_at"] for key in listed)
    assert old["key"].rsplit("_", 1)[1] not in out
    code, out, _ = run("keys", "list", *data)
    assert out.splitlines()[0].split()[:3] == ["id", "principal", "team"]


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_a_no(run: Command, tmp_path: Path, verb: str) -> None:
    made(run, tmp_path)

    code, out, err = run("keys", verb, "aaaaaaaaaaaa", "--data", str(tmp_path))

    assert (code, out) == (1, "")
    assert err.startswith("goodgate: error: ")
    assert "goodgate keys list" in err


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--principal", "alice"),
        ("--principal", "alice", "--team", "t", "--role", "boss"),
        ("--principal", "alice", "--team", "t", "--expires", "soon"),
        ("--principal", "alice", "--team", "t", "--expires", "0d"),
        ("--principal", "", "--team", "t"),
        ("--principal", "alice", "--team", "t", "--tenant", "other"),
    ],
)
def test_wrong_use_is_2_and_makes_no_file(
    run: Command, tmp_path: Path, options: tuple[str, ...]
) -> None:
    code, out, err = run("keys", "create", *options, GOODGATE_DATA=str(tmp_path / "data"))

    assert (code, out) == (2, "")
    assert err.startswith("goodgate: error: ")
    assert "Traceback" not in err


def test_listing_a_folder_that_is_none_says_so_and_makes_none(run: Command, tmp_path: Path) -> None:
    code, _, err = run("keys", "list", "--data", str(tmp_path / "nowhere"))

    assert code == 1
    assert "registry.sqlite is not there" in err
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_the_gateway_is_asked(run: Command, scripted: Scripted) -> None:
    scripted.says("POST /api/keys/abc%2Fd/revoke", {"id": "abc/d"})

    code, out, _ = run("keys", "revoke", "abc/d", GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x")

    assert (code, out) == (0, "abc/d revoked\n")


def test_a_gateway_that_says_no_is_1_and_its_words_are_shown(
    run: Command, scripted: Scripted
) -> None:
    error = {"error": {"code": "not_allowed", "message": "this key's role may not: ask an admin"}}
    scripted.says("GET /api/keys", error, status=403)

    code, _, err = run("keys", "list", GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x")

    assert (code, err) == (1, "goodgate: error: this key's role may not: ask an admin\n")

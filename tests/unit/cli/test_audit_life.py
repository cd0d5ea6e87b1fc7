"""`goodgate audit erase`, `retire` and `rotate-key`: what cannot be undone, done with care."""

import io
import json
import os
import stat
from pathlib import Path

import pytest

from gateway import ledger
from gateway.cli.audit.sources import FolderSource
from gateway.ledger.verification import Trust, verify
from gateway.stores.sqlite import ledger_file
from tests.unit.cli import folders
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.cli.folders import Folder, request_id


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def erase(run: Command, folder: Folder, *argv: str) -> tuple[int, str, str]:
    return run("audit", "erase", "alice", "--reason", "request 7", "--data", str(folder), *argv)


def test_an_erasure_deletes_the_salts_and_every_proof_still_verifies(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    before = run("audit", "receipt", request_id(3), "--data", str(ledger_folder))[1]
    (tmp_path / "old.tlog-proof").write_text(before)

    code, out, err = erase(run, ledger_folder, "--yes")

    assert (code, out) == (0, "alice is erased: 1 salt was deleted\n")
    assert "goodgate keys revoke" in err
    assert set(ledger_folder.reading.persons().values()) == {"bob"}
    argv = ("--key", ledger_folder.vkey)
    kept = run("audit", "receipt", "--check", str(tmp_path / "old.tlog-proof"), *argv)
    assert kept[0] == 0
    run("audit", "export", str(tmp_path / "e"), "--data", str(ledger_folder))
    report = verify(FolderSource(tmp_path / "e"), Trust(vkey=ledger_folder.vkey, whole_folder=True))
    assert (report.first, report.erasures) == (None, 1)


def test_somebody_the_ledger_does_not_know_is_said_to_be_so(
    run: Command, ledger_folder: Folder
) -> None:
    argv = ("--reason", "request 7", "--data", str(ledger_folder), "--yes")

    code, out, _ = run("audit", "erase", "nobody", *argv, "--json")
    again = run("audit", "erase", "nobody", *argv)

    assert (code, json.loads(out)["salts"]) == (0, 0)
    assert "is the name spelt" in again[2]


def test_an_erasure_is_asked_about_on_a_terminal(
    run: Command, ledger_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("bob\n"))
    refused = erase(run, ledger_folder)
    monkeypatch.setattr("sys.stdin", Terminal("alice\n"))
    agreed = erase(run, ledger_folder, "--json")

    assert refused[0] == 1
    assert "nothing was done" in refused[2]
    assert agreed[0] == 0
    assert set(ledger_folder.reading.persons().values()) == {"bob"}


def test_where_nobody_can_be_asked_nothing_is_erased(
    run: Command, ledger_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("alice\n"))

    code, _, err = erase(run, ledger_folder)

    assert (code, "--yes" in err) == (2, True)
    assert set(ledger_folder.reading.persons().values()) == {"alice", "bob"}


def test_a_running_server_is_left_to_do_it_itself(run: Command, ledger_folder: Folder) -> None:
    lock = ledger_file.hold(ledger_folder.path)
    try:
        results = [
            erase(run, ledger_folder, "--yes"),
            run("audit", "rotate-key", "--data", str(ledger_folder)),
        ]
    finally:
        os.close(lock)

    for code, out, err in results:
        assert (code, out) == (1, "")
        assert "its server is running" in err


@pytest.mark.parametrize("name", ["secret", "ledger_key"])
def test_without_the_deployment_s_secrets_nothing_is_written(
    run: Command, ledger_folder: Folder, name: str
) -> None:
    (ledger_folder.path / name).unlink()

    code, _, err = erase(run, ledger_folder, "--yes")

    assert code == 1
    assert f"GOODGATE_{name.upper()}" in err
    assert not (ledger_folder.path / name).exists()


@pytest.mark.parametrize("command", [("erase", "a", "--reason", "r", "--yes"), ("rotate-key",)])
def test_a_folder_without_a_ledger_gets_none(
    run: Command, tmp_path: Path, command: tuple[str, ...]
) -> None:
    code, _, err = run("audit", *command, "--data", str(tmp_path))

    assert (code, "there is no ledger here" in err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def retire(
    run: Command, folder: Folder, to: Path, *argv: str, before: str = "2026-11-22"
) -> tuple[int, str, str]:
    return run("audit", "retire", "--before", before, "--to", str(to), "--data", str(folder), *argv)


def test_a_closed_period_is_exported_verified_and_dropped(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    code, out, err = retire(run, ledger_folder, tmp_path / "a", "--key", ledger_folder.vkey)

    assert (code, out) == (
        0,
        f"entries 0 to 255 are in {tmp_path / 'a'}, verified, and dropped from the store\n",
    )
    assert f"--archive {tmp_path / 'a'}" in err
    assert ledger_folder.reading.retired() == 256
    archive = FolderSource(tmp_path / "a")
    whole = Trust(vkey=ledger_folder.vkey, whole_folder=True)
    assert verify(archive, whole).first is None
    run("audit", "export", str(tmp_path / "e"), "--data", str(ledger_folder))
    rest = FolderSource(tmp_path / "e")
    assert rest.read("tile/entries/000") is None
    trust = Trust(vkey=ledger_folder.vkey, whole_folder=True, archives=[archive])
    report = verify(rest, trust)
    assert (report.first, report.retired, report.unread) == (None, 256, 0)


def test_two_periods_one_after_the_other(run: Command, tmp_path: Path) -> None:
    folder = folders.make(tmp_path / "data", calls=260)
    first = retire(run, folder, tmp_path / "a", "--json")
    again = retire(run, folder, tmp_path / "b")

    assert json.loads(first[1])["size"] == 512
    assert again[0] == 1
    assert "nothing to retire" in again[2]
    assert not (tmp_path / "b").exists()


def test_what_is_younger_is_left_alone(run: Command, ledger_folder: Folder, tmp_path: Path) -> None:
    code, _, err = retire(run, ledger_folder, tmp_path / "a", before="2026-11-01")

    assert (code, "nothing to retire" in err) == (1, True)
    assert ledger_folder.reading.retired() == 0


def test_nothing_is_dropped_unless_the_export_verifies(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    """By another key than the log's it does not."""
    other = folders.make(tmp_path / "other", calls=1).vkey

    code, out, err = retire(run, ledger_folder, tmp_path / "a", "--key", other)

    assert (code, out) == (1, "")
    assert "nothing was dropped" in err
    assert ledger_folder.reading.retired() == 0


def test_a_folder_that_is_not_empty_is_left_as_it_is(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("x")

    code, _, err = retire(run, ledger_folder, tmp_path / "a")

    assert (code, "is not empty" in err) == (2, True)
    assert [each.name for each in (tmp_path / "a").iterdir()] == ["mine"]
    assert ledger_folder.reading.retired() == 0


def test_an_auditor_s_key_exports_nothing_first(
    run: Command, scripted: Scripted, tmp_path: Path
) -> None:
    scripted.says("GET /api/whoami", {"role": "auditor"})

    code, _, err = run(
        "audit", "retire", "--before", "1d", "--to", str(tmp_path / "a"),
        GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x",
    )  # fmt: skip

    assert (code, "ask an admin" in err) == (1, True)
    assert not (tmp_path / "a").exists()


def test_a_rotated_key_is_taken_up_at_the_next_start_and_can_be_followed(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    old = ledger_folder.vkey

    code, out, _ = run("audit", "rotate-key", "--data", str(ledger_folder))

    fresh = out.strip()
    assert (code, folders.signer(ledger_folder).verifier.vkey) == (0, fresh)
    assert folders.signer(ledger_folder, "ledger_key.previous").verifier.vkey == old
    assert stat.S_IMODE((ledger_folder.path / "ledger_key").stat().st_mode) == 0o600
    assert ledger_folder.vkey == old, "until a server has started"
    erase(run, ledger_folder, "--yes")  # which takes the folder over as a server does
    assert ledger_folder.vkey == fresh
    run("audit", "export", str(tmp_path / "e"), "--data", str(ledger_folder))
    for key in (old, fresh):
        report = verify(FolderSource(tmp_path / "e"), Trust(vkey=key, whole_folder=True))
        assert (report.first, report.rotations) == (None, 1)


def test_between_a_rotation_and_the_next_start_an_export_still_verifies(
    run: Command, ledger_folder: Folder, tmp_path: Path
) -> None:
    run("audit", "rotate-key", "--data", str(ledger_folder))
    run("audit", "export", str(tmp_path / "e"), "--data", str(ledger_folder))

    trust = Trust(vkey=ledger_folder.vkey, whole_folder=True)
    assert verify(FolderSource(tmp_path / "e"), trust).first is None


def test_a_rotation_that_is_not_recorded_yet_is_not_followed_by_another(
    run: Command, ledger_folder: Folder
) -> None:
    """Else no start could show both keys, and the ledger would be lost to its server."""
    run("audit", "rotate-key", "--data", str(ledger_folder))
    before = sorted(each.name for each in ledger_folder.path.iterdir())

    code, out, err = run("audit", "rotate-key", "--data", str(ledger_folder))

    assert (code, out) == (1, "")
    assert "start `goodgate serve` once" in err
    assert sorted(each.name for each in ledger_folder.path.iterdir()) == before


def test_an_older_previous_key_is_kept_under_its_id(run: Command, ledger_folder: Folder) -> None:
    first = folders.signer(ledger_folder).verifier
    for _ in range(2):
        _, out, _ = run("audit", "rotate-key", "--data", str(ledger_folder), "--json")
        erase(run, ledger_folder, "--yes")

    retired = ledger_folder.path / f"ledger_key.{first.key_id.hex()}.retired"
    assert folders.signer(ledger_folder, retired.name).verifier == first
    assert json.loads(out)["vkey"] == ledger_folder.vkey


def test_a_key_from_the_environment_is_replaced_there(run: Command, ledger_folder: Folder) -> None:
    argv = ("audit", "rotate-key", "--data", str(ledger_folder))

    code, _, err = run(*argv, GOODGATE_LEDGER_KEY="0" * 64)

    assert (code, "GOODGATE_LEDGER_KEY_PREVIOUS" in err) == (2, True)


def test_a_folder_without_its_key_has_none_to_replace(run: Command, ledger_folder: Folder) -> None:
    (ledger_folder.path / "ledger_key").unlink()

    code, _, err = run("audit", "rotate-key", "--data", str(ledger_folder))

    assert (code, "nothing to replace" in err) == (1, True)
    assert isinstance(ledger.decode(ledger_folder.reading.lines(0, 1)[0]), ledger.ReplicaStart)

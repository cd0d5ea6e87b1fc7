"""`goodgate audit export`, `key` and `usage`: what leaves the gateway can be checked without it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.audit.sources import FolderSource
from gateway.ledger.verification import Trust, verify
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.cli.folders import CALLS, Folder

VERIFIER = Path(__file__).resolve().parents[3] / "docs" / "verifier" / "verify.py"
ENTRIES = 2 * CALLS + 5
"""Starts, ends and the policy beside two for each call."""


def test_an_export_verifies_with_both_verifiers(
    run: Command, kept_folder: Folder, tmp_path: Path
) -> None:
    code, out, err = run("audit", "export", str(tmp_path / "e"), "--data", str(kept_folder))

    assert code == 0
    assert out.startswith(f"{ENTRIES} entries in ")
    trust = Trust(vkey=kept_folder.vkey, whole_folder=True)
    assert verify(FolderSource(tmp_path / "e"), trust).first is None
    told = [line.removeprefix("goodgate:   ") for line in err.splitlines() if "--key" in line]
    assert [line.split()[:3] for line in told] == [
        ["goodgate", "audit", "verify"],
        ["python3", "docs/verifier/verify.py", str(tmp_path / "e")],
    ]
    other = subprocess.run(
        [sys.executable, VERIFIER, tmp_path / "e", "--key", kept_folder.vkey],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (other.returncode, "consistent" in other.stdout) == (0, True), other.stderr


def test_only_a_new_or_empty_folder_is_written(
    run: Command, kept_folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "file").write_text("mine")

    for name in ("full", "file"):
        code, out, err = run("audit", "export", str(tmp_path / name), "--data", str(kept_folder))
        assert (code, out) == (2, ""), err
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["x"]
    (tmp_path / "empty").mkdir()
    code, out, _ = run(
        "audit", "export", str(tmp_path / "empty"), "--data", str(kept_folder), "--json"
    )
    assert json.loads(out)["entries"] == ENTRIES


NOTE = (
    "goodgate/x\n1\n" + "A" * 43 + "=\n\n\N{EM DASH} goodgate/x " + "A" * 90 + "A=\n"
)  # no signature of anybody's: only its size is read


def serve(scripted: Scripted, files: list[str]) -> dict[str, str]:
    scripted.says("GET /api/log/key", {"origin": "goodgate/x", "vkey": "goodgate/x+0+0"})
    scripted.says("GET /api/log/checkpoint", NOTE.encode())
    scripted.says("GET /api/log/files", files)
    scripted.says("GET /api/log/manifest", b"goodgate manifest v1\n\nx\n")
    return {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_x"}


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", "tile/../../x", "tile/0/../x", "policies/x.json", "x",
             "manifest/../../x", "tile/0/000/../../../../x"],
)  # fmt: skip
def test_no_gateway_gets_to_write_outside_the_folder(
    run: Command, scripted: Scripted, tmp_path: Path, path: str
) -> None:
    environ = serve(scripted, ["checkpoint", path])

    code, _, err = run("audit", "export", str(tmp_path / "e"), **environ)

    assert code == 1
    assert "a file no log has" in err
    assert {each.name for each in tmp_path.rglob("*")} <= {"e", "checkpoint"}


def test_a_gateway_whose_files_are_not_what_it_signs_has_no_export(
    run: Command, scripted: Scripted, tmp_path: Path
) -> None:
    environ = serve(scripted, ["checkpoint"])
    line = f"{'0' * 64} 3 checkpoint\n"
    scripted.says("GET /api/log/manifest", f"goodgate manifest v1\n{line}\nx\n".encode())

    code, _, err = run("audit", "export", str(tmp_path / "e"), **environ)

    assert code == 1
    assert "are not what its manifest says" in err
    assert not (tmp_path / "e" / "manifest").exists()


def test_the_key_is_told(run: Command, kept_folder: Folder) -> None:
    code, out, _ = run("audit", "key", "--data", str(kept_folder), "--json")

    assert (code, json.loads(out)) == (0, kept_folder.reading.log()._asdict())
    assert kept_folder.vkey in run("audit", "key", "--data", str(kept_folder))[1]


def test_usage_is_summed(run: Command, kept_folder: Folder) -> None:
    argv = ("audit", "usage", "--data", str(kept_folder))

    _, table, _ = run(*argv)
    _, text, _ = run(*argv, "--by", "task,model", "--format", "csv")
    _, rules, _ = run(*argv, "--by", "rule", "--json")

    assert table.splitlines()[0].split()[:3] == ["team", "month", "calls"]
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["task_id"], row["calls"], row["cost_usd"]) == ("PROJ-2", str(CALLS), "0.0000004")
    assert json.loads(rules)[0]["calls"] == CALLS


def test_sums_without_rows_have_their_columns(run: Command, kept_folder: Folder) -> None:
    argv = ("audit", "usage", "--data", str(kept_folder), "--team", "nobody")

    assert run(*argv, "--format", "csv")[1].startswith("team,month,calls,settled,")
    assert run(*argv, "--by", "rule", "--format", "csv")[1] == "rule,team,decision,calls\r\n"
    assert run(*argv)[1:] == ("", "goodgate: nothing in the ledger matches\n")


def test_sums_by_person_are_refused_with_the_reason(run: Command, kept_folder: Folder) -> None:
    code, out, err = run("audit", "usage", "--by", "principal", "--data", str(kept_folder))

    assert (code, out) == (2, "")
    assert "no ranking of people" in err


def test_every_filter_of_usage_reaches_the_gateway(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/audit/usage", [])

    run(
        "audit", "usage", "--by", "task", "--team", "t", "--task", "P-1", "--model", "m",
        "--decision", "refused", "--since", "9d", "--until", "1d", "--limit", "7",
        GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x",
    )  # fmt: skip

    asked = scripted.asked[0][0]
    assert asked == (
        "GET /api/audit/usage?by=task&task=P-1&team=t&model=m&decision=refused&since=9d"
        "&until=1d&limit=7"
    )

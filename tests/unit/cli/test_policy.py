"""`goodgate policy check`: usable or not, and every mistake with its place."""

import json
from pathlib import Path

from tests.unit.cli.conftest import Command

GOOD = """\
version: 1
rules:
  - {id: no-drafts, when: call.model == "draft", effect: forbid, message: Use another model.}
"""
BAD = """\
version: 1
rules:
  - {id: one, when: cal.model == "x", effect: forbid, message: No.}
  - {id: two, when: call.model ==, effect: forbid, message: No.}
"""


def test_the_shipped_policy_is_usable(run: Command) -> None:
    code, out, err = run("policy", "check")

    assert (code, err) == (0, "")
    assert "default.yaml: usable, sha256:" in out


def test_files_and_folders_are_checked_together(run: Command, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD.replace("no-drafts", "no-others"))

    code, out, _ = run(
        "policy", "check", str(tmp_path / "policies"), str(tmp_path / "b.yaml"), "--json"
    )

    found = json.loads(out)
    assert (code, found["usable"], len(found["files"])) == (0, True, 2)
    assert found["policy"].startswith("sha256:")


def test_the_folder_of_the_environment_is_checked(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)

    assert run("policy", "check", GOODGATE_POLICIES=str(tmp_path))[0] == 1


def test_every_mistake_is_told_with_its_file_line_and_column(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)

    code, out, err = run("policy", "check", str(tmp_path / "a.yaml"))

    lines = err.splitlines()
    assert (code, out) == (1, "")
    assert any("a.yaml:3:" in line for line in lines)
    assert any("a.yaml:4:" in line for line in lines)
    assert all(line.startswith("goodgate: error: ") for line in lines)
    code, out, err = run("policy", "check", str(tmp_path / "a.yaml"), "--json")
    assert (code, err) == (1, "")
    assert json.loads(out)["usable"] is False
    assert len(json.loads(out)["mistakes"]) == len(lines)


def test_a_folder_with_no_policy_is_a_no(run: Command, tmp_path: Path) -> None:
    code, _, err = run("policy", "check", str(tmp_path))

    assert code == 1
    assert "no policy file" in err


def test_what_works_and_has_no_effect_is_said(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD + "reuse: {exact: off, share: team}\n")

    code, out, _ = run("policy", "check", str(tmp_path))
    asked = json.loads(run("policy", "check", str(tmp_path), "--json")[1])

    assert code == 0
    assert "a.yaml:4: `share: team` has no effect while `exact` is off" in out
    assert len(asked["notes"]) == 1

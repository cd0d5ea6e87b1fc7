"""`goodgate policy diff`: what changed, in words."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from gateway import policy
from gateway.stores.sqlite.ledger import Ledger
from tests.unit.cli.conftest import Command

OLD = """\
version: 1
rules:
  - {id: call-rate, quota: {calls: 1200, per: 1m, by: [principal]}}
  - {id: no-task, when: 'task.evidence == "none"', effect: forbid, message: Name a task.}
"""
NEW = OLD.replace("1200", "600").replace('"none"', '"none" && call.metered')
SAID = """\
call-rate: 1200 calls per 1m for each principal -> 600 calls per 1m for each principal (stricter)
no-task: condition changed: task.evidence == "none" -> task.evidence == "none" && call.metered (looser)
    also asks for call.metered
"""  # noqa: E501  # as it is printed


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return two files of policies."""
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.yaml").write_text(NEW)
    return str(tmp_path / "old.yaml"), str(tmp_path / "new")


def test_files_and_folders_are_compared_in_words(run: Command, files: tuple[str, str]) -> None:
    assert run("policy", "diff", *files) == (1, SAID, "")


def test_the_same_is_no_difference(run: Command, files: tuple[str, str]) -> None:
    assert run("policy", "diff", files[0], files[0]) == (0, "no difference\n", "")


def test_json_has_every_change_by_its_kind(run: Command, files: tuple[str, str]) -> None:
    code, out, _ = run("policy", "diff", *files, "--json")

    found = json.loads(out)
    assert code == 1
    assert [each["what"] for each in found["changes"]] == ["limit", "condition"]
    assert found["old"] == policy.load([("a.yaml", OLD)]).digest


def test_a_terminal_gets_the_same_words(
    run: Command, files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")

    assert run("policy", "diff", *files)[1] == SAID


async def test_what_was_once_in_force_is_compared_by_its_digest(
    run: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    digest = policy.load([("old.yaml", OLD)]).digest
    kept = Ledger.open(tmp_path, secret=b"s" * 32, clock=lambda: 1e9)
    kept.start(asyncio.get_running_loop())
    kept.keep_policies(digest, [("old.yaml", OLD)], 1)
    await kept.flush()
    await asyncio.to_thread(kept.close)

    assert run("policy", "diff", digest, files[1], "--data", str(tmp_path)) == (1, SAID, "")
    code, _, err = run(
        "policy", "diff", f"sha256:{'0' * 16}", files[1], GOODGATE_DATA=str(tmp_path)
    )
    assert (code, "was never in force here" in err) == (2, True)


@pytest.mark.parametrize(
    ("old", "said"),
    [
        ("nowhere", "nowhere: there is no such file or folder of policies"),
        (f"sha256:{'0' * 16}", "name it with --data DIR"),
    ],
)
def test_what_is_not_there_is_wrong_use(
    run: Command, files: tuple[str, str], old: str, said: str
) -> None:
    code, out, err = run("policy", "diff", old, files[1])

    assert (code, out) == (2, "")
    assert said in err


def test_every_mistake_in_a_file_is_told(
    run: Command, tmp_path: Path, files: tuple[str, str]
) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nrules:\n  - {id: a}\n  - {id: b}\n")

    code, _, err = run("policy", "diff", files[0], str(tmp_path / "bad.yaml"))

    assert code == 2
    assert [line.count("bad.yaml:") for line in err.splitlines()] == [1, 1]

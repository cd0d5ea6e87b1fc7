"""`goodgate task` over the stores of a folder, and over HTTP."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command, Scripted

YAML = """\
tasks:
  - {id: PROJ-123, title: Login times out, status: open, members: [alice, bob], team: payments}
  - {id: LONE-1, title: Nobody's}
"""
SHOWN = {
    "id": "PROJ-1",
    "title": "Login",
    "status": "open",
    "team": "payments",
    "root": "PROJ-1",
    "value": None,
    "problem": "",
    "said": "",
    "active": True,
}


def developer(scripted: Scripted) -> dict[str, str]:
    """Return the variables of a developer's shell."""
    return {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_x"}


def test_catalogues_in_every_format_are_imported(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(YAML)
    (tmp_path / "b.csv").write_text("id,title,members\nCSV-1,From a sheet,alice\n")
    (tmp_path / "c.json").write_text('{"tasks": [{"id": "JSON-1", "team": "t"}]}')
    files = [str(tmp_path / name) for name in ("a.yaml", "b.csv", "c.json")]

    code, out, err = run("task", "import", *files, "--data", str(tmp_path / "data"), "--json")

    done = json.loads(out)
    assert (code, err) == (0, "")
    assert (done["tasks"], len(done["warnings"])) == (4, 1)
    assert [one["new"] for one in done["files"]] == [2, 1, 1]

    code, out, _ = run("task", "list", "--data", str(tmp_path / "data"), "--json")
    assert {task["id"] for task in json.loads(out)} == {"PROJ-123", "LONE-1", "CSV-1", "JSON-1"}


def test_warnings_go_beside_the_answer(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(YAML)

    code, out, err = run(
        "task", "import", str(tmp_path / "a.yaml"), "--data", str(tmp_path / "data")
    )

    assert (code, out) == (0, "a.yaml: 2 tasks imported\n")
    assert err.startswith("goodgate: warning: a.yaml:3: LONE-1 has neither members nor team")


def test_a_broken_catalogue_is_a_no_with_every_mistake_on_its_line(
    run: Command, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text("tasks:\n  - {title: no id}\n  - {id: A-1, status: lost}\n")

    code, out, err = run(
        "task", "import", str(tmp_path / "a.yaml"), "--data", str(tmp_path / "data")
    )

    assert (code, out) == (1, "")
    assert len(err.splitlines()) >= 2
    assert all(line.startswith("goodgate: error: a.yaml:") for line in err.splitlines())


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_wrong_use(run: Command, tmp_path: Path, name: str) -> None:
    code, _, err = run("task", "import", str(tmp_path / name), "--data", str(tmp_path / "data"))

    assert code == 2
    assert "cannot be read" in err


def test_nothing_is_imported_when_one_of_the_files_is_missing(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(YAML)

    code, _, _ = run(
        "task", "import", str(tmp_path / "a.yaml"), "no.yaml", "--data", str(tmp_path / "data")
    )

    assert code == 2
    assert not (tmp_path / "data").exists()


def test_a_developer_lists_their_tasks_with_the_active_one_marked(
    run: Command, scripted: Scripted
) -> None:
    scripted.says("GET /api/tasks", [SHOWN, SHOWN | {"id": "PROJ-2", "active": False}])

    code, out, _ = run("task", "list", "--status", "all", **developer(scripted))

    lines = out.splitlines()
    assert (code, scripted.asked[0][0]) == (0, "GET /api/tasks?status=all")
    assert lines[1].startswith("*       PROJ-1  Login")
    assert lines[2].startswith("-       PROJ-2  Login")


def test_a_title_cannot_move_the_cursor(run: Command, scripted: Scripted) -> None:
    """A tracker's text is somebody else's: it must not speak to the terminal."""
    scripted.says("GET /api/tasks", [SHOWN | {"title": "\x1b[2J\x1b]0;x\x07evil\n"}])

    _, out, _ = run("task", "list", **developer(scripted))

    assert not {"\x1b", "\x07"} & set(out)


def test_having_no_task_says_what_to_do(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/tasks", [])

    code, _, err = run("task", "list", **developer(scripted))

    assert code == 0
    assert "goodgate task import" in err


def test_a_task_is_started_by_its_canonical_id_and_stopped(
    run: Command, scripted: Scripted
) -> None:
    scripted.says("POST /api/tasks/start", SHOWN)
    scripted.says("POST /api/tasks/stop", {"stopped": "PROJ-1"})

    assert run("task", "start", "proj\u20111", **developer(scripted))[:2] == (
        0,
        "PROJ-1 started: Login\n",
    )
    assert json.loads(scripted.asked[0][2]) == {"task": "PROJ-1"}
    assert run("task", "stop", **developer(scripted))[:2] == (0, "PROJ-1 stopped\n")
    scripted.says("POST /api/tasks/stop", {"stopped": None})
    assert run("task", "stop", **developer(scripted))[:2] == (0, "no task was active\n")


def test_starting_a_task_of_others_is_a_no(run: Command, scripted: Scripted) -> None:
    error = {"error": {"code": "task_unknown", "message": "no task with this id is yours"}}
    scripted.says("POST /api/tasks/start", error, status=404)

    code, out, err = run("task", "start", "OPS-7", **developer(scripted))

    assert (code, out, err) == (1, "", "goodgate: error: no task with this id is yours\n")


def test_a_task_credential_stands_alone_on_standard_output(
    run: Command, scripted: Scripted
) -> None:
    made = {"credential": "gt1.x.y", "task": "PROJ-1", "expires_at": "2026-11-23T12:00:00Z"}
    scripted.says("POST /api/tasks/token", made)

    code, out, err = run("task", "token", "PROJ-1", "--ttl", "30m", **developer(scripted))

    assert (code, out) == (0, "gt1.x.y\n")
    assert json.loads(scripted.asked[0][2]) == {"task": "PROJ-1", "ttl_s": 1800}
    assert "until 2026-11-23T12:00:00Z" in err


@pytest.mark.parametrize(
    "argv", [("start", "no id!"), ("token", "P-1", "--ttl", "long"), ("start",), ("list", "x")]
)
def test_wrong_use_asks_nobody(run: Command, scripted: Scripted, argv: tuple[str, ...]) -> None:
    code, out, err = run("task", *argv, **developer(scripted))

    assert (code, out, scripted.asked) == (2, "", [])
    assert err.startswith("goodgate: error: ")

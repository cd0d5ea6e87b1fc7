"""`goodgate audit query`: filters in, entries out, names only with a reason."""

import csv
import io
import json
from pathlib import Path

import pytest

from gateway import ledger
from gateway.stores.sqlite import ledger_file
from gateway.stores.sqlite.ledger import Ledger
from tests.unit.cli.conftest import Command, Scripted

ENTRY = {
    "index": 7,
    "received_at": "2026-11-23T12:00:00.000000Z",
    "principal": "p-0123",
    "team": "=cmd|' /C calc'!A0",
    "task_id": "PROJ-1",
    "evidence": "verified",
    "model_served": "gpt-5-mini",
    "decision": "forwarded",
    "rules": ["require-task", "team-budget"],
    "input_tokens": 10,
    "output_tokens": 3,
    "cost_usd": "0.000012",
    "completion": "complete",
}


def auditor(scripted: Scripted) -> dict[str, str]:
    """Return the variables of an auditor's shell."""
    return {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_x"}


def empty_ledger(folder: Path) -> Path:
    """Make a folder with a ledger in it, as `serve` does."""
    Ledger.open(folder, secret=b"s" * 32).close()
    return folder


def test_every_filter_reaches_the_gateway(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/audit/entries", [])

    code, _, err = run(
        "audit", "query", "--task", "PROJ-1", "--team", "t", "--principal", "alice", "--model", "m",
        "--decision", "refused", "--rule", "r", "--since", "7d", "--until", "1d", "--limit", "5",
        "--reveal", "ticket SEC-42", **auditor(scripted),
    )  # fmt: skip

    assert (code, err) == (0, "goodgate: nothing in the ledger matches\n")
    asked = scripted.asked[0][0]
    assert asked.startswith("GET /api/audit/entries?task=PROJ-1&team=t&principal=alice&model=m")
    assert asked.endswith("rule=r&since=7d&until=1d&limit=5&reveal=ticket+SEC-42")


def test_json_is_an_array_of_entries(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/audit/entries", [ENTRY])

    for form in (("--json",), ("--format", "json")):
        code, out, _ = run("audit", "query", *form, **auditor(scripted))
        assert (code, json.loads(out)) == (0, [ENTRY])


def test_a_table_shows_what_fits_on_a_line(run: Command, scripted: Scripted) -> None:
    scripted.says("GET /api/audit/entries", [ENTRY])

    code, out, _ = run("audit", "query", **auditor(scripted))

    assert code == 0
    assert out.splitlines()[0].split()[:3] == ["index", "received_at", "principal"]
    assert "rules" not in out


def test_csv_holds_every_field_and_no_formula(run: Command, scripted: Scripted) -> None:
    """A team's name is somebody's text, and the file is opened in a spreadsheet."""
    scripted.says("GET /api/audit/entries", [ENTRY])

    _, out, _ = run("audit", "query", "--format", "csv", **auditor(scripted))

    (row,) = csv.DictReader(io.StringIO(out))
    assert list(row) == list(ENTRY)
    assert row["team"] == "'" + str(ENTRY["team"])
    assert row["rules"] == "require-task team-budget"


def test_unlinked_cost_is_asked_for_by_hour(run: Command, scripted: Scripted) -> None:
    rows = [{"hour": "2026-11-23T12:00:00Z", "team": "t", "calls": 3}]
    scripted.says("GET /api/audit/unlinked", rows)

    code, out, _ = run("audit", "query", "--unlinked", "--since", "1d", **auditor(scripted))

    assert (code, out.splitlines()[0].split()) == (0, ["hour", "team", "calls"])


@pytest.mark.parametrize(
    "argv",
    [
        ("--unlinked", "--task", "PROJ-1"),
        ("--unlinked", "--reveal", "because"),
        ("--limit", "0"),
        ("--format", "xml"),
    ],
)
def test_wrong_use_asks_nobody(run: Command, scripted: Scripted, argv: tuple[str, ...]) -> None:
    code, out, err = run("audit", "query", *argv, **auditor(scripted))

    assert (code, out, scripted.asked) == (2, "", [])
    assert err.startswith("goodgate: error: ")


@pytest.mark.parametrize(
    ("argv", "exit_code"),
    [(("--since", "yesterday"), 2), (("--reveal", " "), 2), (("--principal", "alice"), 1)],
)
def test_a_folder_refuses_what_the_gateway_would(
    run: Command, tmp_path: Path, argv: tuple[str, ...], exit_code: int
) -> None:
    code, out, _ = run("audit", "query", *argv, "--data", str(empty_ledger(tmp_path)))

    assert (code, out) == (exit_code, "")


def test_an_empty_ledger_has_no_entries(run: Command, tmp_path: Path) -> None:
    folder = str(empty_ledger(tmp_path))

    assert run("audit", "query", "--data", folder, "--json") == (0, "[]\n", "")
    assert run("audit", "query", "--unlinked", "--data", folder, "--json") == (0, "[]\n", "")
    _, out, _ = run("audit", "query", "--data", folder, "--format", "csv")
    assert out.startswith("index,request_id,attempt_id,received_at,principal,")


def test_a_folder_without_a_ledger_says_so_and_gets_none(run: Command, tmp_path: Path) -> None:
    code, _, err = run("audit", "query", GOODGATE_DATA=str(tmp_path))

    assert code == 1
    assert "there is no ledger here" in err
    assert list(tmp_path.iterdir()) == []


def test_a_reveal_from_a_folder_is_recorded_with_the_account_behind_it(
    run: Command, tmp_path: Path
) -> None:
    folder = empty_ledger(tmp_path)

    code, _, _ = run("audit", "query", "--reveal", "ticket SEC-42", "--data", str(folder))

    connection = ledger_file.open_to_read(folder)
    blobs = [row[2] for row in connection.execute(ledger_file.SQL["all_intake"])]
    connection.close()
    assert code == 0
    _, recorded, _ = (ledger.decode(line) for line in blobs[0].split(b"\n"))
    assert isinstance(recorded, ledger.Reveal)
    assert recorded.reason == "ticket SEC-42"
    assert recorded.auditor.startswith("os:")

"""Reports, wins and the meter of a running gateway, as an auditor and a developer ask for them."""

import json
from pathlib import Path

import pytest

from gateway.stores.sqlite.reading import Reading
from tests.live.server import POLICIES, RunningGateway, Site, chat, command
from tests.live.test_credit import PROSE, called, tracked
from tests.live.trackers import ENV, accepted, tell

__all__ = ["tracked"]


def worked(gateway: RunningGateway) -> None:
    for number in range(2):
        called(gateway, "PROJ-1", f"{PROSE} in part {number} of {number + 7} of the system")
    assert tell(gateway, accepted("PROJ-1")).status == 200


def test_an_auditor_asks_what_came_of_the_work(tracked: Site, tmp_path: Path) -> None:
    """Of one person there is no row; a reveal shows it, and is an entry."""
    with tracked.running(**ENV) as gateway:
        worked(gateway)
        asked = gateway.ask("/api/audit/report", key="auditor", method="GET").json
        assert asked["rows"] == []
        assert "--reveal" in asked["withheld"]
        assert asked["spent"][0] == {"evidence": "verified", "calls": 2} | {
            "cost_usd": asked["spent"][0]["cost_usd"]
        }
        path = "/api/audit/report?by=root&reveal=ticket+SEC-42"
        assert gateway.ask(path, key="alice", method="GET").status == 403
        shown = gateway.ask(path, key="auditor", method="GET").json
        [row] = [each for each in shown["rows"] if each["root_id"] == "PROJ-100"]
        assert (row["names"], row["accepted_tasks"], row["calls"]) == (["alice"], 1, 2)
        assert float(row["provisional"]) > 0.5
        mine = gateway.ask("/api/credit/mine", key="alice", method="GET").json
        assert [each["root_id"] for each in mine["rows"]] == ["PROJ-100"]
        assert gateway.ask("/api/credit/mine", key="bob", method="GET").json["rows"] == []
        assert gateway.stop() == 0
    reveals = [leaf for leaf in tracked.leaves() if leaf["kind"] == "reveal"]
    assert [leaf["reason"] for leaf in reveals] == ["ticket SEC-42"]

    folder = tmp_path / "export"
    command("audit", "export", str(folder), "--data", str(tracked.data))
    evidence = shown["evidence"]
    assert evidence["key"] == Reading(tracked.data).log().vkey
    told = evidence["reproduce"].split("credit recompute ./log ")[1].split()
    again = json.loads(command("credit", "recompute", str(folder), *told, "--json").stdout)
    root = next(each for each in again["roots"] if each["root_id"] == "PROJ-100")
    assert root["provisional"].rstrip("0") == row["provisional"]
    plainly = command("credit", "recompute", str(folder), *told).stdout
    assert f"tree {evidence['root']}" in plainly


def test_wins_are_a_page_and_a_text_of_what_was_finished(tracked: Site, tmp_path: Path) -> None:
    with tracked.running(**ENV) as gateway:
        worked(gateway)
        assert gateway.stop() == 0
    folder = ("--data", str(tracked.data))
    listed = command("wins", "list", *folder).stdout
    assert "PROJ-1" in listed
    text = command("wins", "report", *folder).stdout
    assert "accepted by 1 other person" in text
    page = tmp_path / "wins.html"
    command("wins", "report", "--format", "html", "--out", str(page), *folder)
    assert "<h1>Wins" in page.read_text()
    found = json.loads(command("wins", "report", "--format", "json", *folder).stdout)
    assert [each["task_id"] for each in found["wins"]] == ["PROJ-1"]
    assert "alice" not in text + page.read_text() + json.dumps(found)


def test_reports_are_read_from_a_folder_as_from_a_gateway(tracked: Site) -> None:
    with tracked.running(**ENV) as gateway:
        worked(gateway)
        assert gateway.stop() == 0
    folder = ("--data", str(tracked.data))
    shown = command("audit", "report", "--by", "root", "--reveal", "a test", *folder).stdout
    assert "PROJ-100" in shown
    assert "alice" in shown
    assert "credit recompute" in shown
    assert "fewer than 5 people" in command("audit", "report", *folder).stderr
    metrics = json.loads(command("audit", "meter", "--json", *folder).stdout)["metrics"]
    assert set(metrics) == {"calls", "tokens", "credit"}
    assert "calls" in command("audit", "meter", *folder).stdout
    csv = command("audit", "report", "--by", "team", "--format", "csv", "--reveal", "x", *folder)
    assert csv.stdout.startswith("team,accepted_tasks,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "person"), "nobody can be ranked"),
        (("--since", "7d"), "whole months"),
        (("--as-of", "soon"), "is no moment"),
    ],
)
def test_a_report_that_cannot_be_made_says_why(
    tracked: Site, words: tuple[str, ...], said: str
) -> None:
    with tracked.running(**ENV) as gateway:
        worked(gateway)
        assert gateway.stop() == 0
    done = command("audit", "report", *words, "--data", str(tracked.data), expect=2)
    assert said in done.stderr


def test_who_tries_something_out_needs_no_task_up_to_an_allowance(tracked: Site) -> None:
    """The shipped recipe: served, told as unlinked cost with nobody's name on it, no credit."""
    recipe = (POLICIES / "recipes" / "exploration-allowance.yaml").read_text("utf-8")
    assert "cost_usd: 2," in recipe
    with tracked.policy(recipe.replace("cost_usd: 2,", "cost_usd: 0.01,")).running(
        **ENV
    ) as gateway:
        served = gateway.ask("/v1/chat/completions", chat(max_tokens=1_000))
        assert (served.status, served.headers["x-goodgate-evidence"]) == (200, "none")
        refused = gateway.ask("/v1/chat/completions", chat(max_tokens=8_000))
        assert refused.status == 400
        assert "work without a task are used up" in refused.json["error"]["message"]
        assert (
            gateway.ask("/v1/chat/completions", chat(max_tokens=8_000), task="PROJ-1").status == 200
        )
        found = gateway.ask("/api/audit/report", key="auditor", method="GET").json
        spent = {each["evidence"]: each["calls"] for each in found["spent"]}
        assert (spent["none"], spent["verified"], spent["refused"]) == (1, 1, 1)
        share = found["unlinked_share"]["calls"]
        assert (share["unlinked"], share["of"]) == ("1", "2")
        assert gateway.stop() == 0
    assert [leaf["task_id"] for leaf in tracked.leaves() if leaf["kind"] == "intent"] == ["PROJ-1"]

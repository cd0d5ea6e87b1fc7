"""
Credit, end to end: calls under a task, a tracker's signed word, and what an auditor works out.

The gateway is a process, the tracker a sender of signed messages, and credit is recomputed from
an export with nothing but the log's public key.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.stores.sqlite.reading import Reading
from tests.live.server import RunningGateway, Site, command, until
from tests.live.trackers import ENV, TRACKERS, accepted, forge, tell

PROSE = (
    "Please explain why the login form times out when the session store is slow and how the"
    " retry with a growing pause should be written so that nobody waits for longer than needed"
)


def called(gateway: RunningGateway, task: str, text: str) -> None:
    messages = [{"role": "user", "content": text}]
    reply = gateway.ask(
        "/v1/chat/completions", {"model": "sim", "messages": messages}, task=task, key="alice"
    )
    assert (reply.status, reply.headers["x-goodgate-evidence"]) == (200, "verified")


def recomputed(site: Site, folder: Path) -> dict[str, Any]:
    """Return the credit of each root, from an export alone."""
    command("audit", "export", str(folder), "--data", str(site.data))
    key = ("--key", Reading(site.data).log().vkey)
    command("audit", "verify", str(folder), *key)
    printed = command("credit", "recompute", str(folder), *key, "--json")
    again = command("credit", "recompute", "--data", str(site.data), *key, "--json")
    assert json.loads(again.stdout)["roots"] == json.loads(printed.stdout)["roots"]
    return {each["root_id"]: each for each in json.loads(printed.stdout)["roots"]}


@pytest.fixture
def tracked(site: Site) -> Site:
    site.config.write_text(site.config.read_text() + TRACKERS)
    return site


def outcomes(site: Site) -> list[dict[str, Any]]:
    return [leaf for leaf in site.leaves() if leaf["kind"] == "outcome"]


def test_what_a_tracker_says_becomes_credit_that_anyone_can_recompute(
    tracked: Site, tmp_path: Path
) -> None:
    """And what is repeated, unsigned, or taken by its own author does not."""
    with tracked.running(**ENV) as gateway:
        for number in range(3):
            called(gateway, "PROJ-1", f"{PROSE} in part {number} of {number + 7} of the system")
        called(gateway, "PROJ-2", f"{PROSE} and what else the search does")

        assert tell(gateway, accepted("PROJ-1"), secret="another").status == 401
        first = tell(gateway, accepted("PROJ-1"), id="d1")
        assert (first.status, first.json) == (200, {"status": "taken"})
        assert tell(gateway, accepted("PROJ-1"), id="d1").json == {"status": "seen before"}
        assert tell(gateway, accepted("PROJ-1")).status == 200
        alone = accepted("PROJ-2", reviewers=[{"handle": "alice"}])
        assert tell(gateway, alone).status == 200
        assert gateway.ask("/webhooks/nobody", b"{}", key="").status == 404
        late = tell(gateway, accepted("PROJ-1"), at=str(int(time.time()) - 3600))
        assert late.status == 401
        assert gateway.stop() == 0

    told = outcomes(tracked)
    assert [(leaf["task_id"], leaf["event"]) for leaf in told] == [
        ("PROJ-1", "accepted"),
        ("PROJ-2", "accepted"),
    ]
    assert "alice" not in json.dumps(told)
    credit = recomputed(tracked, tmp_path / "export")
    assert float(credit["PROJ-100"]["provisional"]) > 0.5
    assert credit["PROJ-100"]["calls"] == 3
    assert float(credit["PROJ-2"]["provisional"]) == 0


def test_a_merge_is_told_from_the_issue_to_its_reverts(tracked: Site, tmp_path: Path) -> None:
    """A catalogue that follows the forge; approvals, a merge by its author, a restart, a revert."""
    issue = {
        "id": 500,
        "number": 7,
        "title": "Log in",
        "state": "open",
        "created_at": "2026-09-01T10:00:00Z",
        "updated_at": "2026-09-21T13:20:00Z",
        "user": {"login": "carol-gh"},
        "assignees": [{"login": "alice-gh"}],
    }
    pull = {
        "id": 900,
        "number": 3,
        "title": "Add it",
        "body": "Closes #7",
        "updated_at": "2026-09-21T14:00:05Z",
        "user": {"login": "alice-gh"},
    }
    review = {
        "state": "approved",
        "user": {"login": "bob-gh"},
        "submitted_at": "2026-09-21T13:50:00Z",
    }
    merged = pull | {"merged_at": "2026-09-21T14:00:00Z", "merged_by": {"login": "alice-gh"}}
    undone = merged | {"id": 901, "number": 4, "body": "Reverts #3"}
    with tracked.running(**ENV) as gateway:
        assert forge(gateway, "issues", {"action": "opened", "issue": issue}).status == 200
        called(gateway, "acme/web#7", PROSE)
        submitted = {"action": "submitted", "review": review, "pull_request": pull}
        assert forge(gateway, "pull_request_review", submitted).status == 200
        said = {"action": "closed", "pull_request": merged}
        assert forge(gateway, "pull_request", said).status == 200
        gateway.kill()
    with tracked.running(**ENV) as gateway:
        assert forge(gateway, "pull_request", said).status == 200
        assert gateway.stop() == 0
    credit = recomputed(tracked, tmp_path / "before")
    assert float(credit["ACME.WEB-7"]["provisional"]) > 0
    assert credit["ACME.WEB-7"]["team"] == "payments"

    with tracked.running(**ENV) as gateway:
        reverted = {"action": "closed", "pull_request": undone}
        assert forge(gateway, "pull_request", reverted).status == 200
        assert gateway.stop() == 0
    credit = recomputed(tracked, tmp_path / "after")
    assert float(credit["ACME.WEB-7"]["provisional"]) == 0
    assert float(credit["ACME.WEB-7"]["reversed"]) > 0


def test_a_gateway_whose_tracker_has_no_secret_does_not_start(tracked: Site) -> None:
    """It says which, and where."""
    done = command(
        *("serve", "--config", str(tracked.config), "--policies", str(tracked.policies)),
        *("--data", str(tracked.data), "--port", "0"),
        expect=1,
        PROVIDER_KEY="sk-x-provider",
        FORGE_SECRET=ENV["FORGE_SECRET"],
        TICKETS_SECRET="",
    )
    assert "TICKETS_SECRET" in done.stderr


def test_a_value_in_a_catalogue_is_told_with_who_imported_it(tracked: Site) -> None:
    """The second one too, after the first acceptance; not while nothing of it changed."""
    with tracked.running(**ENV) as gateway:
        called(gateway, "PROJ-1", PROSE)
        assert tell(gateway, accepted("PROJ-1")).status == 200
        text = b"tasks: [{id: PROJ-100, title: Payments never fail, team: payments, value: 3}]\n"
        sent = gateway.ask("/api/tasks/import?name=c.yaml", text, key="admin")
        assert (sent.status, sent.json["changed"]) == (200, 1)
        assert gateway.stop() == 0
    for _ in range(2):
        with tracked.running(**ENV) as gateway:
            until(lambda: len(valuations(tracked, gateway)) == 2)
            assert gateway.stop() == 0
    first, second = (leaf for leaf in tracked.leaves() if leaf["kind"] == "valuation")
    assert (first["value"], second["value"]) == ("1.0", "3")
    assert "" not in (first["valued_by"], second["valued_by"])
    assert second["weights"] == []


def valuations(site: Site, gateway: RunningGateway) -> list[object]:
    gateway.ask("/api/audit/report", key="auditor", method="GET")
    return [line for line in Reading(site.data).leaves() if b'"kind":"valuation"' in line]

"""`goodgate task sync`, against a tracker that is scripted: pages, ETags, limits, faults."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app.syncing import AWAY
from gateway.stores.sqlite.outbox import Outbox
from tests.live.forge import KEY, Forge, issue, served
from tests.live.server import RunningGateway, Site, command, until
from tests.live.test_credit import PROSE, called
from tests.live.trackers import ENV, FORGE_SECRET
from tests.unit.tasks.trackers.messages import load
from tests.unit.tasks.trackers.test_paging import lab_issue, lab_request

HERE = "/repos/acme/web"


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as made:
        served(made)
        yield made


@pytest.fixture
def synced(site: Site, forge: Forge) -> Site:
    tracker = (
        f'{{kind: github, secret: "{FORGE_SECRET}", team: payments, projects: acme/web,'
        f' base_url: "{forge.url}", api_key: "${{FORGE_KEY}}"}}'
    )
    tracker = tracker.replace(f'"{FORGE_SECRET}"', '"${FORGE_SECRET}"')
    people = "people: {alice: {forge: alice-gh}, bob: {forge: bob-gh}, carol: {forge: carol-gh}}"
    text = site.config.read_text()
    site.config.write_text(f"{text}\ntrackers:\n  forge: {tracker}\n{people}\n")
    return site


def sync(gateway: RunningGateway, *options: str, expect: int = 0) -> dict[str, object]:
    asked = {"GOODGATE_URL": gateway.url, "GOODGATE_KEY": gateway.site.keys["admin"]}
    done = command("task", "sync", "forge", "--json", *options, expect=expect, **asked)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_sync_brings_tasks_and_what_came_of_them_and_reads_nothing_twice(
    synced: Site, forge: Forge
) -> None:
    with synced.running(**ENV, FORGE_KEY=KEY) as gateway:
        found = sync(gateway)
        assert (found["state"], found["tasks"], found["outcomes"]) == ("done", 7, 2)
        called(gateway, "acme/web#7", PROSE)
        paths = [path for path, _ in forge.asked]
        assert f"{HERE}/issues?state=all&sort=updated&direction=asc&per_page=100&page=4" in paths
        assert paths.index(f"{HERE}/pulls/3/reviews?per_page=100") < paths.index(f"{HERE}/pulls/3?")

        forge.asked.clear()
        again = sync(gateway)
        assert again["outcomes"] == 0
        assert [status for _, status in forge.asked] == [200, 304, 304]
        assert [status for _, status in _asked(gateway, forge)] == [304, 304, 304]

        forge.lists[f"{HERE}/issues"].append(issue(9, updated_at="2026-09-30T10:00:00Z"))
        assert sync(gateway)["tasks"] == 2
        assert gateway.stop() == 0
    told = [leaf for leaf in synced.leaves() if leaf["kind"] == "outcome"]
    assert sorted((leaf["task_id"], leaf["event"]) for leaf in told) == [
        ("ACME.WEB-1", "closed"),
        ("ACME.WEB-7", "merged"),
    ]
    [merged] = [leaf for leaf in told if leaf["event"] == "merged"]
    assert len(merged["reviewers"]) == 2


def _asked(gateway: RunningGateway, forge: Forge) -> list[tuple[str, int]]:
    forge.asked.clear()
    sync(gateway)
    return forge.asked


def test_gitlab_is_asked_too(site: Site, forge: Forge) -> None:
    lab = "/projects/acme%2Fweb"
    forge.lists = {
        f"{lab}/issues": [lab_issue(7)],
        f"{lab}/issues/7/resource_state_events": [],
        f"{lab}/merge_requests": [lab_request(3, description="Closes #7")],
        f"{lab}/merge_requests/3/approvals": {"approved_by": [{"user": {"username": "bob"}}]},
    }
    site.config.write_text(
        f"{site.config.read_text()}\ntrackers:\n"
        '  forge: {kind: gitlab, secret: "${FORGE_SECRET}", team: payments, projects: acme/web,'
        f' base_url: "{forge.url}", api_key: "${{FORGE_KEY}}"}}\n'
        "people: {alice: {forge: alice}, bob: {forge: bob}}\n"
    )
    with site.running(**ENV, FORGE_KEY=KEY) as gateway:
        found = sync(gateway)
        assert (found["state"], found["tasks"], found["outcomes"]) == ("done", 1, 1)
        assert sync(gateway)["state"] == "done"
        assert gateway.stop() == 0
    [told] = [leaf for leaf in site.leaves() if leaf["kind"] == "outcome"]
    assert (told["task_id"], told["event"], told["linked_by"]) == (
        "ACME.WEB-7",
        "merged",
        "keyword",
    )
    assert len(told["reviewers"]) == 1


def asked_by_key(site: Site, forge: Forge, kind: str, project: str) -> Site:
    tracker = (
        f'{{kind: {kind}, secret: "${{FORGE_SECRET}}", team: payments, projects: {project},'
        f' base_url: "{forge.url}", api_key: "${{FORGE_KEY}}", stale_after_s: 86400}}'
    )
    people = (
        'people: {alice: {forge: ["712020:77c2-omar", b1f2-omar], email: omar@quillworks.example},'
        ' bob: {email: "petra@quillworks.example"}}'
    )
    text = site.config.read_text()
    site.config.write_text(f"{text}\ntrackers:\n  forge: {tracker}\n{people}\n")
    return site


LAST_PAGE = {"hasNextPage": False, "endCursor": None}


def jira_search() -> Any:
    return json.loads(load("jira/search")) | {"nextPageToken": None}


def linear_issues() -> Any:
    found = json.loads(load("linear/issues"))
    found["data"]["issues"]["pageInfo"] = LAST_PAGE
    return found


def test_jira_is_asked_too(site: Site, forge: Forge) -> None:
    forge.authorization = "Basic " + base64.b64encode(f"ann@acme.test:{KEY}".encode()).decode()
    forge.lists = {
        "/rest/api/3/search/jql": jira_search(),
        "/rest/api/3/status": json.loads(load("jira/statuses")),
    }
    forge.per_page = 100
    forge.limits = [{":status": "429", "retry-after": "1"}]
    with asked_by_key(site, forge, "jira", "QUILL").running(
        **ENV, FORGE_KEY=f"ann@acme.test:{KEY}"
    ) as gateway:
        found = sync(gateway)
        assert (found["state"], found["tasks"]) == ("done", 2)
        known = gateway.ask("/api/tasks/QUILL-42", key="auditor", method="GET").json
        assert known["title"] == "Export drops the last page"
        sync(gateway)
        assert "updated+%3E%3D" in forge.asked[-1][0]
        assert gateway.stop() == 0
        assert KEY not in gateway.said
    assert [leaf["kind"] for leaf in site.leaves()].count("outcome") == found["outcomes"] > 0


def test_linear_is_asked_too(site: Site, forge: Forge) -> None:
    forge.authorization = f"lin_api_{KEY}"
    forge.lists = {"/graphql": linear_issues()}
    with asked_by_key(site, forge, "linear", "QUI").running(
        **ENV, FORGE_KEY=f"lin_api_{KEY}"
    ) as gateway:
        found = sync(gateway)
        assert (found["state"], found["tasks"]) == ("done", 2)
        known = gateway.ask("/api/tasks/QUI-18", key="auditor", method="GET").json
        assert known["title"] == "Export drops the last page"
        sync(gateway)
        assert gateway.stop() == 0
    assert [each["variables"]["team"] for each in forge.sent] == ["QUI", "QUI"]
    assert forge.sent[1]["variables"]["since"].startswith("2026-11-06T09:00:00.500")
    assert [leaf["kind"] for leaf in site.leaves()].count("outcome") == found["outcomes"] > 0


def test_a_tracker_a_sync_does_not_find_is_stale_until_it_is_heard_of(
    site: Site, forge: Forge
) -> None:
    """Its tasks stay as they were known; calls for them are served and not verified."""
    forge.authorization = f"lin_api_{KEY}"
    forge.lists = {"/graphql": linear_issues()}
    with asked_by_key(site, forge, "linear", "QUI").running(
        **ENV, FORGE_KEY=f"lin_api_{KEY}"
    ) as gateway:
        sync(gateway)

        def is_stale() -> bool:
            found = gateway.ask("/api/tasks/QUI-18", key="auditor", method="GET").json
            return bool(found["stale"])

        assert not is_stale()
        forge.fails = [502] * 4
        assert sync(gateway, expect=1)["state"] == "failed"
        until(is_stale)
        forge.authorization = "another"
        assert "api_key" in str(sync(gateway, expect=1)["error"])
        forge.authorization = f"lin_api_{KEY}"
        assert sync(gateway)["state"] == "done"
        until(lambda: not is_stale())
        forge.authorization = "another"
        sync(gateway, expect=1)
        assert gateway.stop() == 0
    # One that is there and says no is not away: its tasks are as they were.
    outbox = Outbox.open(site.data)
    assert 0 < float(outbox.place("forge", AWAY)) < outbox.heard_at()["forge"]
    outbox.close()


def test_a_limit_is_waited_for_and_an_error_tried_again(synced: Site, forge: Forge) -> None:
    forge.limits = [{"retry-after": "1"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}]
    forge.fails = [502]
    with synced.running(**ENV, FORGE_KEY=KEY) as gateway:
        assert sync(gateway)["state"] == "done"
    statuses = [status for _, status in forge.asked]
    assert statuses[:4] == [403, 403, 502, 200]


@pytest.mark.parametrize(
    ("key", "path", "said"),
    [("ghp-of-somebody-else", "", "api_key"), (KEY, f"{HERE}/issues", "no such project")],
)
def test_a_tracker_that_says_no_is_told_with_what_to_do(
    synced: Site, forge: Forge, key: str, path: str, said: str
) -> None:
    forge.lists.pop(path, None)
    with synced.running(**ENV, FORGE_KEY=key) as gateway:
        found = sync(gateway, expect=1)
        assert found["state"] == "failed"
        assert said in str(found["error"])
        assert key not in json.dumps(found)
        # What it knew it still knows: the line goes on without the tracker.
        called(gateway, "PROJ-1", PROSE)
    assert key not in gateway.said


def test_a_page_that_is_none_ends_the_sync_and_not_the_gateway(synced: Site, forge: Forge) -> None:
    forge.lists[f"{HERE}/issues"] = [{"number": "seven"}]
    with synced.running(**ENV, FORGE_KEY=KEY) as gateway:
        assert sync(gateway, expect=1)["state"] == "failed"
        called(gateway, "PROJ-1", PROSE)


def test_who_may_sync_and_what(synced: Site) -> None:
    with synced.running(**ENV, FORGE_KEY=KEY) as gateway:
        body = {"tracker": "forge"}
        assert gateway.ask("/api/tasks/sync", body, key="alice").status == 403
        unknown = gateway.ask("/api/tasks/sync", {"tracker": "forgery"}, key="admin")
        assert unknown.status == 400
        assert "known: forge" in unknown.json["error"]["message"]
    done = command("task", "sync", "--help")
    assert "limits of the tracker" in " ".join(done.stdout.split())

"""`goodgate task sync`, against a tracker that is scripted: pages, ETags, limits, faults."""

import json
from collections.abc import Iterator

import pytest

from tests.live.forge import KEY, Forge, issue, served
from tests.live.server import RunningGateway, Site, command
from tests.live.test_credit import PROSE, called
from tests.live.trackers import ENV, FORGE_SECRET
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

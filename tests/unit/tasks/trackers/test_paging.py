"""What a sync asks for, and what it makes of the answers, without a network."""

import json
from typing import Any

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import syncer
from gateway.tasks.trackers.paging import Ask, Keep, Page, Place, next_of, place
from gateway.values import Delivery
from tests.live.forge import issue, pull

ISSUES = "/repos/acme/web/issues?state=all&sort=updated&direction=asc&per_page=100"
PULLS = "/repos/acme/web/pulls?state=closed&sort=updated&direction=desc&per_page=100"
EVENTS = "/repos/acme/web/issues/events?per_page=100"


class Driver:
    """Answers what a sync asks from a table of pages; whatever else it yields is kept."""

    def __init__(
        self,
        pages: dict[str, Any],
        places: dict[str, str] | None = None,
        kind: str = "github",
        project: str = "acme/web",
        value_field: str = "",
    ) -> None:
        self.asked: list[Ask] = []
        self.deliveries: list[Delivery] = []
        self.kept: dict[str, str] = dict(places or {})
        found = syncer(kind, value_field)
        assert found is not None
        steps = found(project, dict(self.kept))
        page: Page | None = None
        while True:
            try:
                step = steps.send(page)
            except StopIteration:
                return
            page = None
            if isinstance(step, Ask):
                self.asked.append(step)
                answer = pages.get(step.path)
                page = answer.pop(0) if isinstance(answer, list) else answer
                page = page or Page(200, {}, b"[]")
            elif isinstance(step, Keep):
                self.kept[step.what] = step.value
            else:
                self.deliveries.append(step)

    @property
    def paths(self) -> list[str]:
        return [ask.path for ask in self.asked]


def page(rows: object, etag: str = "", following: str = "") -> Page:
    headers = {"etag": etag} if etag else {}
    if following:
        headers["link"] = f'<https://x/1>; rel="prev", <{following}>; rel="next"'
    return Page(200, headers, json.dumps(rows).encode())


def test_pages_are_followed_and_the_newest_change_is_kept() -> None:
    found = Driver(
        {
            ISSUES: page([issue(1), issue(2)], "a", "https://x/2"),
            "https://x/2": page([issue(3)]),
        }
    )
    assert found.paths[:2] == [ISSUES, "https://x/2"]
    where = place(found.kept["issues acme/web"])
    assert (where.path, where.etag) == (ISSUES, "a")
    again = Driver({}, found.kept)
    assert again.paths[0] == f"{ISSUES}&since=2026-09-23T13:20:00Z"
    assert again.asked[0].etag == ""


def test_a_list_that_has_not_changed_is_not_read() -> None:
    first = Driver({PULLS: page([], "p"), EVENTS: page([], "e"), ISSUES: page([], "i")})
    pages = {path: Page(304, {}, b"") for path in (ISSUES, PULLS, EVENTS)}
    again = Driver(pages, first.kept)
    assert [ask.etag for ask in again.asked] == ["i", "p", "e"]
    assert again.deliveries == []
    assert again.kept == first.kept


def test_merges_come_with_their_reviews_the_oldest_first_and_only_new_ones() -> None:
    rows = [pull(5, updated_at="2026-09-29T10:00:00Z"), pull(3)]
    pages = {PULLS: page(rows, following="https://x/2")}
    for number in (3, 5):
        pages[f"/repos/acme/web/pulls/{number}"] = page(pull(number))
    found = Driver(pages)
    one = "/repos/acme/web/pulls/"
    assert [each for each in found.paths if one in each] == [
        f"{one}3/reviews?per_page=100",
        f"{one}3",
        f"{one}5/reviews?per_page=100",
        f"{one}5",
    ]
    assert "https://x/2" in found.paths
    newer = [pull(6, updated_at="2026-09-30T10:00:00Z"), *rows]
    pages[PULLS] = page(newer, following="https://x/2")
    pages[f"{one}6"] = page(pull(6))
    again = Driver(pages, found.kept)
    asked = [each for each in again.paths if one in each]
    assert asked == [f"{one}6/reviews?per_page=100", f"{one}6"]
    assert "https://x/2" not in again.paths


def test_events_are_read_until_those_that_are_known() -> None:
    def closed(day: int) -> dict[str, Any]:
        at = f"2026-09-{day}T10:00:00Z"
        return {"event": "closed", "created_at": at, "issue": issue(1, state="closed")}

    pages = {EVENTS: page([closed(26)], "e", "https://x/2"), "https://x/2": page([closed(20)])}
    first = Driver(pages)
    assert sum(len(each.outcomes) for each in first.deliveries) == 2
    pages[EVENTS] = page([closed(27), closed(26)], "f", "https://x/2")
    again = Driver(pages, first.kept)
    assert "https://x/2" not in again.paths
    assert place(again.kept["events acme/web"]).at > place(first.kept["events acme/web"]).at


def test_other_events_too_say_how_far_it_was_read() -> None:
    """A project where nothing is closed must not be read from its beginning each time."""
    labels = [{"event": "labeled", "created_at": f"2026-09-{day}T10:00:00Z"} for day in (27, 26)]
    first = Driver({EVENTS: page(labels, "e")})
    more = [{"event": "labeled", "created_at": "2026-09-28T10:00:00Z"}, *labels]
    again = Driver({EVENTS: page(more, "f", "https://x/2")}, first.kept)
    assert "https://x/2" not in again.paths


def test_what_was_kept_and_cannot_be_read_is_the_beginning() -> None:
    assert place("no json") == place("") == Place()


def test_a_page_without_a_next_one_is_the_last() -> None:
    assert next_of(Page(200, {}, b"")) == ""
    assert next_of(Page(200, {"link": '<https://x/9>; rel="last"'}, b"")) == ""


def test_a_page_that_is_none_is_refused() -> None:
    with pytest.raises(WebhookRefused, match="missing required field"):
        Driver({ISSUES: page([{"number": 7}])})


def test_a_driver_that_sends_no_page_is_wrong() -> None:
    asking = syncer("github")
    assert asking is not None
    steps = asking("acme/web", {})
    next(steps)
    with pytest.raises(WebhookRefused, match="none came"):
        steps.send(None)


LAB = "/projects/acme%2Fweb"
LISTED = "scope=all&order_by=updated_at&sort=asc&per_page=100"
LAB_ISSUES, LAB_MERGED = f"{LAB}/issues?{LISTED}", f"{LAB}/merge_requests?state=merged&{LISTED}"


def lab_issue(iid: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": 500 + iid,
        "iid": iid,
        "title": "Log in",
        "state": "opened",
        "created_at": "2026-09-01T10:00:00.000Z",
        "updated_at": f"2026-09-2{iid}T10:00:00.000Z",
        "author": {"username": "carol"},
        "assignees": [{"username": "alice"}],
        "web_url": "https://gitlab.example/acme/web/-/issues/1",
    } | fields


def lab_request(iid: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": 900 + iid,
        "iid": iid,
        "title": "Add it",
        "description": "Closes #1",
        "updated_at": "2026-09-25T10:00:05.000Z",
        "merged_at": "2026-09-25T10:00:00.000Z",
        "merge_user": {"username": "project_1_bot"},
        "author": {"username": "alice"},
        "source_branch": "1-log-in",
    } | fields


def test_gitlab_s_issues_are_read_with_what_became_of_them() -> None:
    closed = {"state": "closed", "closed_at": "2026-09-22T10:00:00.000Z"}
    rows = [lab_issue(1), lab_issue(2, **closed, closed_by={"username": "bob"})]
    states = [
        {"state": "closed", "created_at": "2026-09-10T10:00:00Z", "user": {"username": "bob"}},
        {"state": "reopened", "created_at": "2026-09-11T10:00:00Z", "user": None},
        {"state": "merged", "created_at": "2026-09-11T10:00:00Z"},
    ]
    found = Driver(
        {LAB_ISSUES: page(rows, "i"), f"{LAB}/issues/1/resource_state_events": page(states)},
        kind="gitlab",
    )
    told = [event for each in found.deliveries for event in each.outcomes]
    assert [(event.subject, event.kind) for event in told] == [
        ("acme/web#1", "closed"),
        ("acme/web#1", "reopened"),
        ("acme/web#2", "closed"),
    ]
    assert told[2].event_id == f"issue:502:closed:{told[2].at:.0f}"
    assert [account.handle for account in told[2].reviewers] == ["bob"]
    changes = [change for each in found.deliveries for change in each.changes]
    assert [(each.task, each.status) for each in changes] == [
        ("acme/web#1", "open"),
        ("acme/web#2", "closed"),
    ]
    again = Driver({}, found.kept, kind="gitlab")
    assert again.paths[0] == f"{LAB_ISSUES}&updated_after=2026-09-22T10:00:00Z"


def test_gitlab_s_merges_come_after_who_approved_of_them() -> None:
    reverted = lab_request(4, description="This reverts merge request !3", merge_user=None)
    reverted["merged_by"] = {"username": "bob"}
    approved = {"approved_by": [{"user": {"username": "bob"}}, {"user": {"username": ""}}]}
    found = Driver(
        {
            LAB_MERGED: page([lab_request(3)], "m", "https://x/2"),
            "https://x/2": page([reverted, lab_request(5, merged_at=None, merge_user=None)]),
            f"{LAB}/merge_requests/3/approvals": page(approved),
            f"{LAB}/merge_requests/4/approvals": page({}),
            f"{LAB}/merge_requests/5/approvals": page({"approved_by": []}),
        },
        kind="gitlab",
    )
    approvals, merged, _, undone, _, last = found.deliveries
    [approval] = approvals.approvals
    assert (approval.subject, approval.by.handle) == ("acme/web!3", "bob")
    [event] = merged.outcomes
    assert (event.kind, event.subject, event.branch) == ("merged", "acme/web!3", "1-log-in")
    assert approval.at <= event.at
    assert event.reviewers[0].is_bot
    assert (undone.outcomes[0].kind, undone.outcomes[0].reverts) == ("reverted", "acme/web!3")
    assert last.outcomes[0].reviewers == ()
    unchanged = {
        path: Page(304, {}, b"") for path in (LAB_ISSUES, place(found.kept["pulls acme/web"]).path)
    }
    kept = dict(found.kept)
    kept["pulls acme/web"] = found.kept["pulls acme/web"].replace('"at":', '"was":')
    again = Driver(unchanged, kept, kind="gitlab")
    assert again.deliveries == []
    assert [ask.etag for ask in again.asked] == ["", "m"]

"""What a sync asks for, and what it makes of the answers, without a network."""

import json
from typing import Any

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import SYNCERS
from gateway.tasks.trackers.paging import Ask, Keep, Page, Place, next_of, place
from gateway.values import Delivery
from tests.live.forge import issue, pull

ISSUES = "/repos/acme/web/issues?state=all&sort=updated&direction=asc&per_page=100"
PULLS = "/repos/acme/web/pulls?state=closed&sort=updated&direction=desc&per_page=100"
EVENTS = "/repos/acme/web/issues/events?per_page=100"


class Driver:
    """Answers what a sync asks from a table of pages; whatever else it yields is kept."""

    def __init__(self, pages: dict[str, Any], places: dict[str, str] | None = None) -> None:
        self.asked: list[Ask] = []
        self.deliveries: list[Delivery] = []
        self.kept: dict[str, str] = dict(places or {})
        steps = SYNCERS["github"]("acme/web", dict(self.kept))
        page: Page | None = None
        while True:
            try:
                step = steps.send(page)
            except StopIteration:
                return
            page = None
            if isinstance(step, Ask):
                self.asked.append(step)
                page = pages.get(step.path) or Page(200, {}, b"[]")
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


def test_what_was_kept_and_cannot_be_read_is_the_beginning() -> None:
    assert place("no json") == place("") == Place()


def test_a_page_without_a_next_one_is_the_last() -> None:
    assert next_of(Page(200, {}, b"")) == ""
    assert next_of(Page(200, {"link": '<https://x/9>; rel="last"'}, b"")) == ""


def test_a_page_that_is_none_is_refused() -> None:
    with pytest.raises(WebhookRefused, match="missing required field"):
        Driver({ISSUES: page([{"number": 7}])})


def test_a_driver_that_sends_no_page_is_wrong() -> None:
    steps = SYNCERS["github"]("acme/web", {})
    next(steps)
    with pytest.raises(WebhookRefused, match="none came"):
        steps.send(None)

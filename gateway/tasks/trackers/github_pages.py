"""
A sync with GitHub: issues, their closings and reopenings, and merged pull requests.

Of each list the first page is asked for with the ETag of last time: GitHub does not count an
answer of 304 against the rate limit ("Best practices for using the REST API"). Whatever is read
twice is one change and one event, so a sync that was cut off begins again at the last kept place.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from gateway.tasks.trackers import github
from gateway.tasks.trackers.paging import (
    NOT_MODIFIED,
    Place,
    Sync,
    asked,
    kept,
    next_of,
    place,
)

PAGES_MAX: Final = 10_000
"""Of one list: a tracker that always names a next page must not keep us for ever."""


def sync(project: str, places: Mapping[str, str]) -> Sync:
    """
    Yield the steps of a sync of a repository (`acme/web`); `places` are what was kept before.

    Raises:
        WebhookRefused: a page is not as GitHub sends it.

    """
    yield from _issues(project, place(places.get(f"issues {project}", "")))
    yield from _pulls(project, place(places.get(f"pulls {project}", "")))
    yield from _events(project, place(places.get(f"events {project}", "")))


def _issues(project: str, last: Place) -> Sync:
    """Read the issues that changed since last time, the one that changed first before others."""
    path = github.ISSUES_PATH.format(project=project)
    if last.at:
        path += f"&since={datetime.fromtimestamp(last.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    newest, etag = last.at, ""
    wanted, count = path, 0
    while wanted and count < PAGES_MAX:
        page = yield from asked(wanted, last.etag if wanted == last.path else "")
        if page.status == NOT_MODIFIED:
            return
        if not count:
            etag = page.headers.get("etag", "")
        delivery = github.issues_page(page.body, project=project)
        newest = max([newest, *(change.at for change in delivery.changes)])
        yield delivery
        wanted, count = next_of(page), count + 1
        yield kept(f"issues {project}", Place(at=newest, path=path, etag=etag))


def _pulls(project: str, last: Place) -> Sync:
    """Read what was merged since last time: each with its reviews, which come before it."""
    path = github.PULLS_PATH.format(project=project)
    newest, etag, numbers = last.at, "", list[int]()
    wanted, count = path, 0
    while wanted and count < PAGES_MAX:
        page = yield from asked(wanted, last.etag if not count else "")
        if page.status == NOT_MODIFIED:
            return
        etag = etag or page.headers.get("etag", "")
        found = github.merged(page.body)
        newest = max([newest, *(at for _, at in found)])
        numbers += [number for number, at in found if at > last.at]
        wanted, count = next_of(page), count + 1
        if any(at <= last.at for _, at in found):
            break
    for number in reversed(numbers):
        one = github.PULL_PATH.format(project=project, number=number)
        reviews = yield from asked(f"{one}/reviews?per_page=100")
        yield github.reviews(reviews.body, project=project, number=number)
        pull = yield from asked(one)
        yield github.pull(pull.body, project=project)
    yield kept(f"pulls {project}", Place(at=newest, path=path, etag=etag))


def _events(project: str, last: Place) -> Sync:
    """Read what was closed and reopened since last time."""
    path = github.EVENTS_PATH.format(project=project)
    newest, etag, count, wanted = last.at, "", 0, path
    while wanted and count < PAGES_MAX:
        page = yield from asked(wanted, last.etag if not count else "")
        if page.status == NOT_MODIFIED:
            return
        etag = etag or page.headers.get("etag", "")
        delivery = github.events_page(page.body, project=project)
        yield delivery
        times = [event.at for event in delivery.outcomes]
        newest = max([newest, *times])
        wanted, count = next_of(page), count + 1
        if any(at <= last.at for at in times):
            break
    yield kept(f"events {project}", Place(at=newest, path=path, etag=etag))

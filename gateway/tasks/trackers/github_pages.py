"""
A sync with GitHub: issues, their closings and reopenings, and merged pull requests.

Of each list the first page is asked for with the ETag of last time: GitHub does not count an
answer of 304 against the rate limit ("Best practices for using the REST API"). Whatever is read
twice is one change and one event, so a sync that was cut off begins again at the last kept place.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.tasks.trackers import github
from gateway.tasks.trackers.paging import Place, Sync, Walk, asked, place


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
    walk, newest = Walk(path, last), last.at
    while (page := (yield from walk.next())) is not None:
        delivery = github.issues_page(page.body, project=project)
        newest = max([newest, *(change.at for change in delivery.changes)])
        yield delivery
        yield from walk.kept(f"issues {project}", newest)


def _pulls(project: str, last: Place) -> Sync:
    """Read what was merged since last time: each with its reviews, which come before it."""
    walk = Walk(github.PULLS_PATH.format(project=project), last)
    newest, numbers = last.at, list[int]()
    while (page := (yield from walk.next())) is not None:
        found = github.merged(page.body)
        newest = max([newest, *(at for _, at in found)])
        numbers += [number for number, at in found if at > last.at]
        if any(at <= last.at for _, at in found):
            break
    for number in reversed(numbers):
        one = github.PULL_PATH.format(project=project, number=number)
        reviews = yield from asked(f"{one}/reviews?per_page=100")
        yield github.reviews(reviews.body, project=project, number=number)
        pull = yield from asked(one)
        yield github.pull(pull.body, project=project)
    yield from walk.kept(f"pulls {project}", newest)


def _events(project: str, last: Place) -> Sync:
    """Read what was closed and reopened since last time."""
    walk, newest = Walk(github.EVENTS_PATH.format(project=project), last), last.at
    while (page := (yield from walk.next())) is not None:
        yield github.events_page(page.body, project=project)
        times = github.event_times(page.body)
        newest = max([newest, *times])
        if any(at <= last.at for at in times):
            break
    yield from walk.kept(f"events {project}", newest)

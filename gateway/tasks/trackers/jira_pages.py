"""
A sync with Jira Cloud: a project's issues with their changelogs, the one that changed first first.

Sources: developer.atlassian.com/cloud/jira/platform/rest/v3, "Search for issues using JQL enhanced
search (GET)" (`nextPageToken`, and a query that is bounded) and "Get all statuses".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from gateway.tasks.trackers import jira, payload
from gateway.tasks.trackers.paging import PAGES_MAX, Page, Place, Sync, asked, kept, place

STATUSES: Final = "/rest/api/3/status"
SEARCH: Final = "/rest/api/3/search/jql"
_DAY_S: Final = 86_400.0
"""A query's times are in the time zone of whoever owns the key, which may be half a day off."""


class _Following(Struct, rename="camel"):
    next_page_token: str | None = None


def sync(project: str, places: Mapping[str, str], *, value_field: str = "") -> Sync:
    """
    Yield the steps of a sync of a project (`PAY`); `places` are what was kept before.

    `value_field` is the id of the field with a task's value, empty when there is none.

    Raises:
        WebhookRefused: a page is not as Jira sends it.

    """
    what = f"issues {project}"
    last = place(places.get(what, ""))
    categories = jira.statuses((yield from asked(STATUSES)).body)
    newest, token = last.at, ""
    for _ in range(PAGES_MAX):
        page = yield from asked(_path(project, last, token, value_field))
        delivery = jira.issues_page(page.body, value_field=value_field, categories=categories)
        newest = max([newest, *(change.at for change in delivery.changes)])
        yield delivery
        yield kept(what, Place(at=newest))
        token = _following(page)
        if not token:
            return


def _path(project: str, last: Place, token: str, value_field: str) -> str:
    since = ""
    if last.at:
        since = f' AND updated >= "{datetime.fromtimestamp(last.at - _DAY_S, UTC):%Y-%m-%d %H:%M}"'
    query = {
        "jql": f'project = "{project}"{since} ORDER BY updated ASC',
        "fields": ",".join(filter(None, (jira.FIELDS, value_field))),
        "expand": "changelog",
        "maxResults": "100",
    }
    if token:
        query["nextPageToken"] = token
    return f"{SEARCH}?{urlencode(query)}"


def _following(page: Page) -> str:
    return payload.decode(page.body, _Following).next_page_token or ""

"""
A sync with Linear: the issues of a team with their histories, the newest change first.

Where it ends is kept at its end alone: what was cut off half-way is read again from where the
last whole one ended.

Sources: linear.app/developers, "Pagination" (`orderBy: updatedAt` gives the newest first) and
"Filtering".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from gateway.tasks.trackers import linear, payload
from gateway.tasks.trackers.paging import PAGES_MAX, Page, Place, Sync, asked, kept, place

PATH: Final = "/graphql"


class _PageInfo(Struct, rename="camel"):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Issues(Struct, rename="camel"):
    page_info: _PageInfo


class _Data(Struct):
    issues: _Issues


class _Reply(Struct):
    data: _Data


def sync(project: str, places: Mapping[str, str]) -> Sync:
    """
    Yield the steps of a sync of a team by its key (`ENG`); `places` are what was kept before.

    Raises:
        WebhookRefused: a page is not as Linear sends it, or has errors for data.

    """
    what = f"issues {project}"
    last = place(places.get(what, ""))
    newest, after = last.at, None
    for _ in range(PAGES_MAX):
        page = yield from asked(PATH, body=_question(project, last, after))
        delivery = linear.issues_page(page.body)
        newest = max([newest, *(change.at for change in delivery.changes)])
        yield delivery
        after = _following(page)
        if after is None:
            break
    yield kept(what, Place(at=newest))


def _question(project: str, last: Place, after: str | None) -> bytes:
    since = datetime.fromtimestamp(last.at, UTC).isoformat(timespec="milliseconds")
    variables = {"team": project, "since": since, "after": after}
    return msgspec.json.encode({"query": linear.ISSUES_QUERY, "variables": variables})


def _following(page: Page) -> str | None:
    info = payload.decode(page.body, _Reply).data.issues.page_info
    return info.end_cursor if info.has_next_page else None

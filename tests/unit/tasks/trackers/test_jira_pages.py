"""What a sync asks Jira for, page by page."""

import hmac
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import jira_pages, reader
from gateway.tasks.trackers.jira_pages import SEARCH, STATUSES
from gateway.tasks.trackers.paging import Page, place
from tests.unit.tasks.trackers.messages import SECRET, load
from tests.unit.tasks.trackers.test_paging import Driver

NOW: Final = 1_794_000_000
FIELD: Final = "customfield_10016"


class _Pages(dict[str, Page]):
    """Answers searches in their order, whatever is searched for."""

    def __init__(self, *searches: bytes) -> None:
        super().__init__({STATUSES: Page(200, {}, load("jira/statuses"))})
        self._searches = list(searches)

    def get(self, key: str, default: Any = None) -> Any:
        if key.startswith(f"{SEARCH}?"):
            return Page(200, {}, self._searches.pop(0))
        return super().get(key, default)


def _driven(*searches: bytes, places: dict[str, str] | None = None, field: str = "") -> Driver:
    return Driver(_Pages(*searches), places, "jira", "QUILL", field)


def _last(message: Any) -> None:
    message.update(nextPageToken=None, isLast=True)


def _query(path: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}


def test_pages_are_followed_by_their_tokens_the_oldest_change_first() -> None:
    found = _driven(load("jira/search"), load("jira/search", _last))
    assert found.paths[0] == STATUSES
    first, second = map(_query, found.paths[1:])
    assert first["jql"] == 'project = "QUILL" ORDER BY updated ASC'
    assert (first["expand"], first["maxResults"]) == ("changelog", "100")
    assert "statuscategorychangedate" in first["fields"]
    assert (first.get("nextPageToken"), second["nextPageToken"]) == (None, "CAEaAggD")
    assert {change.task for change in found.deliveries[0].changes} == {"QUILL-42", "QUILL-43"}
    assert found.deliveries[0].outcomes


def test_the_next_sync_begins_a_day_before_the_newest_change() -> None:
    """Jira reads the time in a query in the time zone of whoever owns the key."""
    first = _driven(load("jira/search", _last))
    assert place(first.kept["issues QUILL"]).at == pytest.approx(1793955600.5)
    again = _driven(load("jira/search", _last), places=first.kept)
    assert _query(again.paths[1])["jql"] == (
        'project = "QUILL" AND updated >= "2026-11-05 09:00" ORDER BY updated ASC'
    )


def test_the_value_field_is_asked_for_and_read() -> None:
    def valued(message: Any) -> None:
        _last(message)
        message["issues"][1]["fields"]["customfield_10016"] = 3
        message["issues"][1]["changelog"] = {"histories": [], "total": 0}

    found = _driven(load("jira/search", valued), field=FIELD)
    assert _query(found.paths[1])["fields"].endswith(",customfield_10016")
    assert str(found.deliveries[0].changes[1].value) == "3"


def test_a_page_that_is_none_is_refused_and_keeps_what_came_before() -> None:
    pages = _Pages(load("jira/search"), b'{"errorMessages": []}')
    with pytest.raises(WebhookRefused, match="issues"):
        Driver(pages, None, "jira", "QUILL")


def test_a_search_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jira_pages, "PAGES_MAX", 2)
    found = _driven(*[load("jira/search")] * 3)
    assert len(found.paths) == 3
    assert len(found.deliveries) == 2


def test_a_webhook_reads_the_value_field_that_is_configured() -> None:
    body = load("jira/estimated", lambda said: said.update(timestamp=NOW * 1_000))
    signed = f"sha256={hmac.digest(SECRET, body, 'sha256').hex()}".encode()
    headers = {b"x-hub-signature": signed, b"x-atlassian-webhook-identifier": b"1"}
    told = reader("jira", FIELD)(headers, body, secret=SECRET, now=NOW)
    plain = reader("jira")(headers, body, secret=SECRET, now=NOW)
    assert told.changes[0].value is not None
    assert plain.changes[0].value is None

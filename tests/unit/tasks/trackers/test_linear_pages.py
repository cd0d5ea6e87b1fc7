"""What a sync asks Linear for, page by page."""

import json
from typing import Any

import pytest

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import linear, linear_pages
from gateway.tasks.trackers.linear_pages import PATH
from gateway.tasks.trackers.paging import Page, place
from tests.unit.tasks.trackers.messages import load
from tests.unit.tasks.trackers.test_paging import Driver


def _last(message: Any) -> None:
    message["data"]["issues"]["pageInfo"] = {"hasNextPage": False, "endCursor": None}


def _driven(*replies: bytes, places: dict[str, str] | None = None) -> Driver:
    pages = {PATH: [Page(200, {}, each) for each in replies]}
    return Driver(pages, places, "linear", "QUI")


def _variables(found: Driver) -> list[dict[str, Any]]:
    return [json.loads(ask.body)["variables"] for ask in found.asked]


def test_pages_are_followed_by_their_cursors() -> None:
    found = _driven(load("linear/issues"), load("linear/issues", _last))
    assert found.paths == [PATH, PATH]
    assert {json.loads(ask.body)["query"] for ask in found.asked} == {linear.ISSUES_QUERY}
    assert _variables(found) == [
        {"team": "QUI", "since": "1970-01-01T00:00:00.000+00:00", "after": None},
        {
            "team": "QUI",
            "since": "1970-01-01T00:00:00.000+00:00",
            "after": "7b8c9d0e-5f6a-4b7c-9d8e-1f2a3b4c5d6e",
        },
    ]
    assert {change.task for change in found.deliveries[0].changes} == {"QUI-18", "QUI-19"}
    assert found.deliveries[0].outcomes


def test_the_next_sync_begins_where_a_whole_one_ended() -> None:
    first = _driven(load("linear/issues", _last))
    assert place(first.kept["issues QUI"]).at == pytest.approx(1793955600.5)
    again = _driven(load("linear/issues", _last), places=first.kept)
    assert _variables(again)[0]["since"] == "2026-11-06T09:00:00.500+00:00"


def test_one_that_is_cut_off_keeps_no_place() -> None:
    """The newest comes first: what lies behind it would never be read."""
    errors = b'{"errors":[{"message":"x"}]}'
    pages = {PATH: [Page(200, {}, load("linear/issues")), Page(200, {}, errors)]}
    kept: dict[str, str] = {}
    with pytest.raises(WebhookRefused, match="data"):
        Driver(pages, kept, "linear", "QUI")
    assert kept == {}


def test_a_list_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_pages, "PAGES_MAX", 2)
    found = _driven(*[load("linear/issues")] * 3)
    assert len(found.deliveries) == 2
    assert "issues QUI" in found.kept

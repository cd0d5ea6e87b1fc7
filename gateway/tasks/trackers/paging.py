"""
What a sync asks a tracker for, page by page, and what it makes of the answers.

A sync is a generator: it yields what to ask for and is sent the page; it yields what a page said,
and what to remember for the next sync. Whoever drives it does the asking, the waiting and the
keeping, so the order of pages is a matter of tests and not of networks.
"""

import re
from collections.abc import Generator, Mapping
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.errors import WebhookRefused
from gateway.values import Delivery

NOT_MODIFIED: Final = 304
OK: Final = 200

_NEXT = re.compile(r'<([^<>]{1,2000})>;\s*rel="next"')


class Ask(Struct, frozen=True):
    """A page that is wanted."""

    path: str
    """Below the tracker's base URL, or an address that begins with that."""
    etag: str = ""
    """Of the page as it was last time; with it a page that has not changed costs nothing."""


class Page(Struct, frozen=True):
    """What was answered: 200 or 304."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


class Keep(Struct, frozen=True):
    """Something to remember for the next sync."""

    what: str
    value: str


Step: TypeAlias = Ask | Keep | Delivery
Sync: TypeAlias = Generator[Step, Page | None, None]


class Place(Struct, frozen=True, kw_only=True):
    """Where the last sync of something ended."""

    at: float = 0.0
    """The newest that was seen (Unix seconds, the tracker's clock)."""
    path: str = ""
    etag: str = ""
    """Of the first page at that path."""


def place(text: str) -> Place:
    """Return a place as it was kept; the beginning when there is none, or it cannot be read."""
    try:
        return msgspec.json.decode(text, type=Place) if text else Place()
    except msgspec.DecodeError:
        return Place()


def kept(what: str, where: Place) -> Keep:
    """Return what keeps a place."""
    return Keep(what, msgspec.json.encode(where).decode())


def next_of(page: Page) -> str:
    """Return the address of the page after one (RFC 8288), empty when it is the last."""
    found = _NEXT.search(page.headers.get("link", ""))
    return found[1] if found else ""


def asked(path: str, etag: str = "") -> Generator[Step, Page | None, Page]:
    """Ask for a page, and return it."""
    page = yield Ask(path, etag)
    if page is None:  # whoever drives this sent none: a mistake of ours
        raise WebhookRefused("a page was asked for and none came")
    return page

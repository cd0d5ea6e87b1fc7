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

PAGES_MAX: Final = 10_000
"""Of one list: a tracker that always names a next page must not keep us for ever."""

_NEXT = re.compile(r'<([^<>]{1,2000})>;\s*rel="next"')


class Ask(Struct, frozen=True):
    """A page that is wanted."""

    path: str
    """Below the tracker's base URL, or an address that begins with that."""
    etag: str = ""
    """Of the page as it was last time; with it a page that has not changed costs nothing."""
    body: bytes = b""
    """What is sent along, as JSON; empty: nothing is, and it is a GET."""


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


class Walk:
    """A list that is read page by page, unless it has not changed since the last sync."""

    def __init__(self, path: str, last: Place) -> None:
        """Begin at a path; `last` is where the sync before ended."""
        self._path = self._wanted = path
        self._last = last
        self._etag = ""
        self._count = 0

    def next(self) -> Generator[Step, Page | None, Page | None]:
        """Ask for the next page, and return it; None: there is none, or nothing changed."""
        if not self._wanted or self._count == PAGES_MAX:
            return None
        known = self._last.etag if self._wanted == self._last.path else ""
        page = yield from asked(self._wanted, known)
        if page.status == NOT_MODIFIED:
            return None
        self._etag = self._etag or page.headers.get("etag", "")
        self._wanted = next_of(page)
        self._count += 1
        return page

    def kept(self, what: str, at: float) -> Generator[Step, Page | None, None]:
        """Keep where this ends, unless nothing was read."""
        if self._count:
            yield kept(what, Place(at=at, path=self._path, etag=self._etag))


def asked(path: str, etag: str = "", *, body: bytes = b"") -> Generator[Step, Page | None, Page]:
    """Ask for a page, and return it."""
    page = yield Ask(path, etag, body)
    if page is None:  # whoever drives this sent none: a mistake of ours
        raise WebhookRefused("a page was asked for and none came")
    return page

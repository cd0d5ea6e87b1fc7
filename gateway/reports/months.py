"""Periods of reports: whole calendar months, in UTC. A day could be one person's."""

import datetime
import re

from msgspec import Struct

from gateway.errors import InvalidRequest

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_DECEMBER = 12


class Months(Struct, frozen=True):
    """From a month to another, both of them in it; empty: without an end."""

    first: str = ""
    last: str = ""

    def holds(self, month: str) -> bool:
        """Return whether a month is in it; what has none is in no period but the whole."""
        if not month:
            return not (self.first or self.last)
        return self.first <= month and (not self.last or month <= self.last)

    @property
    def since_us(self) -> int | None:
        """Its first moment, Unix microseconds."""
        return _begins_us(self.first) if self.first else None

    @property
    def until_us(self) -> int | None:
        """The moment it is over."""
        return _begins_us(_after(self.last)) if self.last else None


def months(first: str, last: str) -> Months:
    """Return a period; raises InvalidRequest when it is none."""
    for text in (first, last):
        if text and _MONTH.fullmatch(text) is None:
            raise InvalidRequest(
                f"{text[:40]!r} is no month: reports are of whole months, in UTC, as 2026-11;"
                " shorter ones could be one person's"
            )
    if first and last and last < first:
        raise InvalidRequest(f"{first} is after {last}: name the earlier month first")
    return Months(first, last)


def _begins_us(month: str) -> int:
    year, number = map(int, month.split("-"))
    return int(datetime.datetime(year, number, 1, tzinfo=datetime.UTC).timestamp()) * 1_000_000


def _after(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + 1:04}-01" if number == _DECEMBER else f"{year:04}-{number + 1:02}"

"""
The decision log as it is read: a megabyte or so at a time, however long it is.

Between two reads no transaction is open, so a reader that takes its time keeps nothing of the
database from being tidied. What was written after the reading began is not read.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway import ledger
from gateway.errors import InvalidRequest, LedgerCorrupt
from gateway.ledger import decision_log
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.standing import SQL

ROWS_AT_ONCE: Final = 64
_EARLIER_US, _LATER_US = 600_000_000, 3_600_000_000
"""How far from an id's own time its decision may be: it was received, and waited for another."""

Opened: TypeAlias = Callable[[], AbstractContextManager[Connection]]


class _Row(Struct, frozen=True):
    """One row of the log."""

    id: int
    lines: list[bytes]


def log(
    opened: Opened, since_us: int, until_us: int, *, shadowed: bool
) -> Iterator[decision_log.Entry]:
    """Yield what was decided in a window and how it was settled, in the order written."""
    for row in _rows(opened, since_us, 0):
        lines = filter(decision_log.tells_of_shadows, row.lines) if shadowed else row.lines
        for entry in map(_entry, lines):
            if decision_log.is_within(entry, since_us, until_us):
                yield entry


def page(opened: Opened, after: str, since_us: int, until_us: int, limit: int) -> decision_log.Page:
    """Return the lines of a window that follow `after`; raises InvalidRequest for another text."""
    row_id, number = _place(after)
    lines: list[bytes] = []
    with closing(_rows(opened, since_us, row_id)) as rows:
        for row in rows:
            start = number if row.id == row_id else 0
            for at, line in enumerate(row.lines[start:], start):
                if len(lines) == limit:
                    return decision_log.Page(lines=lines, after=f"{row.id}.{at}")
                if decision_log.is_within(_entry(line), since_us, until_us):
                    lines.append(line)
    return decision_log.Page(lines=lines, after="")


def find(session: Connection, request_id: str) -> ledger.DecisionRecord | None:
    """Return the decision about a call, found by the time in its id."""
    made_ms = decision_log.received_ms(request_id)
    if made_ms is None:
        return None
    at_us = made_ms * 1_000
    near = (at_us - _EARLIER_US, at_us + _LATER_US, at_us + 1_000_000)
    text = request_id.encode()
    for (blob,) in session.execute(SQL["decisions_near"], near):
        for line in blob.split(b"\n") if text in blob else ():
            if text in line:
                found = _entry(line)
                if isinstance(found, ledger.DecisionRecord) and found.request_id == request_id:
                    return found
    return None


def last_policy(session: Connection) -> str:
    """Return the digest of the policies that decided last; empty: nothing was decided."""
    before = 2**62
    while row := session.execute(SQL["decisions_backwards"], (before,)).fetchone():
        before, blob = row
        for line in reversed(blob.split(b"\n")):
            found = _entry(line)
            if isinstance(found, ledger.DecisionRecord):
                return found.policy
    return ""


def _entry(line: bytes) -> decision_log.Entry:
    try:
        return decision_log.entry(line)
    except msgspec.ValidationError:
        raise LedgerCorrupt(
            "the decision log holds a line that is no decision, or another version's: read it"
            " with the version that wrote it"
        ) from None


def _rows(opened: Opened, since_us: int, first: int) -> Generator[_Row]:
    with opened() as session:
        row = session.execute(SQL["last_decisions"]).fetchone()
        last = row[0] if row else 0
        while found := session.execute(
            SQL["decisions"], (first, last, since_us, ROWS_AT_ONCE)
        ).fetchall():
            first = found[-1][0] + 1
            for row_id, blob in found:
                yield _Row(row_id, blob.split(b"\n"))


def _place(after: str) -> tuple[int, int]:
    row_id, _, number = after.partition(".")
    if not after:
        return 0, 0
    digits = row_id.isascii() and row_id.isdigit() and number.isascii() and number.isdigit()
    # Two whole numbers as the database holds them.
    if not (digits and len(after) <= 40 and max(int(row_id), int(number)) < 2**63):  # noqa: PLR2004  # see above
        raise InvalidRequest("`after` is what the page before ended with: send it as it was")
    return int(row_id), int(number)

"""
From a row of texts to a task: what each field means, and what is wrong with it.

Texts of a catalogue end up in tables, terminals and pages, so control characters and
links that are not http are refused here, once.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from gateway import documents
from gateway.documents import Problems
from gateway.tasks.identifier import EXAMPLE, canonical
from gateway.tasks.rows import Cell, Row
from gateway.values import Task, TaskStatus

TEXT_LENGTH_MAX = 4096
VALUE_MAX = Decimal(1_000_000)
NUMBER_LENGTH_MAX = 40

# Control characters, line separators, and the marks that make text run backwards.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SEPARATOR = re.compile(r"[;\s]+")
_WORD_GAP = re.compile(r"[\s_-]+")

_OPEN = (
    "open, opened, new, todo, to do, backlog, triage, ready, planned, scheduled, started, "
    "active, doing, in progress, in development, in review, review, in qa, testing, blocked, "
    "on hold, reopened, selected for development"
)
_CLOSED = (
    "closed, done, resolved, merged, complete, completed, finished, fixed, shipped, released, "
    "accepted, cancelled, canceled, rejected, declined, duplicate, abandoned, archived, "
    "wontfix, won't fix, won't do"
)
_STATUSES: Mapping[str, TaskStatus] = {
    "": "open",
    **dict.fromkeys(_OPEN.split(", "), "open"),
    **dict.fromkeys(_CLOSED.split(", "), "closed"),
}
_FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("", "false", "no", "0"), False),
    **dict.fromkeys(("true", "yes", "1"), True),
}


class Reader:
    """Reads the rows of one catalogue; mistakes go to `problems`."""

    def __init__(self, name: str, problems: Problems) -> None:
        self._name = name
        self._problems = problems
        # Thousands of tasks share their members: one set serves them all.
        self._members: dict[Cell, frozenset[str]] = {}

    def task(self, row: Row) -> Task | None:
        """Return the task a row describes, `root_id` as yet that of its parent; None without id."""
        spelling = self._text(row, "id")
        task_id = canonical(spelling)
        if not task_id:
            said = f"this can be no task's id: {EXAMPLE}" if spelling else "a task needs an id"
            self._wrong(row, "id", said)
            return None
        status = self._status(row)
        closed_at = self._time(row, "closed_at")
        root = self._root(row)
        return Task(
            id=task_id,
            spelling=spelling,
            title=self._text(row, "title"),
            status=status,
            opened_at=self._time(row, "opened_at"),
            # A tracker may keep the last resolution of what was reopened.
            closed_at=closed_at if status == "closed" else None,
            root_id=root or task_id,
            parent_id="" if root == task_id else root,
            owner=self._text(row, "owner"),
            reviewers=self._names(row, "reviewers"),
            members=self._names(row, "members"),
            team=self._text(row, "team"),
            value=self._number(row, "value", VALUE_MAX),
            valued_by=self._text(row, "valued_by"),
            weight=self._number(row, "weight", Decimal(1)),
            creator=self._text(row, "creator"),
            by_bot=self._flag(row, "by_bot"),
            use_case=self._text(row, "use_case"),
            canary=self._flag(row, "canary"),
            url=self._url(row),
        )

    def _wrong(self, row: Row, field: str, message: str) -> None:
        self._problems.add_at(self._name, *row.place(field), message)

    def _text(self, row: Row, field: str) -> str:
        cell = row.fields.get(field, "")
        if not cell:
            return ""
        if not isinstance(cell, str):
            self._wrong(row, field, f"{field!r} is a list, expected a text")
            return ""
        text = " ".join(cell.split())
        if is_unsafe(text):
            self._wrong(
                row,
                field,
                f"{field!r} is longer than {TEXT_LENGTH_MAX} characters or holds one that is not "
                "for reading: remove it",
            )
            return ""
        return text

    def _root(self, row: Row) -> str:
        text = self._text(row, "root")
        root = canonical(text)
        if text and not root:
            self._wrong(row, "root", f"this can be no task's id: {EXAMPLE}")
        return root

    def _status(self, row: Row) -> TaskStatus:
        text = _WORD_GAP.sub(" ", self._text(row, "status").casefold().replace("\u2019", "'"))
        status = _STATUSES.get(text)
        if status is None:
            hint = documents.nearest(text, _STATUSES) or "; open or closed is what counts"
            self._wrong(row, "status", f"unknown status {text[:40]!r}{hint}")
            return "open"
        return status

    def _names(self, row: Row, field: str) -> frozenset[str]:
        cell = row.fields.get(field, "")
        found = self._members.get(cell)
        if found is not None:
            return found
        names = _SEPARATOR.split(cell) if isinstance(cell, str) else [n.strip() for n in cell]
        found = frozenset(name for name in names if name)
        if any(is_unsafe(name) for name in found):
            self._wrong(row, field, f"a name in {field!r} is too long or holds control characters")
            return frozenset()
        self._members[cell] = found
        return found

    def _number(self, row: Row, field: str, most: Decimal) -> Decimal | None:
        text = self._text(row, field)
        if not text:
            return None
        try:
            number = Decimal(text) if len(text) <= NUMBER_LENGTH_MAX else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or not 0 <= number <= most:
            self._wrong(row, field, f"a {field} is a number from 0 to {most}, such as 1.0")
            return None
        return number

    def _flag(self, row: Row, field: str) -> bool:
        text = self._text(row, field).casefold()
        if text not in _FLAGS:
            self._wrong(row, field, f"{field!r} is either true or false")
        return _FLAGS.get(text, False)

    def _url(self, row: Row) -> str:
        text = self._text(row, "url")
        if text and not text.lower().startswith(("https://", "http://")):
            self._wrong(row, "url", "a url starts with https:// or http://")
            return ""
        return text

    def _time(self, row: Row, field: str) -> float | None:
        """Return Unix seconds; a time without a zone is UTC, a date its first moment."""
        text = self._text(row, field)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._wrong(
                row, field, f"{field!r} is no time, expected ISO 8601 such as 2026-11-22T09:30:00Z"
            )
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_unsafe(text: str) -> bool:
    """Return whether a text is too long, or holds what is not for reading."""
    # Most texts are printable, which is quickly seen; emoji joined into one are not, and are safe.
    return len(text) > TEXT_LENGTH_MAX or (
        not text.isprintable() and _UNSAFE.search(text) is not None
    )

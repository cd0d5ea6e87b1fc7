"""
What the three formats of a catalogue are read to: rows of texts by name, with their places.

`yaml_rows`, `csv_rows` and `json_rows` read them; what a text means is `record`'s to say.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

from gateway import documents
from gateway.documents import Problems

SIZE_MAX = 50_000_000
TASKS_MAX = 1_000_000

FIELDS = (
    "id",
    "title",
    "status",
    "root",
    "members",
    "team",
    "value",
    "valued_by",
    "weight",
    "owner",
    "reviewers",
    "creator",
    "by_bot",
    "use_case",
    "canary",
    "url",
    "opened_at",
    "closed_at",
)

Cell: TypeAlias = str | tuple[str, ...]

FORM = "expected a list of tasks, or a mapping with the one key `tasks`"


class Row(Struct, frozen=True, kw_only=True):
    """One task as it is written. Lines and columns count from 1."""

    fields: Mapping[str, Cell]
    line: int
    col: int = 1
    places: Mapping[str, tuple[int, int]] = {}
    """Line and column of a field, where the format tells."""

    def place(self, field: str) -> tuple[int, int]:
        """Return line and column of a field; of the row, where the format does not tell."""
        return self.places.get(field, (self.line, self.col))


def check_names(
    name: str, names: Iterable[str], problems: Problems, place: tuple[int, int]
) -> None:
    """Note every name that is no field of a task."""
    for field in names:
        if field not in FIELDS:
            hint = documents.nearest(field, FIELDS) or f"; a task has: {', '.join(FIELDS)}"
            problems.add_at(name, *place, f"unknown key {field[:40]!r} in a task{hint}")

"""
How the commands speak to people.

What was asked for goes to standard output and nothing else does; everything said beside
it goes to standard error behind `goodgate:`. Tables get colour only on a terminal, and
text that came from elsewhere never gets to move the cursor.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from gateway.errors import GatewayError


class WrongUse(Exception):
    """The command was given something it cannot use: exit code 2."""


class Answered(GatewayError):
    """The gateway said no; its own code and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep the status and the stable code beside the words."""
        super().__init__(message)
        self.status = status
        self.code = code


class Unreachable(GatewayError):
    """Nothing that speaks as a gateway does answers at GOODGATE_URL."""

    code = "unreachable"
    status = 503


def plain(text: object) -> str:
    """Return text with nothing in it that a terminal would obey."""
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(text)
    )


def say(text: str) -> None:
    """Tell the person something beside the answer, on standard error."""
    print(f"goodgate: {plain(text)}", file=sys.stderr)


def say_error(text: object) -> None:
    """Tell the person what went wrong, line by line, on standard error."""
    for line in str(text).splitlines() or [""]:
        print(f"goodgate: error: {plain(line)}", file=sys.stderr)


def as_json(value: object) -> None:
    """Print a value as JSON, in ASCII: it survives every pipe."""
    print(json_text(value), end="")


def json_text(value: object) -> str:
    """Return a value as lines of JSON."""
    return json.dumps(value, indent=2) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under column names: ruled on a terminal, aligned in a pipe."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _ruled(columns, cells)
        return
    widths = [
        max(len(name), *(len(row[at]) for row in cells)) if cells else len(name)
        for at, name in enumerate(columns)
    ]
    for row in [list(columns), *cells]:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def records(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print some fields of each record as a table."""
    table(columns, [[row.get(name) for name in columns] for row in rows])


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list | tuple):
        return plain(", ".join(map(str, cast("Sequence[object]", value)))) or "-"
    return plain(value)


def _ruled(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    # Imported here: in a pipe nobody should wait 40 ms for colours.
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.table import Table  # noqa: PLC0415  # as above
    from rich.text import Text  # noqa: PLC0415  # as above

    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        grid.add_column(name)
    for row in cells:
        grid.add_row(*(Text(cell) for cell in row))
    Console().print(grid)

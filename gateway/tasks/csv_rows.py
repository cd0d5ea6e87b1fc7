"""A catalogue in CSV (RFC 4180): a header line, then a task a line; members stand apart by `;`."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.documents import Problems
from gateway.errors import ConfigError
from gateway.tasks.rows import Row, check_names


def read(name: str, text: str, problems: Problems) -> Iterator[Row]:
    """Yield a row for every line under the header; empty lines are skipped."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [field.strip().lower() for field in _cells(name, lines)]
    if not any(header):
        raise ConfigError(f"{name}:1:1: no header line, expected one such as id,title,members")
    check_names(name, header, problems, (1, 1))
    for field in sorted({field for field in header if header.count(field) > 1}):
        problems.add_at(name, 1, 1, f"the column {field[:40]!r} is there twice")
    before = lines.line_num
    while cells := _cells(name, lines):
        line, before = before + 1, lines.line_num
        if cells == [""]:
            continue
        if len(cells) != len(header):
            problems.add_at(
                name, line, 1, f"{len(cells)} columns, expected {len(header)} as in the header"
            )
            continue
        yield Row(fields=dict(zip(header, cells, strict=True)), line=line)


def _cells(name: str, lines: Any) -> Sequence[str]:
    """Return the next line's cells, `[""]` for an empty line, nothing at the end."""
    try:
        cells: Sequence[str] | None = next(lines, None)
    except csv.Error as error:
        raise ConfigError(f"{name}:{lines.line_num}:1: {error}, expected CSV") from None
    return [] if cells is None else cells or [""]

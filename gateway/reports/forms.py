"""Rows as text: CSV that no spreadsheet runs as a formula, and a plain table."""

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV (RFC 4180, so lines end in CRLF), under a head of the columns."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_guarded(_text(row[name])) for name in columns])
    return out.getvalue()


def table_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as plain text, each column as wide as its widest cell."""
    lines = [list(columns), *([_plain(_text(row[name])) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def plain(amount: Decimal) -> str:
    """Return an amount in plain digits, without zeros at its end."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(map(str, cast("Sequence[object]", value)))
    return str(value)


def _guarded(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text (OWASP: CSV injection)."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def _plain(cell: str) -> str:
    """Return a cell that neither breaks its line nor speaks to the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in cell)

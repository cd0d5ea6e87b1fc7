"""Rows as text."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from gateway import reports

ROWS = [
    {"team": "=1+1", "rules": ["a", "b"], "cost_usd": None, "stream": True},
    {"team": "pay,ments", "rules": [], "cost_usd": "0.1", "stream": False},
]


def test_csv_has_a_head_and_a_line_for_each_row() -> None:
    assert reports.csv_text(ROWS, list(ROWS[0])) == (
        'team,rules,cost_usd,stream\r\n\'=1+1,a b,,true\r\n"pay,ments",,0.1,false\r\n'
    )


@given(st.text(max_size=12))
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    [_, [cell]] = csv.reader(io.StringIO(reports.csv_text([{"a": text or "x"}], ["a"]), newline=""))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_table_is_as_wide_as_its_widest_cells() -> None:
    assert reports.table_text(ROWS, ["team", "stream"]) == (
        "team       stream\n=1+1       true\npay,ments  false\n"
    )


def test_a_table_of_nothing_is_its_head() -> None:
    assert reports.table_text([], ["team"]) == "team\n"


@given(st.text(max_size=12))
def test_no_cell_of_a_table_breaks_its_line_or_speaks_to_the_terminal(text: str) -> None:
    told = reports.table_text([{"a": text}], ["a"])
    assert told.count("\n") == 2
    assert "\x1b" not in told

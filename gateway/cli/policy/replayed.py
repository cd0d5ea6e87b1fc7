"""How a replay is shown: a short table an admin can read, or paste into a merge request."""

import datetime
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from gateway.cli import terminal
from gateway.rehearsal.replays.replay import ChangeKind, Report
from gateway.rehearsal.replays.tallies import Change, RuleRow
from gateway.rehearsal.replays.verification import Verified

By: TypeAlias = Literal["rule", "team", "task"]

ROWS_SHOWN: Final = 10
NAMES: Final[dict[ChangeKind, str]] = {
    "newly_refused": "newly refused",
    "newly_allowed": "newly allowed",
    "slowed_instead": "slowed instead of refused",
    "stopped_instead": "refused instead of slowed",
    "other_reason": "refused for another reason",
    "rerouted": "sent elsewhere",
    "other_obligations": "other obligations",
}
_COSTLESS: Final = ("slowed_instead", "stopped_instead", "other_reason")
_NONE: Final = "(none)"


class Table(Struct, frozen=True, kw_only=True):
    """A table under a line that says what it is."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Shown(Struct, frozen=True, kw_only=True):
    """A report in words."""

    heading: Sequence[str]
    tables: Sequence[Table]
    unknown: Sequence[str]


def words(report: Report, verified: Verified | None, by: By) -> Shown:
    """Return a report in words, its changes by rule, team or task."""
    noun = "person" if report.people == 1 else "people"
    people = f"{'up to ' if report.unnamed else ''}{report.people:,} {noun}"
    told = (
        f"{report.calls:,} calls of {people} from {_moment(report.first_us)} to "
        f"{_moment(report.last_us)}, {money(report.cost_usd)} USD, decided again under "
        f"{report.policy}"
    )
    heading = [told if report.calls else "No call is recorded in this time."]
    if verified is not None:
        heading.append(_verified(verified))
    tables = [_summary(report)] if report.calls else []
    for kind, change in report.changes.items():
        if change.calls:
            tables.append(_detail(kind, change, by))
    return Shown(heading=heading, tables=tables, unknown=[doubt.text for doubt in report.doubts])


def plain(shown: Shown) -> None:
    """Print it for a terminal or a pipe."""
    for line in shown.heading:
        print(terminal.plain(line))
    for table in shown.tables:
        print()
        if table.title:
            print(terminal.plain(table.title))
        terminal.table(table.columns, table.rows)
    if shown.unknown:
        print("\nWhat this replay cannot know:")
    for line in shown.unknown:
        print(f"- {terminal.plain(line)}")


def markdown(shown: Shown) -> None:
    """Print it for a merge request."""
    print("### Policy replay\n")
    for line in shown.heading:
        print(f"{_escaped(line)}\n")
    for table in shown.tables:
        if table.title:
            print(f"**{_escaped(table.title)}**\n")
        print(f"| {' | '.join(map(_escaped, table.columns))} |")
        print("|" + " --- |" + " ---: |" * (len(table.columns) - 1))
        for row in table.rows:
            print(f"| {' | '.join(map(_escaped, row))} |")
        print()
    if shown.unknown:
        print("<details><summary>What this replay cannot know</summary>\n")
        for line in shown.unknown:
            print(f"- {_escaped(line)}")
        print("\n</details>")


def as_json(report: Report, verified: Verified | None) -> dict[str, Any]:
    """Return it as JSON holds it; money is text, exact."""
    found: dict[str, Any] = msgspec.to_builtins(report, enc_hook=str)
    found["verified"] = None if verified is None else msgspec.to_builtins(verified)
    return found


def money(amount: Decimal) -> str:
    """Return an amount for reading: cents, or more digits below a dollar."""
    if amount >= 1 or amount == 0:
        return f"{amount:,.2f}"
    return f"{amount:.6f}"


def _summary(report: Report) -> Table:
    rows = [["unchanged", *_share(report.unchanged, report.calls), "", "", ""]]
    for kind, change in report.changes.items():
        if change.calls or kind in ("newly_refused", "newly_allowed", "rerouted"):
            costs = ("", "") if kind in _COSTLESS else _costs(kind, change)
            share = _share(change.calls, report.calls)
            rows.append([NAMES[kind], *share, f"{change.people:,}", *costs])
    return Table(
        title="", columns=["", "calls", "%", "people", "had cost USD", "would cost USD"], rows=rows
    )


def _costs(kind: ChangeKind, change: Change) -> tuple[str, str]:
    if kind == "newly_allowed":
        return "", f"up to {money(change.cost_usd)}" if change.calls else ""
    if kind == "rerouted":
        return money(change.cost_usd), money(change.later_usd)
    return money(change.cost_usd), ""


def _detail(kind: ChangeKind, change: Change, by: By) -> Table:
    rows = list(_rows(change, by))
    more = len(rows) - ROWS_SHOWN
    title = f"{NAMES[kind]}, by {by}"
    if more > 0:
        title += f" (the {ROWS_SHOWN} with the most calls of {len(rows):,})"
    columns = ["rule", "code", "people"] if by == "rule" else [by]
    return Table(title=title, columns=[*columns, "calls", "USD"], rows=rows[:ROWS_SHOWN])


def _rows(change: Change, by: By) -> Iterator[list[str]]:
    found = {"rule": change.by_rule, "team": change.by_team, "task": change.by_task}[by]
    for row in found:
        ends = [f"{row.calls:,}", money(Decimal(row.cost_nano_usd).scaleb(-9))]
        if isinstance(row, RuleRow):
            yield [row.name, row.code or "", f"{row.people:,}", *ends]
        else:
            yield [row.name or _NONE, *ends]


def _verified(verified: Verified) -> str:
    text = (
        f"The policies that were in force give back {verified.same:,} of {verified.calls:,} "
        "decisions"
    )
    if verified.unknown:
        text += f" ({verified.unknown:,} more were made by policies that are not known any more)"
    if verified.differing:
        text += f"; otherwise came out {', '.join(verified.differing)}"
    return text


def _share(calls: int, total: int) -> tuple[str, str]:
    return f"{calls:,}", f"{100 * calls / total:.1f}" if total else "0.0"


def _moment(at_us: int) -> str:
    return datetime.datetime.fromtimestamp(at_us / 1e6, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _escaped(text: str) -> str:
    """Return text that stands in a cell of a Markdown table, and does nothing else."""
    cleaned = terminal.plain(text)
    for mark in "\\`*_[]<>|":
        cleaned = cleaned.replace(mark, f"\\{mark}")
    return cleaned

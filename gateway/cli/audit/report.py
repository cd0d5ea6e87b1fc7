"""`goodgate audit report` and `meter`: what came of the work, at what cost, and what drifts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from gateway import reports
from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Database, Desk

FIGURES = (
    "accepted_tasks",
    "tasks",
    "settled",
    "provisional",
    "reversed",
    "cost_usd",
    "cost_per_accepted_task",
    "calls",
    "roots",
    "people",
)
As_of = Annotated[
    str, typer.Option("--as-of", metavar="2026-11-01", help="When holds are looked at; else now.")
]
Since = Annotated[str, typer.Option(metavar="2026-09", help="From this month on.")]
Until = Annotated[str, typer.Option(metavar="2026-11", help="Up to this month, all of it.")]
Team = Annotated[str, typer.Option(metavar="TEAM", help="Only roots of this team.")]


def report(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    by: Annotated[
        str, typer.Option(metavar="A,B", help="Of root, use_case, team, month.")
    ] = "team,month",
    team: Team = "",
    since: Since = "",
    until: Until = "",
    as_of: As_of = "",
    reveal: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Show what is about few people, and names; is recorded."
        ),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "table",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Report what was accepted, its credit and its full cost: by root, use case, team or month.

    \b
    goodgate audit report --by team,month --since 2026-09
    goodgate audit report --by use_case --format csv
    goodgate audit report --by root --team payments --reveal "ticket SEC-42"

    By person there is no report. What is about fewer than five people is shown with others, as
    "(few people)". A month is that of a root's first acceptance.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    given = {"by": by, "team": team, "since": since, "until": until, "as_of": as_of}
    query = {name: value for name, value in given.items() if value}
    if reveal is not None:
        query["reveal"] = reveal
    found = Desk.of(context).asked(data, database).ask("GET", "/api/audit/report", query=query)
    if as_json or form == "json":
        terminal.as_json(found)
    elif form == "csv":
        print(reports.csv_text(found["rows"], [*found["by"], *_shown(found)]), end="")
    else:
        _print(found)
    return 0


def meter(
    context: typer.Context,
    *,
    as_of: As_of = "",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Say how calls, tokens and credit go with accepted tasks over time: the Goodhart meter.

    A metric that people are pushed to raise rises without anything coming of it. Then its
    correlation with outcomes falls, and this warns. Exit code 1: a metric drifts.
    """
    query = {"as_of": as_of} if as_of else {}
    found = Desk.of(context).asked(data, database).ask("GET", "/api/audit/meter", query=query)
    if as_json:
        terminal.as_json(found)
    else:
        _print_meter(found)
    return int(any(each["drifted"] for each in found["metrics"].values()))


def _shown(found: Mapping[str, Any]) -> Sequence[str]:
    names = ("names",) if found["rows"] and "names" in found["rows"][0] else ()
    return (*FIGURES, *names)


def _print(found: Mapping[str, Any]) -> None:
    if found["withheld"]:
        terminal.say(found["withheld"])
    elif not found["rows"]:
        terminal.say("nothing matches, or what does is about few people and shown with others")
    else:
        terminal.records([*found["by"], *_shown(found)], found["rows"])
        total = found["total"]
        print(
            f"\nin all {total['accepted_tasks']} of {total['tasks']} tasks accepted; credit"
            f" {total['settled']} settled, {total['provisional']} provisional,"
            f" {total['reversed']} reversed; {total['cost_usd']} USD for {total['calls']} calls"
        )
    print()
    terminal.records(("evidence", "calls", "cost_usd"), found["spent"])
    share = found["unlinked_share"]["cost_usd"]
    print(f"unlinked: {share['unlinked']} of {share['of']} USD ({_percent(share['share'])})")
    if found["marks"]:
        print()
        terminal.records(("root_id", "team", "mark", "why"), found["marks"])
    evidence = found["evidence"]
    print(f"\nas of {found['as_of']}, from {evidence['entries']:,} entries, tree", end=" ")
    print(f"{evidence['root']}\nto work it out again: {terminal.plain(evidence['reproduce'])}")
    print(found["unproven"])


def _print_meter(found: Mapping[str, Any]) -> None:
    rows = [
        {
            "metric": name,
            "weeks from": window["from"],
            "cells": window["cells"],
            "correlation": _number(window["correlation"]),
            "95 % interval": _interval(window),
        }
        for name, metric in found["metrics"].items()
        for window in metric["windows"]
    ]
    if not rows:
        terminal.say("nothing was asked for a task yet")
    terminal.records(("metric", "weeks from", "cells", "correlation", "95 % interval"), rows)
    print(
        f"rank correlation with accepted tasks, over teams and weeks, {found['window_weeks']} weeks"
        f" at a time; with under {found['cells_min']} cells nothing can be said"
    )
    for metric in found["metrics"].values():
        if metric["warning"]:
            terminal.say(f"warning: {metric['warning']}")


def _interval(window: Mapping[str, Any]) -> str:
    if window["low"] is None:
        return ""
    return f"{_number(window['low'])} to {_number(window['high'])}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(share: str | None) -> str:
    return "nothing was sent" if share is None else f"{float(share):.1%}"

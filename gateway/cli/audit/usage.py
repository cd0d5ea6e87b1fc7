"""`goodgate audit usage`: what calls came to, in sums."""

from typing import Annotated, Literal

import typer

from gateway import reports
from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Database, Desk


def usage(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    by: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Of hour, day, month, team, root, task, model, decision; or rule alone.",
        ),
    ] = "team,month",
    task: Annotated[str, typer.Option(metavar="ID", help="Only this task.")] = "",
    team: Annotated[str, typer.Option(metavar="TEAM", help="Only this team.")] = "",
    model: Annotated[str, typer.Option(metavar="MODEL", help="Only this model.")] = "",
    decision: Annotated[
        str, typer.Option(metavar="KIND", help="Only forwarded, coalesced, reused or refused.")
    ] = "",
    rule: Annotated[str, typer.Option(metavar="ID", help="With --by rule: only this one.")] = "",
    since: Annotated[str, typer.Option(metavar="90d", help="Not before: 90d ago, 2026-08.")] = "",
    until: Annotated[str, typer.Option(metavar="1d", help="Before: as --since.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many rows.")] = 1000,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print them.")
    ] = "table",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Sum calls by time, team, task, model, decision or rule. By person there are no sums.

    \b
    goodgate audit usage --by team,month --since 90d
    goodgate audit usage --by task --team payments --format csv
    goodgate audit usage --by rule --since 7d
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    given = {
        "by": by,
        "task": task,
        "team": team,
        "model": model,
        "decision": decision,
        "rule": rule,
        "since": since,
        "until": until,
    }
    query = {name: value for name, value in given.items() if value} | {"limit": str(limit)}
    rows = Desk.of(context).asked(data, database).ask("GET", "/api/audit/usage", query=query)
    if as_json or form == "json":
        terminal.as_json(rows)
    elif form == "csv":
        print(reports.csv_text(rows, list(rows[0]) if rows else _columns(by)), end="")
    elif not rows:
        terminal.say("nothing in the ledger matches")
    else:
        terminal.records(list(rows[0]), rows)
    return 0


def _columns(by: str) -> list[str]:
    """Return the columns of a table without rows."""
    found = reports.columns(by)
    return [*found, *(reports.FIGURES if "rule" not in found else reports.FIGURES[:1])]

"""`goodgate audit query`: what the ledger holds."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from gateway import reports
from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Database, Desk
from gateway.cli.terminal import WrongUse
from gateway.ledger import projection

_SHOWN = (
    "index",
    "received_at",
    "principal",
    "team",
    "task_id",
    "evidence",
    "model_served",
    "decision",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "completion",
)
"""What fits on a line; --json and --format csv show every field."""


def query(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    task: Annotated[str, typer.Option(metavar="ID", help="Only this task.")] = "",
    team: Annotated[str, typer.Option(metavar="TEAM", help="Only this team.")] = "",
    principal: Annotated[
        str, typer.Option(metavar="NAME", help="Only this person; needs --reveal.")
    ] = "",
    model: Annotated[str, typer.Option(metavar="MODEL", help="Only this model.")] = "",
    decision: Annotated[
        str, typer.Option(metavar="KIND", help="Only forwarded, coalesced, reused or refused.")
    ] = "",
    rule: Annotated[str, typer.Option(metavar="ID", help="Only where this rule had a say.")] = "",
    since: Annotated[str, typer.Option(metavar="7d", help="Not before: 7d ago, 2026-11-01.")] = "",
    until: Annotated[str, typer.Option(metavar="1d", help="Before: as --since.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 1000,
    unlinked: Annotated[
        bool, typer.Option("--unlinked", help="The cost of what had no verified task, by hour.")
    ] = False,
    reveal: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Show names (auditors); is itself recorded."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print them.")
    ] = "table",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    List entries, newest first. People are pseudonyms, new for each query.

    \b
    goodgate audit query --task PROJ-123 --since 7d
    goodgate audit query --team payments --decision refused --json
    goodgate audit query --unlinked --since 30d --format csv
    goodgate audit query --principal alice --reveal "ticket SEC-42"
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    given = {
        "task": task,
        "team": team,
        "principal": principal,
        "model": model,
        "decision": decision,
        "rule": rule,
        "since": since,
        "until": until,
    }
    asked = {name: value for name, value in given.items() if value} | {"limit": str(limit)}
    if reveal is not None:
        asked["reveal"] = reveal
    if unlinked:
        _only(asked, {"team", "model", "since", "until", "limit"})
    path = "/api/audit/unlinked" if unlinked else "/api/audit/entries"
    rows = Desk.of(context).asked(data, database).ask("GET", path, query=asked)
    _show(rows, "json" if as_json else form, None if unlinked else _SHOWN)
    return 0


def _only(asked: Mapping[str, str], allowed: set[str]) -> None:
    extra = sorted(set(asked) - allowed)
    if extra:
        raise WrongUse(
            f"--{extra[0]} does not go with --unlinked: those rows hold team, model and hour only"
        )


def _show(rows: Sequence[Mapping[str, Any]], form: str, shown: Sequence[str] | None) -> None:
    if form == "json":
        terminal.as_json(rows)
    elif form == "csv":
        everything = reports.UNLINKED if shown is None else projection.COLUMNS
        print(reports.csv_text(rows, list(rows[0]) if rows else everything), end="")
    elif not rows:
        terminal.say("nothing in the ledger matches")
    else:
        terminal.records(shown or list(rows[0]), rows)

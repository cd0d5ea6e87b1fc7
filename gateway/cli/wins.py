"""`goodgate wins`: what was finished with AI's help, instead of a leaderboard."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway.cli import terminal
from gateway.cli.audit.report import As_of, Since, Team, Until
from gateway.cli.desk import AsJson, Data, Database, Desk
from gateway.cli.terminal import WrongUse
from gateway.reports import wins_text

UseCase = Annotated[str, typer.Option("--use-case", metavar="NAME", help="Only this use case.")]

group = typer.Typer(no_args_is_help=True, help="What was finished with AI's help (auditors).")


@group.callback()
def about() -> None:
    """Show what was finished with AI's help (auditors, admins)."""


@group.command("list")
def listing(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    team: Team = "",
    use_case: UseCase = "",
    since: Since = "",
    until: Until = "",
    as_of: As_of = "",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    List tasks that somebody else accepted and that AI was used for, the last first.

    \b
    goodgate wins list --since 2026-09 --team payments
    goodgate wins list --use-case migration --json
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    asked = Desk.of(context).asked(data, database)
    found = asked.ask("GET", "/api/wins", query=_query(team, use_case, since, until, as_of))
    if as_json:
        terminal.as_json(found)
    elif not found["wins"]:
        terminal.say(wins_text.NOTHING)
    else:
        columns = ("task_id", "use_case", "team", "accepted_at", "state", "cost_usd", "hours")
        terminal.records((*columns, "evidence"), found["wins"])
    return 0


@group.command()
def report(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    *,
    team: Team = "",
    use_case: UseCase = "",
    since: Since = "",
    until: Until = "",
    as_of: As_of = "",
    form: Annotated[
        Literal["md", "html", "json"], typer.Option("--format", help="What to write.")
    ] = "md",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it here, not to the terminal.")
    ] = None,
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Write a report of wins by use case, to pass on: Markdown, HTML or JSON.

    \b
    goodgate wins report --since 2026-11 > wins.md
    goodgate wins report --format html --out wins.html
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    asked = Desk.of(context).asked(data, database)
    found = asked.ask("GET", "/api/wins", query=_query(team, use_case, since, until, as_of))
    if as_json or form == "json":
        if out is None:
            terminal.as_json(found)
            return 0
        text = terminal.json_text(found)
    else:
        text = wins_text.html(found) if form == "html" else wins_text.markdown(found)
    if out is None:
        print(text, end="")
        return 0
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{out} cannot be written: {error.strerror}") from None
    terminal.say(f"{len(found['wins'])} wins are in {out}")
    return 0


def _query(team: str, use_case: str, since: str, until: str, as_of: str) -> dict[str, Any]:
    given = {"team": team, "use_case": use_case, "since": since, "until": until, "as_of": as_of}
    return {name: value for name, value in given.items() if value}

"""`goodgate audit erase`: a person forgotten, and every proof as good as before."""

import sys
from typing import Annotated

import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Database, Desk
from gateway.cli.terminal import WrongUse


def erase(
    context: typer.Context,
    principal: Annotated[str, typer.Argument(metavar="PRINCIPAL", help="Who is forgotten.")],
    *,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; kept for good, so without the name.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Delete what ties a person to their entries (auditors). It cannot be undone.

    \b
    goodgate audit erase alice --reason "request 2026-11-07 under article 17"
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    if not yes and not _agreed(principal):
        return 1
    wish = {"principal": principal, "reason": reason}
    asked = Desk.of(context).asked(data, database)
    salts = int(asked.ask("POST", "/api/audit/erase", body=wish)["salts"])
    if as_json:
        terminal.as_json({"principal": principal, "salts": salts})
        return 0
    deleted = "1 salt was deleted" if salts == 1 else f"{salts} salts were deleted"
    print(f"{terminal.plain(principal)} is erased: {deleted}")
    if not salts:
        terminal.say("the ledger held none: is the name spelt as their keys have it?")
    terminal.say("their entries stand, every proof still verifies, and nothing names them any more")
    terminal.say(
        "not touched: their keys (`goodgate keys list`, `goodgate keys revoke ID`), the task"
        " catalogue, and what was written down after a --reveal"
    )
    return 0


def _agreed(principal: str) -> bool:
    if not sys.stdin.isatty():
        raise WrongUse("an erasure cannot be undone: say --yes where nobody can be asked")
    terminal.say(f"nothing will tell any more which entries are {principal}'s; this is for good")
    typed = input("Type the name again to go on: ")
    if typed.strip() == principal:
        return True
    terminal.say("nothing was done")
    return False

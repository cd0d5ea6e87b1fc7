"""`goodgate audit export`: the whole log as a folder that anybody can check offline."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import terminal
from gateway.cli.audit import copying
from gateway.cli.desk import AsJson, Data, Database, Desk


def export(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new or empty folder to write it into.")
    ],
    *,
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Write the whole log, with proofs, signatures and policies, into a folder.

    \b
    goodgate audit export ./ledger-2026-11
    goodgate audit export ./ledger-2026-11 --data ./data
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    asked = desk.asked(data, database)
    vkey = str(asked.ask("GET", "/api/log/key")["vkey"])
    log = copying.log_of(desk, data, database, asked)
    with copying.bar("Exporting") as shown:
        files = copying.copy(log, folder, copying.on(shown))
    if as_json:
        terminal.as_json({"folder": str(folder), "entries": log.size, "files": files, "vkey": vkey})
        return 0
    print(f"{log.size:,} entries in {files:,} files are in {folder}")
    how_to_verify(folder, vkey)
    return 0


def how_to_verify(folder: Path, vkey: str) -> None:
    """Say how to check an export, with two programs that share no line."""
    terminal.say("check it, on this machine or another, with either of")
    terminal.say(f"  goodgate audit verify {folder} --key {vkey}")
    terminal.say(f"  python3 docs/verifier/verify.py {folder} --key {vkey}")
    terminal.say("where the key is the one you have from elsewhere: this one is only what was said")

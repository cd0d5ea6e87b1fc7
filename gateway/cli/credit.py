"""`goodgate credit`: a log's credit, worked out again from its entries alone; and one's own."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway import reports
from gateway.cli import terminal
from gateway.cli.audit import copying
from gateway.cli.audit.verify import check_keys, claimed, digest_of, key_of, source_of
from gateway.cli.desk import AsJson, Data, Database, Desk

if TYPE_CHECKING:
    from gateway.credit import RootCredit, Statement

_COLUMNS = (
    "root",
    "team",
    "month",
    "settled",
    "provisional",
    "reversed",
    "value",
    "accepted",
    "units",
    "calls",
    "cost_usd",
    "notes",
)

group = typer.Typer(no_args_is_help=True, help="Work credit out again (auditors), or see your own.")


@group.callback()
def about() -> None:
    """Work credit out again (auditors), or see your own."""


@group.command()
def recompute(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="An export; else see --data.")
    ] = None,
    *,
    data: Data = None,
    database: Database = "",
    key: Annotated[str, typer.Option(metavar="VKEY", help="The log's public key.")] = "",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="F", help="A file that holds it.")
    ] = None,
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            metavar="2026-11-01",
            help="When holds are looked at; else the newest entry's.",
        ),
    ] = "",
    entries: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Only the first N entries; else all.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """
    Verify a log, and work its credit out from nothing but its entries and policy texts.

    \b
    goodgate credit recompute ./export --key goodgate/0f…+5c31a2b4+AX… --as-of 2026-12-01
    goodgate credit recompute --data ./data --key-file log.vkey --json

    The same entries and moment give the same bytes of --json on every machine. Exit code 0: worked
    out. 1: the log is wrong, and nothing was. 2: wrong use.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    from gateway.ledger import verification  # noqa: PLC0415  # no other command needs the ledger from inside
    from gateway.reports.crediting import root_of, stated  # noqa: PLC0415  # as above

    desk = Desk.of(context)
    moment = reports.moment_us(as_of, desk.clock()) if as_of else None
    source, _ = source_of(desk, folder, data, database)
    trust = verification.Trust(
        vkey=key_of(key, key_file) or claimed(source),
        now_s=int(desk.clock()),
        whole_folder=folder is not None,
        policy_digest=digest_of,
    )
    check_keys(trust)
    with copying.bar("Verifying") as shown:
        report = verification.verify(source, trust, copying.on(shown))
    if report.first is not None:
        terminal.say_error(f"nothing was worked out, the log is wrong: {report.first.what}")
        return 1
    size = report.size if entries is None else entries
    if size > report.size:
        raise terminal.WrongUse(f"there are {report.size:,} entries, not {size:,}")
    found = stated(source, report.size, moment, size)
    if as_json:
        print(found.encoded().decode())
    else:
        root = root_of(source, report.size, size)
        _print(found, f"the first {size:,} of {report.size:,} entries, tree {root}")
    return 0


@group.command()
def mine(context: typer.Context, *, as_json: AsJson = False) -> int:
    """
    Show the tasks you made calls for, and what came of them. Nobody else sees this of you.

    Credit is of a task's root, and shared by all who worked on it.
    """
    found = Desk.of(context).remote().ask("GET", "/api/credit/mine")
    if as_json:
        terminal.as_json(found)
    elif not found["rows"]:
        terminal.say("you made no calls for a task yet")
    else:
        terminal.records(list(found["rows"][0]), found["rows"])
    return 0


def _print(found: "Statement", log: str) -> None:
    terminal.table(_COLUMNS, [_row(root) for root in found.roots])
    sums = {
        name: sum((getattr(root, name) for root in found.roots), Decimal(0))
        for name in ("settled", "provisional", "reversed")
    }
    cost = _usd(sum(root.cost_nano_usd for root in found.roots))
    said = ", ".join(f"{name} {total.normalize():f}" for name, total in sums.items())
    print(f"credit {said}; {cost} USD for all calls of {len(found.roots):,} roots")
    print(terminal.plain(f"from {log}"))


def _row(root: "RootCredit") -> list[object]:
    marks = [root.unscored, "thin" if root.thin and root.month else ""]
    return [
        root.root_id,
        root.team,
        root.month,
        *(f"{each:.4f}" for each in (root.settled, root.provisional, root.reversed)),
        f"{root.value.normalize():f}",
        f"{root.accepted.normalize():f}",
        root.units,
        root.calls,
        _usd(root.cost_nano_usd),
        "; ".join(mark for mark in marks if mark),
    ]


def _usd(nano_usd: int) -> str:
    return reports.plain(Decimal(nano_usd) / 10**9)

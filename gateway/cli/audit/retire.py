"""
`goodgate audit retire`: a closed period exported, verified, and dropped from the hot store.

In this order, and nothing is dropped unless the export verifies.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer

from gateway import identity, reports
from gateway.cli import terminal
from gateway.cli.audit import copying, sources
from gateway.cli.desk import AsJson, Asked, Data, Database, Desk
from gateway.cli.remote import Remote
from gateway.cli.terminal import Unreachable
from gateway.errors import GatewayError, NotAllowed
from gateway.ledger import checkpoints, notes, tiles
from gateway.reports.log_files import CHECKPOINTS, LOG

LogOf: TypeAlias = Callable[..., copying.Log]
"""Returns the log, of the newest checkpoint or of the size given."""


class _About(msgspec.Struct):
    """What log.json says."""

    first_bundle: int
    vkey: str


def retire(  # one argument for each option
    context: typer.Context,
    *,
    before: Annotated[
        str, typer.Option(metavar="2026-08-01", help="Entries from before this moment.")
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="A new or empty folder.")],
    key: Annotated[
        str, typer.Option(metavar="VKEY", help="The log's public key; else the one it names.")
    ] = "",
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Export what is older than a moment, verify it, and drop it from the store (admins).

    \b
    goodgate audit retire --before 2026-08-01 --to /archive/2026-q3
    goodgate audit retire --before 90d --to /archive/2026-q3 --data ./data
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    before_us = reports.moment_us(before, desk.clock())
    asked = desk.asked(data, database)
    _may(asked)
    log_of = partial(copying.log_of, desk, data, database, asked)
    newest = log_of()
    about = _about(newest)
    with copying.bar("Looking for the end of the period"):
        found = copying.bundles(newest, about.first_bundle)
        first = about.first_bundle * tiles.WIDTH
        size = reports.closed_below(found, first, before_us)
    if size == first:
        terminal.say(
            f"no {tiles.WIDTH} entries in a row are from before {before} and settled: nothing to"
            " retire"
        )
        return 1
    _archive(log_of, to, size, key or about.vkey)
    _drop(asked, size, to)
    if as_json:
        terminal.as_json({"first": first, "size": size, "folder": str(to)})
        return 0
    print(f"entries {first:,} to {size - 1:,} are in {to}, verified, and dropped from the store")
    terminal.say("keep that folder: it holds the only copy. With it everything is checked by")
    terminal.say(f"  goodgate audit verify --archive {to} --key {key or about.vkey}")
    return 0


def _may(asked: Asked) -> None:
    """Refuse a key that may not retire, before an hour is spent on an export."""
    if isinstance(asked, Remote):
        role = asked.ask("GET", "/api/whoami").get("role")
        if not identity.may(role, "retire"):
            raise NotAllowed(f"this key's role ({role}) may not do this: ask an admin")


def _archive(log_of: LogOf, to: Path, size: int, vkey: str) -> None:
    """Export a period and verify the export; raises GatewayError when that fails."""
    copying.prepare(to)  # so that what may be removed below was written here
    *earlier, newest = _checkpoints(log_of(), size)
    for at in earlier:
        try:
            _export(log_of(at), to, vkey)
        except GatewayError:
            shutil.rmtree(to)
        else:
            return
    _export(log_of(newest), to, vkey)


def _export(log: copying.Log, to: Path, vkey: str) -> None:
    with copying.bar("Exporting") as shown:
        copying.copy(log, to, copying.on(shown))
    # Imported here: no other command needs to know the ledger from inside.
    from gateway.ledger.verification import Trust, verify  # noqa: PLC0415  # as said

    with copying.bar("Verifying") as shown:
        report = verify(
            sources.FolderSource(to), Trust(vkey=vkey, whole_folder=True), copying.on(shown)
        )
    if report.first is not None:
        raise Unreachable(
            f"nothing was dropped, for the export in {to} does not verify: {report.first.what}"
        )


def _checkpoints(newest: copying.Log, size: int) -> Iterator[int]:
    """
    Yield the checkpoints an export of a period can end in, the one with least beside it first.

    The newest comes last: what vouches for an earlier retirement may stand anywhere below it.
    """
    for line in (newest.read(CHECKPOINTS) or b"").splitlines():
        note = notes.Note.parse(msgspec.json.decode(line, type=str))
        at = checkpoints.Checkpoint.parse(note.text).size
        if size <= at < newest.size:
            yield at
            break
    yield newest.size


def _about(log: copying.Log) -> _About:
    try:
        return msgspec.json.decode(log.read(LOG) or b"", type=_About)
    except msgspec.MsgspecError:
        raise Unreachable(f"what answers has no {LOG} of a log: is it a gateway?") from None


def _drop(asked: Asked, size: int, to: Path) -> None:
    try:
        asked.ask("POST", "/api/audit/retire", body={"size": size})
    except GatewayError:
        terminal.say(f"nothing was dropped; the export in {to} is whole: name another next time")
        raise

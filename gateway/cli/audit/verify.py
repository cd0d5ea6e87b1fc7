"""`goodgate audit verify`: was anything in the ledger changed, dropped or made up?"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gateway.cli import terminal
from gateway.cli.audit import copying
from gateway.cli.desk import AsJson, Data, Database, Desk
from gateway.cli.terminal import WrongUse

if TYPE_CHECKING:
    from gateway.cli.stores import Reading
    from gateway.ledger.verification import Report, Source, Sums, Trust
    from gateway.ledger.verification.report import Kept

_FILE_BYTES_MAX = 64 * 1024 * 1024
_TRIES = 5
_HEADER = re.compile(r"^\s*(?:x-goodgate-receipt\s*:)?\s*(v=1; \S.*?)\s*$", re.IGNORECASE)
_LOUD = "key not given: this only shows that the log agrees with itself"
_LISTED = 5
"""How many names are shown; --json has them all."""

Paths = list[Path]


def verify(  # noqa: PLR0913  # one argument for each option
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
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="The key of a witness you trust (repeat)."),
    ] = None,
    earlier: Annotated[
        Paths | None,
        typer.Option("--from", metavar="F", help="A checkpoint you kept from earlier (repeat)."),
    ] = None,
    promises: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Texts of x-goodgate-receipt, one on a line."),
    ] = None,
    receipt: Annotated[
        Paths | None, typer.Option(metavar="F", help="A .tlog-proof file (repeat).")
    ] = None,
    archive: Annotated[
        Paths | None,
        typer.Option(metavar="FOLDER", help="The export of a retired period (repeat)."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """
    Recompute the whole log, and name the first entry that is wrong, and how.

    \b
    goodgate audit verify ./export --key goodgate/0f…+5c31a2b4+AX…
    goodgate audit verify --key-file log.vkey --from last-month.checkpoint   # of GOODGATE_URL
    goodgate audit verify --data ./data --key-file log.vkey --witness w.example+…

    Reads an export; else a store (--data, --database, GOODGATE_DATA, GOODGATE_DATABASE_URL); else
    the gateway at GOODGATE_URL. Exit code 0: consistent. 1: something is wrong. 2: wrong use.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command needs to know the ledger from inside.
    from gateway.cli.audit import sources  # noqa: PLC0415  # as above
    from gateway.ledger import verification  # noqa: PLC0415  # as above

    desk = Desk.of(context)
    source, kept = source_of(desk, folder, data, database)
    given = key_of(key, key_file)
    trust = verification.Trust(
        vkey=given or claimed(source),
        witnesses=witness or (),
        checkpoints=[_bytes(path) for path in earlier or ()],
        promises=_promises(promises),
        receipts=[_text(path) for path in receipt or ()],
        now_s=int(desk.clock()),
        whole_folder=folder is not None,
        policy_digest=digest_of,
        archives=[sources.FolderSource(path) for path in archive or ()],
    )
    check_keys(trust)
    with copying.bar("Verifying") as shown:
        report = verification.verify(source, trust, copying.on(shown), kept)
    if as_json:
        terminal.as_json({**msgspec.to_builtins(report), "key_given": bool(given)})
    else:
        _print(report, key_given=bool(given))
    return 0 if report.first is None else 1


def source_of(
    desk: Desk, folder: Path | None, data: Path | None, database: str
) -> "tuple[Source, Kept | None]":
    """Return the log that is meant, and what a store keeps beside it."""
    from gateway.cli import stores  # noqa: PLC0415  # as in `verify`
    from gateway.cli.audit import sources  # noqa: PLC0415  # as above
    from gateway.reports import LogFiles  # noqa: PLC0415  # as above

    if folder is not None:
        if data is not None or database:
            raise WrongUse("name an export or a store: FOLDER does not go with --data, --database")
        return sources.FolderSource(folder), None
    where = stores.meant(desk.settings, data, database)
    if where is None:
        return sources.gateway(desk.remote()), None
    reading = stores.opened(where)
    return LogFiles(reading), lambda size: sums(reading, size)


def sums(reading: "Reading", size: int) -> "Sums | None":
    """Return a store's rollups, and the entries past a checkpoint that they count too."""
    from gateway.ledger.verification import Sums  # noqa: PLC0415  # as in `verify`

    for _ in range(_TRIES):
        before = reading.size()
        rollups = reading.rollups()
        if reading.size() == before:
            beyond = reading.lines(size, before - size) if before > size else ()
            return Sums(rollups=rollups, beyond=beyond)
    return None


def key_of(key: str, key_file: Path | None) -> str:
    """Return the key that was given, one way or the other; empty when none was."""
    if key and key_file is not None:
        raise WrongUse("--key and --key-file are two ways to give it: choose one")
    return _text(key_file).strip() if key_file is not None else key.strip()


def claimed(source: "Source") -> str:
    """Return the key the log names itself; it proves nothing, so nobody gets it unasked."""
    if not sys.stderr.isatty():
        raise WrongUse(
            "give --key or --key-file: the log's public key, from somebody you trust (`goodgate"
            " audit verify` on a terminal shows the one the log names itself)"
        )
    try:
        found = msgspec.json.decode(source.read("log.json") or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = {}
    vkey = found.get("vkey")
    if not isinstance(vkey, str) or not vkey:
        raise WrongUse("this log names no key itself: give --key or --key-file")
    return vkey


def check_keys(trust: "Trust") -> None:
    """Refuse what is given for a key and is none: that says nothing about the log."""
    from gateway.ledger import notes  # noqa: PLC0415  # as in `verify`

    wanted = [("--key", trust.vkey, notes.ED25519)]
    wanted += [("--witness", each, notes.COSIGNATURE) for each in trust.witnesses]
    for option, vkey, kind in wanted:
        try:
            found = notes.Verifier.parse(vkey)
        except ValueError as wrong:
            raise WrongUse(f"{option} is no public key: {wrong}") from None
        if found.kind != kind:
            whose = "a witness's" if option == "--key" else "a log's"
            raise WrongUse(f"{option} is {whose} key")


def _promises(path: Path | None) -> list[str]:
    """Return the promises of a file: a header on each line, other lines left out."""
    if path is None:
        return []
    found = [match[1] for line in _text(path).splitlines() if (match := _HEADER.match(line))]
    if not found:
        raise WrongUse(f"{path} holds no promise: it is what `x-goodgate-receipt` says")
    return found


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}") from None


def digest_of(files: list[tuple[str, str]]) -> str:
    """Return the digest of a policy set; raises ConfigError when this version cannot load it."""
    from gateway import policy  # noqa: PLC0415  # no other command needs a compiler of conditions

    return policy.load(files).digest


def _print(report: "Report", *, key_given: bool) -> None:
    first = report.first
    if first is not None:
        entry = "" if first.index is None else f"entry {first.index:,}"
        request = f"({first.request_id})" if first.request_id else ""
        where = f"in {first.where}" if first.where else ""
        place = " ".join(part for part in (entry, request, where) if part)
        print(terminal.plain(f"{report.verdict}: {place}: {first.what}"))
    else:
        print(terminal.plain(report.verdict + _how_far(report)))
    for name, value in _facts(report).items():
        print(terminal.plain(f"  {name:<13} {value}"))
    if not key_given:
        terminal.say(_LOUD)
        terminal.say("ask somebody you trust whether the key above is the log's, and give --key")


def _how_far(report: "Report") -> str:
    if not report.witnesses or report.witnessed == report.size:
        return ""
    return f" (up to entry {report.witnessed - 1:,} of {report.size:,})"


def _facts(report: "Report") -> Mapping[str, str]:
    """Return what else an auditor needs to know, by name: nothing that is none."""
    facts = {
        "log": report.origin,
        "key": report.key,
        "entries": f"{report.size:,}, root {report.root}" if report.origin else "",
        "checkpoints": f"{report.checkpoints:,}" if report.checkpoints else "",
        "key changes": _count(report.rotations, "(the log vouches for each)"),
        "policies": _count(report.policies, "texts are those put in force"),
        "not computed": _count(
            report.policies_not_recomputed, "digests, of policies this cannot load"
        ),
        "witnesses": _names(report.witnesses),
        "receipts": _count(report.receipts, "verify" if report.first is None else "given"),
        "promises": _promised(report),
        "no end": _names(report.open_series, "replicas: what they wrote last could be missing"),
        "no settle": _count(report.open_calls, "calls"),
        "erased": _count(report.erasures, "times somebody was forgotten"),
        "schema 1": _count(report.early, "entries of earlier releases, which have no series"),
        "retired": _retired(report),
        "rollups": report.rollups,
    }
    return {name: value for name, value in facts.items() if value}


def _promised(report: "Report") -> str:
    parts = [
        _count(report.kept, "kept"),
        f"{_names(report.broken)} broken" if report.broken else "",
        f"{_names(report.pending)} not due yet" if report.pending else "",
    ]
    return ", ".join(part for part in parts if part)


def _retired(report: "Report") -> str:
    if not report.retired:
        return ""
    if not report.unread:
        return f"entries below {report.retired:,}, read from archives"
    unvouched = (
        f"; {report.unvouched:,} of their checkpoints have an earlier key"
        if report.unvouched
        else ""
    )
    return f"entries below {report.unread:,} were checked by hash alone{unvouched}: give --archive"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number else ""


def _names(names: Sequence[str], what: str = "") -> str:
    if not names:
        return ""
    shown = ", ".join(names[:_LISTED])
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"{len(names):,} {what} ({shown}{more})" if what else f"{shown}{more}"

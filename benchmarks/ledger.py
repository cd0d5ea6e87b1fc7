"""
`python -m benchmarks.ledger [--only WHAT] [--leaves N] [--entries N] [--seconds N] [--json FILE]`.

What the ledger costs, on SQLite and on PostgreSQL, each figure beside its target: appends that
are durable, what they add to a call, proofs, verification, and the questions auditors ask.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import (
    ledger_appends,
    ledger_calls,
    ledger_disk,
    ledger_line,
    ledger_questions,
    ledger_server,
    ledger_tree,
)
from benchmarks.ledger_appends import Appended, Job
from benchmarks.ledger_disk import Bare
from benchmarks.ledger_records import Calls
from benchmarks.report import Target

PARTS = ("appends", "line", "tree", "questions")
IN_FLIGHT = (1, 64, 512)
SQLITE, POSTGRES = "SQLite", "PostgreSQL"
_APPENDS = {SQLITE: 20_000, POSTGRES: 30_000}


class Figures(msgspec.Struct, kw_only=True):
    """Everything one run found."""

    load: dict[str, float] = {}
    """The load average of a minute before each part: who else was using the machine."""
    leaf_bytes: float = 0
    bare: dict[str, Bare] = {}
    appends: dict[str, dict[int, Appended]] = {}
    line: ledger_line.Line | None = None
    proofs: dict[str, ledger_tree.Proofs] = {}
    verified: ledger_tree.Verified | None = None
    calls: ledger_calls.Loaded | None = None
    questions: list[ledger_questions.Asked] = []


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 0 even when a target is missed."""
    args = _parser().parse_args(argv)
    figures, console = Figures(), Console(width=118)
    with tempfile.TemporaryDirectory(prefix="goodgate-bench-") as name:
        folder = Path(name)
        for part in args.only or PARTS:
            figures.load[part] = os.getloadavg()[0]
            _MEASURE[part](figures, folder, args)
            _SHOW[part](figures, console)
    _show_targets(figures, console)
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part (repeat)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one load")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender, for calls")
    parser.add_argument("--leaves", type=int, default=1_000_000, help="of the tree")
    parser.add_argument(
        "--entries", type=int, default=1_000_000, help="calls that are asked about (10000000: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def _appends(figures: Figures, folder: Path, args: argparse.Namespace) -> None:
    figures.leaf_bytes = Calls().mean_bytes()
    figures.bare["fsync"] = ledger_disk.fsync(folder, args.seconds / 2)
    figures.bare[SQLITE] = ledger_disk.sqlite(folder, args.seconds / 2)
    with ledger_server.server() as server:
        figures.bare[POSTGRES] = ledger_disk.postgres(server.fresh(), args.seconds / 2)
        for store in (SQLITE, POSTGRES):
            figures.appends[store] = {
                count: ledger_appends.appended(
                    Job(
                        folder=str(folder / f"{store}-{count}"),
                        url=server.fresh() if store == POSTGRES else "",
                        in_flight=count,
                        seconds=args.seconds,
                    )
                )
                for count in IN_FLIGHT
            }


def _line(figures: Figures, folder: Path, args: argparse.Namespace) -> None:
    (folder / "line").mkdir()
    figures.line = ledger_line.measured(folder / "line", seconds=args.seconds, rounds=args.rounds)


def _tree(figures: Figures, folder: Path, args: argparse.Namespace) -> None:
    log = folder / "tree"
    ledger_appends.appended(Job(folder=str(log), in_flight=256, leaves=args.leaves))
    figures.proofs[SQLITE] = ledger_tree.proofs(log)
    figures.verified = ledger_tree.verified(log)
    with ledger_server.server() as server:
        url = server.fresh()
        job = Job(folder=str(folder / "tree-beside"), url=url, in_flight=256, leaves=args.leaves)
        ledger_appends.appended(job)
        figures.proofs[POSTGRES] = ledger_tree.proofs(log, url)


def _questions(figures: Figures, folder: Path, args: argparse.Namespace) -> None:
    with ledger_server.server() as server:
        url = ledger_server.with_ledger(server, folder / "questions")

        def say(text: str) -> None:
            print(f"  {text}", file=sys.stderr, flush=True)

        figures.calls = ledger_calls.load(url, args.entries, say)
        figures.questions = ledger_questions.asked(url)


def _show_appends(figures: Figures, console: Console) -> None:
    bare = figures.bare
    console.print(
        f"leaves of {figures.leaf_bytes:,.0f} bytes on average; by itself, 1 kB made durable at a"
        f" time: fsync {bare['fsync'].p50_ms:.2f} ms (p50), SQLite {bare[SQLITE].per_s:,.0f}"
        f" commits/s, PostgreSQL {bare[POSTGRES].per_s:,.0f} commits/s"
    )
    table = _table(
        "appends through the ledger, all of it on two cores",
        ("", "in flight", "durable/s", "of bare commits", "p50 ms", "p99 ms", "CPU µs each",
         "in order and signed/s", "behind"),
    )  # fmt: skip
    for store, found in figures.appends.items():
        for count, each in found.items():
            table.add_row(
                store,
                str(count),
                f"{each.per_s:,.0f}",
                f"{each.per_s / bare[store].per_s:.2f}",
                f"{each.p50_ms:.2f}",
                f"{each.p99_ms:.2f}",
                f"{1e6 * each.cpu_s / each.records:.0f}",
                f"{each.ordered_per_s:,.0f}",
                f"{each.behind:,}",
            )
    console.print(table)


def _show_line(figures: Figures, console: Console) -> None:
    assert figures.line is not None
    table = _table(
        f"calls at {ledger_line.RATE}/s, a provider of {ledger_line.PROVIDER_MS:.0f} ms, SQLite",
        ("what is appended", "p50 ms", "p99 ms", "failed"),
    )
    for name, each in (
        ("intent and settle, as it is", figures.line.as_it_is),
        ("the settle alone", figures.line.settles_alone),
        ("nothing", figures.line.nothing),
    ):
        table.add_row(name, f"{each.p50_ms:.2f}", f"{each.p99_ms:.2f}", str(each.failed))
    console.print(table)


def _show_tree(figures: Figures, console: Console) -> None:
    table = _table(
        "inclusion proofs, µs",
        ("", "leaves", "tiles at hand: p50", "p99", "its tile read from the store", "all tiles"),
    )
    for store, each in figures.proofs.items():
        table.add_row(
            store,
            f"{each.leaves:,}",
            f"{each.warm_us:.1f}",
            f"{each.warm_p99_us:.1f}",
            f"{each.one_tile_us:,.0f}",
            f"{each.cold_us:,.0f}",
        )
    console.print(table)
    found = figures.verified
    assert found is not None
    console.print(
        f"goodgate audit verify: {found.leaves:,} entries and {found.checkpoints:,} checkpoints in"
        f" {found.seconds:.1f} s, rollups compared: {found.verdict}"
    )


def _show_questions(figures: Figures, console: Console) -> None:
    found = figures.calls
    assert found is not None
    console.print(
        f"{found.calls:,} calls on PostgreSQL, loaded in {found.seconds:.0f} s"
        f" ({found.gigabytes:.1f} GB): {found.rollups:,} rollups, {found.rule_rollups:,} of rules,"
        f" {found.cost_hours:,} of unlinked cost. Rows alone: no leaf was made, but those that"
        " one question reads."
    )
    table = _table(
        f"the auditors' questions, ms: median (longest) of {ledger_questions.ROUNDS}",
        ("", "from the sums", "lines", "from the rows, in SQL", "lines"),
    )
    for each in figures.questions:
        table.add_row(
            each.words,
            f"{each.sums_ms:,.0f} ({each.sums_max_ms:,.0f})",
            f"{each.sums_lines:,}",
            f"{each.rows_ms:,.0f} ({each.rows_max_ms:,.0f})",
            f"{each.rows_lines:,}",
        )
    console.print(table)


def targets(figures: Figures) -> list[Target]:
    """Return the targets that this run can speak about."""
    lines: list[Target] = []
    for store, found in figures.appends.items():
        name = f"durable appends/s at 64 in flight, {store}"
        bound = _APPENDS[store]
        lines.append(Target(name=name, found=found[64].per_s, bound=bound, at_least=True))
    if figures.line:
        found_ms = figures.line.intent_p50_ms
        lines.append(Target(name="added by the intent, p50 ms, SQLite", found=found_ms, bound=0.5))
    for store, proofs in figures.proofs.items():
        name = f"inclusion proof, µs, of {proofs.leaves:,} leaves, {store}"
        lines.append(Target(name=name, found=proofs.warm_us, bound=50))
    if figures.verified:
        name = f"verify {figures.verified.leaves:,} entries, s"
        lines.append(Target(name=name, found=figures.verified.seconds, bound=20))
    if figures.calls:
        of = f"of {figures.calls.calls:,} calls"
        sums = max(each.sums_max_ms for each in figures.questions) / 1000
        rows = max(each.rows_max_ms for each in figures.questions) / 1000
        lines.append(Target(name=f"slowest answer {of} from sums, s", found=sums, bound=1))
        lines.append(Target(name=f"slowest answer {of} from rows, s", found=rows, bound=5))
    return lines


def _show_targets(figures: Figures, console: Console) -> None:
    table = _table("targets of the ledger", ("", "found", "to reach", "reached"))
    for line in targets(figures):
        bound = f"{'≥' if line.at_least else '≤'} {line.bound:,g}"
        table.add_row(line.name, f"{line.found:,.2f}", bound, "yes" if line.reached else "NO")
    console.print(table)
    load = ", ".join(f"{part} {load:.1f}" for part, load in figures.load.items())
    console.print(f"load average of a minute before each part (its own included): {load}")


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left")
    return table


_MEASURE = {"appends": _appends, "line": _line, "tree": _tree, "questions": _questions}
_SHOW = {
    "appends": _show_appends,
    "line": _show_line,
    "tree": _show_tree,
    "questions": _show_questions,
}


if __name__ == "__main__":
    sys.exit(main())

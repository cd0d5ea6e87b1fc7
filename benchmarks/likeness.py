"""
`python -m benchmarks.likeness [--data FOLDER] [--per-kind N] [--json FILE] [--show N]`.

How well repeats are recognised: every kind of disguise and of trap over the project's
own corpus, and over real prompts and agent sessions where a folder of them is at hand.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import likeness_measures as measures
from benchmarks import likeness_texts
from benchmarks.likeness_measures import SECRET, Caught, Found, Honest, Speed
from gateway.likeness import Observer
from tests.disguises import disguises

LIGHT = (disguises.COSMETIC, disguises.SALT)
PARTS = ("recall", "traps", "honest", "loops", "inflation", "speed")


class Figures(msgspec.Struct, kw_only=True):
    """Everything one run found, by the texts it ran on: `own` and `real`."""

    recall: dict[str, dict[str, Found]] = {}
    traps: dict[str, dict[str, Caught]] = {}
    honest: dict[str, Honest] = {}
    loops: dict[str, Honest] = {}
    inflation: dict[str, dict[str, float]] = {}
    speed: list[Speed] = []


def _total(streams: Iterable[Honest]) -> Honest:
    total = Honest(kinds={})
    for one in streams:
        for field in ("seen", "near", "exact", "repeats"):
            setattr(total, field, getattr(total, field) + getattr(one, field))
    return total


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 0 even when a target is missed."""
    args = _parser().parse_args(argv)
    figures = measure(args)
    show(figures, args.show)
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(_without_texts(figures))))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.likeness", description=__doc__)
    parser.add_argument("--data", type=Path, default=likeness_texts.DATA)
    parser.add_argument("--per-kind", type=int, default=60, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=PARTS, action="append", help="one measurement (repeat)")
    parser.add_argument("--own-only", action="store_true", help="leave real text out")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print failing pairs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def measure(args: argparse.Namespace) -> Figures:
    """Run what is asked for."""
    wanted = args.only or PARTS
    observer = Observer(SECRET)
    sources = {} if args.own_only else likeness_texts.real(args.data)
    sets = {"own": likeness_texts.own()}
    if sources:
        sets["real"] = likeness_texts.sample(sources, likeness_texts.SCOPE_MAX)
    figures = _copies(observer, sets, args, wanted)
    if "honest" in wanted:
        streams = {"own": sets["own"]} | sources
        figures.honest = {name: measures.honest(observer, s) for name, s in streams.items()}
    if "loops" in wanted and not args.own_only:
        figures.loops = measures.loops(observer, likeness_texts.sessions(args.data))
    if "speed" in wanted:
        figures.speed = _speeds([text for s in sources.values() for text in s] or sets["own"])
    return figures


def _copies(
    observer: Observer,
    sets: dict[str, list[str]],
    args: argparse.Namespace,
    wanted: Sequence[str],
) -> Figures:
    figures = Figures()
    for name, texts in sets.items():
        if "recall" in wanted:
            figures.recall[name] = measures.recalls(observer, texts, args.per_kind, args.seed)
        if "traps" in wanted:
            figures.traps[name] = measures.merges(observer, texts, args.per_kind, args.seed)
        if "inflation" in wanted:
            figures.inflation[name] = _inflations(observer, texts[:: max(1, len(texts) // 30)])
    return figures


def _inflations(observer: Observer, texts: Sequence[str]) -> dict[str, float]:
    groups = {"cosmetic and salt": LIGHT, "all": tuple(_groups())}
    return {
        name: measures.inflation(observer, texts, chosen, copies=40)
        for name, chosen in groups.items()
    }


def _speeds(texts: Sequence[str]) -> list[Speed]:
    found = []
    for size, count in ((1_000, 150), (8_000, 40)):
        fresh = likeness_texts.pieces(texts, size, count * 15)
        for each in (fresh, likeness_texts.alike(fresh, count * 15)):
            batches = [each[at : at + count] for at in range(0, len(each), count)]
            found.append(measures.speed(batches, size))
    return found


def _groups() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, kind in disguises.KINDS.items():
        groups.setdefault(kind.group, []).append(name)
    return groups


def _without_texts(figures: Figures) -> Figures:
    """Prompts stay on the screen of whoever asked for them."""
    for kinds in figures.recall.values():
        for found in kinds.values():
            found.missed = []
    for snares in figures.traps.values():
        for caught in snares.values():
            caught.shown = []
    for honest in (*figures.honest.values(), *figures.loops.values()):
        honest.shown = []
    return figures


def show(figures: Figures, pairs: int) -> None:
    """Print tables, and as many failing pairs of each kind as asked for."""
    console = Console(width=118)
    for name, kinds in figures.recall.items():
        console.print(_recall_table(name, kinds))
    for name, caught in figures.traps.items():
        console.print(_trap_table(name, caught))
    _show_streams(console, figures)
    for name, values in figures.inflation.items():
        for group, value in values.items():
            console.print(f"{name}: 41 copies of one prompt ({group}) count as {value:.2f}")
    if figures.speed:
        console.print(_speed_table(figures.speed))
    if pairs:
        _show_pairs(console, figures, pairs)


def _show_streams(console: Console, figures: Figures) -> None:
    for title, streams in (("honest prompts", figures.honest), ("agent loops", figures.loops)):
        if streams:
            console.print(_honest_table(title, streams))


def _recall_table(name: str, kinds: dict[str, Found]) -> Table:
    table = Table(title=f"disguised copies, {name} text")
    for heading in ("", "tried", "found", "recall", "as a pair", "wrong one", "short"):
        table.add_column(heading, justify="right" if heading else "left")
    groups = _groups()
    for group, names in groups.items():
        for kind in names:
            table.add_row(kind, *_recall_row([kinds[kind]]))
        table.add_row(f"= {group}", *_recall_row([kinds[kind] for kind in names]), style="bold")
        table.add_section()
    light = [kinds[kind] for group in LIGHT for kind in groups[group]]
    table.add_row("= cosmetic and salt", *_recall_row(light), style="bold")
    table.add_row("= all kinds", *_recall_row(list(kinds.values())), style="bold")
    return table


def _recall_row(found: Sequence[Found]) -> list[str]:
    """Sums, and the means over the kinds."""
    tried = [one for one in found if one.tried]
    right, wrong = sum(one.right for one in tried), sum(one.wrong for one in tried)
    return [
        str(sum(one.tried for one in tried)),
        str(right),
        f"{fmean(one.recall for one in tried):.3f}" if tried else "-",
        f"{fmean(one.paired / one.tried for one in tried):.3f}" if tried else "-",
        f"{wrong} (precision {right / max(1, right + wrong):.3f})"
        if len(found) > 1
        else f"{wrong}",
        str(sum(one.short for one in tried)),
    ]


def _trap_table(name: str, kinds: dict[str, Caught]) -> Table:
    table = Table(title=f"traps, {name} text")
    for heading in ("", "tried", "merged", "share"):
        table.add_column(heading, justify="right" if heading else "left")
    for kind, caught in kinds.items():
        table.add_row(kind, *_trap_row([caught]))
    table.add_row("= all kinds", *_trap_row(list(kinds.values())), style="bold")
    return table


def _trap_row(found: Sequence[Caught]) -> list[str]:
    tried, merged = sum(one.tried for one in found), sum(one.merged for one in found)
    return [str(tried), str(merged), f"{merged / max(1, tried):.4f}"]


def _honest_table(title: str, streams: dict[str, Honest]) -> Table:
    table = Table(title=title)
    for heading in ("", "seen", "near", "exact", "true repeats", "suppressed", "kinds"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, one in streams.items():
        table.add_row(name, *_honest_row(one))
    table.add_row("= all", *_honest_row(_total(streams.values())), style="bold")
    return table


def _honest_row(one: Honest) -> list[str]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(one.kinds.items()))
    numbers = (one.seen, one.near, one.exact, one.repeats)
    return [*map(str, numbers), f"{one.suppressed:.4f}", kinds]


def _speed_table(speeds: Sequence[Speed]) -> Table:
    table = Table(title="verdicts per second of one core (medians of 5 rounds)")
    for heading in ("bytes", "cold", "warm", "observe alone", "noise", "compared"):
        table.add_column(heading, justify="right")
    for one in speeds:
        rates = (f"{rate:,.0f}" for rate in (one.cold, one.warm, one.observed))
        table.add_row(str(one.size), *rates, f"±{one.spread / 2:.0%}", f"{one.compared:.2f}")
    return table


def _show_pairs(console: Console, figures: Figures, count: int) -> None:
    lists = {
        **{f"{n} {k}": f.missed for n, ks in figures.recall.items() for k, f in ks.items()},
        **{f"{n} {k}": c.shown for n, ks in figures.traps.items() for k, c in ks.items()},
        **{f"honest {n}": h.shown for n, h in figures.honest.items()},
        **{f"loops {n}": h.shown for n, h in figures.loops.items()},
    }
    for name, shown in lists.items():
        for earlier, later, reason in shown[:count]:
            console.print(f"\n== {name}: {reason}", markup=False, style="bold")
            console.print(f"< {earlier[:700]!r}", markup=False, highlight=False)
            console.print(f"> {later[:700]!r}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())

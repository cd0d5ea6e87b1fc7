"""docs/goodhart.md, as a run writes it."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

from benchmarks.goodhart import table
from benchmarks.goodhart.adaptive import Course
from benchmarks.goodhart.table import Honest, Row
from benchmarks.goodhart.trial import HONEST, Read

_PAGE: Final = Path(__file__).with_name("page.md")


class Beside(NamedTuple):
    """What stands beside the table of attacks."""

    courses: Sequence[Course]
    reads: Sequence[Read]
    shipped: Sequence[Read]
    """Honest work under the shipped policy."""


def write(
    path: Path,
    made: Sequence[Row],
    suffered: Honest,
    beside: Beside,
    options: argparse.Namespace,
) -> None:
    """Write the page, and the plot beside it."""
    plot = path.with_suffix(".svg")
    plot.write_text(table.plot(made), encoding="utf-8")
    calls = sum(int(read.meters["raw requests"]) for read in beside.reads)
    parts = {
        "command": command(options),
        "seeds": options.seeds,
        "more": options.more_seeds,
        "calls": f"{calls:,}",
        "attacks": table.text(made, suffered),
        "learnt": "\n".join(f"- {course(each)}" for each in beside.courses)
        or "- Not part of this run.",
        "elsewhere": table.elsewhere(),
        "kinds": kinds(beside.shipped),
        "shipped": table.suffering(beside.shipped),
    }
    path.write_text(Template(_PAGE.read_text("utf-8")).substitute(parts), encoding="utf-8")


def course(found: Course) -> str:
    """Return what came of an attacker that learns, in a sentence."""
    times = found.calls / found.honest_calls + 1
    return (
        f"{found.steps} steps, {found.calls:,} calls (x{times:.0f} of honest work), mostly"
        f" {found.favourite}: credit {table.percent(found.gained)}."
    )


def kinds(reads: Sequence[Read]) -> str:
    """Return what honest work of each kind came to, as Markdown."""
    sums: dict[str, list[float]] = {}
    for read in reads:
        if read.attack == HONEST:
            for kind, (credit, worth, roots) in read.kinds.items():
                held = sums.setdefault(kind, [0.0, 0.0, 0.0])
                for at, value in enumerate((credit, worth, roots)):
                    held[at] += value
    lines = ["| Kind | Roots | Credit of what they are worth |", "|---|--:|--:|"]
    for kind, (earned, most, count) in sorted(sums.items()):
        lines.append(f"| {kind} | {count:.0f} | {100 * earned / most:.1f} % |")
    return "\n".join(lines) + "\n"


def command(options: argparse.Namespace) -> str:
    """Return the command of a run."""
    return (
        f"python -m benchmarks.goodhart --seeds {options.seeds} --more-seeds {options.more_seeds}"
        f" --budgets {','.join(map(str, options.budgets))} --deep-seeds {options.deep_seeds}"
        f" --deep-budgets {','.join(map(str, options.deep_budgets))} --adaptive {options.adaptive}"
    )

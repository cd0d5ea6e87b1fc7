"""What was measured, as a table, a page and a plot."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from benchmarks.goodhart import statistics
from benchmarks.goodhart.attacks import ATTACKS, ELSEWHERE
from benchmarks.goodhart.meters import NAMES
from benchmarks.goodhart.statistics import Figure
from benchmarks.goodhart.trial import HONEST, Read

GOALS: Final[Mapping[str, float]] = {
    "repeats": 0.0,
    "salts": 0.005,
    "novel text": 0.03,
    "linkage": 0.0,
    "outcomes": 0.0,
}
"""The most that credit may rise by in each class, as the upper end of the interval."""
GG_GOAL: Final = 0.002
GG_BUDGET: Final = 20
"""From which on it holds: a gain that is bounded is a large part of a small effort."""
_NOISE: Final = 1e-9
"""Credits are decimals that were made floats."""


class Row(Struct, frozen=True, kw_only=True):
    """One attack at one budget."""

    attack: str
    budget: int
    inflation: Mapping[str, Figure]
    """By meter."""
    gain: Figure | None
    """GG of credit."""
    others: Figure
    seeds: int

    @property
    def of(self) -> str:
        """Its class."""
        return ATTACKS[self.attack].of

    @property
    def is_within(self) -> bool:
        """Whether credit rose by no more than its class may."""
        goal = GOALS.get(self.of)
        if goal is None:
            return True
        far = self.of == "novel text" and self.budget >= GG_BUDGET
        if far and self.gain is not None and self.gain.high > GG_GOAL:
            return False
        return self.inflation["credit"].high <= goal + _NOISE


class Honest(Struct, frozen=True, kw_only=True):
    """What honest work suffers."""

    blocked: int
    calls: int
    zero: int
    worked: int


def rows(found: Iterable[Read]) -> list[Row]:
    """Return a row for each attack and budget, over all seeds."""
    alone: dict[int, Read] = {}
    tried: dict[tuple[str, int], list[Read]] = {}
    for read in found:
        if read.attack == HONEST:
            alone[read.seed] = read
        else:
            tried.setdefault((read.attack, read.budget), []).append(read)
    made: list[Row] = []
    for (attack, budget), some in tried.items():
        pairs = [(read, alone[read.seed]) for read in some]
        by_meter = {
            name: statistics.inflation(
                [read.meters[name] for read, _ in pairs], [each.meters[name] for _, each in pairs]
            )
            for name in NAMES
        }
        others = statistics.inflation(
            [read.others for read, _ in pairs], [each.others for _, each in pairs]
        )
        made.append(
            Row(
                attack=attack,
                budget=budget,
                inflation=by_meter,
                gain=statistics.gaming_gain(by_meter["credit"], by_meter["raw requests"]),
                others=others,
                seeds=len(pairs),
            )
        )
    return made


def honest(found: Iterable[Read]) -> Honest:
    """Return what honest work suffered where nobody cheats."""
    alone = [read for read in found if read.attack == HONEST]
    return Honest(
        blocked=sum(read.blocked for read in alone),
        calls=sum(read.calls for read in alone),
        zero=sum(read.zero for read in alone),
        worked=sum(read.worked for read in alone),
    )


def text(made: Sequence[Row], suffered: Honest) -> str:
    """Return the table as Markdown."""
    lines = [
        "| | Attack | Budget | Seeds | " + " | ".join(NAMES) + " | credit, 95 % | GG, upper | |",
        "|---|---|--:|--:|" + "--:|" * len(NAMES) + "---|--:|---|",
    ]
    last = ""
    for row in sorted(made, key=lambda each: (_order(each.of), each.attack, each.budget)):
        of = row.of if row.of != last else ""
        last = row.of
        lines.append(
            f"| {of} | {row.attack} {ATTACKS[row.attack].name} | x{row.budget} | {row.seeds} | "
            + " | ".join(percent(row.inflation[name].mean) for name in NAMES)
            + f" | {_interval(row.inflation['credit'])}"
            + f" | {'' if row.gain is None else f'{max(row.gain.high, 0):.4f}'}"
            + f" | {_verdict(row)} |"
        )
    zero = statistics.wilson_upper(suffered.zero, suffered.worked)
    blocked = statistics.wilson_upper(suffered.blocked, suffered.calls)
    lines.append("")
    lines.append(
        f"Honest work: {suffered.blocked} of {suffered.calls} calls blocked (upper 95 %:"
        f" {percent(blocked)}); {suffered.zero} of {suffered.worked} accepted roots with AI work"
        f" without credit (upper 95 %: {percent(zero)})."
    )
    return "\n".join(lines) + "\n"


def suffering(alone: Sequence[Read]) -> str:
    """Return what honest work suffers, and how sure that is, in sentences."""
    suffered = honest(alone)
    worth = [sum(worth for _, worth, _ in read.kinds.values()) for read in alone]
    earned = [sum(credit for credit, _, _ in read.kinds.values()) for read in alone]
    loss = statistics.inflation(earned, worth)
    zero = statistics.wilson_upper(suffered.zero, suffered.worked)
    blocked = statistics.wilson_upper(suffered.blocked, suffered.calls)
    below = [percent(-share).lstrip("+") for share in (loss.mean, loss.high, loss.low)]
    return (
        f"{suffered.blocked} of {suffered.calls:,} calls blocked (upper 95 %: {percent(blocked)});"
        f" {suffered.zero} of {suffered.worked} accepted roots without credit (upper 95 %:"
        f" {percent(zero)}); credit {below[0]} below what they are worth (95 %: {below[1]} to"
        f" {below[2]})."
    )


def elsewhere() -> str:
    """Return the attacks that no traffic can show, as Markdown."""
    lines = ["| | Attack | What becomes of it |", "|---|---|---|"]
    lines += [f"| {id_} | {what} | {where} |" for id_, (what, where) in ELSEWHERE.items()]
    return "\n".join(lines) + "\n"


def plot(made: Sequence[Row]) -> str:
    """Return how far each meter rises in the worst attack of each class, as SVG."""
    worst = {
        of: {name: max(row.inflation[name].mean for row in made if row.of == of) for name in NAMES}
        for of in dict.fromkeys(row.of for row in made)
    }
    left, wide, high = 250, 560, 15
    parts: list[str] = []
    y = 40
    for of, read in worst.items():
        parts.append(f'<text x="8" y="{y}" font-weight="600">{of}</text>')
        for name in NAMES:
            y += high
            length = wide * _log(read[name])
            colour = "#0a7d4b" if name == "credit" else "#9aa4b2"
            parts.append(f'<text x="{left - 10}" y="{y + 10}" text-anchor="end">{name}</text>')
            parts.append(
                f'<rect x="{left}" y="{y + 1}" width="{max(length, 1):.0f}" height="{high - 4}"'
                f' fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{left + length + 6:.0f}" y="{y + 10}">{percent(read[name])}</text>'
            )
        y += 34
    title = "The worst attack of each class: by how much each meter rises (logarithmic)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {y}" font-family="sans-serif"'
        f' font-size="11" role="img"><title>{title}</title>'
        f'<rect width="920" height="{y}" fill="white"/>'
        f'<text x="8" y="18" font-size="13">{title}</text>{"".join(parts)}</svg>\n'
    )


def failed(made: Iterable[Row]) -> list[Row]:
    """Return the rows whose credit rose by more than it may, or that cost a bystander theirs."""
    return [row for row in made if not row.is_within or row.others.low < -_NOISE]


def percent(share: float) -> str:
    """Return a share as percent, as short as it can be."""
    value = 100 * share
    if abs(value) < 5e-4:  # rounds to nothing
        return "0 %"
    return f"{value:+.0f} %" if abs(value) >= 10 else f"{value:+.2f} %"  # digits


def _verdict(row: Row) -> str:
    if row.of not in GOALS:
        return "measured"
    return "held" if row.is_within else "NOT held"


def _interval(figure: Figure) -> str:
    return f"{percent(figure.low)} to {percent(figure.high)}"


def _order(of: str) -> int:
    return [*GOALS, "drive-by", "collusion"].index(of)


def _log(share: float) -> float:
    """Return a length for a rise: 0.1 % is nothing, 100,000 % is all."""
    return min(1.0, max(0.0, (math.log10(max(share, 1e-9)) + 3) / 6))

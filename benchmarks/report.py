"""The table: every figure, its yardstick beside it, its target, and whether it was reached."""

from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.measures import Latency, Streaming, Throughput


class Figures(msgspec.Struct, kw_only=True):
    """Everything one run found; a contender that could not be measured is missing."""

    cores: tuple[int, int]
    """Where the contenders ran, and where the load generator and the provider ran."""
    throughput: dict[str, Throughput] = {}
    latency: dict[str, Latency] = {}
    streaming: dict[str, Streaming] = {}
    start_s: dict[str, float] = {}
    resident_mb: dict[str, float] = {}
    """After start."""
    loaded_mb: dict[str, float] = {}
    """After the load."""
    problems: list[str] = []


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the targets: what was found, what it should be."""

    name: str
    found: float
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool:
        """Whether it was reached."""
        return self.found >= self.bound if self.at_least else self.found <= self.bound


def targets(figures: Figures, subject: str = "goodgate") -> list[Target]:
    """Return the targets that this run can speak about."""
    lines: list[Target] = []
    if subject in figures.throughput and "bare" in figures.throughput:
        ratio = figures.throughput[subject].calls_per_s / figures.throughput["bare"].calls_per_s
        lines.append(Target(name="calls/s, of bare", found=ratio, bound=0.45, at_least=True))
    shared = f"{subject}+valkey"
    if shared in figures.throughput and "bare" in figures.throughput:
        ratio = figures.throughput[shared].calls_per_s / figures.throughput["bare"].calls_per_s
        name = "calls/s with Valkey, of bare"
        lines.append(Target(name=name, found=ratio, bound=0.4, at_least=True))
    if subject in figures.streaming:
        event = figures.streaming[subject].cpu_us_per_event
        lines.append(Target(name="CPU per streamed event, µs", found=event, bound=30))
    if subject in figures.resident_mb:
        lines.append(Target(name="resident, MB", found=figures.resident_mb[subject], bound=90))
    if subject in figures.start_s:
        lines.append(Target(name="start, s", found=figures.start_s[subject], bound=1))
    if subject in figures.latency and "direct" in figures.latency:
        mine, direct = figures.latency[subject], figures.latency["direct"]
        p50, p99 = mine.p50_ms - direct.p50_ms, mine.p99_ms - direct.p99_ms
        lines.append(Target(name="added p50 at 500/s, ms", found=p50, bound=1))
        lines.append(Target(name="added p99 at 500/s, ms", found=p99, bound=5))
    return lines


def show(figures: Figures) -> None:
    """Print the run."""
    console = Console(width=118)
    console.print(
        f"measured on core {figures.cores[0]}; load generator and provider on core "
        f"{figures.cores[1]}; medians of alternating rounds"
    )
    table = Table(title="one run, side by side")
    headings = ("", "calls/s", "of bare", "CPU µs/call", "p50 ms @32", "p50/p99 ms @500/s")
    for heading in (*headings, "CPU µs/event", "MB start/loaded", "start s"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in _names(figures):
        table.add_row(name, *_row(figures, name))
    console.print(table)
    goals = Table(title="targets")
    for heading in ("", "found", "to reach", "reached"):
        goals.add_column(heading, justify="right" if heading else "left")
    for line in targets(figures):
        bound = f"{'≥' if line.at_least else '≤'} {line.bound:g}"
        goals.add_row(line.name, f"{line.found:.2f}", bound, "yes" if line.reached else "NO")
    console.print(goals)
    for problem in figures.problems:
        console.print(f"not measured: {problem}", markup=False)


def _names(figures: Figures) -> list[str]:
    seen: dict[str, None] = {}
    for column in (figures.throughput, figures.latency, figures.streaming, figures.start_s):
        seen |= dict.fromkeys(column)
    return list(seen)


def _row(figures: Figures, name: str) -> list[str]:
    rate = figures.throughput.get(name)
    bare = figures.throughput.get("bare")
    wait = figures.latency.get(name)
    event = figures.streaming.get(name)
    memory = [_cell(column, name, ".0f") for column in (figures.resident_mb, figures.loaded_mb)]
    return [
        f"{rate.calls_per_s:,.0f}" if rate else "",
        f"{rate.calls_per_s / bare.calls_per_s:.2f}" if rate and bare and bare.calls_per_s else "",
        f"{rate.cpu_us_per_call:.0f}" if rate else "",
        f"{rate.p50_ms:.2f}" if rate else "",
        f"{wait.p50_ms:.2f} / {wait.p99_ms:.2f}" if wait else "",
        _per_event(event),
        " / ".join(memory) if any(memory) else "",
        _cell(figures.start_s, name, ".2f"),
    ]


def _per_event(event: Streaming | None) -> str:
    if event is None:
        return ""
    return f"{event.cpu_us_per_event:.1f}" if event.events_per_s else "failed"


def _cell(column: Mapping[str, float], name: str, form: str) -> str:
    return format(column[name], form) if name in column else ""

"""The measurements: each alternates its contenders, so that all meet the same weather."""

import sys
from collections.abc import Callable, Sequence
from statistics import median

import msgspec

from benchmarks.contenders import Contender
from benchmarks.load import Job, Outcome
from benchmarks.programs import Program, cores, run

ONLY = ("throughput", "latency", "streaming", "start")
"""The measurements there are."""


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """As many calls as one core answers on 32 connections."""

    calls_per_s: float
    cpu_us_per_call: float
    p50_ms: float
    failed: int


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call takes when 500 are made each second."""

    p50_ms: float
    p99_ms: float
    failed: int


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """What passing one server-sent event on costs."""

    cpu_us_per_event: float
    events_per_s: float
    failed: int


def throughput(
    contenders: Sequence[Contender], *, seconds: float, rounds: int
) -> dict[str, Throughput]:
    """Return medians over rounds, by contender."""
    found: dict[str, list[tuple[Outcome, float]]] = {c.name: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            found[contender.name].append(_load(contender, connections=32, seconds=seconds))
    return {
        name: Throughput(
            calls_per_s=median(o.calls / o.seconds for o, _ in runs),
            cpu_us_per_call=median(1e6 * cpu / max(1, o.calls_all) for o, cpu in runs),
            p50_ms=median(o.p50_ms for o, _ in runs),
            failed=sum(o.failed for o, _ in runs),
        )
        for name, runs in found.items()
    }


def latency(
    contenders: Sequence[Contender], *, seconds: float, rounds: int, rate: float = 500
) -> dict[str, Latency]:
    """Return medians over rounds of open-loop latency, by contender."""
    found: dict[str, list[Outcome]] = {c.name: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            outcome, _cpu = _load(contender, connections=64, seconds=seconds, rate=rate)
            found[contender.name].append(outcome)
    return {
        name: Latency(
            p50_ms=median(o.p50_ms for o in runs),
            p99_ms=median(o.p99_ms for o in runs),
            failed=sum(o.failed for o in runs),
        )
        for name, runs in found.items()
    }


def streaming(
    contenders: Sequence[Contender], *, seconds: float, rounds: int
) -> dict[str, Streaming]:
    """Return medians over rounds of processor time per event, by contender."""
    found: dict[str, list[tuple[Outcome, float]]] = {c.name: [] for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            found[contender.name].append(
                _load(contender, connections=16, seconds=seconds, stream=True)
            )
    return {
        name: Streaming(
            cpu_us_per_event=median(1e6 * cpu / max(1, o.events_all) for o, cpu in runs),
            events_per_s=median(o.events / o.seconds for o, _ in runs),
            failed=sum(o.failed for o, _ in runs),
        )
        for name, runs in found.items()
    }


def start_s(start: Callable[[], Program], times: int = 3) -> float:
    """Return the median time from starting a program to its ready line, in seconds."""
    taken = []
    for _ in range(times):
        with start() as program:
            taken.append(program.start_s)
    return median(taken)


def _load(
    contender: Contender,
    *,
    connections: int,
    seconds: float,
    rate: float = 0.0,
    stream: bool = False,
) -> tuple[Outcome, float]:
    """Run one job; return its outcome and the contender's processor time in its seconds."""
    job = Job(
        port=contender.port,
        path=contender.path,
        headers=dict(contender.headers),
        connections=connections,
        seconds=seconds,
        rate=rate,
        stream=stream,
    )
    argv = [sys.executable, "-m", "benchmarks.load", msgspec.json.encode(job).decode()]
    before = contender.program.cpu_s()
    printed = run(argv, core=cores()[1], within_s=seconds + 60)
    used = contender.program.cpu_s() - before
    return msgspec.json.decode(printed, type=Outcome), used

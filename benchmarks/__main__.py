"""`python -m benchmarks [--peers] [--seconds N] [--rounds N] [--json FILE] [--profile FILE]`."""

import argparse
import pstats
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks import ledger, likeness, measures, peers, report
from benchmarks.contenders import Contender, Site, start_bare, start_provider, start_valkey
from benchmarks.measures import ONLY
from benchmarks.programs import cores
from benchmarks.report import Figures

FAILURES = (OSError, RuntimeError, ValueError, AssertionError)
"""What one contender may fail with without ending the run: it is reported instead."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code: 0 even when a target is missed."""
    args = _parser().parse_args(argv)
    if args.only == ["likeness"]:  # needs no contender: nothing else has to be started
        return likeness.main(["--per-kind", "20"])
    if args.only == ["ledger"]:
        return ledger.main(_of_the_ledger(args))
    with tempfile.TemporaryDirectory(prefix="goodgate-bench-") as name:
        if args.profile:
            return _profile(Path(name), args)
        figures = _measure(Path(name), args)
    report.show(figures)
    if not args.only:
        likeness.main(["--only", "speed"])
        ledger.main(_of_the_ledger(args))
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="LiteLLM and Portkey beside it")
    parser.add_argument(
        "--only",
        choices=(*ONLY, "likeness", "ledger"),
        action="append",
        help="one measurement (repeat)",
    )
    parser.add_argument(
        "--entries", type=int, default=1_000_000, help="calls auditors ask about (%(default)s)"
    )
    parser.add_argument(
        "--leaves", type=int, default=1_000_000, help="of the ledger's tree (%(default)s)"
    )
    parser.add_argument("--bare-only", action="store_true", help="leave the gateway out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="load it under cProfile")
    parser.add_argument("--profile-stream", action="store_true", help="profile streams instead")
    return parser


def _of_the_ledger(args: argparse.Namespace) -> list[str]:
    names = ("seconds", "rounds", "leaves", "entries")
    return [part for name in names for part in (f"--{name}", str(getattr(args, name)))]


def _measure(folder: Path, args: argparse.Namespace) -> Figures:
    figures = Figures(cores=cores())
    wanted = args.only or list(ONLY)
    with ExitStack() as running:
        contenders = _start(folder, args, figures, running)
        if args.peers:  # LiteLLM's first calls take seconds each, and are nobody's figure
            measures.throughput(contenders, seconds=max(2.0, args.seconds), rounds=1)
        if "throughput" in wanted:
            figures.throughput = measures.throughput(
                [c for c in contenders if c.name != "direct"],
                seconds=args.seconds,
                rounds=args.rounds,
            )
        if "latency" in wanted:
            figures.latency = measures.latency(contenders, seconds=args.seconds, rounds=args.rounds)
        if "streaming" in wanted:
            figures.streaming = measures.streaming(
                contenders, seconds=args.seconds, rounds=args.rounds
            )
        figures.loaded_mb = {c.name: c.program.resident_mb() for c in contenders}
    if "start" in wanted and not args.bare_only:
        figures.start_s["goodgate"] = _start_time(folder)
    return figures


def _start(
    folder: Path, args: argparse.Namespace, figures: Figures, running: ExitStack
) -> list[Contender]:
    """Start everything; what cannot be started is noted and left out."""
    measured, measuring = cores()
    provider = start_provider(folder, core=measuring, events=300, interval_ms=2)
    running.enter_context(provider.program)
    starts: dict[str, Callable[[], Contender]] = {
        "bare": lambda: start_bare(folder, core=measured, provider=provider.port),
    }
    if not args.bare_only:
        starts["goodgate"] = lambda: Site(folder / "site", provider=provider.port).start(
            core=measured
        )
        running.enter_context(start_valkey(folder, core=measuring))
        socket = f"unix://{folder / 'valkey' / 'valkey.sock'}"
        starts["goodgate+valkey"] = lambda: Site(folder / "shared", provider=provider.port).start(
            core=measured, redis_url=socket
        )
    if args.peers:
        port = provider.port
        starts["litellm"] = lambda: peers.start_litellm(folder, core=measured, provider=port)
        starts["portkey"] = lambda: peers.start_portkey(folder, core=measured, provider=port)
    contenders = [provider]
    for name, start in starts.items():
        try:
            contender = start()
        except FAILURES as problem:
            figures.problems.append(f"{name}: {problem}")
            continue
        running.enter_context(contender.program)
        contenders.append(contender)
        figures.start_s[name] = contender.program.start_s
        figures.resident_mb[name] = contender.program.resident_mb()
    return contenders


def _start_time(folder: Path) -> float:
    site = Site(folder / "start", provider=9)
    return measures.start_s(lambda: site.start(core=cores()[0]).program)


def _profile(folder: Path, args: argparse.Namespace) -> int:
    """Load the gateway under cProfile (which slows it several-fold) and print the top."""
    measured, measuring = cores()
    with start_provider(folder, core=measuring, events=300, interval_ms=2).program as provider:
        contender = Site(folder / "site", provider=provider.port).start(
            core=measured, profile=args.profile.resolve()
        )
        with contender.program:
            kind = measures.streaming if args.profile_stream else measures.throughput
            kind([contender], seconds=args.seconds, rounds=1)
            contender.program.interrupt()
    stats = pstats.Stats(str(args.profile))
    stats.sort_stats("tottime").print_stats(45)
    stats.sort_stats("cumulative").print_stats(30)
    return 0


if __name__ == "__main__":
    sys.exit(main())

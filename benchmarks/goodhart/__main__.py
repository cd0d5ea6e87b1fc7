"""
GoodhartBench: how far each way of counting can be gamed, and how far credit can.

    python -m benchmarks.goodhart                         # the table; writes docs/goodhart.md
    python -m benchmarks.goodhart --seeds 1 --budgets 3 --only A01,A42 --no-page
    python -m benchmarks.goodhart --spendlogs logs.jsonl  # a foreign log, scored

Two gateways over one PostgreSQL and one Valkey are started, calls go in over HTTP, trackers'
messages by signed webhooks, and credit is what `goodgate credit recompute` makes of the ledger.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.goodhart import adaptive, kept, page, spendlogs, table, trial
from benchmarks.goodhart.adaptive import Course
from benchmarks.goodhart.attacks import ATTACKS, Attack
from benchmarks.goodhart.kept import Seed
from benchmarks.goodhart.stage import OPEN, UNVALUED_BUDGET, Stage
from benchmarks.goodhart.trial import Read

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "goodhart.md"
SHIPPED_SEEDS: Final = 40
SHIPPED_AT_ONCE: Final = 8
"""More would be more calls a minute than so few people make."""
VARYING: Final = frozenset(("novel text", "salts", "drive-by", "collusion"))
"""Classes whose gain rests on how short and how dear a seed's tasks are: these get more seeds."""
STEPS: Final = 200
PER_STEP: Final = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page; 1 when credit rose by more than it may."""
    options = _parser().parse_args(argv)
    if options.spendlogs:
        return _score(options.spendlogs, options.accepted.split(",") if options.accepted else ())
    reads, courses = _measured(options)
    made, suffered = table.rows(reads), table.honest(reads)
    print(table.text(made, suffered))
    for course in courses:
        print(page.course(course))
    if not options.no_page:
        page.write(PAGE, made, suffered, page.Beside(courses, reads, _shipped()), options)
    return int(bool(table.failed(made)))


def _measured(options: argparse.Namespace) -> tuple[list[Read], list[Course]]:
    """Try everything; each seed has gateways of its own, so that no ledger grows too long."""
    began = time.monotonic()
    attacks = trial.chosen([each for each in options.only.split(",") if each])
    reads: list[Read] = []
    courses: list[Course] = []
    known = kept.found(options.keep, page.command(options))
    for seed in range(options.seeds + options.more_seeds):
        came_to = known.get(seed)
        if came_to is None:
            came_to = _of_seed(seed, attacks, options)
            kept.keep(options.keep, came_to)
        reads += came_to.reads
        courses += came_to.courses
        print(f"seed {seed}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return reads, courses


def _of_seed(seed: int, attacks: Sequence[Attack], options: argparse.Namespace) -> Seed:
    if seed >= options.seeds:
        attacks = [each for each in attacks if each.of in VARYING]
    some = trial.trials([seed], attacks, options.budgets)
    if seed < options.deep_seeds:
        novel = [each for each in attacks if each.of == "novel text"]
        deep = trial.trials([seed], novel, options.deep_budgets)[1:]
        some += [each for each in deep if each.budget not in options.budgets]
    courses: list[Course] = []
    with _stage() as stage:
        reads = trial.run(stage, some)
        if seed < options.adaptive:
            courses.append(adaptive.run(stage, seed=seed, steps=STEPS, per_step=PER_STEP))
    return Seed(seed, page.command(options), reads, courses)


@contextmanager
def _stage(policy: str = OPEN) -> Generator[Stage]:
    """Yield gateways that run, in a folder of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="goodhart-") as folder,
        Stage(Path(folder), policy=policy) as stage,
    ):
        yield stage


def _shipped() -> list[Read]:
    """Return what comes of honest work under the shipped policy, limits and all."""
    policy = (PAGE.parents[1] / "policies" / "default.yaml").read_text("utf-8")
    # Each scene's team is a name of its own that nobody has a key in: its size is not told by keys.
    policy += f"\ncredit: {{unvalued_budget: {UNVALUED_BUDGET}}}\n"
    reads: list[Read] = []
    for first in range(0, SHIPPED_SEEDS, SHIPPED_AT_ONCE):
        with _stage(policy) as stage:
            some = trial.trials(range(first, first + SHIPPED_AT_ONCE), [], [])
            reads += trial.run(stage, some)
    return reads


def _score(path: Path, accepted: Sequence[str]) -> int:
    try:
        found = spendlogs.scored(path, accepted)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(spendlogs.text(found))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks.goodhart", description=__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--more-seeds", type=int, default=0, help="of what varies with the seed")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="go on where a run was cut off")
    parser.add_argument("--budgets", type=_numbers, default=[2, 20], metavar="2,20")
    parser.add_argument("--deep-seeds", type=int, default=2, help="with the deep budgets too")
    parser.add_argument("--deep-budgets", type=_numbers, default=[5, 100], metavar="5,100")
    parser.add_argument("--adaptive", type=int, default=2, help="seeds on which one learns")
    parser.add_argument("--only", default="", metavar="A01,A42", help=f"of {', '.join(ATTACKS)}")
    parser.add_argument("--no-page", action="store_true", help="leave docs/goodhart.md as it is")
    parser.add_argument("--spendlogs", type=Path, metavar="FILE", help="score a log of LiteLLM's")
    parser.add_argument("--accepted", default="", metavar="PAY-1,PAY-2", help="tasks, for a log")
    return parser


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each]


if __name__ == "__main__":
    sys.exit(main())

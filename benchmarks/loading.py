"""
`python -m benchmarks.loading [--rules N] [--rounds N]`.

What loading policies takes: a file of many rules, cold and again as at a reload; every
hostile megabyte the tests know, as one file and in a folder; and the slowest evaluations
that the bounds of a condition let through. The best of some rounds.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

from rich.console import Console
from rich.table import Table

from gateway import policy
from gateway.errors import ConfigError
from gateway.policy.conditions import cel
from tests.unit.policy import cases
from tests.unit.policy.hostile import HOSTILE, SIZE

FOLDER = 30
SHOWN = 12
RULE = """\
  - id: rule-{0}
    description: Rule number {0}
    when: >
      task.evidence in ["none", "inferred"] && principal.team == "team-{0}"
      && call.model.startsWith("gpt-5")
    quota: {{calls: 60, per: 1m, by: [principal, task]}}
    message: Too many calls for team {0}.
"""
WORST: dict[str, str] = {
    "a loop within a loop": "[{0}].all(x, [{0}].all(y, x * y >= 0))".format("1," * 38),
    "in a list, in a loop": f"[{'1,' * 100}].all(x, x in [{'2,' * 180}] == false)",
    "lists compared in a loop": f"[{'1,' * 50}].all(x, [{'2,' * 180}] == [{'2,' * 180}])",
    "a list made in a loop": f"[{'1,' * 150}].map(x, x + 1).size() == 150",
    "texts made in a loop": f"[{'1,' * 150}].map(x, string(x)).size() == 150",
    "a text looked through": f"[{'1,' * 900}].all(x, !call.model.contains('z'))",
    "a pattern with a count": "call.model.matches('(x|y|xx){1,80}z')",
    "a pattern that may stop anywhere": "call.model.matches('x{0,480}y')",
    "a pattern of a class": "call.model.matches('\\\\pL')",
    "times": f"[{'1,' * 900}].all(x, timestamp('2026-01-01T00:00:00Z').getHours('Asia/Tokyo') > 0)",
}


def main() -> None:
    """Take every figure and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=__doc__)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    wanted = parser.parse_args()
    console = Console()
    console.print(_rules(wanted.rules, wanted.rounds))
    console.print(_hostile(min(wanted.rounds, 2)))
    console.print(_evaluations(wanted.rounds))


def _rules(count: int, rounds: int) -> Table:
    text = "version: 1\nrules:\n" + "".join(RULE.format(number) for number in range(count))
    files = [("a.yaml", text)]
    table = Table("policies", "ms", title=f"{count} rules, {len(text) / 1000:.0f} kB")
    table.add_row("loaded", _ms(_best(lambda: policy.load(files), rounds)))
    in_force = policy.load(files)
    again = _best(lambda: policy.load(files), rounds)
    table.add_row("loaded again, nothing changed", _ms(again))
    assert len(in_force.rules) == count
    return table


def _hostile(rounds: int) -> Table:
    found: list[tuple[float, float, str]] = []
    for name, make in HOSTILE.items():
        one = [("a.yaml", make(SIZE))]
        part = make(SIZE // FOLDER - 2_000)
        many = [  # of other comments, and so of other conditions
            (f"a{number:02}.yaml", part.replace("//", f"//{number}-")) for number in range(FOLDER)
        ]
        found.append((_best(_loading(one), rounds), _best(_loading(many), rounds), name))
    found.sort(key=lambda each: -max(each[:2]))
    title = f"a hostile megabyte: the slowest {SHOWN} of {len(found)}"
    table = Table("what", "one file, ms", f"{FOLDER} files, ms", title=title)
    for one_s, many_s, name in found[:SHOWN]:
        table.add_row(name, _ms(one_s), _ms(many_s))
    return table


def _loading(files: Sequence[tuple[str, str]]) -> Callable[[], object]:
    def load() -> object:
        try:
            return policy.load(files)
        except ConfigError as error:
            return error

    return load


def _evaluations(rounds: int) -> Table:
    facts = {**cases.facts(), "call.model": "x" * 256}
    table = Table("one evaluation", "ms", title="the slowest conditions within the bounds")
    for name, text in WORST.items():
        condition = cel.compile_condition(text)
        holds = partial(condition.holds, cel.activation(facts))
        table.add_row(name, _ms(_best(holds, rounds)))
    return table


def _best(act: Callable[[], object], rounds: int) -> float:
    taken: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _ms(time_s: float) -> str:
    return f"{time_s * 1000:.1f}"


if __name__ == "__main__":
    main()

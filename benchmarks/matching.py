"""
`python -m benchmarks.matching [--calls N] [--rules N]`.

What the rules cost one call on the line: plans, terms, offers and the decision. Each shape of
policy with many rules, and with one of the same shape: their ratio is what many rules cost.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from gateway import policy
from gateway.values import Call, Facts, Inbound, Principal, Reserve, Route, TaskLink

NOW = 1_795_348_800.0
SHIPPED = Path(__file__).parents[1] / "policies" / "default.yaml"
RESERVE = Reserve(input_tokens=100, output_tokens=900, cost_usd=Decimal("0.0123"))
FILE_RULES = 500
"""Rules in one file, as files are bounded in size."""
ROUNDS = 5
QUOTA = "quota: {calls: 10, per: 1m, by: [principal]}"

SHAPES: dict[str, Callable[[int], str]] = {
    "one task each": lambda n: f'task.id == "PROJ-{n}" && call.metered',
    "three tasks each": lambda n: f'task.id in ["A-{n}", "PROJ-{n}", "B-{n}"] && call.metered',
    "one team each (few values)": lambda n: f'principal.team == "team-{n}" && call.metered',
    "by a flag, then a number": lambda n: f"call.metered && task.value > {n}.5",
    "any can match": lambda n: f"call.input_tokens * {n + 1} > 1000000",
}


class Figure(Struct, frozen=True, kw_only=True):
    """What one shape costs, in µs per call."""

    shape: str
    many: float
    one: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matching", description=__doc__)
    parser.add_argument("--calls", type=int, default=400, metavar="N")
    parser.add_argument("--rules", type=int, default=1_000, metavar="N")
    args = parser.parse_args(argv)
    show(measure(args.calls, args.rules), args.rules)
    return 0


def measure(calls: int, rules: int) -> list[Figure]:
    """Return the cost of the shipped policy, and of each shape."""
    shipped = policy.load([(SHIPPED.name, SHIPPED.read_text("utf-8"))])
    one = _cost(_rules(lambda _: "call.metered", 1), _calls(1), calls)
    figures = [
        Figure(shape="the shipped policy", many=_cost(shipped, _calls(rules), calls), one=one)
    ]
    for shape, when in SHAPES.items():
        many = _cost(_rules(when, rules), _calls(rules), calls)
        figures.append(Figure(shape=shape, many=many, one=_cost(_rules(when, 1), _calls(1), calls)))
    return figures


def show(figures: Sequence[Figure], rules: int) -> None:
    """Print a table."""
    table = Table(title=f"What rules cost a call: {rules} of a shape, and one")
    for heading in ("shape", "many, µs", "one, µs", "ratio"):
        table.add_column(heading, justify="left" if heading == "shape" else "right")
    for each in figures:
        table.add_row(
            each.shape, f"{each.many:.1f}", f"{each.one:.1f}", f"{each.many / each.one:.2f}"
        )
    Console().print(table)


def _rules(when: Callable[[int], str], count: int) -> policy.PolicySet:
    written = [f"  - {{id: r{n}, when: '{when(n)}', {QUOTA}}}\n" for n in range(count)]
    return policy.load(
        [
            (f"{first}.yaml", "version: 1\nrules:\n" + "".join(written[first : first + FILE_RULES]))
            for first in range(0, count, FILE_RULES)
        ]
    )


def _calls(count: int) -> list[Facts]:
    """Return the facts of calls, each for a task and by a team of its own."""
    served = Route(name="chat", path="/", wire_format="openai", upstream_path="/", metered=True)
    inbound = Inbound(route=served, path_task="", query=b"", headers={}, body=b"")
    call = Call(
        inbound=inbound,
        model="gpt-5-mini",
        stream=False,
        include_usage=False,
        output_tokens_max=None,
        choices=1,
        body_task="",
        session_hint="",
        branch_hint="",
        input_tokens_estimate=100,
    )
    return [
        policy.facts(
            call,
            Principal(id=f"p{n % 50}", team=f"team-{n}", key_id="k"),
            TaskLink(task_id=f"PROJ-{n}", evidence="verified", source="header", value=0.7),
            RESERVE,
            NOW,
            tool_results_only=False,
        )
        for n in range(count)
    ]


def _cost(policies: policy.PolicySet, facts: Sequence[Facts], calls: int) -> float:
    """Return µs per call: the median of some rounds, once all facts were seen."""
    for each in facts:
        _decide(policies, each)
    rounds: list[float] = []
    for _ in range(ROUNDS):
        asked = list(islice(cycle(facts), calls))
        began = perf_counter()
        for each in asked:
            _decide(policies, each)
        rounds.append((perf_counter() - began) / calls * 1e6)
    return median(rounds)


def _decide(policies: policy.PolicySet, facts: Facts) -> None:
    """Do what the line does with the rules."""
    plans = policy.Plans(policies, facts, NOW)
    _ = plans.terms
    plans.reserve = RESERVE
    if not plans.forbidden:
        plans.offers()
    policy.decide(plans.of("new"), ())


if __name__ == "__main__":
    sys.exit(main())

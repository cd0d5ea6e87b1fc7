"""
A trial by mutation: logs that were tampered with, of which both verifiers have to find every one.

`python -m tests.verifier.mutations 100000` runs that many. Some mutations change files as anybody
could who holds a copy; others are made by an operator who holds the key, and signs everything
anew; of those, some show only against what a caller or an auditor kept.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.verifier.denying import AGAINST_KEPT
from tests.verifier.edits import LOGS, Undrawn, base
from tests.verifier.exports import Export
from tests.verifier.forging import ENTRIES
from tests.verifier.signing import SIGNED
from tests.verifier.tampering import RAW
from tests.verifier.verifiers import Case, gateways, independent

EVERY = (*RAW, *ENTRIES, *SIGNED, *AGAINST_KEPT)


def draw(pick: random.Random, mutation: Callable[[random.Random, Export], Any]) -> Case:
    """Return a log this mutation was done to; it differs from what it was."""
    while True:
        made = base(pick.randrange(LOGS))
        try:
            found = mutation(pick, made)
        except Undrawn:
            continue
        case = found if isinstance(found, Case) else Case(found, made.vkey)
        if case.files != made.files or case.promises or case.receipts:
            return case


def cases(seed: int, count: int) -> Iterator[tuple[str, Case]]:
    """Yield mutations by name, each kind in turn."""
    pick = random.Random(seed)
    # Half of all are those anybody could make: there are more ways to be wrong in bytes.
    for number in range(count):
        mutation = pick.choice(RAW) if number % 2 else EVERY[number // 2 % len(EVERY)]
        yield mutation.__name__, draw(pick, mutation)


def run(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Return how many of each were found by both verifiers, and a line for each survivor."""
    found: Counter[str] = Counter()
    survivors: list[str] = []
    for number, (name, case) in enumerate(cases(seed, count)):
        one, other = independent(case), gateways(case)
        if one.wrong and other.wrong:
            found[name] += 1
        else:
            survivors.append(f"{number} {name}: independent {one}, gateway's {other}")
    return found, survivors


def main() -> int:
    """Run as many mutations as the command line says, and tell of survivors."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 2**32
    begun = time.perf_counter()
    found, survivors = run(count, seed)
    for name, times in sorted(found.items()):
        print(f"{times:8,} {name}")
    print(*survivors[:20], sep="\n")
    took = time.perf_counter() - begun
    print(f"seed {seed}: {count:,} mutations in {took:.0f} s, {len(survivors):,} survived")
    return bool(survivors)


if __name__ == "__main__":
    sys.exit(main())

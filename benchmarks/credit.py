"""
What the fold of credit costs: in the sequencer, by leaf, and over a whole log.

python -m benchmarks.credit --count 1000000
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.ledger_records import Calls
from gateway import credit, ledger
from gateway.credit import Keeping, OpenCall

SLICE = 1_024


class Nothing:
    """A shelf that is asked for nothing: all roots of this log stay in memory."""

    def roots(self, ids: Sequence[str], /) -> dict[str, bytes]:
        """Return none."""
        return {}

    def opened(self, attempt_id: str) -> OpenCall | None:
        """Return none."""
        return None

    def calls(self, root_id: str) -> list[ledger.Leaf]:
        """Return none."""
        return []


def lines(count: int, roots: int) -> Iterator[bytes]:
    """Yield the leaves of `count // 2` calls, each with 64 units nobody had before."""
    dice, calls = random.Random(1), Calls()
    for number in range(count // 2):
        root = f"PAY-{dice.randrange(roots)}"
        intent = msgspec.structs.replace(
            calls.next(("r1", 2 * number + 1)),
            root_id=root,
            task_id=root,
            units=tuple(sorted(f"{dice.getrandbits(64):016x}" for _ in range(64))),
        )
        yield ledger.encode(intent)
        yield ledger.encode(calls.settled(intent, ("r1", 2 * number + 2)))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="leaves")
    parser.add_argument("--roots", type=int, default=2_000)
    options = parser.parse_args()
    kept, spent, done = Keeping(), 0.0, 0
    slice_: list[ledger.Leaf] = []
    for line in lines(min(options.count, 200_000), options.roots):
        slice_.append(ledger.leaf(line))
        if len(slice_) == SLICE:
            began = time.process_time()
            kept.take(slice_, Nothing())
            spent += time.process_time() - began
            done += len(slice_)
            slice_ = []
    print(f"in the sequencer: {spent / done * 1e6:.1f} us of CPU a leaf, over {done:,} leaves")
    log = list(lines(options.count, options.roots))
    began = time.perf_counter()
    roots = credit.recompute(lambda: map(ledger.leaf, log)).roots
    taken = time.perf_counter() - began
    largest = max(len(credit.pack(root)) for root in roots.values())
    print(f"recomputed: {len(log):,} leaves in {taken:.1f} s; {len(roots):,} roots", end="")
    print(f" of at most {largest:,} bytes")


if __name__ == "__main__":
    main()

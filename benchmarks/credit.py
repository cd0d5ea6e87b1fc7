"""
What the fold of credit costs: in the sequencer, by leaf, and over a whole log.

python -m benchmarks.credit --count 1000000
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence

from gateway import credit, ledger
from gateway.credit import Keeping, OpenCall

SLICE = 1_024
NOW_US = 1_795_000_000_000_000


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
    """Yield the leaves of `count // 2` calls, each with 64 units, and what came of each root."""
    dice = random.Random(1)
    for number in range(count // 2):
        root = f"PAY-{dice.randrange(roots)}"
        attempt = f"att_{number:032x}"
        yield ledger.encode(_intent(number, attempt, root, dice))
        yield ledger.encode(_settle(number, attempt))


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


def _intent(number: int, attempt: str, root: str, dice: random.Random) -> ledger.Intent:
    return ledger.Intent(
        attempt_id=attempt,
        catalogue="sha256:0",
        cluster="c" * 16,
        coalesced_into=None,
        decision="forwarded",
        evidence="verified",
        likeness="new",
        model_requested="fast",
        model_served="gpt-5-mini",
        policy="sha256:0123456789abcdef",
        principal="c" * 32,
        prices="sha256:0",
        provider="local",
        received_at_us=NOW_US + number,
        replica="r1",
        replica_seq=2 * number + 1,
        request_id=f"req_{number:032x}",
        reserved_cost_usd="0.01",
        reserved_input_tokens=100,
        reserved_output_tokens=100,
        retry_count=0,
        root_id=root,
        route="chat",
        rules=("default",),
        stream=True,
        task_id=root,
        task_source="header",
        team="payments",
        tenant="default",
        units=tuple(sorted(f"{dice.getrandbits(64):016x}" for _ in range(64))),
    )


def _settle(number: int, attempt: str) -> ledger.Settle:
    return ledger.Settle(
        attempt_id=attempt,
        cache_read_tokens=0,
        cache_write_tokens=0,
        completion="complete",
        cost_usd="0.0012",
        first_token_ms=80,
        input_tokens=1_000,
        latency_ms=900,
        output_tokens=200,
        prices="sha256:0",
        reasoning_tokens=0,
        replica="r1",
        replica_seq=2 * number + 2,
        request_id=f"req_{number:032x}",
        settled_at_us=NOW_US + number + 900_000,
        status=200,
        usage_basis="reported",
    )


if __name__ == "__main__":
    main()

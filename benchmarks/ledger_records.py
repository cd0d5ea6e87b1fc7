"""Made-up records of calls, as long as real ones, for the benchmarks of the ledger."""

import random
import time

import msgspec

from gateway import ledger, policy

SEED = 7
UNITS = 24
"""What a turn of some thirty words has; the most is 64."""
_TEMPLATES = 256
POLICY = [("bench.yaml", "version: 1\nrules: []\n")]
"""The policy that decided all of them."""
DIGEST = policy.load(POLICY).digest


class Calls:
    """A supply of calls, each an intent and its settle; who appends them stamps them."""

    def __init__(self) -> None:
        """Make the records that all later ones are like."""
        dice = random.Random(SEED)
        self._made = 0
        self._templates = [(_intent(dice), _settle(dice)) for _ in range(_TEMPLATES)]

    def next(self, stamp: tuple[str, int]) -> ledger.Intent:
        """Return the intent of a new call."""
        self._made += 1
        template, _ = self._templates[self._made % _TEMPLATES]
        return msgspec.structs.replace(
            template,
            attempt_id=f"att_{self._made:032x}",
            received_at_us=time.time_ns() // 1000,
            replica=stamp[0],
            replica_seq=stamp[1],
            request_id=f"req_{self._made:032x}",
        )

    def settled(self, intent: ledger.Intent, stamp: tuple[str, int]) -> ledger.Settle:
        """Return the settle of a call."""
        _, template = self._templates[intent.replica_seq % _TEMPLATES]
        return msgspec.structs.replace(
            template,
            attempt_id=intent.attempt_id,
            replica=stamp[0],
            replica_seq=stamp[1],
            request_id=intent.request_id,
            settled_at_us=intent.received_at_us + 900_000,
        )

    def mean_bytes(self) -> float:
        """Return how long a leaf of theirs is, on average."""
        sizes = [len(ledger.encode(each)) for pair in self._templates for each in pair]
        return sum(sizes) / len(sizes)


def _intent(dice: random.Random) -> ledger.Intent:
    task = dice.randrange(200)
    return ledger.Intent(
        attempt_id="",
        catalogue="sha256:0123456789abcdef",
        cluster=f"{dice.randrange(1 << 62):016x}",
        coalesced_into=None,
        decision="forwarded",
        evidence="verified",
        likeness="new",
        model_requested="gpt-5",
        model_served=dice.choice(("gpt-5", "gpt-5-mini", "claude-sonnet-5")),
        policy=DIGEST,
        prices="sha256:fedcba9876543210",
        principal=f"{dice.getrandbits(128):032x}",
        provider="openai",
        received_at_us=0,
        replica="",
        replica_seq=0,
        request_id="",
        reserved_cost_usd="0.0512345",
        reserved_input_tokens=dice.randrange(200, 20_000),
        reserved_output_tokens=4_096,
        retry_count=0,
        root_id=f"PROJ-{task // 10}",
        route="chat",
        rules=("require-task",),
        stream=True,
        task_id=f"PROJ-{task}",
        task_source="header",
        team=f"team-{dice.randrange(40)}",
        tenant="default",
        units=tuple(sorted(f"{dice.getrandbits(64):016x}" for _ in range(UNITS))),
    )


def _settle(dice: random.Random) -> ledger.Settle:
    return ledger.Settle(
        attempt_id="",
        cache_read_tokens=dice.randrange(200),
        cache_write_tokens=0,
        completion="complete",
        cost_usd=f"0.0{dice.randrange(10**6):06}",
        first_token_ms=dice.randrange(200, 900),
        input_tokens=dice.randrange(200, 20_000),
        latency_ms=900,
        output_tokens=dice.randrange(1, 2_000),
        prices="sha256:fedcba9876543210",
        reasoning_tokens=0,
        replica="",
        replica_seq=0,
        request_id="",
        settled_at_us=0,
        status=200,
        usage_basis="reported",
    )

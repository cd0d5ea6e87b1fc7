"""
`python -m benchmarks.replay [--count N]`: how long a replay takes, and in how much memory.

Writes a log of made-up calls through the real store into a temporary folder, a tenth of it and
then all of it, and replays both under the shipped policies, each in a process of its own.
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from gateway import ledger, metering, policy
from gateway.ledger.pseudonyms import Weekly
from gateway.policy.facts import WEEKDAYS
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.replay import replay
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.reading import Reading

POLICIES = Path(__file__).parent.parent / "policies" / "default.yaml"
SECRET = b"b" * 32
START_US = 1_793_577_600_000_000  # 2026-11-02 00:00 UTC, a Monday
DAYS = 30
PEOPLE = 400
TASKS = 5_000
ROWS = 500
"""Calls noted between two waits for the store."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.folder:
        print(json.dumps(_replayed(args.folder)))
        return 0
    for count in (args.count // 10, args.count):
        with tempfile.TemporaryDirectory(prefix="goodgate-bench-") as name:
            began_s = time.perf_counter()
            asyncio.run(_write(Path(name), count))
            wrote_s = time.perf_counter() - began_s
            _say(count, wrote_s, Path(name))
    return 0


def _say(count: int, wrote_s: float, folder: Path) -> None:
    size = sum(path.stat().st_size for path in folder.iterdir())
    command = [sys.executable, "-m", "benchmarks.replay", "--folder", str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(said)
    print(
        f"{count:>9,} calls: {found['seconds']:.1f} s of one core to replay "
        f"({found['seconds'] / count * 1e6:.0f} µs each), {found['resident_mb']:.0f} MB resident "
        f"({found['idle_mb']:.0f} before); {found['calls']:,} read, {found['refused']:,} newly "
        f"refused; the log is {size / 1e6:,.0f} MB, written in {wrote_s:.0f} s",
        flush=True,
    )


def _replayed(folder: Path) -> dict[str, float]:
    policies = policy.load([(POLICIES.name, POLICIES.read_text(encoding="utf-8"))])
    names = [f"person-{number}" for number in range(PEOPLE)]
    people = People(Weekly(SECRET).of, principals=names)
    idle_mb = _resident_mb()
    began_s = time.process_time()
    log = Reading(folder).decision_log()
    found = replay(log, None, policies, metering.PriceBook({}), people)
    return {
        "seconds": time.process_time() - began_s,
        "resident_mb": _resident_mb(),
        "idle_mb": idle_mb,
        "calls": found.calls,
        "refused": found.changes["newly_refused"].calls,
    }


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _write(folder: Path, count: int) -> None:
    store = Ledger.open(folder, secret=SECRET, clock=lambda: START_US / 1e6)
    store.start(asyncio.get_running_loop())
    dice = random.Random(7)
    step_us = DAYS * 86_400_000_000 // count
    for number in range(count):
        at_us = START_US + number * step_us
        for record in _call(dice, number, at_us, store):
            store.note(record)
        if number % ROWS == ROWS - 1:
            await store.flush()
    await store.flush()
    store.close()


def _call(
    dice: random.Random, number: int, at_us: int, store: Ledger
) -> tuple[ledger.DecisionRecord, ledger.SettledRecord]:
    """Return what a call leaves in the log."""
    person, tokens = f"person-{dice.randrange(PEOPLE)}", dice.randrange(200, 20_000)
    pseudonym = store.weekly(person, at_us)
    request_id = f"req_{at_us // 1000:012x}7{number % 4096:03x}a{number:015x}"
    minute = at_us // 60_000_000
    day = minute // 1440
    record = ledger.DecisionRecord(
        at_us=at_us,
        code="",
        effect="permit",
        facts={
            "call.model": dice.choice(("gpt-5", "gpt-5-mini", "claude-sonnet-5")),
            "call.route": "chat",
            "call.stream": True,
            "call.metered": True,
            "call.tool_results_only": False,
            "call.client": "openai",
            "call.choices": 1,
            "call.input_tokens": tokens,
            "call.output_tokens_max": 4_096,
            "call.cost_usd_max": tokens / 1e6 + 0.04,
            "principal.id": pseudonym,
            "principal.team": f"team-{dice.randrange(30)}",
            "principal.role": "developer",
            "principal.key_id": store.weekly(f"key {person}", at_us),
            "task.id": f"PROJ-{dice.randrange(TASKS)}",
            "task.root": f"PROJ-{dice.randrange(TASKS // 10)}",
            "task.evidence": "verified" if dice.random() < 0.95 else "none",
            "task.evidence_rank": 3,
            "task.problem": "",
            "task.source": "header",
            "task.team": "payments",
            "task.value": 1.0,
            "task.lenient": False,
            "likeness.kind": dice.choice(("new", "new", "near", "exact", "short")),
            "likeness.cluster": f"{dice.randrange(1 << 30):016x}",
            "now.year": 2026,
            "now.month": 11,
            "now.day": day % 30 + 1,
            "now.weekday": WEEKDAYS[day % 7],
            "now.hour": minute // 60 % 24,
            "now.minute": minute % 60,
        },
        levels=(
            ledger.Level("call-rate", 1, 1_000, taken=True, retry_after_s=0.0),
            ledger.Level("task-cost", tokens * 1_000, 10**11, taken=True, retry_after_s=0.0),
        ),
        model="gpt-5",
        policy="sha256:0123456789abcdef",
        principal=pseudonym,
        provider="openai",
        reasons=(),
        request_id=request_id,
        reserved_cost_usd="0.0512345",
        reserved_input_tokens=tokens,
        reserved_output_tokens=4_096,
        would_have=(),
    )
    settled = ledger.SettledRecord(
        at_us=at_us + dice.randrange(200_000, 20_000_000),
        cost_nano_usd=tokens * 1_500,
        input_tokens=tokens,
        output_tokens=dice.randrange(1, 2_000),
        request_id=request_id,
    )
    return record, settled


if __name__ == "__main__":
    raise SystemExit(main())

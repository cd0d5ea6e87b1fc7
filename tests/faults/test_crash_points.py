"""
A process that dies at any named step of the ledger's work loses nothing, and repeats nothing.

`GOODGATE_CRASHES=20` says how often at each; the seed is printed.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.faults import crash_points

ROOT = Path(__file__).parents[2]
CRASHES = int(os.getenv("GOODGATE_CRASHES", "20"))
STEPS = ("BEGIN IMMEDIATE", "COMMIT", "add_intake", "add_leaves", "remove_intake", "wal_checkpoint")
"""Some of those that are to be among the steps found."""


def crashes(folder: Path, times: int, *guard: str) -> crash_points.Came:
    """Run the harness in a process that has no thread, so that it can be forked."""
    seed = os.getenv("GOODGATE_SEED", "") or str(random.SystemRandom().getrandbits(32))
    print(f"GOODGATE_SEED={seed} GOODGATE_CRASHES={CRASHES}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.crash_points", str(folder), str(times), seed, *guard],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=3_600,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return msgspec.json.decode(done.stdout, type=crash_points.Came)


def test_no_step_is_one_to_die_at(tmp_path: Path) -> None:
    came = crashes(tmp_path, CRASHES)
    print(f"{len(came.died)} points, {sum(came.died.values())} deaths")
    assert came.wrong == []
    assert set(came.died.values()) == {CRASHES}
    assert {f"{place} {name}" for place in ("before", "after") for name in STEPS} <= set(came.died)
    assert came.acknowledged > 100 * CRASHES  # counted at each look


@pytest.mark.parametrize("guard", crash_points.GUARDS)
def test_a_ledger_without_one_of_its_guards_is_found_out(tmp_path: Path, guard: str) -> None:
    came = crashes(tmp_path, 2, guard)
    print(came.wrong[:3])
    assert came.guard == guard
    assert len(came.wrong) > 3

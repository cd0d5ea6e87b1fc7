"""
A power cut at any moment loses nothing that was acknowledged, and breaks nothing.

`GOODGATE_CUTS=400` says how often; the seed is printed.
"""

import os
import random
from pathlib import Path

import pytest

from gateway.stores.sqlite import sequencer, writer
from tests.faults import power

CUTS = int(os.getenv("GOODGATE_CUTS", "400"))
LIVES, CUTS_A_LIFE = 10, 40
"""Of one ledger; then another is begun."""


def seeded() -> random.Random:
    seed = int(os.getenv("GOODGATE_SEED", "") or random.SystemRandom().getrandbits(32))
    print(f"GOODGATE_SEED={seed} GOODGATE_CUTS={CUTS}")
    return random.Random(seed)


async def test_nothing_acknowledged_is_lost_by_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    power.hurry(monkeypatch)
    chance = seeded()
    for number in range(max(1, CUTS // (LIVES * CUTS_A_LIFE))):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        came = await power.cuts(folder, chance, lives=LIVES, each=CUTS_A_LIFE)
        assert came.told == []
        assert came.cuts == LIVES * CUTS_A_LIFE
        assert came.acknowledged > 20 * came.cuts


async def test_the_cuts_find_what_an_fsync_less_would_lose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`synchronous=NORMAL` for appends is a ledger these cuts must catch."""
    power.hurry(monkeypatch)
    monkeypatch.setattr(writer, "FULL", "NORMAL")
    came = await power.cuts(tmp_path, seeded(), lives=4, each=40)
    print(came)
    assert came.bad["is lost"] > 3


async def test_the_cuts_find_a_checkpoint_that_was_seen_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice needs no fsync of its own, as the intake is durable; one with a checkpoint does."""
    power.hurry(monkeypatch)
    monkeypatch.setattr(sequencer, "FULL", "NORMAL")
    came = await power.cuts(tmp_path, seeded(), lives=4, each=40)
    print(came)
    assert came.bad["is gone"] > 0
    assert came.bad["is lost"] == 0

"""Credit as sequencers keep it: always what the leaves alone come to, whatever was in between."""

import random
from pathlib import Path

import msgspec
import psycopg
import pytest

from gateway import ledger
from gateway.credit import keeping
from gateway.stores.sqlite import ledger_file
from tests.stores.ledgers import BACKENDS, Store, database, kept, opened
from tests.stores.test_log import assert_credited
from tests.unit.credit.stories import (
    NOW_US,
    adjust,
    call,
    outcome,
    settle,
    valuation,
)

LASTING = [name for name in BACKENDS if kept(name)]


def story(seed: int) -> list[ledger.Leaf]:
    """Return leaves of five roots, shuffled, but that each call begins before it ends."""
    dice = random.Random(seed)
    rows: list[list[ledger.Leaf]] = []
    for number in range(60):
        root = f"PAY-{dice.randrange(5)}"
        units = {dice.randrange(400) for _ in range(dice.randrange(12))}
        begun, ended = call(
            number, units, root_id=root, task_id=root, received_at_us=NOW_US + dice.randrange(100)
        )
        rows.append([begun, ended])
        if number % 7 == 0:
            lost = settle(begun.attempt_id, completion="unknown_crash", cost_usd="2")
            rows[-1] = [begun, lost]
        if number % 14 == 0:
            rows[-1].append(adjust(begun.attempt_id, cost_usd="0.25", n=1))
            rows[-1].append(adjust(begun.attempt_id, cost_usd="9", n=2))
    for root in range(4):
        name = f"PAY-{root}"
        rows.append([valuation(root_id=name, weights=((name, "1"),))])
        at_us = NOW_US + dice.randrange(100)
        rows.append([outcome(root, root_id=name, task_id=name, subject=f"s{root}", at_us=at_us)])
    rows.append([outcome(9, "reopened", root_id="PAY-1", task_id="PAY-1", subject="s1")])
    waiting, made = rows, list[ledger.Leaf]()
    while waiting:
        row = dice.choice(waiting)
        made.append(row.pop(0))
        waiting = [each for each in waiting if each]
    return made


def own(store: Store, leaf: ledger.Leaf) -> ledger.Leaf:
    replica, seq = store.stamp()
    return msgspec.structs.replace(leaf, replica=replica, replica_seq=seq)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_a_sequencer_keeps_is_what_the_leaves_come_to(
    backend: str, seed: int, tmp_path: Path
) -> None:
    """Whatever the order, and where the slices end: also of acceptances that come late."""
    dice = random.Random(seed)
    async with opened(backend, tmp_path) as store:
        for leaf in story(seed):
            await store.append(own(store, leaf))
            if dice.random() < 0.1:
                await store.flush()
        await store.flush()
        assert_credited(store.reading)
        assert len(store.reading.credit().roots) == 5


@pytest.mark.parametrize("backend", LASTING)
async def test_a_sequencer_goes_on_from_what_another_kept(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing of it in memory: calls that are open, or were given up, end all the same."""
    monkeypatch.setattr(keeping, "ROOTS_MAX", 1)
    leaves = story(7)
    for part in (leaves[:50], leaves[50:100], leaves[100:]):
        async with opened(backend, tmp_path) as store:
            for leaf in part:
                await store.append(own(store, leaf))
            await store.flush()
            assert_credited(store.reading)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_call_that_was_received_after_an_acceptance_told_late_counts_no_more(
    backend: str, tmp_path: Path
) -> None:
    async with opened(backend, tmp_path) as store:
        for leaf in [*call(1, {1}), *call(50, {2}), valuation()]:
            await store.append(own(store, leaf))
        await store.flush()
        await store.append(own(store, outcome(at_us=NOW_US + 20)))
        await store.flush()
        folded = store.reading.credit().roots["PAY-1"]
        assert folded.units == (f"{1:016x}",)
        assert_credited(store.reading)


@pytest.mark.parametrize("backend", LASTING)
async def test_a_log_of_an_earlier_release_is_folded_when_it_is_opened(
    backend: str, tmp_path: Path
) -> None:
    async with opened(backend, tmp_path) as store:
        for leaf in story(3):
            await store.append(own(store, leaf))
    forget(backend, tmp_path)
    async with opened(backend, tmp_path) as store:
        await store.flush()
        assert len(store.reading.credit().roots) == 5
        assert_credited(store.reading)


def forget(backend: str, folder: Path) -> None:
    """Leave a log as a release left it that folded nothing."""
    if backend == "postgres":
        with psycopg.connect(database(folder), autocommit=True) as session:
            session.execute("DELETE FROM ledger_credit_root")
            session.execute("UPDATE ledger_log SET credited = 0")
        return
    file = ledger_file.open_to_write(folder)
    file.execute("DELETE FROM credit_root; UPDATE log SET credited = 0")
    file.close()

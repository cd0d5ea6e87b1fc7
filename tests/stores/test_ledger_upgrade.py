"""Ledgers of earlier releases: their leaves come into the tree as they are."""

import asyncio
import zlib
from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec
import pytest

from gateway import ledger
from gateway.errors import ConfigError, LedgerCorrupt
from gateway.ledger import checkpoints, hours, merkle, notes, rollups
from gateway.ledger.verification.leaves import Leaves
from gateway.stores.sqlite import sequencer
from gateway.stores.sqlite.ledger_file import SQL, OfflineLedger
from gateway.stores.sqlite.reading import Reading
from tests.stores.ledgers import (
    HOUR,
    NOW,
    NOW_US,
    Clock,
    append,
    cost_intent,
    cost_settle,
    decision,
    in_order,
    intent,
    open_ledger,
    refusal,
    reveal,
    settle,
)

COUNT = 150
RUN = 200
ENTRY = "INSERT OR IGNORE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def old_leaves() -> list[ledger.Leaf]:
    """Return leaves as 0.1 wrote them: `replica_seq` shared with records that are no leaves."""
    leaves: list[ledger.Leaf] = []
    for number in range(COUNT):
        team = f"team-{number % 4}"
        leaves.append(intent(number, schema=1, replica_seq=5 * number + 1, team=team))
        if number % 3:
            leaves.append(settle(number, schema=1, replica_seq=5 * number + 3))
        if number % 10 == 0:
            leaves.append(refusal(number + COUNT, schema=1, replica_seq=5 * number + 4))
        if number % 50 == 0:
            leaves.append(reveal(number, schema=1, replica="c9", replica_seq=1))
    return leaves


def line_of(leaf: ledger.Leaf) -> bytes:
    """Return a leaf as a release wrote it that did not know of `units` yet."""
    known = msgspec.json.decode(ledger.encode(leaf))
    known.pop("units", None)
    return msgspec.json.encode(known)


def old_file(folder: Path, leaves: Sequence[ledger.Leaf], *, version: int = 2) -> None:
    """Write a ledger as an earlier release left it after a crash."""
    old = apsw.Connection(str(folder / "ledger.sqlite"))
    old.pragma("journal_mode", "wal")
    for number in range(1, version + 1):
        old.execute(SQL[f"migration_{number}"])
        old.pragma("user_version", number)
    for first in range(0, len(leaves), RUN):
        run = [line_of(leaf) for leaf in leaves[first : first + RUN]]
        old.execute(SQL["add_leaves"], (first, len(run), b"\n".join(run)))
    settled = {leaf.attempt_id: at for at, leaf in enumerate(leaves) if leaf.kind == "settle"}
    for index, leaf in enumerate(leaves):
        if isinstance(leaf, ledger.Intent):
            served, made, end = leaf.model_served, leaf.decision, settled.get(leaf.attempt_id)
        elif isinstance(leaf, ledger.Refusal):
            served, made, end = "", "refused", index
        else:
            if isinstance(leaf, ledger.Reveal):
                old.execute(SQL["add_other_leaves"], (leaf.attempt_id, leaf.kind, leaf.n, index))
            continue
        values = (leaf.attempt_id, leaf.received_at_us, leaf.principal, leaf.team, leaf.task_id)
        old.execute(
            ENTRY, (index, *values, leaf.root_id, leaf.model_requested, served, made, end, 30, 2)
        )
    old.execute(SQL["put_cost_hour"], (HOUR - 3_600, "payments", "fast", "unknown", 2, 1, 9, "0.5"))
    old.execute(
        SQL["add_open_cost"], (cost_intent(900).attempt_id, ledger.encode(cost_intent(900)))
    )
    old.execute(SQL["add_decisions"], (NOW_US, NOW_US, ledger.encode(decision(0))))
    old.execute(SQL["add_salt"], ("alice", "2026-11", b"1" * 16))
    if version > 1:
        packed = zlib.compress(msgspec.json.encode([("a.yaml", "version: 1")]))
        old.execute(SQL["keep_policies"], ("sha256:0", NOW_US, packed))
    waits = [settle(0, schema=1, replica_seq=9_000), cost_settle(901), cost_intent(901)]
    waits += [cost_settle(901), intent(990, schema=1, replica_seq=9_004)]
    blob = b"\n".join(ledger.encode(each) for each in waits)
    old.execute(
        "INSERT INTO intake (replica, first_seq, last_seq, records) VALUES ('r0', 1, 5, ?)", (blob,)
    )
    old.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_earlier_release_is_brought_into_the_tree(
    tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "ADOPT_AT_ONCE", 70)
    leaves = old_leaves()
    old_file(tmp_path, leaves, version=version)
    opened = open_ledger(tmp_path, Clock(NOW))
    reading = opened.reading
    lines = reading.leaves()
    assert lines[: len(leaves)] == [line_of(leaf) for leaf in leaves]
    opened.close()

    lines = reading.leaves()
    noted, _ = checkpoints.read(reading.checkpoint(), reading.log().origin)
    assert (noted.size, noted.root) == (
        len(lines),
        merkle.root([merkle.leaf_hash(line) for line in lines]),
    )
    audited = Leaves()
    found = [audited.take(index, line) for index, line in enumerate(lines)]
    assert audited.early == len(leaves) + 2
    assert reading.rollups() == rollups.fold(found)
    rows = reading.rows(ledger.Query(limit=10**6))
    assert len(rows) == sum(isinstance(leaf, ledger.Intent | ledger.Refusal) for leaf in found)
    assert {row["completion"] for row in rows} == {None, "complete", "unknown_crash"}
    assert {row["completion"] for row in rows if row["decision"] != "refused"} == {
        "complete",
        "unknown_crash",
    }
    assert len(reading.rows(ledger.Query(team="team-1", limit=10**6))) == 38
    assert reading.places(reveal(0).attempt_id) is None
    assert reading.clashes() == []
    assert set(reading.persons().values()) == {"alice"}
    assert list(reading.decision_log()) == [decision(0)]
    texts = reading.policy_texts()
    assert texts == ([("sha256:0", [("a.yaml", "version: 1")])] if version > 1 else [])


async def test_unlinked_cost_of_an_earlier_release_becomes_leaves(tmp_path: Path) -> None:
    old_file(tmp_path, old_leaves())
    opened = open_ledger(tmp_path, Clock(HOUR + 3 * 3_600))
    opened.start(asyncio.get_running_loop())
    await opened.flush()
    found = in_order(opened, ledger.CostHour)
    summed = hours.summed(
        (leaf.hour, row) for leaf in found if isinstance(leaf, ledger.CostHour) for row in leaf.rows
    )
    kept = dict(opened.reading.cost_hours(ledger.Query()))
    assert summed == kept
    assert sorted((at.hour - HOUR, came_to.calls) for at, came_to in kept.items()) == [
        (-3_600, 2),
        (0, 2),
    ]
    opened.close()


def test_an_upgrade_that_was_cut_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "ADOPT_AT_ONCE", 50)
    leaves = old_leaves()
    old_file(tmp_path, leaves)
    steps = iter(range(3))
    commit = sequencer.Sequencer._commit

    def cut_off(self: sequencer.Sequencer, *args: object, **how: object) -> None:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        commit(self, *args, **how)  # type: ignore[arg-type]  # passed on as it came

    with monkeypatch.context() as patched:
        patched.setattr(sequencer.Sequencer, "_commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            open_ledger(tmp_path)
    for ask in (
        lambda: Reading(tmp_path).rows(ledger.Query()),
        lambda: OfflineLedger(tmp_path).append_now(reveal(5)),
    ):
        with pytest.raises(ConfigError, match="start `goodgate serve` on it once"):
            ask()
    open_ledger(tmp_path).close()
    assert Reading(tmp_path).leaves()[: len(leaves)] == [line_of(leaf) for leaf in leaves]
    assert len(Reading(tmp_path).rows(ledger.Query(limit=10**6))) == COUNT + COUNT // 10 + 1


def test_a_file_that_was_not_brought_up_to_date_says_so(tmp_path: Path) -> None:
    old_file(tmp_path, old_leaves())
    with pytest.raises(ConfigError, match="start `goodgate serve` on it once"):
        Reading(tmp_path).checkpoint()
    assert list(Reading(tmp_path).decision_log()) == [decision(0)]


def test_leaves_that_do_not_go_on_from_each_other_are_not_signed(tmp_path: Path) -> None:
    leaves = old_leaves()
    old_file(tmp_path, [*leaves, leaves[0]])
    with pytest.raises(LedgerCorrupt, match="do not go on from those before them"):
        open_ledger(tmp_path)


async def test_a_run_of_an_earlier_release_is_retired_in_part(tmp_path: Path) -> None:
    old_file(tmp_path, old_leaves())
    opened = open_ledger(tmp_path, Clock(HOUR + 3 * 3_600))
    opened.start(asyncio.get_running_loop())
    await append(opened, *[refusal(5_000 + number) for number in range(256)])
    await opened.flush()
    lines = opened.reading.leaves()
    await opened.retire(256)
    assert opened.reading.lines(256, 100) == lines[256:356]
    assert opened.reading.leaves()[: len(lines) - 256] == lines[256:]
    stored = opened._connection.execute("SELECT min(first_index) FROM leaf_run").get
    assert stored == 256
    assert notes.Note.parse(opened.reading.checkpoint()).text
    opened.close()

"""What only a log in a file has: crashes, indexes, pages that must not tell, and a full disk."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from gateway import ledger
from gateway.errors import ConfigError, LedgerCorrupt, LedgerUnavailable
from gateway.ledger import hours, merkle, rollups, sequencing
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.verification.leaves import Leaves
from gateway.stores.sqlite import (
    ballast,
    chores,
    guard,
    ledger_file,
    log_reading,
    reading,
    tables,
    writer,
)
from gateway.stores.sqlite.ballast import Ballast
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.reading import Reading
from tests.stores.ledgers import (
    HOUR,
    KEY,
    NOW_US,
    SECRET,
    Clock,
    append,
    cost_intent,
    decision,
    fixed_clock,
    in_order,
    intent,
    open_ledger,
    refusal,
    settle,
    stamped,
)
from tests.unit.ledger.test_sequencing import deliveries


async def started(folder: Path, **options: Any) -> Ledger:
    made = Ledger.open(folder, secret=SECRET, key=KEY, **{"clock": fixed_clock, **options})
    made.start(asyncio.get_running_loop())
    return made


def crash(held: Ledger) -> None:
    """Take everything from a ledger that was not started, as a kill would."""
    held._connection.close()
    os.close(held._lock)


def added(held: Ledger, *records: ledger.Record) -> list[ledger.Record]:
    """Make records durable in the intake, and no more."""
    made = [stamped(held, record) for record in records]
    lines = [ledger.encode(record) for record in made]
    held._writer.add(writer.Batch(lines, made, (), print))
    return made


def test_what_a_crash_left_is_put_in_order_ended_and_settled(tmp_path: Path) -> None:
    gone = open_ledger(tmp_path)
    added(gone, intent(1), intent(2), settle(2), cost_intent(3))
    crash(gone)
    again = open_ledger(tmp_path)
    again.close()
    leaves = [ledger.decode(line) for line in again.reading.leaves()]
    told = [(each.kind, each.replica, each.replica_seq) for each in leaves]
    assert told == [
        ("replica_start", "s1", 1),
        ("replica_start", gone.replica, 1),
        ("intent", gone.replica, 2),
        ("intent", gone.replica, 3),
        ("settle", gone.replica, 4),
        ("replica_start", "s2", 1),
        ("replica_end", "s2", 2),
        ("replica_end", "s2", 3),
        ("settle", "s2", 4),
        ("replica_start", again.replica, 1),
        ("replica_end", again.replica, 2),
        ("replica_end", "s2", 5),
    ]
    ends = {each.ended: each for each in leaves if isinstance(each, ledger.ReplicaEnd)}
    assert (ends[gone.replica].reason, ends["s1"].reason) == ("crashed", "crashed")
    assert (ends[gone.replica].last_seq, ends[gone.replica].last_cost_seq) == (4, 1)
    assert (ends["s2"].reason, ends["s2"].last_cost_seq) == ("stopped", 1)
    audited = Leaves()
    audited.policies.lenient = True
    for index, line in enumerate(again.reading.leaves()):
        audited.take(index, line)
    assert audited.series.open() == []
    assert audited.calls.open == 0


def test_a_crash_while_it_is_taken_over_ends_nothing_twice(tmp_path: Path) -> None:
    for _ in range(3):
        held = open_ledger(tmp_path)
        crash(held)
    open_ledger(tmp_path).close()
    audited = Leaves()
    for index, line in enumerate(Reading(tmp_path).leaves()):
        audited.take(index, line)
    assert audited.series.open() == []


def test_a_name_no_series_has_had_is_found(tmp_path: Path) -> None:
    made = [
        Ledger.open(tmp_path, secret=SECRET, key=KEY, clock=fixed_clock, random=bytes)
        for _ in range(1)
    ]
    made[0].close()
    second = Ledger.open(tmp_path, secret=SECRET, key=KEY, clock=fixed_clock, random=bytes)
    second.close()
    assert (made[0].replica, second.replica) == ("r00000000", "r0000000000")


def test_without_a_key_the_folder_has_its_own(tmp_path: Path) -> None:
    Ledger.open(tmp_path, secret=SECRET, clock=fixed_clock).close()
    first = Reading(tmp_path).log()
    (tmp_path / "ledger_key").rename(tmp_path / "ledger_key.previous")
    Ledger.open(tmp_path, secret=SECRET, clock=fixed_clock).close()
    second = Reading(tmp_path).log()
    assert first.origin == second.origin
    assert first.vkey != second.vkey
    (tmp_path / "ledger_key.previous").unlink()
    (tmp_path / "ledger_key").unlink()
    with pytest.raises(ConfigError, match=r"ledger_key\.previous"):
        Ledger.open(tmp_path, secret=SECRET, clock=fixed_clock)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE tile SET packed = zeroblob(length(packed)) WHERE level = 0",
        "DELETE FROM tile",
        "UPDATE checkpoint SET note = replace(note, 'goodgate', 'badgate')",
    ],
)
def test_a_tree_that_is_not_what_was_signed_is_refused(tmp_path: Path, harm: str) -> None:
    open_ledger(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / ledger_file.FILE))
    connection.execute(harm)
    connection.close()
    with pytest.raises(LedgerCorrupt, match="changed by something else"):
        open_ledger(tmp_path)


QUESTIONS = {
    "task": ("task_id=?", "root_id=?"),
    "team": ("team=? AND received_at_us>",),
    "model": ("model_requested=?", "model_served=?"),
    "rule": ("entry_rule USING PRIMARY KEY (rule=?",),
    "decision": ("decision=? AND received_at_us>",),
    "": ("entry_by_time (received_at_us>",),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_of_auditors_has_an_index_in_the_order_of_its_answer(
    tmp_path: Path, question: str
) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    query = ledger.Query(**{question: "refused"} if question else {})
    made = reading.statements(query, None)
    values = reading.bindings(query, None, 0)
    for statement, expected in zip(made, QUESTIONS[question], strict=True):
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        first, *rest = [row[3] for row in rows]
        assert expected in first
        assert not any("TEMP B-TREE" in each for each in rest)
    connection.close()


def test_people_are_found_by_an_index(tmp_path: Path) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    [statement] = reading.statements(ledger.Query(team="t"), {"c"})
    values = reading.bindings(ledger.Query(team="t"), {"c"}, 0)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    assert "entry_by_person (principal=?" in rows[0][3]
    connection.close()


async def test_nothing_of_an_erased_person_is_left_in_the_file(tmp_path: Path) -> None:
    held = await started(tmp_path)
    for number in range(300):
        # Months of others lie between theirs, so rows move between pages as the table grows.
        month_us = NOW_US - number * 31 * 86_400_000_000
        for name in ("person-7", f"other-{number}"):
            await append(held, intent(2 * number, principal=held.commitment(name, month_us)))
    pseudonym = held.weekly("person-7", NOW_US)
    held.note(decision(1, principal=pseudonym))
    await held.flush()
    salts = [salt for *_, salt in held._connection.execute(SQL["salts_of"], ("person-7",))]

    def found() -> set[str]:
        files = b"".join(each.read_bytes() for each in tmp_path.glob("ledger.sqlite*"))
        told = {"name" for month in range(1995, 2030) if f"person-7{month}-".encode() in files}
        told |= {"salt" for salt in salts if salt in files}
        return told | {"pseudonym" for _ in range(files.count(pseudonym.encode()))}

    assert found() == {"name", "salt", "pseudonym"}
    assert await held.erase("person-7", auditor="k", reason="asked") == len(salts) > 200
    assert found() == set()
    assert len(held.reading.persons()) == 300
    held.close()
    assert found() == set()


async def test_a_reader_does_not_hold_up_an_erasure_and_the_log_is_emptied_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BRIEF_MS", 1)
    held = await started(tmp_path)
    held.commitment("alice", NOW_US)
    await append(held, intent(1))
    await held.flush()
    with held.reading._snapshot() as (connection, _):
        assert connection.execute("SELECT count(*) FROM salt").get == 1
        assert await held.erase("alice", auditor="k", reason="asked") == 1
        assert held._writer.truncate_due
    held._writer.truncate_wal()
    assert not held._writer.truncate_due
    assert (tmp_path / "ledger.sqlite-wal").stat().st_size == 0
    held.close()


async def test_the_decision_log_is_blanked_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await started(tmp_path)
    pseudonym = held.weekly("alice", NOW_US)
    for number in range(5):
        held.note(decision(number, principal=pseudonym))
        await held.flush()
    monkeypatch.setattr(chores.decisions, "READ_BYTES", 1)
    steps: list[int] = []
    blank_some = chores.Erasing._blank_some

    def counted(self: chores.Erasing) -> bool:
        steps.append(self._row)
        return blank_some(self)

    monkeypatch.setattr(chores.Erasing, "_blank_some", counted)
    await held.erase("alice", auditor="k", reason="asked")
    assert len(steps) == 6
    found = list(held.reading.decision_log())
    assert [getattr(each, "principal", "") for each in found] == ["0" * 16] * 5
    held.close()


async def test_dropping_what_was_retired_goes_on_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "ENTRIES_AT_ONCE", 100)
    monkeypatch.setattr(chores, "RUNS_AT_ONCE", 1)
    gone = open_ledger(tmp_path)
    added(gone, *[refusal(number, rules=("a", "b")) for number in range(700)])
    gone._writer.drain()
    gone._writer.sequencer.move(sign=True)
    lines = gone.reading.leaves()
    chore = chores.Retiring(gone._connection, gone._writer, 512)
    assert chore.check()
    assert not chore.step()
    assert gone.reading.leaves() == lines[512:]
    assert len(gone.reading.rows(ledger.Query(rule="a", limit=9_999))) == 700 + 2 - 512
    crash(gone)
    again = await started(tmp_path)
    await again.flush()
    again.close()
    connection = ledger_file.open_to_read(tmp_path)
    assert connection.execute("SELECT min(first_index) FROM leaf_run").get == 512
    assert connection.execute("SELECT min(index_intent) FROM entry").get == 512
    assert connection.execute("SELECT min(index_intent) FROM entry_rule").get == 512
    connection.close()


async def test_a_job_that_ends_the_ledger_is_told_to_who_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[str] = []
    held = await started(tmp_path, die=died.append)

    def fail(*_: object) -> None:
        raise apsw.CorruptError("database disk image is malformed")

    monkeypatch.setattr(chores, "cosign", fail)
    with pytest.raises(LedgerUnavailable, match="malformed"):
        await held.cosign(1, "line")
    assert len(died) == 1
    assert held.failed
    with pytest.raises(LedgerUnavailable, match="malformed"):
        held.append(stamped(held, intent(1)))
    held.note(decision(1))
    held.close()
    assert len(died) == 1
    assert in_order(held, ledger.Intent) == []


async def test_an_error_of_its_own_in_the_writers_thread_ends_the_process(tmp_path: Path) -> None:
    died: list[str] = []
    held = open_ledger(tmp_path)
    held._writer.guard._die = died.append
    held._writer.queue.put("nonsense")  # type: ignore[arg-type]  # that is the error
    with pytest.raises(AttributeError):
        held._writer.run()
    assert len(died) == 1
    assert "an error of its own" in died[0]
    crash(held)


async def test_a_file_that_is_locked_by_another_takes_nothing_new_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "AGAIN_S", 0.01)
    held = await started(tmp_path)
    held._connection.set_busy_timeout(1)
    other = apsw.Connection(str(tmp_path / ledger_file.FILE))
    other.execute("BEGIN IMMEDIATE")
    waiting = held.append(stamped(held, intent(1)))
    with pytest.raises(LedgerUnavailable, match="another process has locked"):
        await held.flush()
    with pytest.raises(LedgerUnavailable, match="another process has locked"):
        held.append(stamped(held, intent(2)))
    assert held.failed
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    assert await waiting
    [record] = await append(held, settle(1))
    assert record.replica_seq == 3
    await held.flush()
    assert not held.failed
    held.close()


def test_the_ballast_is_there_until_it_is_needed(tmp_path: Path) -> None:
    held = Ballast(tmp_path)
    assert not held.release()
    assert held.restore()
    assert held.restore()
    assert (tmp_path / ballast.FILE).stat().st_size == ballast.BYTES
    assert held.release()
    assert not held.release()


def test_without_room_there_is_no_ballast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert not Ballast(tmp_path).restore()
    assert not (tmp_path / ballast.FILE).exists()


async def test_a_disk_that_is_full_from_the_start_takes_no_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        held = await started(tmp_path)
        assert held.failed
        with pytest.raises(LedgerUnavailable, match="disk of the data folder is full"):
            held.append(stamped(held, intent(1)))
        held._writer._look_around()
        assert held.failed
    held._writer._look_around()
    assert not held.failed
    await append(held, intent(1))
    held.close()
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"]


async def test_full_tiles_are_read_once_and_unfinished_ones_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reading, "TILES_MAX", 1)
    held = await started(tmp_path)
    await append(held, *[refusal(number) for number in range(600)])
    await held.flush()
    asked: list[tuple[int, int]] = []
    read = log_reading.tile

    def counted(connection: Connection, level: int, number: int) -> bytes:
        asked.append((level, number))
        return read(connection, level, number)

    monkeypatch.setattr(log_reading, "tile", counted)
    found = [held.reading.tile(0, number) for number in (0, 0, 2, 1, 1, 0)]
    assert asked == [(0, 0), (0, 2), (0, 1), (0, 0)]
    assert found[0] == found[1] == found[5] != found[3] == found[4]
    await append(held, refusal(700))
    await held.flush()
    assert held.reading.tile(0, 2) == found[2] + merkle.leaf_hash(held.reading.leaves()[-1])
    held.close()


async def test_hours_and_their_leaves_agree_with_what_is_pending(tmp_path: Path) -> None:
    clock = Clock(HOUR + 10)
    held = await started(tmp_path, clock=clock)
    for number in range(30):
        hour = HOUR + 3_600 * (number % 3)
        await append(held, cost_intent(number, hour=hour, settled=number % 2 == 0))
        clock.now += 700
        await held.flush()
        found = [each for each in in_order(held) if isinstance(each, ledger.CostHour)]
        total = hours.summed((each.hour, row) for each in found for row in each.rows)
        connection = ledger_file.open_to_read(tmp_path)
        for at, came_to in tables.sums(connection.execute(SQL["all_pending"])).items():
            total.setdefault(at, HourSum()).add(came_to)
        connection.close()
        assert total == dict(held.reading.cost_hours(ledger.Query()))
    assert found
    held.close()


@given(drawn=deliveries(), at_once=st.integers(1, 6))
@how(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_however_records_reach_the_file_each_is_in_the_log_once(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: tuple[list[list[ledger.Record]], list[Sequence[ledger.Record]]],
    at_once: int,
) -> None:
    stories, arrived = drawn
    held = open_ledger(tmp_path_factory.mktemp("log"))
    for start in range(0, len(arrived), at_once):
        for some in arrived[start : start + at_once]:
            blob = b"\n".join(ledger.encode(each) for each in some)
            held._connection.execute(SQL["add_intake"], ("elsewhere", blob))
        held._writer.drain()
    held.close()
    costs = (ledger.CostIntent, ledger.CostSettle)
    leaves = [ledger.decode(line) for line in held.reading.leaves()]
    for records in stories:
        name = records[0].replica
        assert [each for each in leaves if each.replica == name] == [
            each for each in records if not isinstance(each, costs)
        ]
    everything = [each for records in stories for each in records if isinstance(each, costs)]
    expected: dict[HourKey, HourSum] = hours.fold(everything, lambda _: None).sums
    assert dict(held.reading.cost_hours(ledger.Query())) == expected
    assert held.reading.rollups() == rollups.fold(leaves)  # type: ignore[arg-type]  # leaves
    assert held.reading.clashes() == []
    assert sequencing.Series(1, 0) not in held.reading.series().values()

"""What only a ledger on disk has: a lock, crashes it outlives, and faults it fails closed on."""

import asyncio
import random
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from gateway import ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger import sequencing
from gateway.stores.sqlite import ledger_file, opening, sequencer
from gateway.stores.sqlite.ledger_file import SQL, Connection, OfflineLedger
from gateway.stores.sqlite.reading import Reading
from gateway.stores.sqlite.writer import Batch
from tests.stores.ledgers import (
    KEY,
    SECRET,
    append,
    cost_intent,
    cost_settle,
    decision,
    fixed_clock,
    in_order,
    intent,
    numbered,
    open_ledger,
    refusal,
    reveal,
    settle,
    stamped,
)


async def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    first = open_ledger(tmp_path)
    with pytest.raises(ConfigError, match="another `goodgate serve` has its ledger here"):
        open_ledger(tmp_path)
    first.close()
    open_ledger(tmp_path).close()
    assert Reading(tmp_path).rows(ledger.Query()) == []


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(ConfigError, match="a newer Goodgate wrote this file"):
        open_ledger(tmp_path)


def test_a_folder_without_a_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no ledger here"):
        Reading(tmp_path).rows(ledger.Query())


def test_what_commits_survives_a_power_cut(tmp_path: Path) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    connection.close()


async def test_an_append_and_a_checkpoint_are_committed_with_an_fsync_and_a_slice_is_not(
    tmp_path: Path,
) -> None:
    """The intake holds a slice's records until the commit that removes them."""
    held = open_ledger(tmp_path)
    writer, connection = held._writer, held._connection
    for number in (1, 2):
        record = stamped(held, intent(number))
        writer.add(Batch([ledger.encode(record)], [record], (), print))
        assert connection.pragma("synchronous") == 2
        writer.drain()
        assert connection.pragma("synchronous") == 1
    writer.sequencer.move(sign=True)
    assert connection.pragma("synchronous") == 2
    held.close()


async def test_orphans_are_settled_at_the_bound_when_the_ledger_is_opened(tmp_path: Path) -> None:
    left = open_ledger(tmp_path)
    left.start(asyncio.get_running_loop())
    records = [intent(1), intent(2), settle(2), refusal(3), cost_intent(4), cost_intent(5)]
    await append(left, *records, cost_settle(5))
    left.close()

    opened = open_ledger(tmp_path)
    by_request = {row["request_id"]: row for row in opened.reading.rows(ledger.Query())}
    orphan = by_request[intent(1).request_id]
    assert (orphan["completion"], orphan["usage_basis"]) == ("unknown_crash", "estimated")
    assert (orphan["input_tokens"], orphan["output_tokens"]) == (100, 900)
    assert orphan["cost_usd"] == "0.5"
    assert by_request[intent(2).request_id]["completion"] == "complete"
    [(_, came_to)] = opened.reading.cost_hours(ledger.Query())
    assert (came_to.calls, came_to.tokens, came_to.cost_usd) == (2, 1_030, Decimal("0.6"))
    size = len(in_order(opened))
    opened.close()
    again = open_ledger(tmp_path)
    assert len(in_order(again)) == size
    again.close()


async def test_a_command_appends_beside_a_running_server(tmp_path: Path) -> None:
    server = open_ledger(tmp_path)
    server.start(asyncio.get_running_loop())
    offline = OfflineLedger(tmp_path)
    [first, second] = [offline.stamp(), offline.stamp()]
    assert first[0] != second[0]
    looked = [
        reveal(number, replica=name, replica_seq=2)
        for number, (name, _) in enumerate((first, second))
    ]
    for each in looked:
        assert await offline.append(each) == ""
    await append(server, intent(2))
    await server.flush()
    leaves = [ledger.decode(line) for line in server.reading.leaves()]
    for each in looked:
        of_it = [leaf for leaf in leaves if leaf.replica == each.replica]
        assert [(leaf.kind, leaf.replica_seq) for leaf in of_it] == [
            ("replica_start", 1),
            ("reveal", 2),
            ("replica_end", 3),
        ]
    assert server.reading.series()[first[0]].ended
    server.close()


async def test_lines_that_are_no_records_are_set_aside(tmp_path: Path) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    blob = b"\n".join([ledger.encode(intent(1)), b'{"kind":"nonsense"}', ledger.encode(settle(1))])
    connection.execute(SQL["add_intake"], ("r0", blob))
    connection.close()
    opened = open_ledger(tmp_path)
    assert [row["completion"] for row in opened.reading.rows(ledger.Query())] == ["complete"]
    assert opened.reading.clashes() == [("unreadable", b'{"kind":"nonsense"}')]
    opened.close()


async def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    closed = open_ledger(tmp_path)
    closed.start(asyncio.get_running_loop())
    last = closed.append(stamped(closed, intent(1)))
    closed.close()
    assert await last
    with pytest.raises(LedgerUnavailable, match="it is closed"):
        closed.append(stamped(closed, intent(2)))
    for ask in (closed.cosign(1, "line"), closed.flush()):
        with pytest.raises(LedgerUnavailable, match="it is closed"):
            await ask
    assert len(Reading(tmp_path).rows(ledger.Query())) == 1


async def test_a_salt_is_durable_with_the_record_that_needs_it(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    held.start(asyncio.get_running_loop())
    commitment = held.commitment("alice", intent(1).received_at_us)
    await append(held, intent(1, principal=commitment))
    assert Reading(tmp_path).persons() == {commitment: "alice"}
    held.close()
    again = open_ledger(tmp_path)
    assert again.commitment("alice", intent(1).received_at_us) == commitment
    again.close()


async def test_old_decisions_are_pruned(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    old = intent(1).received_at_us - 31 * 86_400 * 1_000_000
    connection = held._connection
    connection.execute(SQL["add_decisions"], (old, old, ledger.encode(decision(1))))
    held._writer._prune()
    assert list(Reading(tmp_path).decision_log()) == []
    held.close()


class Faulty:
    """A connection on which the nth statement fails, once."""

    def __init__(self, connection: apsw.Connection, fails_at: int) -> None:
        self._connection = connection
        self._left = fails_at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in ("execute", "executemany"):
            return found
        self._left -= 1
        if self._left == 0:
            raise apsw.IOError("disk I/O error")
        return found


FIRST = numbered(intent(1), cost_intent(20), intent(2), settle(1))
SECOND = numbered(settle(2), cost_settle(20), refusal(3), reveal(4), cost_intent(21), first=4)
STORY = [FIRST, [*SECOND, SECOND[0]]]


def made_sequencer(connection: Connection) -> sequencer.Sequencer:
    log = opening.found_log(connection, secret=SECRET, key=KEY, random=random.Random(1).randbytes)
    return sequencer.Sequencer(
        connection,
        log,
        signer=opening.signer(log.origin, KEY),
        clock=fixed_clock,
        is_small=lambda _: False,
    )


def moved(connection: Connection, into: Any, records: list[ledger.Record]) -> None:
    """Add records to the intake, and sequence it through `into`."""
    work = made_sequencer(connection)
    work._connection = into
    connection.execute(SQL["add_intake"], ("r0", b"\n".join(map(ledger.encode, records))))
    found = connection.execute(SQL["all_intake"]).fetchall()
    groups = [sequencing.read(intake_id, held) for intake_id, _, held in found]
    work.move(groups, [(decision(1).at_us, ledger.encode(decision(1)))], sign=True)


TABLES = (
    *("intake", "leaf_run", "entry", "entry_rule", "other_leaf", "clash", "cost_open"),
    *("cost_hourly", "cost_pending", "tile", "checkpoint", "rollup", "rule_rollup", "series"),
    *("log", "decision_log"),
)


def state(connection: Connection) -> list[object]:
    return [connection.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES]


def test_a_fault_at_any_statement_leaves_the_slice_undone(tmp_path: Path) -> None:
    connection = ledger_file.open_to_write(tmp_path)
    moved(connection, connection, STORY[0])
    connection.execute(SQL["set_ready"])
    faults = 0
    while True:
        before = state(connection)
        try:
            moved(connection, Faulty(connection, faults + 1), STORY[1])
        except apsw.IOError:
            faults += 1
            assert not connection.in_transaction
            connection.execute("DELETE FROM intake")
            assert state(connection) == before
        else:
            break
    assert faults > 20
    assert connection.execute("SELECT count(*) FROM intake").get == 0
    connection.close()
    reading = Reading(tmp_path)
    assert [row["completion"] for row in reading.rows(ledger.Query())] == [
        None,
        "complete",
        "complete",
    ]
    assert len(reading.leaves()) == 6
    assert [size for size, _ in reading.checkpoints()] == [3, 6]
    [(_, came_to)] = reading.cost_hours(ledger.Query())
    assert (came_to.calls, came_to.tokens) == (1, 30)


def test_the_sequencers_own_numbers_are_dense_whatever_fails(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    work, connection = held._writer.sequencer, held._connection
    last = held.reading.series()["s1"].last_seq
    for fails_at in range(1, 8):
        work._connection = Faulty(connection, fails_at)  # type: ignore[assignment]  # acts as one
        own = [reveal(fails_at, replica=name, replica_seq=seq) for name, seq in [work.stamp()]]
        with pytest.raises(apsw.IOError):
            work.move(own=own)
        assert own[0].replica_seq == last + 1
    work._connection = connection
    work.move(own=[reveal(9, replica="s1", replica_seq=work.stamp()[1])])
    held.close()
    leaves = [ledger.decode(line) for line in Reading(tmp_path).leaves()]
    assert [each.replica_seq for each in leaves if each.replica == "s1"] == [1, 2, 3]


LOAD = """
import asyncio, sys
from pathlib import Path
from gateway.stores.sqlite.ledger import Ledger
from tests.stores.ledgers import cost_intent, cost_settle, decision, intent, settle, stamped

first = int(sys.argv[2])

async def job(ledger, number):
    while True:
        ledger.note(decision(number))
        if number % 3:
            begun = intent(number, principal=ledger.commitment("p", number))
            done = settle(number)
        else:
            begun = cost_intent(number, reserved_tokens=1_000_000)
            done = cost_settle(number, tokens=1)
        waiting = ledger.append(stamped(ledger, begun))
        await asyncio.sleep(0)
        await waiting
        await ledger.append(stamped(ledger, done))
        sys.stdout.write(f"{number}\\n")
        number += 16

async def main():
    ledger = Ledger.open(Path(sys.argv[1]), secret=b"s" * 32, key=b"k" * 32)
    ledger.start(asyncio.get_running_loop())
    await asyncio.gather(*[job(ledger, first + number) for number in range(16)])

sys.stdout.reconfigure(line_buffering=True)
asyncio.run(main())
"""


async def acknowledged_until_killed(folder: Path, first: int, after: int) -> set[int]:
    """Run the load, kill it after so many acknowledgements, and return all it had printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LOAD, str(folder), str(first)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return {int(line) for line in lines if line.endswith(b"\n")}


async def test_nothing_acknowledged_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    rounds = random.Random(7)
    acknowledged: set[int] = set()
    for number in range(20):
        first = number * 1_000_000
        acknowledged |= await acknowledged_until_killed(tmp_path, first, rounds.randint(1, 900))

    open_ledger(tmp_path).close()
    reading = Reading(tmp_path)
    rows = reading.rows(ledger.Query(limit=10**9))
    linked = {int(str(row["attempt_id"])[4:], 16) for row in rows}
    assert len(linked) == len(rows)
    assert {number for number in acknowledged if number % 3} <= linked
    assert all(row["completion"] in ("complete", "unknown_crash") for row in rows)

    leaves = [ledger.decode(line) for line in reading.leaves()]
    intents = [leaf.attempt_id for leaf in leaves if isinstance(leaf, ledger.Intent)]
    settles = [leaf.attempt_id for leaf in leaves if isinstance(leaf, ledger.Settle)]
    assert len(intents) == len(set(intents)) == len(settles) == len(set(settles)) == len(rows)
    lived = {leaf.attempt_id for leaf in leaves if getattr(leaf, "completion", "") == "complete"}
    assert {f"att_{number:032x}" for number in acknowledged if number % 3} <= lived

    [(_, came_to)] = reading.cost_hours(ledger.Query())
    orphans, settled = divmod(came_to.tokens, 1_000_000)
    assert came_to.calls == settled + orphans
    assert settled >= sum(1 for number in acknowledged if number % 3 == 0)
    assert came_to.cost_usd == settled * Decimal("0.1") + orphans * Decimal("0.5")
    assert reading.clashes() == []


async def test_a_record_that_is_not_urgent_shares_the_fsync_of_one_that_is(tmp_path: Path) -> None:
    held = open_ledger(tmp_path)
    held.start(asyncio.get_running_loop())

    patient = held.append(stamped(held, intent(1)), urgent=False)
    assert not held._gathering._armed
    await held.append(stamped(held, settle(1)))

    assert patient.done()
    held.close()


async def test_a_record_that_is_not_urgent_is_durable_soon_or_when_asked_for(
    tmp_path: Path,
) -> None:
    held = open_ledger(tmp_path)
    held.start(asyncio.get_running_loop())

    await held.append(stamped(held, intent(1)), urgent=False)
    patient = held.append(stamped(held, intent(2)), urgent=False)
    held.expedite()
    assert held._gathering._armed
    await patient

    held.expedite()
    assert not held._gathering._armed
    held.close()

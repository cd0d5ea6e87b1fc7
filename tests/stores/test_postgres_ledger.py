"""The ledger in PostgreSQL where no other store is like it: see test_ledger and test_log."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from gateway import ledger
from gateway.errors import ConfigError, LedgerCorrupt, LedgerUnavailable
from gateway.ledger.hours import HourKey
from gateway.stores.postgres import connection, intake, leading, parcels
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.intake import Ended
from gateway.stores.postgres.ledger import Ledger, Place
from gateway.stores.postgres.parcels import Parcel
from gateway.stores.postgres.reading import Reading
from gateway.stores.postgres.sequencer import SLICE_RECORDS, Sequencer
from gateway.stores.postgres.tidying import Tidying
from tests.stores import fleets, postgreses
from tests.stores.fleets import faults, started, wait
from tests.stores.ledgers import (
    HOUR,
    KEY,
    NOW_US,
    SECRET,
    append,
    cost_intent,
    cost_settle,
    intent,
    rows,
    settle,
    stamped,
)


@pytest.fixture
def url() -> str:
    return postgreses.url()


@pytest.fixture
def session(url: str) -> Iterator[Connection]:
    with closing(connection.connect(connection.read(url))) as made:
        yield made


@pytest.fixture
async def unordered(url: str, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger that nobody puts in order."""
    made = fleets.opened(Place(url=url, folder=tmp_path))
    made._gathering.start(asyncio.get_running_loop())
    yield made
    await asyncio.to_thread(made.close)


async def test_what_nobody_has_put_in_order_is_read_all_the_same(
    unordered: Ledger, session: Connection
) -> None:
    term = Sequencer(session, unordered._standing)
    await append(unordered, intent(1), cost_intent(7))
    assert term.slice() > 0
    await append(unordered, settle(1), cost_settle(7), intent(2), settle(2), intent(3))
    assert [(row["index"], row["completion"]) for row in rows(unordered)] == [
        (None, None),
        (None, "complete"),
        (unordered.reading.size() - 1, "complete"),
    ]
    assert unordered.spent(since_us=0, columns=["team"], unit="tokens") == [(("payments",), 90)]
    assert unordered.spent(since_us=NOW_US + 2, columns=["task.id"], unit="calls") == [
        (("PROJ-2",), 1)
    ]
    [(key, came_to)] = unordered.reading.cost_hours(ledger.Query())
    assert (key, came_to.calls) == (HourKey(HOUR, "payments", "fast", "unknown"), 1)


async def test_a_slice_takes_as_much_as_it_can_and_leaves_the_rest(
    unordered: Ledger, session: Connection
) -> None:
    term = Sequencer(session, unordered._standing)
    count = 3 * SLICE_RECORDS
    for first in range(0, count, 256):
        await append(unordered, *[intent(number) for number in range(first, first + 256)])
    moved = [term.slice() for _ in range(40)]
    assert sum(moved) == count + 2  # with its start, and the policy in force
    assert max(moved) < 2 * SLICE_RECORDS
    assert unordered.reading.series()[unordered.replica].last_seq == count + 2
    assert len(unordered.reading.checkpoints()) >= 2


async def test_unlinked_calls_of_a_process_that_is_gone_are_settled_at_their_bound(
    unordered: Ledger, session: Connection
) -> None:
    term = Sequencer(session, unordered._standing)
    await append(unordered, cost_intent(1), cost_intent(2, settled=True), intent(3))
    while term.slice():
        pass
    session.execute(b"UPDATE ledger_replica SET lease_s = 0, seen_at = '-infinity'")
    tidying = Tidying(session, unordered._standing, term)
    tidying.often(may_declare=True)
    tidying.seldom()
    term.end()
    [(_, came_to)] = unordered.reading.cost_hours(ledger.Query())
    assert (came_to.calls, came_to.refused, came_to.tokens) == (2, 1, 1_000)
    assert [row["completion"] for row in rows(unordered)] == ["unknown_crash"]
    assert unordered.reading.series()[term.replica].last_cost_seq == 1


async def test_what_a_lost_process_left_is_told_by_the_next_in_its_folder(
    url: str, session: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "ASK_S", 0.02)
    async with started(Place(url=url, folder=tmp_path / "a")) as leads:
        leads._leading._standing = structs.replace(leads._standing, lease_s=0)
        gone = fleets.opened(Place(url=url, folder=tmp_path / "b"))
        gone._gathering.start(asyncio.get_running_loop())
        await append(gone, intent(1), cost_intent(2))
        # Its disk, as a crash leaves it that came while the database was away.
        late = [stamped(gone, settle(1)), stamped(gone, cost_settle(2)), stamped(gone, intent(3))]
        lines = [ledger.encode(each) for each in late]
        gone._spool.put(Parcel(gone.replica, gone._writer._group_seq + 1, lines, late))
        shutil.copytree(tmp_path / "b", tmp_path / "c")
        gone._spool.remove(2**62, 3)
        session.execute(
            b"UPDATE ledger_replica SET lease_s = 0, seen_at = '-infinity' WHERE name = %s",
            (gone.replica,),
        )
        await asyncio.to_thread(wait, lambda: intake.has_ended(session, gone.replica))
        async with started(Place(url=url, folder=tmp_path / "c")) as after:
            await append(after, settle(3))
            await after.flush()
            assert after.reading.series()[after.replica].last_seq == 5
            assert [row["completion"] for row in rows(after)] == ["complete", "complete"]
        await asyncio.to_thread(gone.close)
    assert faults(url) == []


async def test_nothing_is_added_under_a_name_that_has_ended(
    unordered: Ledger, session: Connection
) -> None:
    given, name = unordered._standing, unordered.replica
    [record] = await append(unordered, intent(1))
    session.execute(b"UPDATE ledger_replica SET ended_at = now() WHERE name = %s", (name,))
    parcel = Parcel(name, 9, [ledger.encode(record)], [record])
    with pytest.raises(Ended):
        intake.add(session, given, parcel)
    with pytest.raises(Ended):
        intake.add(session, given, structs.replace(parcel, beside=parcels.Beside(pepper_mark="x")))
    row = session.execute(b"SELECT pepper_mark FROM ledger_log").fetchone()
    assert row == ("",)


async def test_what_a_replica_left_is_in_order_before_it_is_declared_lost(
    unordered: Ledger, session: Connection
) -> None:
    name = unordered.replica
    term = Sequencer(session, unordered._standing)
    tidying = Tidying(session, unordered._standing, term)
    await append(unordered, intent(1))
    session.execute(b"UPDATE ledger_replica SET lease_s = 0, seen_at = '-infinity'")
    tidying.declare_lost()
    assert intake.has_ended(session, name) is False
    while term.slice():
        pass
    tidying.declare_lost()
    assert intake.has_ended(session, name) is True
    term.end()
    assert unordered.reading.series()[name].ended
    leaf = ledger.decode(unordered.reading.leaves()[-2])
    assert isinstance(leaf, ledger.ReplicaEnd)
    assert (leaf.ended, leaf.last_seq, leaf.reason) == (name, 3, "lost")


@pytest.mark.parametrize(
    "change",
    [
        b"UPDATE ledger_tile SET packed = set_byte(packed, 6, 255 - get_byte(packed, 6))",
        b"DELETE FROM ledger_tile",
        b"UPDATE ledger_checkpoint SET size = size - 1",
        b"UPDATE ledger_checkpoint SET note = 'no note'",
    ],
)
async def test_a_tree_that_is_not_the_signed_one_is_not_gone_on_with(
    url: str, session: Connection, tmp_path: Path, change: bytes
) -> None:
    async with started(Place(url=url, folder=tmp_path)) as made:
        await append(made, intent(1))
        await made.flush()  # one that is closed before it leads signs nothing
    last = b"(SELECT max(size) FROM ledger_checkpoint)"
    session.execute(b"DELETE FROM ledger_checkpoint WHERE size < " + last)
    session.execute(change)
    with pytest.raises(LedgerCorrupt, match="was changed by something else"):
        fleets.opened(Place(url=url, folder=tmp_path))


async def test_a_leaf_that_is_gone_is_missed(url: str, session: Connection, tmp_path: Path) -> None:
    async with started(Place(url=url, folder=tmp_path)) as made:
        await append(made, *[intent(number) for number in range(3)])
        await made.flush()
        session.execute(b"DELETE FROM ledger_leaf_run WHERE first_index > 0")
        for question in (made.reading.leaves, lambda: rows(made)):
            with pytest.raises(LedgerCorrupt, match=r"leaf \d+ is missing"):
                question()


async def test_a_question_is_answered_though_the_session_of_the_last_one_was_ended(
    unordered: Ledger, session: Connection
) -> None:
    size = unordered.reading.size()
    assert len(unordered.reading._idle) == 1
    session.execute(
        b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        b" AND datname = current_database()"
    )
    assert unordered.reading.size() == size


async def test_reading_cannot_write(unordered: Ledger) -> None:
    with (
        pytest.raises(LedgerUnavailable, match="ReadOnlySqlTransaction"),
        unordered.reading._snapshot() as (held, _),
    ):
        held.execute(b"DELETE FROM ledger_call")


async def test_a_database_without_a_ledger_says_so(url: str) -> None:
    with pytest.raises(LedgerUnavailable, match="UndefinedTable"):
        Reading(connection.read(url)).size()


async def test_a_key_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 3 bytes, not 32"):
        Ledger.open(Place(url=url, folder=tmp_path), secret=SECRET, key=b"key")


async def test_a_writer_that_ends_by_an_error_of_its_own_leaves_nobody_waiting(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a mistake")

    hooked: list[object] = []
    monkeypatch.setattr("threading.excepthook", hooked.append)
    async with started(Place(url=url, folder=tmp_path)) as made:
        await append(made, intent(1))
        monkeypatch.setattr(intake, "add", broken)
        with pytest.raises(LedgerUnavailable, match="ended by an error of its own"):
            await made.append(stamped(made, settle(1)))
        assert made.failed
        with pytest.raises(LedgerUnavailable):
            made.append(stamped(made, settle(1)))
    assert len(hooked) == 1


async def test_who_stands_there_is_not_shown_with_a_secret(tmp_path: Path) -> None:
    url = "postgresql://me:s3cret@nowhere.invalid/goodgate"
    place = Place(url=url, folder=tmp_path)
    assert "s3cret" not in repr(place)
    with pytest.raises(ConfigError) as refused:
        Ledger.open(place, secret=SECRET, key=KEY)
    assert "s3cret" not in str(refused.value)


async def test_a_replica_that_never_leads_says_why(
    url: str, tmp_path: Path, session: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "ASK_S", 0.02)
    made = fleets.opened(Place(url=url, folder=tmp_path))
    session.execute(b"UPDATE ledger_log SET vkey = 'of another key'")
    made.start(asyncio.get_running_loop())
    await asyncio.to_thread(wait, lambda: made.state.problem)
    assert "is signed with another key" in made.state.problem
    assert made.state.epoch is None
    await append(made, intent(1))
    await asyncio.to_thread(made.close)

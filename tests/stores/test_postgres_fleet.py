"""Two replicas on one database: one sequences, whatever becomes of it, and nothing forks."""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs

from gateway import ledger
from gateway.errors import ConfigError
from gateway.stores.postgres import connection, leading, writer
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.ledger import Ledger, Place
from gateway.stores.postgres.sequencer import Deposed, Sequencer
from tests.stores import fleets, postgreses
from tests.stores.fleets import faults, fleet, in_order, started, wait
from tests.stores.ledgers import append, intent, rows, settle, stamped

KILLS = 100
UNGUARDED = ("leaf_run", "call", "open_call", "checkpoint")
"""Tables whose primary keys are a guard too."""


@pytest.fixture
def url() -> str:
    return postgreses.url()


@pytest.fixture
def session(url: str) -> Iterator[Connection]:
    with closing(connection.connect(connection.read(url))) as made:
        yield made


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have replicas ask each other every few milliseconds."""
    monkeypatch.setattr(leading, "ASK_S", 0.02)
    monkeypatch.setattr(writer, "BEAT_S", 0.02)


async def test_a_hundred_leaders_killed_leave_one_log(url: str, tmp_path: Path) -> None:
    chance = random.Random(5)
    with fleet(url, tmp_path) as made:
        for _ in range(KILLS):
            made.has_grown(by=chance.randrange(40))
            made.start(made.end(made.led(), signal.SIGKILL))
        made.stop()
        acknowledged = made.acknowledged()
    await fleets.settled(url, tmp_path)
    found = in_order(url)
    assert [each for each in acknowledged if each not in found] == []
    assert [each for each, times in found.items() if times > 1] == []
    assert faults(url) == []


async def test_without_the_guard_the_same_fleet_forks(url: str, tmp_path: Path) -> None:
    """Or the test above could not see one."""
    with fleet(url, tmp_path, is_guarded=False) as made:
        made.stop()
        for table in UNGUARDED:
            name = f"ledger_{table}"
            made.session.execute(f"ALTER TABLE {name} DROP CONSTRAINT {name}_pkey CASCADE".encode())
        for number in range(2):
            made.start(f"r{number}")
        made.has_appended(by=400)
        made.stop()
    assert faults(url) != []


async def test_a_leader_stopped_where_it_stands_comes_back_to_nothing(
    url: str, tmp_path: Path
) -> None:
    with fleet(url, tmp_path, lease_s=0.4, leader_lease_s=0.2) as made:
        for _ in range(3):
            made.has_grown(by=50)
            paused = made.led()
            made.send(paused, signal.SIGSTOP)
            made.is_led_by_another(paused)
            made.has_grown(by=50)
            made.send(paused, signal.SIGCONT)
        made.has_grown(by=200)
        made.stop()
        acknowledged = made.acknowledged()
    await fleets.settled(url, tmp_path)
    found = in_order(url)
    assert [each for each in acknowledged if each not in found] == []
    assert faults(url) == []


async def test_a_sequencer_another_took_over_from_writes_nothing(
    url: str, session: Connection, tmp_path: Path
) -> None:
    made = fleets.opened(Place(url=url, folder=tmp_path))
    with closing(connection.connect(connection.read(url))) as other:
        first = Sequencer(session, made._standing)
        assert first.slice() > 0
        second = Sequencer(other, made._standing)
        assert second.epoch == first.epoch + 1
        for work in (first.slice, first.end):
            with pytest.raises(Deposed):
                work()
        assert not first.is_led()
        assert second.is_led()
        second.end()
    await asyncio.to_thread(made.close)
    assert faults(url) == []


@pytest.mark.usefixtures("_quick")
async def test_a_leader_whose_session_is_ended_takes_over_again(
    url: str, session: Connection, tmp_path: Path
) -> None:
    async with started(Place(url=url, folder=tmp_path)) as made:
        for number in range(3):
            await append(made, intent(number), settle(number))
            session.execute(
                b"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                b" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await made.flush()
        epoch = made.state.epoch
    assert epoch is not None
    assert epoch > 1
    assert faults(url) == []


@pytest.mark.usefixtures("_quick")
async def test_a_lost_replica_goes_on_under_another_name(
    url: str, session: Connection, tmp_path: Path
) -> None:
    async with (
        started(Place(url=url, folder=tmp_path / "a")) as leads,
        started(Place(url=url, folder=tmp_path / "b")) as lost,
    ):
        # Nobody waits half a minute before it declares another lost.
        leads._leading._standing = structs.replace(leads._standing, lease_s=0)
        before = lost.replica
        await append(lost, intent(1), intent(2), settle(2))
        await lost.flush()
        session.execute(
            b"UPDATE ledger_replica SET lease_s = 0, seen_at = '-infinity' WHERE name = %s",
            (before,),
        )
        await asyncio.to_thread(wait, lambda: rows(leads)[1]["completion"] == "unknown_crash")
        late = stamped(lost, settle(1))
        await lost.append(late)
        # New calls are refused until the series goes on: that is a moment after the record came.
        await asyncio.to_thread(
            wait, lambda: lost.replica != before and lost._writer.away_since_s is None
        )
        await append(lost, intent(3))
        await lost.flush()
        await append(lost, settle(3))
        await leads.flush()
        leaves = [ledger.decode(line) for line in leads.reading.leaves()]
        assert [
            (each.reason, each.ended) for each in leaves if isinstance(each, ledger.ReplicaEnd)
        ] == [("lost", before)]
        [adjust] = [each for each in leaves if isinstance(each, ledger.Adjust)]
        assert (adjust.replica, adjust.output_tokens) == (lost.replica, 20)
        assert [row["completion"] for row in rows(leads)] == ["complete"] * 3
    assert faults(url) == []


async def test_only_one_process_uses_a_folder(url: str, tmp_path: Path) -> None:
    async with started(Place(url=url, folder=tmp_path)):
        with pytest.raises(ConfigError, match="another `goodgate serve` uses this data folder"):
            fleets.opened(Place(url=url, folder=tmp_path))


async def test_replicas_sign_with_one_key(url: str, tmp_path: Path) -> None:
    async with started(Place(url=url, folder=tmp_path / "a")):
        with pytest.raises(ConfigError, match="is signed with another key"):
            Ledger.open(Place(url=url, folder=tmp_path / "b"), secret=b"s" * 32, key=b"o" * 32)


@pytest.mark.usefixtures("_quick")
async def test_a_person_is_forgotten_by_every_replica(url: str, tmp_path: Path) -> None:
    async with (
        started(Place(url=url, folder=tmp_path / "a")) as one,
        started(Place(url=url, folder=tmp_path / "b")) as other,
    ):
        before = [each.commitment("alice", 1_795_000_000_000_000) for each in (one, other)]
        kept = other.commitment("bob", 1_795_000_000_000_000)
        for number, each in enumerate((one, other)):
            await append(each, intent(number, principal=before[number]))
        assert await one.erase("alice", auditor="key-1", reason="asked to") == 2
        assert one.reading.commitments("alice") == frozenset()

        async def has_forgotten() -> bool:
            await append(other, intent(other._seq + 10))
            return "alice" not in other._names.people()

        async with asyncio.timeout(fleets.DEADLINE_S):
            while not await has_forgotten():
                pass
        after = other.commitment("alice", 1_795_000_000_000_000)
        await append(other, intent(9_999, principal=after))
        assert after not in before
        assert one.reading.commitments("alice") == {after}
        assert other.commitment("bob", 1_795_000_000_000_000) == kept


async def test_a_crashed_process_is_ended_by_the_next_in_its_folder(
    url: str, tmp_path: Path
) -> None:
    with fleet(url, tmp_path, replicas=1) as made:
        made.has_grown(by=20)
        made.end(made.led(), signal.SIGKILL)
        async with started(Place(url=url, folder=tmp_path / "r0")) as after:
            await after.flush()
            leaves = [ledger.decode(line) for line in after.reading.leaves()]
    starts = [each for each in leaves if isinstance(each, ledger.ReplicaStart)]
    ends = [each for each in leaves if isinstance(each, ledger.ReplicaEnd)]
    assert starts[-1].role == "gateway" or starts[-2].role == "gateway"
    crashed = [each.ended for each in ends if each.replica == after.replica]
    assert crashed == [each.previous for each in starts if each.replica == after.replica]
    assert faults(url) == []

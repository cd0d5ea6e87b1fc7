"""The database stopped, killed, frozen: nothing acknowledged is lost, and nothing is told twice."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from msgspec import structs

from gateway import ledger
from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger import promises
from gateway.stores.postgres import intake, leading, returning, writer
from gateway.stores.postgres.connection import Address, Connection
from gateway.stores.postgres.ledger import Ledger, Place
from gateway.stores.postgres.parcels import Parcel
from gateway.stores.postgres.standing import Standing
from tests.stores import fleets, postgreses
from tests.stores.fleets import faults, fleet, in_order, started, wait
from tests.stores.ledgers import (
    append,
    cost_intent,
    cost_settle,
    decision,
    intent,
    reveal,
    rows,
    settle,
    stamped,
)

POLICY = f"sha256:{'b' * 16}"


@pytest.fixture(scope="module")
def server() -> Iterator[postgreses.Server]:
    """Return a server of this module's own, to be stopped and frozen."""
    made = postgreses.Server()
    made.start()
    yield made
    made.discard()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have replicas ask every few milliseconds for what they wait for."""
    monkeypatch.setattr(leading, "ASK_S", 0.02)
    monkeypatch.setattr(writer, "BEAT_S", 0.02)
    monkeypatch.setattr(returning, "ASK_S", 0.02)
    monkeypatch.setattr(returning, "WRITE_S", 0.2)


async def _back(made: Ledger) -> None:
    await asyncio.to_thread(wait, lambda: made.state.away_since_s is None)


async def _away(made: Ledger) -> None:
    await asyncio.to_thread(wait, lambda: made.state.away_since_s is not None)


def _calls(made: Ledger) -> list[ledger.Record]:
    leaves = [ledger.decode(line) for line in made.reading.leaves()]
    return [each for each in leaves if isinstance(each, ledger.Intent | ledger.Settle)]


async def test_while_it_is_away_calls_are_settled_and_none_is_made(
    server: postgreses.Server, tmp_path: Path
) -> None:
    url = server.fresh()
    async with started(Place(url=url, folder=tmp_path)) as made:
        before = await append(made, intent(1), intent(2), cost_intent(9))
        server.stop()
        await _away(made)
        for record in (intent(3), cost_intent(4), reveal(5)):
            with pytest.raises(LedgerUnavailable, match="database is away"):
                made.append(stamped(made, record))
        after = await append(made, settle(1), settle(2), cost_settle(9))
        assert made.state.spooled == 3
        with pytest.raises(LedgerUnavailable):
            await made.flush()
        with pytest.raises(LedgerUnavailable):
            rows(made)
        server.start()
        await _back(made)
        assert made.state.spooled == 0
        last = await append(made, intent(6), settle(6))
        await made.flush()
        expected = [*before[:2], *after[:2], *last]
        assert _calls(made) == expected
        assert [each.replica_seq for each in _calls(made)] == list(range(3, 9))
    assert faults(url) == []


async def test_calls_are_let_through_into_the_spool_where_the_policy_says_so(
    server: postgreses.Server, tmp_path: Path
) -> None:
    url = server.fresh()
    where = Place(url=url, folder=tmp_path, on_failure=lambda: "spool")
    async with started(where) as made:
        assert promises.Promise.parse(await made.append(stamped(made, intent(1))))
        server.stop()
        await _away(made)
        commitment = made.commitment("alice", 1_795_000_000_000_000)
        for number in range(2, 50):
            # Its own disk is not the log: of that nothing is promised.
            call = stamped(made, intent(number, principal=commitment))
            assert await made.append(call) == ""
            await append(made, settle(number))
        made.policy_in_force(POLICY, [("policies/b.yaml", "text")])
        made.note(decision(1))
        server.start()
        await _back(made)
        assert promises.Promise.parse(await made.append(stamped(made, intent(50))))
        await made.flush()
        assert [row["request_id"] for row in rows(made, limit=3)] == [
            f"req_{number:032x}" for number in (50, 49, 48)
        ]
        assert len(_calls(made)) == 2 + 2 * 48
        assert made.reading.commitments("alice") == {commitment}
        assert made.reading.policy_files(POLICY) == [("policies/b.yaml", "text")]
        assert list(made.reading.decision_log()) == [decision(1)]
    assert faults(url) == []


@pytest.mark.parametrize("on_failure", ["closed", "spool"])
async def test_a_server_killed_under_load_loses_nothing(
    server: postgreses.Server, tmp_path: Path, on_failure: Any
) -> None:
    url = server.fresh()
    with fleet(url, tmp_path, on_failure=on_failure, callers=4) as made:
        for _ in range(3):
            made.has_appended(by=60)
            server.restart()
            made.reconnect()
            made.has_grown(by=60)
        made.stop()
        acknowledged = made.acknowledged()
    await fleets.settled(url, tmp_path)
    found = in_order(url)
    assert [each for each in acknowledged if each not in found] == []
    assert faults(url) == []


async def test_a_crash_with_a_full_spool_is_made_up_for_by_the_next_start(
    server: postgreses.Server, tmp_path: Path
) -> None:
    url = server.fresh()
    with fleet(url, tmp_path, replicas=1, on_failure="spool") as made:
        made.has_appended(by=20)
        server.stop()
        made.has_appended(by=100)
        [name] = made.running
        made.start_again(name, server)
        made.stop()
        acknowledged = made.acknowledged()
    await fleets.settled(url, tmp_path)
    found = in_order(url)
    assert [each for each in acknowledged if each not in found] == []
    assert faults(url) == []


async def test_a_server_that_hangs_is_away(server: postgreses.Server, tmp_path: Path) -> None:
    url = server.fresh()
    async with started(Place(url=url, folder=tmp_path)) as made:
        await append(made, intent(1))
        server.pause()
        try:
            # Its fate is not known, so it is in the spool and not refused.
            assert await made.append(stamped(made, intent(2))) == ""
            assert made.state.away_since_s is not None
        finally:
            server.resume()
        await _back(made)
        await append(made, settle(1), settle(2))
        await made.flush()
        assert len(_calls(made)) == 4
    assert faults(url) == []


async def test_what_may_have_arrived_is_sent_again_and_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgreses.url()
    add = intake.add
    cut = iter([True, False, True])

    def torn(session: Connection, given: Standing, parcel: Parcel) -> None:
        add(session, given, parcel)
        if next(cut, False):
            raise psycopg.OperationalError("the answer was lost")

    async with started(Place(url=url, folder=tmp_path)) as made:
        monkeypatch.setattr(intake, "add", torn)
        for number in range(5):
            await append(made, intent(number), settle(number))
            await _back(made)
        await made.flush()
        assert len(_calls(made)) == 10
        assert made.reading.clashes() == []
    assert faults(url) == []


async def test_a_group_that_is_in_order_already_changes_nothing(tmp_path: Path) -> None:
    url = postgreses.url()
    async with started(Place(url=url, folder=tmp_path)) as made:
        sent = await append(made, intent(1), settle(1))
        await made.flush()
        size = made.reading.size()
        lines = [ledger.encode(each) for each in sent]
        group_seq = made._writer._group_seq
        with made._administering._session() as session:
            again = Parcel(made.replica, group_seq, lines, sent)
            intake.add(session, made._standing, again)
            wait(lambda: session.execute(b"SELECT count(*) FROM ledger_intake").fetchone() == (0,))
        await append(made, intent(2))
        await made.flush()
        assert made.reading.size() == size + 1
    assert faults(url) == []


async def test_what_waits_of_a_lost_replica_is_told_under_its_new_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgreses.url()
    opened = returning.opened
    is_cut = True

    def cut(address: Address) -> Connection:
        if is_cut and address.parameters["application_name"] == "cut":
            raise psycopg.OperationalError("the cable is out")
        return opened(address)

    where = Place(url=fleets.named(url, "cut"), folder=tmp_path / "b", on_failure=lambda: "spool")
    async with (
        started(Place(url=url, folder=tmp_path / "a")) as leads,
        started(where) as lost,
    ):
        leads._leading._standing = structs.replace(leads._standing, lease_s=0)
        before = lost.replica
        await append(lost, intent(1))
        await lost.flush()
        monkeypatch.setattr(returning, "opened", cut)
        with leads._administering._session() as session:
            session.execute(
                b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                b" WHERE application_name = 'cut' AND datname = current_database()"
            )
            await _away(lost)
            await append(lost, settle(1), intent(2), cost_intent(3), settle(2))
            session.execute(b"UPDATE ledger_replica SET lease_s = 0 WHERE name = %s", (before,))
            wait(lambda: intake.has_ended(session, before))
        is_cut = False
        await _back(lost)
        await append(lost, cost_settle(3), intent(4))
        assert lost.replica != before
        await lost.flush()
        assert [row["completion"] for row in rows(leads)] == [None, "complete", "complete"]
        assert [each.replica for each in _calls(leads) if each.n == 0][-1] == lost.replica
    assert faults(url) == []


async def test_a_folder_with_records_for_one_log_is_not_used_for_another(
    server: postgreses.Server, tmp_path: Path
) -> None:
    url = server.fresh()
    async with started(Place(url=url, folder=tmp_path / "a")) as made:
        await append(made, intent(1))
        server.stop()
        await _away(made)
        await append(made, settle(1))
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        server.start()
        await _back(made)
    other = server.fresh()
    with pytest.raises(ConfigError, match="records wait here for the log goodgate/"):
        fleets.opened(Place(url=other, folder=tmp_path / "b"))
    fleets.opened(Place(url=other, folder=tmp_path / "a")).close()


@pytest.mark.parametrize(
    ("error", "dies"), [(apsw.IOError("fsync"), True), (apsw.FullError("full"), False)]
)
async def test_a_spool_that_cannot_be_written_ends_the_ledger(
    server: postgreses.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    dies: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    said: list[str] = []
    where = Place(url=server.fresh(), folder=tmp_path)
    made = Ledger.open(where, secret=b"s" * 32, key=b"k" * 32, die=said.append)
    made.start(asyncio.get_running_loop())
    await append(made, intent(1))
    server.stop()
    await _away(made)

    class Broken:
        in_transaction = False

        def execute(self, *_: object) -> None:
            raise error

    held = made._spool._file
    monkeypatch.setattr(made._spool, "_file", Broken())
    with pytest.raises(LedgerUnavailable, match="the spool takes no record"):
        await made.append(stamped(made, settle(1)))
    assert bool(said) is dies
    assert made.failed
    with pytest.raises(LedgerUnavailable):
        made.append(stamped(made, settle(1)))
    monkeypatch.setattr(made._spool, "_file", held)
    await asyncio.to_thread(made.close)
    server.start()

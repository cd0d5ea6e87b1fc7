"""Records told anew under another name: in order, without a gap, each once."""

from gateway import ledger
from gateway.ledger import series
from gateway.ledger.pseudonyms import Salt
from gateway.stores.postgres import parcels
from gateway.stores.postgres.parcels import Beside, Parcel, PolicyText, Shift
from tests.stores.ledgers import NOW_US, cost_intent, cost_settle, intent, settle

SHIFTS = {"r0": Shift("r1", 4, 2)}
"""The leaves of r0 ended at 5, and r1 begins with a start of its own; of costs there were 2."""


def _start() -> Parcel:
    first = series.start("r1", "gateway", at_us=NOW_US, version="1", previous="r0")
    return Parcel("r1", 1, [ledger.encode(first)], [first])


def _parcel(group_seq: int, *records: ledger.Record, beside: Beside = parcels.NOTHING) -> Parcel:
    return Parcel("r0", group_seq, [ledger.encode(each) for each in records], records, beside)


def test_what_follows_goes_on_with_the_numbers_of_the_new_series() -> None:
    waiting = [
        _parcel(7, intent(1, replica_seq=5), settle(1, replica_seq=6)),
        _parcel(8, cost_intent(2, replica_seq=2), cost_settle(2, replica_seq=3)),
        _parcel(9, intent(3, replica_seq=7)),
    ]
    made = parcels.going_on(waiting, SHIFTS, _start())
    records = [record for parcel in made for record in parcel.records]
    assert [(each.kind, each.replica, each.replica_seq) for each in records] == [
        ("replica_start", "r1", 1),
        ("settle", "r1", 2),
        ("cost_settle", "r1", 1),
        ("intent", "r1", 3),
    ]
    assert [parcel.group_seq for parcel in made] == [1, 2, 3, 4]
    assert [ledger.decode(line) for parcel in made for line in parcel.lines] == records


def test_what_is_kept_beside_records_stays_when_none_of_them_is_left() -> None:
    beside = Beside(NOW_US, [Salt(principal="alice", month="2026-11", salt=b"s")])
    waiting = [_parcel(1, intent(1, replica_seq=5), beside=beside), _parcel(2)]
    made = parcels.going_on(waiting, SHIFTS, _start())
    assert [(parcel.group_seq, parcel.beside) for parcel in made[1:]] == [(1, beside)]


def test_the_end_of_the_old_series_is_not_told_of_the_new_one() -> None:
    end = series.stopped(("r0", 6), 2, NOW_US)
    waiting = [_parcel(1, end)]
    assert waiting[0].is_last
    assert parcels.going_on(waiting, SHIFTS, _start()) == [_start()]


def test_a_series_that_ends_under_another_name_ends_with_its_numbers() -> None:
    end = parcels.restamped(series.stopped(("r0", 9), 5, NOW_US), SHIFTS)
    assert isinstance(end, ledger.ReplicaEnd)
    assert (end.replica, end.ended, end.replica_seq, end.last_seq) == ("r1", "r1", 5, 5)
    assert end.last_cost_seq == 3


def test_a_name_may_change_twice() -> None:
    shifts = SHIFTS | {"r1": Shift("r2", 1, 1)}
    made = parcels.restamped(settle(1, replica_seq=9), shifts)
    assert (made.replica, made.replica_seq) == ("r2", 4)


def test_a_parcel_is_kept_as_bytes() -> None:
    texts = [PolicyText("sha256:a", NOW_US, b"z")]
    beside = Beside(NOW_US, [Salt(principal="ä", month="2026-11", salt=b"\0")], texts, "mark")
    for parcel in (_parcel(3, intent(1), settle(1), beside=beside), _parcel(3, beside=beside)):
        assert parcel.beside
        read = parcels.read("r0", 3, *parcels.packed(parcel))
        assert [*read.records] == [*parcel.records]
        assert read.beside == beside
    assert not parcels.NOTHING


def test_a_mark_names_nobody_and_is_the_deployments_own() -> None:
    mark = parcels.mark(b"s" * 32, "alice")
    assert mark == parcels.mark(b"s" * 32, "alice")
    assert mark not in {parcels.mark(b"t" * 32, "alice"), parcels.mark(b"s" * 32, "bob")}
    assert b"alice" not in mark

"""How series begin and end."""

import pytest

from gateway import ledger
from gateway.ledger import series


def test_a_series_starts_with_its_number_one_and_ends_with_its_last() -> None:
    start = series.start("r1", "gateway", at_us=1, version="1.0", previous="r0")
    assert (start.replica, start.replica_seq, start.previous, start.epoch) == ("r1", 1, "r0", 0)
    end = series.stopped(("r1", 9), 4, 2)
    assert (end.ended, end.replica, end.last_seq, end.replica_seq) == ("r1", "r1", 9, 9)
    assert (end.last_cost_seq, end.reason) == (4, "stopped")


@pytest.mark.parametrize("reason", ["crashed", "lost"])
def test_whoever_ends_anothers_series_does_so_with_its_own_number(reason: str) -> None:
    end = series.ended("r1", (9, 4), reason, stamp=("s2", 2), at_us=3)  # type: ignore[arg-type]
    assert (end.ended, end.last_seq, end.last_cost_seq, end.reason) == ("r1", 9, 4, reason)
    assert (end.replica, end.replica_seq) == ("s2", 2)
    # One series ends once, whoever says so.
    assert (end.attempt_id, end.n) == (series.stopped(("r1", 9), 4, 2).attempt_id, 0)


def test_sequencers_are_named_by_their_epochs() -> None:
    name = series.sequencer(7)
    start = series.start(name, "sequencer", at_us=1, version="1.0", epoch=7)
    assert (start.replica, start.epoch, start.role) == ("s7", 7, "sequencer")


def test_a_mark_tells_secrets_apart_and_shows_nothing_of_them() -> None:
    marks = {
        series.mark("secret", b"s" * 32),
        series.mark("secret", b"t" * 32),
        series.mark("pepper", b"s" * 32),
    }
    assert len(marks) == 3
    assert {len(mark) for mark in marks} == {16}
    assert series.mark("secret", b"s" * 32) in marks


def test_each_rotation_is_a_leaf_of_its_own() -> None:
    first, second = (
        series.rotation("pepper", "0", "1", stamp=("s1", seq), at_us=1) for seq in (2, 3)
    )
    assert first.attempt_id != second.attempt_id
    assert (first.what, first.previous, first.current) == ("pepper", "0", "1")
    assert ledger.decode(ledger.encode(first)) == first

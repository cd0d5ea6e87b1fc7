"""Promises and receipts: the log is held to what it gave to callers."""

from typing import Any

import pytest

from gateway.ledger import merkle, promises
from gateway.ledger.promises import Promised
from gateway.ledger.proofs import Receipt
from gateway.ledger.verification import Report, verify
from tests.unit.ledger.exported import (
    FIRST,
    HOUR_US,
    ORIGIN,
    SECOND,
    STRANGER,
    Log,
    found,
    intent,
    report,
    retirement,
    rotation,
    trust,
)

NOW_S = HOUR_US // 1_000_000
LATER_S = NOW_S + 86_400


def log() -> Log:
    """Return a log of three calls; their intents stand at 2, 4 and 6."""
    made = Log().begin()
    for number in range(3):
        made.call(number)
    return made.sign()


def promise(
    made: Log, index: int, seq: int, by_s: int = LATER_S, leaf: bytes = b"", signer: Any = FIRST
) -> str:
    """Return the promise of an entry, in a group of two."""
    leaf = leaf or made.hashes[index]
    about = Promised(request_id=f"req_{index}", replica="r1", replica_seq=seq, leaf=leaf)
    other = Promised(request_id="req_x", replica="r1", replica_seq=99, leaf=bytes(32))
    return promises.make(signer, ORIGIN, by_s, [about, other])[0]


def lost(by_s: int, seq: int = 50) -> str:
    """Return the promise of an entry that is not in the log."""
    return promise(log(), 2, seq, by_s, b"l" * 32)


def test_promises_are_kept_or_pending() -> None:
    made = log()

    said = report(made, promises=[promise(made, 2, 3), f" {promise(made, 6, 7)}\n", lost(LATER_S)])

    assert (said.first, said.kept, said.pending, said.broken) == (None, 2, ["req_2"], [])


def test_a_promise_is_kept_by_an_entry_of_a_retired_period() -> None:
    made = log()
    for number in range(3, 130):
        made.call(number)
    made.add(retirement(made, 256, **made.next())).sign()

    said = verify(made.folder(first_bundle=1), trust(promises=[promise(made, 2, 3)]))

    assert (said.first, said.kept) == (None, 1)


def test_a_promise_in_whose_place_another_entry_stands_is_broken() -> None:
    made = log()

    said = report(made, promises=[promise(made, 2, 3), promise(made, 2, 5, leaf=b"l" * 32)])

    assert said.broken == ["req_2"]
    assert said.first is not None
    assert (said.first.index, said.first.kind, said.first.request_id) == (4, "promise", "req_2")
    assert "number 5 of replica r1" in said.first.what


def test_an_entry_with_its_hash_and_another_number_does_not_keep_a_promise() -> None:
    made = log()

    assert report(made, promises=[promise(made, 2, 5)]).broken == ["req_2"]


def test_a_promise_of_a_series_that_ended_before_is_broken() -> None:
    made = log().end().sign()

    assert "ended that series with number 9" in found(made, promises=[lost(LATER_S)])[2]


def test_a_promise_is_due_by_the_time_the_log_states() -> None:
    assert report(log(), promises=[lost(NOW_S)]).first is None

    made = log()
    made.add(intent(9, received_at_us=HOUR_US + 7_000_000, **made.next())).sign()
    assert "was to be in the log 7 s ago" in found(made, promises=[lost(NOW_S)])[2]


def test_a_promise_of_a_live_log_is_due_by_now() -> None:
    given = {"promises": [lost(LATER_S)], "now_s": LATER_S + 60}

    assert report(log(), **given).first is None
    live = verify(log().folder(), trust(whole_folder=False, **given)).first
    assert live is not None
    assert "60 s ago" in live.what


def test_a_promise_that_was_kept_is_kept_whenever_it_was_due() -> None:
    made = log()

    assert report(made, promises=[promise(made, 2, 3, by_s=5)]).kept == 1


@pytest.mark.parametrize("signer", [STRANGER, SECOND])
def test_a_promise_of_another_key_is_none_of_this_log(signer: Any) -> None:
    made = log()

    assert (
        "did not make this promise" in found(made, promises=[promise(made, 2, 3, signer=signer)])[2]
    )


def test_a_promise_that_was_altered_or_cannot_be_read_is_refused() -> None:
    made = log()
    altered = promise(made, 2, 3).replace("seq=3", "seq=4")

    assert "altered" in found(made, promises=[altered])[2]
    said = report(made, promises=["x=1"])
    assert said.broken == ["promise 1"]


def test_promises_of_every_key_of_the_log_count() -> None:
    made = log()
    made.add(rotation(FIRST, SECOND, **made.next()))
    made.signer = SECOND
    made.sign(FIRST)

    said = report(made, promises=[promise(made, 2, 3), promise(made, 4, 5, signer=SECOND)])

    assert (said.first, said.kept) == (None, 2)


def receipt(made: Log, index: int, /, **changed: Any) -> str:
    """Return the receipt of an entry under the newest checkpoint."""
    size = len(made.lines)

    def node(level: int, number: int) -> bytes:
        return merkle.root(made.hashes[number << level : (number + 1) << level])

    fields: dict[str, Any] = {
        "index": index,
        "path": tuple(merkle.inclusion(index, size, node)),
        "checkpoint": made.notes[-1],
        "extra": made.lines[index],
    }
    return Receipt(**{**fields, **changed}).encode()


def test_receipts_of_this_log_verify_when_it_has_grown_too() -> None:
    made = log()
    old = [receipt(made, 2), receipt(made, 2, extra=None), receipt(made, 7)]
    made.call(9).sign()

    said = report(made, receipts=[*old, receipt(made, 9)])

    assert (said.first, said.receipts) == (None, 4)


def test_a_receipt_of_another_entry_or_place_is_refused() -> None:
    made = log()
    for changed, words in (
        ({"extra": made.lines[3]}, "another entry"),
        ({"index": 3}, "another entry"),
        ({"index": 3, "extra": None}, "path does not lead"),
        ({"path": ()}, "path does not lead"),
        ({"index": 4000, "extra": None}, "path does not lead"),
    ):
        index, kind, what = found(made, receipts=[receipt(made, 2, **changed)])
        assert kind == "receipt"
        assert words in what
        assert index is not None


def test_a_receipt_holds_the_log_to_its_checkpoint() -> None:
    longer = log().call(9).sign()
    assert found(log(), receipts=[receipt(longer, 2)])[1] == "truncated"

    fork = Log().begin().call(7).call(1).call(2).sign()
    assert found(log(), receipts=[receipt(fork, 2)])[:2] == (7, "root")

    strange = Log(STRANGER).begin()
    for number in range(3):
        strange.call(number)
    assert found(log(), receipts=[receipt(strange.sign(), 2)])[1] == "signature"


def test_a_receipt_that_cannot_be_read_is_refused() -> None:
    made = log()

    assert found(made, receipts=["nothing"])[1] == "receipt"
    other = receipt(made, 2).replace(ORIGIN, "goodgate/else")
    said: Report = report(made, receipts=[receipt(made, 2), other])
    assert said.first is not None
    assert said.first.where == "receipt 2"

"""The decision log as lines."""

import json

import msgspec
import pytest

from gateway import ledger
from gateway.ledger import decision_log
from gateway.ledger.decision_log import OUTCOMES_AFTER_US, entry, received_ms, within
from tests.unit.rehearsal.records import AT_US, decision, request_id, settled, started

ONE = decision(1, would_have=("shadow",))
AN_OUTCOME = settled(ONE)


@pytest.mark.parametrize(
    "record", [ONE, AN_OUTCOME, started(), decision(2, facts={"task.id": 'a"b'})]
)
def test_a_line_is_read_back_as_what_it_holds(record: decision_log.Entry) -> None:
    assert entry(ledger.encode(record)) == record
    assert entry(json.dumps(msgspec.to_builtins(record), indent=1).encode()) == record


def test_no_text_makes_a_decision_look_like_an_outcome() -> None:
    record = decision(1, facts={"task.id": '"kind":"settled"', "call.model": '"would_have":[]'})
    line = ledger.encode(decision(1, would_have=("x",), facts=record.facts))
    assert isinstance(entry(line), ledger.DecisionRecord)
    assert decision_log.tells_of_shadows(line)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"kind":"settled"}', b'{"kind":"started"}', b"\xff", b'{"at_us":']
)
def test_what_is_no_such_line_is_refused(line: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        entry(line)


def test_a_window_holds_its_decisions_and_the_outcomes_of_the_hour_after() -> None:
    early, late = decision(1), decision(2, seconds=10)
    log = [early, late, settled(early, after_s=-1), settled(early, after_s=20)]
    log += [settled(late, after_s=OUTCOMES_AFTER_US / 1e6)]
    assert list(within(log, AT_US, AT_US + 10_000_000)) == [early, log[3]]
    assert list(within(log, AT_US + 1, AT_US + 10_000_001)) == [late, log[3], log[4]]
    assert list(within([started(), started(seconds=10)], AT_US, AT_US + 1)) == [started()]


def test_only_decisions_that_shadow_rules_were_against_tell_of_shadows() -> None:
    assert decision_log.tells_of_shadows(ledger.encode(ONE))
    assert decision_log.tells_of_shadows(ledger.encode(AN_OUTCOME))
    assert not decision_log.tells_of_shadows(ledger.encode(decision(3)))


def test_an_id_tells_when_it_was_made() -> None:
    assert received_ms(request_id(5, AT_US)) == AT_US // 1000
    for other in ("", "req_", request_id(5)[4:], f"req_{5:032x}", request_id(5) + "0"):
        assert received_ms(other) is None
    assert received_ms("req_" + "z" * 12 + "7" + "0" * 19) is None

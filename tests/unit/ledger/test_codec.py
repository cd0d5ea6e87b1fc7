"""Records of all kinds and their canonical bytes."""

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import ledger
from gateway.ledger import series
from tests.stores.ledgers import (
    cost_intent,
    cost_settle,
    decision,
    intent,
    refusal,
    reveal,
    settle,
)

STAMP = {"replica": "r1", "replica_seq": 7}
JUDGED = {
    "attempt_id": "a",
    "catalogue": "sha256:1",
    "policy": "sha256:2",
    "root_id": "PAY-1",
    "team": "payments",
    **STAMP,
}

RECORDS = (
    intent(1),
    settle(1),
    refusal(1),
    ledger.Adjust(
        n=2,
        reason="late",
        **{
            name: value
            for name, value in msgspec.structs.asdict(settle(1)).items()
            if name not in ("kind", "n")
        },
    ),
    reveal(1),
    cost_intent(1),
    cost_settle(1),
    series.start("s3", "sequencer", at_us=1, version="1", previous="s2", epoch=3),
    series.stopped(("r1", 7), 3, 9),
    ledger.PolicyInForce(at_us=1, attempt_id="a", digest="sha256:1", files_sha256="0", **STAMP),
    series.rotation("secret", "0" * 16, "1" * 16, stamp=("s3", 2), at_us=1),
    ledger.CostHour(
        attempt_id="hour_3600",
        hour=3_600,
        rows=(ledger.CostRow("team", "model", "unknown", 2, 1, 30, "0.5"),),
        **STAMP,
    ),
    ledger.Erasure(at_us=1, attempt_id="a", auditor="k", reason="asked", salts=3, **STAMP),
    ledger.Retirement(at_us=1, attempt_id="a", root="AAAA", size=256, **STAMP),
    ledger.Outcome(
        at_us=2,
        author="a1",
        beneficiaries=("a1", "b2"),
        creator="bot",
        event="merged",
        evidence="https://tracker.example/7",
        linked_by="trailer",
        occurred_at_us=1,
        reviewers=("b2",),
        subject="ACME.WEB-7",
        task_id="PAY-2",
        tracker="forge",
        **JUDGED,
    ),
    ledger.Valuation(
        at_us=1,
        beneficiaries=(),
        by_bot=False,
        n=1,
        team_size=7,
        value="2.5",
        valued_by="c3",
        weights=(ledger.Weight("PAY-2", "1"),),
        **JUDGED,
    ),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_bytes_are_canonical_and_read_back(record: ledger.Record) -> None:
    """RFC 8785: names in order at every level, `kind` among them, no blanks, nothing left out."""
    line = ledger.encode(record)
    assert ledger.decode(line) == record
    found = json.loads(line)
    assert set(found) == {*record.__struct_fields__}
    assert (
        line
        == json.dumps(found, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    )


@given(st.text())
def test_strings_are_escaped_as_rfc_8785_has_it(text: str) -> None:
    assume(not any("\ud800" <= each <= "\udfff" for each in text))
    line = ledger.encode(settle(1, usage_basis=text))
    assert json.dumps(text, ensure_ascii=False).encode() in line
    assert b"\n" not in line


@pytest.mark.parametrize("line", [b"", b"{}", b'{"kind":"nonsense"}', b'{"kind":"settle"}'])
def test_other_bytes_hold_no_record(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        ledger.decode(line)


def test_a_line_of_the_decision_log_is_canonical_too_and_no_record() -> None:
    line = ledger.encode(decision(1))
    assert (
        line
        == json.dumps(
            json.loads(line), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()
    )
    with pytest.raises(msgspec.ValidationError, match="no record of the kind 'decision'"):
        ledger.decode(line)


def test_what_can_be_one_file_or_another_is_told_apart_by_its_hash() -> None:
    """The document of a policy set does not depend on the order its files are read in."""
    files = [("b.yaml", "version: 1"), ("a.yaml", "ä")]
    assert ledger.policy_document(files) == '[["a.yaml","ä"],["b.yaml","version: 1"]]'.encode()
    assert ledger.policy_sha256(reversed(files)) == ledger.policy_sha256(files)
    assert ledger.policy_sha256(files[:1]) != ledger.policy_sha256(files)


def test_a_leaf_is_read_as_one_and_what_is_none_is_refused() -> None:
    assert ledger.leaf(ledger.encode(intent(1))) == intent(1)
    with pytest.raises(msgspec.ValidationError, match="a cost_intent is no leaf"):
        ledger.leaf(ledger.encode(cost_intent(1)))

"""Records and their canonical bytes."""

import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway import ledger
from tests.stores.ledgers import (
    cost_intent,
    cost_settle,
    decision,
    intent,
    refusal,
    reveal,
    settle,
)

RECORDS = (
    intent(1),
    settle(1),
    refusal(1),
    reveal(1),
    cost_intent(1),
    cost_settle(1),
    decision(1),
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_bytes_are_canonical_and_read_back(record: ledger.Leaf) -> None:
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

"""
The record, as bytes.

Sans-I/O: this room says what an entry is and turns it into canonical bytes. Where
the bytes are kept is a store's business.
"""

from gateway.ledger.codec import (
    LEAF_BYTES_MAX,
    Happening,
    Leaf,
    Record,
    decode,
    encode,
    leaf,
    policy_document,
    policy_sha256,
)
from gateway.ledger.entry import (
    SCHEMA_VERSION,
    Adjust,
    CostIntent,
    CostSettle,
    Intent,
    Refusal,
    Settle,
)
from gateway.ledger.happenings import (
    CostHour,
    CostRow,
    Erasure,
    PolicyInForce,
    ReplicaEnd,
    ReplicaStart,
    Retirement,
    Reveal,
    Rotation,
)
from gateway.ledger.noted import DecisionRecord, Level, SettledRecord, StartedRecord
from gateway.ledger.outcomes import Outcome, Valuation, Weight
from gateway.ledger.query import Query
from gateway.ledger.recording import (
    decision,
    intent,
    is_linked,
    refusal,
    released,
    settle,
    settled,
)

__all__ = [
    "LEAF_BYTES_MAX",
    "SCHEMA_VERSION",
    "Adjust",
    "CostHour",
    "CostIntent",
    "CostRow",
    "CostSettle",
    "DecisionRecord",
    "Erasure",
    "Happening",
    "Intent",
    "Leaf",
    "Level",
    "Outcome",
    "PolicyInForce",
    "Query",
    "Record",
    "Refusal",
    "ReplicaEnd",
    "ReplicaStart",
    "Retirement",
    "Reveal",
    "Rotation",
    "Settle",
    "SettledRecord",
    "StartedRecord",
    "Valuation",
    "Weight",
    "decision",
    "decode",
    "encode",
    "intent",
    "is_linked",
    "leaf",
    "policy_document",
    "policy_sha256",
    "refusal",
    "released",
    "settle",
    "settled",
]

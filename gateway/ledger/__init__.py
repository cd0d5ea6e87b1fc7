"""
The record, as bytes.

Sans-I/O: this room says what an entry is and turns it into canonical bytes. Where
the bytes are kept is a store's business.
"""

from gateway.ledger.entry import (
    SCHEMA_VERSION,
    CostIntent,
    CostSettle,
    DecisionRecord,
    Intent,
    Leaf,
    Level,
    Query,
    Refusal,
    Reveal,
    Settle,
    SettledRecord,
    StartedRecord,
    decode,
    encode,
)
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
    "SCHEMA_VERSION",
    "CostIntent",
    "CostSettle",
    "DecisionRecord",
    "Intent",
    "Leaf",
    "Level",
    "Query",
    "Refusal",
    "Reveal",
    "Settle",
    "SettledRecord",
    "StartedRecord",
    "decision",
    "decode",
    "encode",
    "intent",
    "is_linked",
    "refusal",
    "released",
    "settle",
    "settled",
]

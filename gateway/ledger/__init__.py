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
    OutcomeRecord,
    Query,
    Refusal,
    Reveal,
    Settle,
    decode,
    encode,
)
from gateway.ledger.recording import (
    decision,
    intent,
    is_linked,
    outcome,
    refusal,
    released,
    settle,
)

__all__ = [
    "SCHEMA_VERSION",
    "CostIntent",
    "CostSettle",
    "DecisionRecord",
    "Intent",
    "Leaf",
    "Level",
    "OutcomeRecord",
    "Query",
    "Refusal",
    "Reveal",
    "Settle",
    "decision",
    "decode",
    "encode",
    "intent",
    "is_linked",
    "outcome",
    "refusal",
    "released",
    "settle",
]

"""
Records as canonical bytes, and back.

Canonical means RFC 8785 (JSON Canonicalization Scheme): the fields of every struct, `kind`
among them, stand in the order of their names, numbers are integers, money and other fractions
are strings, and nothing is ever left out. So msgspec's plain encoding of a struct
*is* its canonical form, and a leaf is encoded once, on the line, in a microsecond.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from gateway.ledger.entry import Adjust, CostIntent, CostSettle, Intent, Refusal, Settle
from gateway.ledger.happenings import (
    CostHour,
    Erasure,
    PolicyInForce,
    ReplicaEnd,
    ReplicaStart,
    Retirement,
    Reveal,
    Rotation,
)
from gateway.ledger.noted import DecisionRecord, SettledRecord, StartedRecord
from gateway.ledger.outcomes import Outcome, Valuation

LEAF_BYTES_MAX: Final = 65_535
"""What an entry of a bundle may have (C2SP tlog-tiles)."""

Happening: TypeAlias = (
    ReplicaStart
    | ReplicaEnd
    | PolicyInForce
    | Rotation
    | CostHour
    | Reveal
    | Erasure
    | Retirement
    | Outcome
    | Valuation
)
"""A leaf that is no part of a call."""

Leaf: TypeAlias = Intent | Settle | Adjust | Refusal | Happening
"""What the tree is made of."""

Record: TypeAlias = Leaf | CostIntent | CostSettle
"""What replicas append."""

_encoder = msgspec.json.Encoder()


class _Kind(Struct):
    """Which record some bytes hold. (A msgspec tag would always stand first.)"""

    kind: str


_kind_decoder = msgspec.json.Decoder(_Kind)
_decoders: dict[str, msgspec.json.Decoder[Record]] = {
    "intent": msgspec.json.Decoder(Intent),
    "settle": msgspec.json.Decoder(Settle),
    "adjust": msgspec.json.Decoder(Adjust),
    "refusal": msgspec.json.Decoder(Refusal),
    "reveal": msgspec.json.Decoder(Reveal),
    "replica_start": msgspec.json.Decoder(ReplicaStart),
    "replica_end": msgspec.json.Decoder(ReplicaEnd),
    "policy": msgspec.json.Decoder(PolicyInForce),
    "rotation": msgspec.json.Decoder(Rotation),
    "cost_hour": msgspec.json.Decoder(CostHour),
    "erasure": msgspec.json.Decoder(Erasure),
    "retirement": msgspec.json.Decoder(Retirement),
    "outcome": msgspec.json.Decoder(Outcome),
    "valuation": msgspec.json.Decoder(Valuation),
    "cost_intent": msgspec.json.Decoder(CostIntent),
    "cost_settle": msgspec.json.Decoder(CostSettle),
}


def encode(record: Record | DecisionRecord | SettledRecord | StartedRecord) -> bytes:
    """Return the canonical bytes of a record (RFC 8785)."""
    return _encoder.encode(record)


def decode(line: bytes) -> Record:
    """Return the record some bytes hold; raises msgspec.ValidationError when they hold none."""
    kind = _kind_decoder.decode(line).kind
    decoder = _decoders.get(kind)
    if decoder is None:
        raise msgspec.ValidationError(f"there is no record of the kind {kind[:40]!r}")
    return decoder.decode(line)


def leaf(line: bytes) -> Leaf:
    """Return the leaf some bytes hold; raises msgspec.ValidationError when they hold none."""
    found = decode(line)
    if isinstance(found, CostIntent | CostSettle):
        raise msgspec.ValidationError(f"a {found.kind} is no leaf")
    return found


def policy_document(files: Iterable[tuple[str, str]]) -> bytes:
    """Return the names and texts of a policy set's files as one document (RFC 8785)."""
    return _encoder.encode(sorted(files))


def policy_sha256(files: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of a policy set's document, in hex."""
    return hashlib.sha256(policy_document(files)).hexdigest()

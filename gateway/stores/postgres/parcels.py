"""
Parcels: what a replica hands over together, and how its records are told under another name.

A replica that was given up as lost may not go on with its series. What it had not handed over
follows in a new one, in the same order and without a gap: every number is shifted by as much.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from gateway import ledger
from gateway.ledger.pseudonyms import Salt


class PolicyText(Struct, frozen=True):
    """The text behind a digest, to be kept for good."""

    digest: str
    at_us: int
    """When it came into force."""
    files: bytes


class Beside(Struct, frozen=True):
    """What has to be there before the records of a parcel are."""

    at_us: int = 0
    """When the salts were made."""
    salts: Sequence[Salt] = ()
    texts: Sequence[PolicyText] = ()
    pepper_mark: str = ""
    """Of the pepper that is in use from here on."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.salts or self.texts or self.pepper_mark)


NOTHING = Beside()


class Parcel(Struct, frozen=True):
    """Records that become durable together: one row of the intake."""

    replica: str
    group_seq: int
    """Dense for each replica; one without records has that of the one before it."""
    lines: Sequence[bytes]
    records: Sequence[ledger.Record]
    beside: Beside = NOTHING

    @property
    def is_last(self) -> bool:
        """Whether the replica says with it that nothing follows."""
        return bool(self.records) and _is_own_end(self.records[-1])


class Shift(Struct, frozen=True):
    """The series another goes on as: the number 1 + `seq` of the old is its first of these."""

    replica: str
    seq: int
    """What to take away from numbers of leaves."""
    cost_seq: int
    """What to take away from numbers of records of unlinked calls."""


def packed(parcel: Parcel) -> tuple[bytes, bytes]:
    """Return a parcel's records, and what is beside them, as the spool keeps them."""
    return b"\n".join(parcel.lines), msgspec.msgpack.encode(parcel.beside)


def read(replica: str, group_seq: int, blob: bytes, beside: bytes) -> Parcel:
    """Return a parcel as the spool keeps it."""
    lines = blob.split(b"\n") if blob else []
    records = [ledger.decode(line) for line in lines]
    return Parcel(replica, group_seq, lines, records, msgspec.msgpack.decode(beside, type=Beside))


def restamped(record: ledger.Record, shifts: Mapping[str, Shift]) -> ledger.Record:
    """Return a record as one of the series its own goes on as, if it does."""
    while (shift := shifts.get(record.replica)) is not None:
        record = _shifted(record, shift)
    return record


def going_on(parcels: Iterable[Parcel], shifts: Mapping[str, Shift], first: Parcel) -> list[Parcel]:
    """
    Return parcels as ones of the series of `first`, which stands before them.

    Records that had become part of the old series are left out, and so is its end.
    """
    made = [first]
    for parcel in parcels:
        shift = shifts.get(parcel.replica)
        records = [
            restamped(each, shifts)
            for each in parcel.records
            if not (shift and _is_older(each, shift)) and not _is_own_end(each)
        ]
        lines = [ledger.encode(each) for each in records]
        if records or parcel.beside:
            seq = made[-1].group_seq + bool(records)
            made.append(Parcel(first.replica, seq, lines, records, parcel.beside))
    return made


def mark(secret: bytes, principal: str) -> bytes:
    """Return what tells replicas to forget a person without naming anybody."""
    return hmac.new(secret, b"goodgate erased\0" + principal.encode(), hashlib.sha256).digest()


def _shifted(record: ledger.Record, shift: Shift) -> ledger.Record:
    is_cost = isinstance(record, ledger.CostIntent | ledger.CostSettle)
    seq = record.replica_seq - (shift.cost_seq if is_cost else shift.seq)
    if isinstance(record, ledger.ReplicaEnd) and _is_own_end(record):
        return msgspec.structs.replace(
            record,
            replica=shift.replica,
            ended=shift.replica,
            replica_seq=seq,
            last_seq=seq,
            last_cost_seq=record.last_cost_seq - shift.cost_seq,
        )
    return msgspec.structs.replace(record, replica=shift.replica, replica_seq=seq)


def _is_own_end(record: ledger.Record) -> bool:
    return isinstance(record, ledger.ReplicaEnd) and record.ended == record.replica


def _is_older(record: ledger.Record, shift: Shift) -> bool:
    """Return whether a record is one the old series ended with or before."""
    if isinstance(record, ledger.CostIntent | ledger.CostSettle):
        return record.replica_seq <= shift.cost_seq
    return record.replica_seq <= shift.seq + 1  # the new series begins with a record of its own

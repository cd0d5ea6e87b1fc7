"""
How series of records begin and end, and which log they are of.

Each replica numbers its leaves 1, 2, 3, ...; the first is its start, the last its end. A
sequencer's series is named by its epoch, so that two at once show as a clash.
"""

import hmac
from typing import Literal, NamedTuple

from gateway.ledger.happenings import ReplicaEnd, ReplicaStart, Rotation

Stamp = tuple[str, int]
"""A replica's name and a number of its series."""

MARK_HEX = 16


class LogName(NamedTuple):
    """Which log it is."""

    origin: str
    vkey: str
    """Of the key that signs it now."""


def sequencer(epoch: int) -> str:
    """Return the name of the series of the sequencer of an epoch."""
    return f"s{epoch}"


def start(
    replica: str,
    role: Literal["gateway", "sequencer", "command"],
    *,
    at_us: int,
    version: str,
    previous: str = "",
    epoch: int = 0,
) -> ReplicaStart:
    """Return the leaf a series begins with, its number 1."""
    return ReplicaStart(
        at_us=at_us,
        attempt_id=replica,
        epoch=epoch,
        previous=previous,
        replica=replica,
        role=role,
        version=version,
    )


def stopped(stamp: Stamp, last_cost_seq: int, at_us: int) -> ReplicaEnd:
    """Return the leaf a series ends with by itself."""
    replica, seq = stamp
    return ReplicaEnd(
        at_us=at_us,
        attempt_id=replica,
        ended=replica,
        last_cost_seq=last_cost_seq,
        last_seq=seq,
        reason="stopped",
        replica=replica,
        replica_seq=seq,
    )


def ended(
    name: str,
    last: tuple[int, int],
    reason: Literal["crashed", "lost"],
    *,
    stamp: Stamp,
    at_us: int,
) -> ReplicaEnd:
    """Return the leaf that ends another's series; `last` are its last number and cost number."""
    last_seq, last_cost_seq = last
    return ReplicaEnd(
        at_us=at_us,
        attempt_id=name,
        ended=name,
        last_cost_seq=last_cost_seq,
        last_seq=last_seq,
        reason=reason,
        replica=stamp[0],
        replica_seq=stamp[1],
    )


def rotation(
    what: Literal["signing_key", "secret", "pepper"],
    previous: str,
    current: str,
    *,
    stamp: Stamp,
    at_us: int,
) -> Rotation:
    """Return the leaf that says a secret was replaced: vkeys, or marks (`mark`)."""
    replica, seq = stamp
    return Rotation(
        at_us=at_us,
        attempt_id=f"rotation_{replica}_{seq}",
        current=current,
        previous=previous,
        replica=replica,
        replica_seq=seq,
        what=what,
    )


def mark(what: Literal["secret", "pepper"], secret: bytes) -> str:
    """Return what tells a secret from another and gives nothing of it away: 16 hex digits."""
    return hmac.digest(secret, f"goodgate {what} mark".encode(), "sha256").hex()[:MARK_HEX]

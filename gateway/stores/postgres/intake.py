"""
The intake of the database: where what a replica appends becomes durable for the whole fleet.

A parcel is one row, committed and on disk when the statement returns; the same parcel again
changes nothing. Once a replica is said to have ended, by itself or because it was not seen for
long, nothing can be added in its name: `Ended` says so to a replica that was only paused.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from gateway import ledger
from gateway.stores.postgres import parcels
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.parcels import Parcel
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import SQL, Standing

PARCELS_AT_ONCE = 64


class Ended(Exception):
    """The replica was declared lost: it may add nothing more under its name."""


class Far(Struct, frozen=True):
    """How far the records of a replica are in order."""

    seq: int = 0
    cost_seq: int = 0
    group_seq: int = 0


def add(session: Connection, standing: Standing, parcel: Parcel) -> None:
    """
    Make a parcel durable.

    Raises:
        Ended: not under this name.
        psycopg.Error: whether it is durable is not known.

    """
    if not parcel.beside and not parcel.is_last:
        _add(session, standing, parcel)
        return
    with session.transaction():
        _add_beside(session, standing, parcel)
        _add(session, standing, parcel)
        if parcel.is_last:
            session.execute(SQL["end_replica"], (parcel.replica,))


def drain(
    session: Connection,
    standing: Standing,
    spool: Spool,
    is_stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Give the database all that waits in the spool, in order; raises as `add` does."""
    while not is_stopping() and (some := spool.some(limit=PARCELS_AT_ONCE)):
        with session.transaction():
            for _, parcel in some:
                add(session, standing, parcel)
        beat(session, some[-1][1].replica)
        spool.remove(some[-1][0], sum(len(parcel.lines) for _, parcel in some))


def beat(session: Connection, replica: str) -> bool:
    """Say that a replica is there; return whether it may go on under its name."""
    return session.execute(SQL["beat"], (replica,)).rowcount == 1


def far(session: Connection, replica: str) -> Far:
    """Return how far the records of a replica are in order."""
    row = session.execute(SQL["far"], (replica,)).fetchone()
    return Far(*row) if row else Far()


def has_ended(session: Connection, replica: str) -> bool | None:
    """Return whether a replica is said to have ended; None: nobody has heard of it."""
    row = session.execute(SQL["has_ended"], {"replica": replica}).fetchone()
    return row[0] if row else None


def crashed(session: Connection, replica: str) -> Far | None:
    """
    End the series of a process that is gone; return its last numbers.

    None: it has ended, or never was. To be called in the transaction that adds the record of it.
    """
    row = session.execute(SQL["hold_replica"], (replica,)).fetchone()
    if row is None or row[0]:
        return None
    session.execute(SQL["end_replica"], (replica,))
    found = session.execute(SQL["appended"], {"replica": replica}).fetchone()
    assert found is not None
    return _last(found[2], Far(found[0], found[1]))


def _add(session: Connection, standing: Standing, parcel: Parcel) -> None:
    if not parcel.lines:
        return
    values = {
        "replica": parcel.replica,
        "group_seq": parcel.group_seq,
        "records": b"\n".join(parcel.lines),
    }
    if session.execute(SQL["add_group"], values).rowcount == 1:
        return
    ended = has_ended(session, parcel.replica)
    if ended:
        raise Ended
    if ended is None:
        session.execute(SQL["register"], {"replica": parcel.replica, "lease_s": standing.lease_s})
        session.execute(SQL["add_group"], values)


def _add_beside(session: Connection, standing: Standing, parcel: Parcel) -> None:
    beside = parcel.beside
    for salt in beside.salts:
        values = {
            "principal": salt.principal,
            "month": salt.month,
            "salt": salt.salt,
            "mark": parcels.mark(standing.secret, salt.principal),
            "made_us": beside.at_us,
        }
        session.execute(SQL["add_salt"], values)
    for text in beside.texts:
        session.execute(SQL["keep_policies"], (text.digest, text.at_us, text.files))
    if beside.pepper_mark:
        session.execute(SQL["set_pepper_mark"], (beside.pepper_mark,))


def _last(blobs: Sequence[bytes], found: Far) -> Far:
    for blob in blobs:
        for line in blob.split(b"\n"):
            try:
                record = ledger.decode(line)
            except msgspec.MsgspecError:
                continue
            if isinstance(record, ledger.CostIntent | ledger.CostSettle):
                found = Far(found.seq, max(found.cost_seq, record.replica_seq))
            else:
                found = Far(max(found.seq, record.replica_seq), found.cost_seq)
    return found

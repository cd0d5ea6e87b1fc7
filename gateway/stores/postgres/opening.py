"""
A replica as it begins: which log it appends to, and what the process before it left behind.

What waits in the folder's spool goes to the database first, under the name it has; what waits
of a series that was declared lost meanwhile is told anew in the new series. Then, in one
transaction, the series before is said to have crashed, with the last number it came to, unless
the database knows how it ended.
"""

from collections.abc import Sequence

from msgspec import Struct

from gateway import ledger
from gateway.errors import ConfigError
from gateway.ledger import notes, series
from gateway.stores import queries
from gateway.stores.postgres import connection, intake, parcels
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.intake import Far
from gateway.stores.postgres.parcels import Parcel, Shift
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import SQL, Standing

FILE = "postgres_ledger.sql"


class LogRow(Struct, frozen=True):
    """What the database says of its log."""

    origin: str
    vkey: str
    pepper_mark: str


class Begun(Struct, frozen=True):
    """Where a replica goes on from."""

    replica: str
    group_seq: int
    seq: int
    cost_seq: int


def log_of(session: Connection, origin: str, seed: bytes, secret: bytes) -> LogRow:
    """Return the log of a database; one of this origin is made when there is none."""
    connection.migrate(session, "ledger", queries.migrations(queries.load(FILE)))
    vkey = signer(origin, seed).verifier.vkey
    session.execute(SQL["make_log"], (origin, vkey, series.mark("secret", secret)))
    row = session.execute(SQL["log"]).fetchone()
    assert row is not None
    return LogRow(row[0], row[1], row[6])


def signer(origin: str, seed: bytes) -> notes.Signer:
    """Return who signs for a log with a key; raises ConfigError when it is none."""
    if len(seed) != notes.KEY_BYTES:
        raise ConfigError(
            f"the key of the ledger has {len(seed)} bytes, not {notes.KEY_BYTES}: set"
            " GOODGATE_LEDGER_KEY to 64 hex digits, the same on every replica"
        )
    return notes.Signer.from_seed(origin, seed)


def begin(session: Connection, standing: Standing, spool: Spool) -> Begun:
    """Begin a series, and end what a process before this one began in the same folder."""
    before = spool.begun()
    name = "r" + standing.random(4).hex()
    previous = before[-1] if before else ""
    first = series.start(
        name, standing.role, at_us=standing.now_us(), version=standing.version, previous=previous
    )
    opening = Parcel(name, 1, [ledger.encode(first)], [first])
    lost = _lost(session, before)
    kept = [opening]
    if any(parcel.replica in lost for parcel in spool.all()):
        kept = parcels.going_on(spool.all(), _shifts(session, name, lost), opening)
        spool.replace(kept, name)
        intake.drain(session, standing, spool)
    else:
        intake.drain(session, standing, spool)
        spool.begin(name)
        intake.add(session, standing, opening)
    begun = _counted(name, kept)
    ends = _end(session, standing, begun, [each for each in before if each not in lost])
    spool.ended(before)
    return Begun(name, begun.group_seq + bool(ends), begun.seq + ends, begun.cost_seq)


def _lost(session: Connection, names: Sequence[str]) -> list[str]:
    return [name for name in names if intake.has_ended(session, name)]


def _shifts(session: Connection, name: str, lost: Sequence[str]) -> dict[str, Shift]:
    far = [intake.far(session, each) for each in lost]
    return {
        each: Shift(name, last.seq - 1, last.cost_seq) for each, last in zip(lost, far, strict=True)
    }


def _counted(name: str, kept: Sequence[Parcel]) -> Begun:
    """Return how far the parcels a series begins with bring it."""
    records = [record for parcel in kept for record in parcel.records]
    costs = sum(isinstance(each, ledger.CostIntent | ledger.CostSettle) for each in records)
    return Begun(name, kept[-1].group_seq, len(records) - costs, costs)


def _end(session: Connection, standing: Standing, begun: Begun, names: Sequence[str]) -> int:
    """Say how the series before ended, and with which secret this one works; return how often."""
    own: list[ledger.Record] = []

    def stamp() -> tuple[str, int]:
        return begun.replica, begun.seq + len(own) + 1

    with session.transaction():
        now_us = standing.now_us()
        for each in names:
            far = intake.crashed(session, each)
            if far is not None and far != Far():
                last = (far.seq, far.cost_seq)
                own.append(series.ended(each, last, "crashed", stamp=stamp(), at_us=now_us))
        mark = series.mark("secret", standing.secret)
        row = session.execute(SQL["change_secret"], (mark,)).fetchone()
        if row is not None and row[0] != mark:
            own.append(series.rotation("secret", row[0], mark, stamp=stamp(), at_us=now_us))
        if own:
            lines = [ledger.encode(each) for each in own]
            parcel = Parcel(begun.replica, begun.group_seq + 1, lines, own)
            intake.add(session, standing, parcel)
    return len(own)

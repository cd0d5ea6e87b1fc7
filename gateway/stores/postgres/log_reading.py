"""
The log as it is read: its leaves, tree, checkpoints and sums, in a snapshot that cannot write.

What is told here is in order; a checkpoint that is told is durable. Records that are in the
intake still are for `reading` to add.
"""

import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
import psycopg
from msgspec import Struct

from gateway import credit, ledger
from gateway.errors import LedgerUnavailable
from gateway.ledger.rollups import Group, OfRule, RollupKey, Rollups, RollupSum, RuleKey, window
from gateway.ledger.sequencing import Series
from gateway.ledger.series import LogName
from gateway.stores.postgres import connection, leaves, slices
from gateway.stores.postgres.connection import Address, Connection
from gateway.stores.postgres.standing import SQL

READ_S: Final = 10.0
"""How long a statement of a question may take."""
WHOLE_S: Final = 600.0
"""How long one may that reads all there is."""
IDLE_MAX: Final = 2
"""Sessions that are kept for the next question."""
_BY: Final = ("hour", "day", "month", "team", "root_id", "task_id", "model", "decision")
"""What the query `usage` can group by, in its order."""


class LogRow(Struct, frozen=True):
    """The log's row."""

    origin: str
    vkey: str
    epoch: int
    size: int
    retired: int


class LogReading:
    """Answers about the log in a database, each in a session of its own while it takes."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: list[Connection] = []

    def __del__(self) -> None:
        """Give idle sessions back."""
        self.close()

    def close(self) -> None:
        """Give idle sessions back; what is asked afterwards has new ones."""
        while self._idle:
            self._idle.pop().close()

    def log(self) -> LogName:
        """Return which log it is."""
        with self._snapshot() as (_, log):
            return LogName(log.origin, log.vkey)

    def holds(self, attempt_id: str, kind: str, n: int) -> bool:
        """Return whether a leaf that is no intent, refusal or settle is in order."""
        with self._snapshot() as (session, _):
            return bool(slices.known_others(session, [(attempt_id, kind, n)]))

    def size(self) -> int:
        """Return how many leaves are in order."""
        with self._snapshot() as (_, log):
            return log.size

    def retired(self) -> int:
        """Return the index below which leaves were dropped."""
        with self._snapshot() as (_, log):
            return log.retired

    def checkpoint(self) -> str:
        """Return the newest checkpoint's note, with its cosignatures; empty: there is none."""
        with self._snapshot() as (session, _):
            notes = _cosigned(session, session.execute(SQL["last_checkpoint"]).fetchall())
        return notes[0][1] if notes else ""

    def checkpoints(self, above: int = -1, limit: int = 1000) -> list[tuple[int, str]]:
        """Return the sizes and notes of checkpoints above a size, with their cosignatures."""
        with self._snapshot() as (session, _):
            return _cosigned(
                session, session.execute(SQL["checkpoints"], (above, limit)).fetchall()
            )

    def tile(self, level: int, number: int) -> bytes:
        """Return a tile of hashes as it is packed; raises KeyError when it is not there."""
        with self._snapshot() as (session, _):
            return leaves.tile(session, level, number)

    def lines(self, first: int, count: int) -> list[bytes]:
        """Return the bytes of some leaves; raises LedgerCorrupt when one is not there."""
        with self._snapshot(WHOLE_S) as (session, log):
            return leaves.lines(session, first, count, log.retired)

    def leaves(self) -> list[bytes]:
        """Return the bytes of all leaves that were not retired, in the order of their indexes."""
        with self._snapshot(WHOLE_S) as (session, log):
            return leaves.lines(session, log.retired, log.size - log.retired, log.retired)

    def places(self, request_id: str) -> tuple[int, int | None] | None:
        """Return the indexes of a call's intent (or refusal) and of its settle, if it has one."""
        with self._snapshot() as (session, log):
            attempt_id = "att_" + request_id.removeprefix("req_")
            found = session.execute(SQL["places"], (attempt_id,)).fetchone()
        if found is None or found[0] < log.retired:
            return None
        begun, settled = found
        return begun, None if settled == begun else settled

    def credit(self) -> credit.Folded:
        """Return the fold of credit over all leaves that are in order."""
        with self._snapshot(WHOLE_S) as (session, log):
            notes = _cosigned(session, session.execute(SQL["last_checkpoint"]).fetchall())
            rows = session.execute(SQL["all_roots"], binary=True)
            roots = {root_id: credit.unpack(bytes(packed)) for root_id, packed in rows}
        return credit.Folded(size=log.size, checkpoint=notes[0][1] if notes else "", roots=roots)

    def outcomes(self) -> list[tuple[int, ledger.Outcome]]:
        """Return the outcomes that were not retired, with their indexes, in order."""
        with self._snapshot(WHOLE_S) as (session, log):
            places = [at for (at,) in session.execute(SQL["outcomes"], (log.retired,))]
            lines = leaves.some(session, places)
        return [
            (at, found)
            for at in places
            if isinstance(found := ledger.leaf(lines[at]), ledger.Outcome)
        ]

    def workers(self) -> dict[str, set[str]]:
        """Return the commitments of those who made calls, by root."""
        found: dict[str, set[str]] = {}
        with self._snapshot(WHOLE_S) as (session, _):
            for root_id, principal in session.execute(SQL["workers"]):
                found.setdefault(root_id, set()).add(principal)
        return found

    def clashes(self) -> list[tuple[str, bytes]]:
        """Return the records that were set aside, each with the reason."""
        with self._snapshot() as (session, _):
            return [(reason, line) for reason, line in session.execute(SQL["clashes"])]

    def policy_texts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the digest of each policy set ever in force, and its files' names and texts."""
        with self._snapshot() as (session, _):
            found = session.execute(SQL["all_policies"]).fetchall()
        return [(digest, unpacked(files)) for digest, files in found]

    def series(self) -> dict[str, Series]:
        """Return how far each replica's records have come."""
        with self._snapshot() as (session, _):
            return {name: Series(*rest) for name, *rest in session.execute(SQL["all_series"])}

    def rollups(self) -> Rollups:
        """Return all hourly sums of calls."""
        with self._snapshot(WHOLE_S) as (session, _):
            return Rollups(
                {
                    RollupKey(*row[:6]): RollupSum(*row[6:])
                    for row in session.execute(SQL["rollups"])
                },
                {RuleKey(*key): calls for *key, calls in session.execute(SQL["rule_rollups"])},
            )

    def usage(self, by: Sequence[str], query: ledger.Query) -> list[tuple[Group, RollupSum]]:
        """Return hourly sums by what is asked for: see `gateway.ledger.rollups.usage`."""
        first, last = window(query)
        values = {
            **{f"by_{name}": name in by for name in _BY},
            "first": first,
            "last": last,
            "team": query.team,
            "task": query.task,
            "model": query.model,
            "decision": query.decision,
        }
        places = [_BY.index(name) for name in by]
        with self._snapshot() as (session, _):
            session.execute(SQL["enough_to_sum"])
            found = [
                (tuple([row[at] for at in places]), RollupSum(*row[len(_BY) :]))
                for row in session.execute(SQL["usage"], values)
            ]
        found.sort(key=itemgetter(0))
        return found[: query.limit]

    def rule_usage(self, query: ledger.Query) -> list[tuple[OfRule, int]]:
        """Return calls by rule, team and decision: see `gateway.ledger.rollups.rule_usage`."""
        first, last = window(query)
        values = {
            "first": first,
            "last": last,
            "rule": query.rule,
            "team": query.team,
            "decision": query.decision,
            "limit": query.limit,
        }
        with self._snapshot() as (session, _):
            return [
                ((rule, team, decision), calls)
                for rule, team, decision, calls in session.execute(SQL["rule_usage"], values)
            ]

    @contextmanager
    def _opened(self) -> Generator[Connection]:
        """Give a session that cannot write; what goes wrong with it is LedgerUnavailable."""
        with connection.told(self._address, LedgerUnavailable):
            session = self._idle_one() or self._new_one()
            try:
                yield session
            except psycopg.Error:
                session.close()
                raise
            finally:
                if len(self._idle) < IDLE_MAX and _is_idle(session):
                    self._idle.append(session)
                else:
                    session.close()

    @contextmanager
    def _snapshot(self, statement_s: float = READ_S) -> Generator[tuple[Connection, LogRow]]:
        with self._opened() as session, session.patient(statement_s):
            row = session.execute(SQL["log"]).fetchone()
            if row is None:
                raise LedgerUnavailable(
                    f"the database at {self._address.place} holds no ledger: start a gateway on it"
                )
            yield session, LogRow(*row[:5])

    def _new_one(self) -> Connection:
        session = connection.connect(
            self._address, statement_timeout_s=READ_S, idle_timeout_s=WHOLE_S
        )
        session.prepare_threshold = None  # a plan for one question is a bad one for another
        session.read_only = True
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return session

    def _idle_one(self) -> Connection | None:
        """Return a session that was used before, if it still is one."""
        while self._idle:
            session = self._idle.pop()
            try:
                session.execute(b"SELECT 1")
            except psycopg.Error:
                session.close()
            else:
                return session
        return None


def _is_idle(session: Connection) -> bool:
    status = session.info.transaction_status
    return not session.closed and status == psycopg.pq.TransactionStatus.IDLE


def unpacked(files: bytes) -> list[tuple[str, str]]:
    """Return the names and texts of policy files as they are kept."""
    return msgspec.json.decode(zlib.decompress(files), type=list[tuple[str, str]])


def _cosigned(session: Connection, found: Sequence[tuple[Any, ...]]) -> list[tuple[int, str]]:
    """Return checkpoints' notes with their cosignatures."""
    if not found:
        return []
    between = (found[0][0], found[-1][0])
    rows = session.execute(SQL["cosignatures"], between).fetchall()
    lines = {
        size: "".join(f"{line}\n" for _, line in some)
        for size, some in groupby(rows, key=itemgetter(0))
    }
    return [(size, note + lines.get(size, "")) for size, note in found]

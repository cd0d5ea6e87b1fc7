"""
The log as it is read: its leaves, tree, checkpoints and sums, by a connection that cannot write.

What is told here is in order; a checkpoint that is told is durable. Records that are in the
intake still are for `reading` to add.
"""

import contextlib
import zlib
from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway import credit, ledger
from gateway.ledger import merkle, tiles
from gateway.ledger.rollups import (
    Group,
    OfRule,
    RollupKey,
    Rollups,
    RollupSum,
    RuleKey,
    window,
)
from gateway.ledger.sequencing import Series
from gateway.ledger.series import LogName
from gateway.stores.sqlite import leaves, tables
from gateway.stores.sqlite.ledger_file import (
    SQL,
    WITH_CREDIT,
    Connection,
    LogRow,
    open_to_read,
    outdated,
    ready,
)
from gateway.stores.sqlite.sequencer import tile

TILES_MAX: Final = 256
"""Full tiles that are remembered: 4 MB."""
_UNFINISHED_MAX: Final = tiles.WIDTH * merkle.HASH_BYTES
_BY: Final = ("hour", "day", "month", "team", "root_id", "task_id", "model", "decision")
"""What the query `usage` can group by, in its order."""


class LogReading:
    """Answers about the log in a folder. Each opens the file, and closes it again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._full: dict[tuple[int, int], bytes] = {}
        """Full tiles that were read of late: they never change."""

    def log(self) -> LogName:
        """Return which log it is."""
        with self._snapshot() as (_, log):
            return LogName(log.origin, log.vkey)

    def holds(self, attempt_id: str, kind: str, n: int) -> bool:
        """Return whether a leaf that is no intent, refusal or settle is in order."""
        with self._snapshot() as (connection, _):
            return bool(tables.known_others(connection, [(attempt_id, kind, n)]))

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
        with self._snapshot() as (connection, _):
            found: list[Any] = connection.execute(SQL["last_checkpoint"]).fetchall()
            notes = _cosigned(connection, found)
        return notes[0][1] if notes else ""

    def checkpoints(self, above: int = -1, limit: int = 1000) -> list[tuple[int, str]]:
        """Return the sizes and notes of checkpoints above a size, with their cosignatures."""
        with self._snapshot() as (connection, _):
            found: list[Any] = connection.execute(SQL["checkpoints"], (above, limit)).fetchall()
            return _cosigned(connection, found)

    def tile(self, level: int, number: int) -> bytes:
        """Return a tile of hashes as it is packed; raises KeyError when it is not there."""
        packed = self._full.get((level, number))
        if packed is None:
            with self._snapshot() as (connection, _):
                packed = tile(connection, level, number)
            if len(packed) > _UNFINISHED_MAX:
                if len(self._full) >= TILES_MAX:
                    self._full.clear()
                self._full[level, number] = packed
        return packed

    def lines(self, first: int, count: int) -> list[bytes]:
        """Return the bytes of some leaves; raises LedgerCorrupt when one is not there."""
        with self._snapshot() as (connection, _):
            return list(leaves.between(connection, first, first + count))

    def leaves(self) -> list[bytes]:
        """Return the bytes of all leaves that were not retired, in the order of their indexes."""
        with self._snapshot() as (connection, log):
            return list(leaves.between(connection, log.retired, log.size))

    def places(self, request_id: str) -> tuple[int, int | None] | None:
        """Return the indexes of a call's intent (or refusal) and of its settle, if it has one."""
        with self._snapshot() as (connection, log):
            attempt_id = "att_" + request_id.removeprefix("req_")
            found = connection.execute(SQL["entry_indexes"], (attempt_id,)).fetchone()
            if found is None or found[0] < log.retired:
                return None
        begun, settled = found
        return begun, None if settled == begun else settled

    def credit(self) -> credit.Folded:
        """Return the fold of credit over all leaves that are in order."""
        with self._snapshot() as (connection, log):
            if connection.pragma("user_version") < WITH_CREDIT:
                raise outdated(self._folder)
            found: list[Any] = connection.execute(SQL["last_checkpoint"]).fetchall()
            notes = _cosigned(connection, found)
            rows = connection.execute(SQL["all_roots"])
            roots = {root_id: credit.unpack(packed) for root_id, packed in rows}
        return credit.Folded(size=log.size, checkpoint=notes[0][1] if notes else "", roots=roots)

    def outcomes(self) -> list[tuple[int, ledger.Outcome]]:
        """Return the outcomes that were not retired, with their indexes, in order."""
        with self._snapshot() as (connection, log):
            places = [at for (at,) in connection.execute(SQL["outcomes"], (log.retired,))]
            lines = leaves.some(connection, places)
        return [
            (at, found)
            for at in places
            if isinstance(found := ledger.leaf(lines[at]), ledger.Outcome)
        ]

    def workers(self) -> dict[str, set[str]]:
        """Return the commitments of those who made calls, by root."""
        found: dict[str, set[str]] = {}
        with self._snapshot() as (connection, _):
            for root_id, principal in connection.execute(SQL["workers"]):
                found.setdefault(root_id, set()).add(principal)
        return found

    def clashes(self) -> list[tuple[str, bytes]]:
        """Return the records that were set aside, each with the reason."""
        with self._snapshot() as (connection, _):
            return [(reason, line) for reason, line in connection.execute(SQL["clashes"])]

    def policy_texts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the digest of each policy set ever in force, and its files' names and texts."""
        with self._snapshot() as (connection, _):
            found: list[Any] = connection.execute(SQL["all_policies"]).fetchall()
        return [(digest, unpacked(files)) for digest, files in found]

    def series(self) -> dict[str, Series]:
        """Return how far each replica's records have come."""
        with self._snapshot() as (connection, _):
            return tables.series(connection.execute(SQL["all_series"]))

    def rollups(self) -> Rollups:
        """Return all hourly sums of calls."""
        with self._snapshot() as (connection, _):
            return Rollups(
                {
                    RollupKey(*values[:6]): RollupSum(*values[6:])
                    for values in connection.execute(SQL["rollups"])
                },
                {RuleKey(*key): calls for *key, calls in connection.execute(SQL["rule_rollups"])},
            )

    def usage(self, by: Sequence[str], query: ledger.Query) -> list[tuple[Group, RollupSum]]:
        """Return hourly sums by what is asked for: see `gateway.ledger.rollups.usage`."""
        first, last = window(query)
        bindings = {
            **{f"by_{name}": name in by for name in _BY},
            "first": first,
            "last": last,
            "team": query.team,
            "task": query.task,
            "model": query.model,
            "decision": query.decision,
        }
        places = [_BY.index(name) for name in by]
        with self._snapshot() as (connection, _):
            found = [
                (tuple([values[at] for at in places]), RollupSum(*values[len(_BY) :]))
                for values in connection.execute(SQL["usage"], bindings)
            ]
        found.sort(key=itemgetter(0))
        return found[: query.limit]

    def rule_usage(self, query: ledger.Query) -> list[tuple[OfRule, int]]:
        """Return calls by rule, team and decision: see `gateway.ledger.rollups.rule_usage`."""
        first, last = window(query)
        bindings = {
            "first": first,
            "last": last,
            "rule": query.rule,
            "team": query.team,
            "decision": query.decision,
            "limit": query.limit,
        }
        with self._snapshot() as (connection, _):
            return [
                ((rule, team, decision), calls)
                for rule, team, decision, calls in connection.execute(SQL["rule_usage"], bindings)
            ]

    def _opened(self) -> Connection:
        return open_to_read(self._folder)

    @contextlib.contextmanager
    def _snapshot(self) -> Generator[tuple[Connection, LogRow]]:
        with closing(self._opened()) as connection:
            connection.execute("BEGIN")
            yield connection, ready(connection, self._folder)


def unpacked(files: bytes) -> list[tuple[str, str]]:
    """Return the names and texts of policy files as they are kept."""
    return msgspec.json.decode(zlib.decompress(files), type=list[tuple[str, str]])


def _cosigned(connection: Connection, found: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return checkpoints' notes with their cosignatures."""
    if not found:
        return []
    between = (found[0][0], found[-1][0])
    rows: list[Any] = connection.execute(SQL["cosignatures"], between).fetchall()
    lines = {
        size: "".join(f"{line}\n" for _, line in some)
        for size, some in groupby(rows, key=itemgetter(0))
    }
    return [(size, note + lines.get(size, "")) for size, note in found]

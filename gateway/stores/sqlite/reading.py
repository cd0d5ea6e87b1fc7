"""
The ledger as it is read, beside a running server, by a connection that cannot write.

What is durable and not yet in order counts too: the intake is decoded and laid over the
tables, inside one read transaction. Rows of a call that is not sequenced have no index yet.
"""

import heapq
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from gateway import credit, ledger
from gateway.ledger import hours, projection, pseudonyms
from gateway.ledger.decision_log import Entry, Page
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import window
from gateway.stores import finding
from gateway.stores.finding import Beside, Found, Overlay
from gateway.stores.sqlite import decisions, leaves, tables
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.log_reading import LogReading, unpacked
from gateway.values import BudgetUnit

_FIRST_US, _LAST_US = 0, 2**62
_WITH_POLICIES = 2
"""The version of the file from which on texts of policies are in it."""
_SPENT = (
    "principal",
    "team",
    "task_id",
    "root_id",
    "model_requested",
    "calls",
    "tokens",
    "cost_usd",
)
"""What the query `spent` returns, in its order."""


class Reading(LogReading):
    """Answers about the ledger in a folder. Each opens the file, and closes it again."""

    def rows(
        self, query: ledger.Query, people: Collection[str] | None = None
    ) -> list[projection.Row]:
        """
        Return the calls asked for, newest first, up to the query's limit.

        `principal` is the commitment. `people` are the commitments to look for, None for all;
        the query's own `principal` is not read here.
        """
        with self._snapshot() as (connection, log):
            overlay = _overlay(connection)
            found = _sequenced(connection, query, people, overlay, log.retired)
            beside = _beside(connection, overlay, log.retired)
            return finding.rows(found, query, people, beside)

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return unlinked cost by hour, newest first: by team, model, time and limit."""
        with self._snapshot() as (connection, _):
            sums = _cost_hours(connection, query)
        return hours.chosen(sums, query)

    def persons(self) -> dict[str, str]:
        """Return who each commitment stands for, as far as salts are left."""
        with self._snapshot() as (connection, _):
            return pseudonyms.persons(_salts(connection, SQL["salts_since"], ""))

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments that stand for a person."""
        with self._snapshot() as (connection, _):
            return frozenset(pseudonyms.persons(_salts(connection, SQL["salts_of"], principal)))

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """
        Return what settled calls received since a moment came to, by the values of columns.

        In calls, tokens or nano-dollars (rounded up per call). Facts or columns of
        `projection.SPENT_BY` may be named; unlinked cost is in it unless a person or a task is.

        Raises:
            ConfigError: the ledger cannot count by one of the columns.

        """
        chosen = projection.spent_columns(columns)
        with self._snapshot() as (connection, _):
            names = pseudonyms.persons(_salts(connection, SQL["salts_since"], ""))
            parts = _spent_linked(connection, since_us, chosen, unit, names)
            sums = _cost_hours(connection, ledger.Query(since_us=since_us))
        parts += hours.spent(sums, since_us, chosen, unit)
        return projection.total(parts)

    def decision_log(
        self, since_us: int = 0, until_us: int = _LAST_US, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """
        Yield what was decided in a window and how it was settled, in the order written.

        In constant memory, however long the log is, and while a server goes on writing.
        `shadowed`: only decisions some shadow rule was against, which is many times faster.
        """
        return decisions.log(self._opened, since_us, until_us, shadowed=shadowed)

    def decision_page(
        self, *, after: str = "", since_us: int = 0, until_us: int = _LAST_US, limit: int = 1000
    ) -> Page:
        """
        Return lines of the decision log, those that follow where another page ended.

        Raises:
            InvalidRequest: `after` is nothing a page ended with.

        """
        return decisions.page(self._opened, after, since_us, until_us, limit)

    def decision(self, request_id: str) -> ledger.DecisionRecord | None:
        """Return what was decided about a call in the last 30 days; None: nothing is known."""
        with closing(self._opened()) as connection:
            return decisions.find(connection, request_id)

    def last_policy(self) -> str:
        """Return the digest of the policies that decided last; empty: nothing was decided."""
        with closing(self._opened()) as connection:
            return decisions.last_policy(connection)

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        with closing(self._opened()) as connection:
            if connection.pragma("user_version") < _WITH_POLICIES:
                return None
            found = connection.execute(SQL["policy_files"], (digest,)).fetchone()
        return None if found is None else unpacked(found[0])


def _overlay(connection: Connection) -> Overlay:
    overlay = Overlay()
    for _, _, blob in connection.execute(SQL["all_intake"]):
        for line in blob.split(b"\n"):
            overlay.lay(line)
    return overlay


def statements(query: ledger.Query, people: Collection[str] | None) -> list[str]:
    """Return the statements that find what is asked for, each in the order of an index."""
    if query.task:
        heads = ["task", "root"]
    elif people is not None:
        heads = ["people"]
    elif query.rule:
        return [f"{SQL['entries_of_rule']}\n{SQL['and_chosen']}\n{SQL['newest_of_rule']}"]
    elif query.team:
        heads = ["team"]
    elif query.model:
        heads = ["model", "served"]
    else:
        heads = ["decision"] if query.decision not in ("", "forwarded") else ["time"]
    tail = f"{SQL['and_chosen']}\n{SQL['newest_entries']}"
    return [f"{SQL[f'entries_of_{head}']}\n{tail}" for head in heads]


def bindings(query: ledger.Query, people: Collection[str] | None, retired: int) -> dict[str, Any]:
    """Return what the statements are given."""
    return {
        "task": query.task,
        "team": query.team,
        "model": query.model,
        "decision": query.decision,
        "rule": query.rule,
        "since_us": _FIRST_US if query.since_us is None else query.since_us,
        "until_us": _LAST_US if query.until_us is None else query.until_us,
        "people": None if people is None else json.dumps(sorted(people)),
        "retired": retired,
        "limit": query.limit,
    }


def _sequenced(
    connection: Connection,
    query: ledger.Query,
    people: Collection[str] | None,
    overlay: Overlay,
    retired: int,
) -> list[Found]:
    values = bindings(query, people, retired)
    parts: list[list[Any]] = [
        connection.execute(statement, values).fetchall() for statement in statements(query, people)
    ]
    places = list(islice(heapq.merge(*parts, reverse=True), query.limit))
    wanted = {index for _, *pair in places for index in pair if index is not None}
    lines = leaves.some(connection, wanted)
    found: list[Found] = []
    for _, index_intent, index_settle in places:
        call = ledger.decode(lines[index_intent])
        assert isinstance(call, ledger.Intent | ledger.Refusal)
        settle: ledger.Settle | ledger.Adjust | None = overlay.settles.get(call.attempt_id)
        if index_settle is not None and index_settle != index_intent:
            settled = ledger.decode(lines[index_settle])
            assert isinstance(settled, ledger.Settle | ledger.Adjust)
            settle = settled
        found.append(Found(call, settle, index_intent if index_settle is None else index_settle))
    return found


def _beside(connection: Connection, overlay: Overlay, retired: int) -> Beside:
    def places(root_id: str) -> list[tuple[int, int | None]]:
        found: list[tuple[int, int | None]] = connection.execute(
            SQL["calls_of_root"], (root_id,)
        ).fetchall()
        return found

    def counted(root_id: str) -> int:
        found = connection.execute(SQL["roots"], (json.dumps([root_id]),)).fetchone()
        return 0 if found is None else credit.unpack(bytes(found[1])).all_calls

    return Beside(places, partial(leaves.some, connection), counted, overlay, retired)


def _salts(connection: Connection, statement: str, value: str) -> list[pseudonyms.Salt]:
    return [
        pseudonyms.Salt(principal=principal, month=month, salt=salt)
        for principal, month, salt in connection.execute(statement, (value,))
    ]


def _cost_hours(connection: Connection, query: ledger.Query) -> dict[HourKey, HourSum]:
    """Return the hours that overlap with a query's time, and perhaps others of the intake."""
    sums = tables.sums(connection.execute(SQL["cost_hours"], window(query)))
    costs = _overlay(connection).costs
    if costs:
        found = [
            msgspec.json.decode(blob, type=ledger.CostIntent)
            for (blob,) in connection.execute(SQL["open_costs"])
        ]
        opened = {intent.attempt_id: intent for intent in found}
        for key, came_to in hours.fold(costs, opened.get).sums.items():
            sums.setdefault(key, HourSum()).add(came_to)
    return sums


def _spent_linked(
    connection: Connection,
    since_us: int,
    columns: Sequence[str],
    unit: BudgetUnit,
    names: dict[str, str],
) -> list[tuple[tuple[str, ...], int]]:
    chosen = [_SPENT.index(name) for name in columns]
    amount = _SPENT.index(unit)
    parts: list[tuple[tuple[str, ...], int]] = []
    for values in connection.execute(SQL["spent"], (since_us,)):
        known: tuple[Any, ...] = (names.get(values[0], values[0]), *values[1:])
        parts.append((tuple(known[at] for at in chosen), known[amount]))
    overlay = _overlay(connection)
    for attempt_id, settle in overlay.settles.items():
        call = overlay.calls.get(attempt_id) or _call_of(connection, attempt_id)
        if call is not None and call.received_at_us >= since_us:
            parts.append(projection.part(call, settle, columns, unit, names))
    return parts


def _call_of(connection: Connection, attempt_id: str) -> ledger.Intent | None:
    """Return the intent of a call that is sequenced and open."""
    found = connection.execute(SQL["entry_indexes"], (attempt_id,)).fetchone()
    if found is None or found[1] is not None:
        return None
    intent = ledger.decode(leaves.at(connection, found[0]))
    assert isinstance(intent, ledger.Intent)
    return intent

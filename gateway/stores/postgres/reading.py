"""
The ledger as it is read: calls, cost, budgets and decisions, in sessions that cannot write.

What is durable and not yet in order counts too: the intake is decoded and laid over the tables,
in one snapshot. Rows of a call that is not sequenced have no index yet.
"""

import heapq
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from gateway import credit, ledger
from gateway.ledger import hours, projection, pseudonyms
from gateway.ledger.decision_log import Entry, Page
from gateway.ledger.hours import HourKey, HourSum
from gateway.ledger.rollups import window
from gateway.stores import finding
from gateway.stores.finding import Beside, Found, Overlay
from gateway.stores.postgres import decisions, leaves
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.log_reading import LogReading, unpacked
from gateway.stores.postgres.standing import SQL
from gateway.values import BudgetUnit

_FIRST_US, _LAST_US = 0, 2**62
_SPENT: Final = (
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
    """Answers about the ledger in a database, each in a session of its own."""

    def rows(
        self, query: ledger.Query, people: Collection[str] | None = None
    ) -> list[projection.Row]:
        """
        Return the calls asked for, newest first, up to the query's limit.

        `principal` is the commitment. `people` are the commitments to look for, None for all;
        the query's own `principal` is not read here.
        """
        with self._snapshot() as (session, log):
            overlay = _overlay(session)
            found = _sequenced(session, query, people, overlay, log.retired)
            beside = _beside(session, overlay, log.retired)
            return finding.rows(found, query, people, beside)

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return unlinked cost by hour, newest first: by team, model, time and limit."""
        with self._snapshot() as (session, _):
            sums = _cost_hours(session, _overlay(session), query)
        return hours.chosen(sums, query)

    def persons(self) -> dict[str, str]:
        """Return who each commitment stands for, as far as salts are left."""
        with self._snapshot() as (session, _):
            return pseudonyms.persons(_salts(session, "salts_since", ""))

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments that stand for a person."""
        with self._snapshot() as (session, _):
            return frozenset(pseudonyms.persons(_salts(session, "salts_of", principal)))

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """
        Return what settled calls received since a moment came to, by the values of columns.

        In calls, tokens or nano-dollars (rounded up per call). Facts or columns of
        `projection.SPENT_BY` may be named; unlinked cost is in it unless a person or a task is.

        Raises:
            ConfigError: the ledger cannot count by one of the columns.

        """
        chosen = projection.spent_columns(columns)
        with self._snapshot() as (session, _):
            names = pseudonyms.persons(_salts(session, "salts_since", ""))
            overlay = _overlay(session)
            parts = _spent_in_order(session, since_us, chosen, unit, names)
            for call, settle in _settled_in_intake(session, overlay):
                if call.received_at_us >= since_us:
                    parts.append(projection.part(call, settle, chosen, unit, names))
            sums = _cost_hours(session, overlay, ledger.Query(since_us=since_us))
        parts += hours.spent(sums, since_us, chosen, unit)
        return projection.total(parts)

    def decision_log(
        self, since_us: int = 0, until_us: int = _LAST_US, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """
        Yield what was decided in a window and how it was settled, in the order written.

        In constant memory, however long the log is, and while servers go on writing.
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
        with self._opened() as session:
            return decisions.find(session, request_id)

    def last_policy(self) -> str:
        """Return the digest of the policies that decided last; empty: nothing was decided."""
        with self._opened() as session:
            return decisions.last_policy(session)

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        with self._opened() as session:
            found = session.execute(SQL["policy_files"], (digest,)).fetchone()
        return None if found is None else unpacked(found[0])


def _overlay(session: Connection) -> Overlay:
    overlay = Overlay()
    for (blob,) in session.execute(SQL["all_intake"]):
        for line in blob.split(b"\n"):
            overlay.lay(line)
    return overlay


def statements(query: ledger.Query, people: Collection[str] | None) -> list[bytes]:
    """Return the statements that find what is asked for, each in the order of an index."""
    chosen = [
        SQL[name]
        for name, is_asked in (
            ("of_team", query.team),
            ("of_decision", query.decision),
            ("of_rule", query.rule),
            ("of_people", people is not None),
        )
        if is_asked
    ]
    if query.decision not in ("", "forwarded"):
        chosen.append(SQL["of_refusals"])  # there is an index of these
    heads = [[SQL["calls_found"], *chosen]]
    if query.task:
        heads = [[*head, SQL[name]] for head in heads for name in ("of_task", "of_root")]
    if query.model:
        heads = [[*head, SQL[name]] for head in heads for name in ("of_model", "of_served")]
    return [b"\n".join([*head, SQL["newest"]]) for head in heads]


def _sequenced(
    session: Connection,
    query: ledger.Query,
    people: Collection[str] | None,
    overlay: Overlay,
    retired: int,
) -> list[Found]:
    values = {
        "task": query.task,
        "team": query.team,
        "model": query.model,
        "decision": query.decision,
        "rule": query.rule,
        "since_us": _FIRST_US if query.since_us is None else query.since_us,
        "until_us": _LAST_US if query.until_us is None else query.until_us,
        "people": None if people is None else sorted(people),
        "retired": retired,
        "limit": query.limit,
    }
    parts = [session.execute(each, values).fetchall() for each in statements(query, people)]
    places = list(islice(heapq.merge(*parts, reverse=True), query.limit))
    wanted = {index for _, *pair in places for index in pair if index is not None}
    lines = leaves.some(session, wanted)
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


def _beside(session: Connection, overlay: Overlay, retired: int) -> Beside:
    def places(root_id: str) -> list[tuple[int, int | None]]:
        found: list[tuple[int, int | None]] = session.execute(
            SQL["calls_of_root"], (root_id,)
        ).fetchall()
        return found

    def counted(root_id: str) -> int:
        found = session.execute(SQL["roots"], ([root_id],)).fetchone()
        return 0 if found is None else credit.unpack(bytes(found[1])).all_calls

    return Beside(places, partial(leaves.some, session), counted, overlay, retired)


def _salts(session: Connection, statement: str, value: str) -> list[pseudonyms.Salt]:
    return [
        pseudonyms.Salt(principal=principal, month=month, salt=salt)
        for principal, month, salt in session.execute(SQL[statement], (value,))
    ]


def _cost_hours(
    session: Connection, overlay: Overlay, query: ledger.Query
) -> dict[HourKey, HourSum]:
    """Return the hours that overlap with a query's time, and perhaps others of the intake."""
    rows = session.execute(SQL["cost_hours"], window(query))
    sums = {HourKey(*row[:4]): HourSum(*row[4:]) for row in rows}
    if overlay.costs:
        found = [ledger.decode(line) for (line,) in session.execute(SQL["all_costs_open"])]
        opened = {each.attempt_id: each for each in found if isinstance(each, ledger.CostIntent)}
        for key, came_to in hours.fold(overlay.costs, opened.get).sums.items():
            sums.setdefault(key, HourSum()).add(came_to)
    return sums


def _spent_in_order(
    session: Connection,
    since_us: int,
    columns: Sequence[str],
    unit: BudgetUnit,
    names: dict[str, str],
) -> list[tuple[tuple[str, ...], int]]:
    chosen = [_SPENT.index(name) for name in columns]
    amount = _SPENT.index(unit)
    parts: list[tuple[tuple[str, ...], int]] = []
    for row in session.execute(SQL["spent"], (since_us,)):
        known: tuple[Any, ...] = (names.get(row[0], row[0]), *row[1:])
        parts.append((tuple([known[at] for at in chosen]), known[amount]))
    return parts


def _settled_in_intake(
    session: Connection, overlay: Overlay
) -> list[tuple[ledger.Intent | ledger.Refusal, ledger.Settle]]:
    """Return the calls whose settle is in the intake, wherever their intent is."""
    elsewhere = [each for each in overlay.settles if each not in overlay.calls]
    rows = session.execute(SQL["calls_open"], (elsewhere,)).fetchall() if elsewhere else []
    calls: dict[str, ledger.Intent | ledger.Refusal] = dict(overlay.calls)
    for line in leaves.some(session, [index for (index,) in rows]).values():
        intent = ledger.decode(line)
        assert isinstance(intent, ledger.Intent)
        calls[intent.attempt_id] = intent
    return [
        (calls[attempt_id], settle)
        for attempt_id, settle in overlay.settles.items()
        if attempt_id in calls
    ]

"""
The auditors' ten questions, each asked twice: of the sums, as the API does, and of the rows in SQL.

"Of the sums" is a call of `Reading`, session and all; "of the rows" is what an auditor with psql
would write, over the whole period. The times are those of who asks: until the last row is there.
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
import psycopg

from benchmarks import ledger_calls
from benchmarks.ledger_records import Calls
from gateway import ledger
from gateway.ledger.rollups import RollupSum
from gateway.stores.postgres import connection
from gateway.stores.postgres.reading import Reading

TEAM, TASK = "team-07", "PROJ-9876"
MONTH_S = ledger_calls.START_S + (ledger_calls.DAYS - 30) * 86_400
ALL = 10**9
ROUNDS = 3
Answer: TypeAlias = Sequence[Any]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One of the ten."""

    words: str
    sums: Callable[[Reading], Answer]
    rows: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How long an answer took, in milliseconds: the median and the longest of some times."""

    words: str
    sums_ms: float
    sums_max_ms: float
    sums_lines: int
    rows_ms: float
    rows_max_ms: float
    rows_lines: int


def asked(url: str) -> list[Asked]:
    """Ask all ten; the answers of both ways have to agree where they say the same."""
    reading = Reading(connection.read(url))
    with psycopg.connect(url, autocommit=True) as session:
        _place_leaves(session)
        session.read_only = True
        return [_asked(question, reading, session) for question in QUESTIONS]


def _asked(question: Question, reading: Reading, session: psycopg.Connection) -> Asked:
    sums, sums_ms = _timed(lambda: question.sums(reading))
    rows, rows_ms = _timed(lambda: session.execute(question.rows.encode()).fetchall())
    return Asked(
        words=question.words,
        sums_ms=sums_ms[len(sums_ms) // 2],
        sums_max_ms=sums_ms[-1],
        sums_lines=len(sums),
        rows_ms=rows_ms[len(rows_ms) // 2],
        rows_max_ms=rows_ms[-1],
        rows_lines=len(rows),
    )


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, list[float]]:
    took: list[float] = []
    answer: Answer = ()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = ask()
        took.append(1000 * (time.perf_counter() - began))
    return answer, sorted(took)


def _by_cost(found: Sequence[tuple[Any, RollupSum]], count: int) -> Answer:
    return sorted(found, key=lambda each: each[1].cost_nano_usd, reverse=True)[:count]


def _usage(*by: str, **query: Any) -> Callable[[Reading], list[tuple[Any, RollupSum]]]:
    return lambda reading: reading.usage(by, ledger.Query(limit=ALL, **query))


def _dearest_tasks(reading: Reading) -> Answer:
    return _by_cost(_usage("task_id", team=TEAM)(reading), 20)


def _busiest_hours(reading: Reading) -> Answer:
    found = _usage("hour")(reading)
    return sorted(found, key=lambda each: each[1].calls, reverse=True)[:24]


def _refusals_by_rule(reading: Reading) -> Answer:
    return reading.rule_usage(ledger.Query(decision="refused", limit=ALL))


def _unlinked_share(reading: Reading) -> Answer:
    """Return each team's unlinked part of all it cost in the last month."""
    parts: dict[str, Decimal] = {}
    since_us = MONTH_S * 1_000_000
    for key, came_to in reading.cost_hours(ledger.Query(since_us=since_us, limit=ALL)):
        parts[key.team] = parts.get(key.team, Decimal(0)) + came_to.cost_usd
    of_teams = _usage("team", since_us=since_us)(reading)
    linked = {str(team): each.cost_nano_usd for (team,), each in of_teams}
    return [
        (team, part / (part + Decimal(linked.get(team, 0)) / 10**9)) for team, part in parts.items()
    ]


def _newest_calls(reading: Reading) -> Answer:
    return reading.rows(ledger.Query(task=TASK, limit=100))


_TOTALS = (
    "count(*) AS calls, sum(input_tokens + output_tokens) AS tokens,"
    " sum(cost_nano_usd) / 1e9 AS cost_usd"
)
_DAY = "received_at_us / 86400000000"
"""In days since 1970: there are statistics of it, so that groups are counted and not sorted."""

QUESTIONS: Sequence[Question] = (
    Question(
        words="What did each team use, month by month: calls, tokens, cost?",
        sums=_usage("team", "month"),
        rows="SELECT team, date_trunc('month', timestamp 'epoch' + day * interval '1 day'),"
        " sum(calls), sum(tokens), sum(cost_usd) FROM"
        f" (SELECT team, {_DAY} AS day, {_TOTALS} FROM ledger_call GROUP BY 1, 2) AS of_day"
        " GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    Question(
        words="What did each root cost, with all tasks below it?",
        sums=_usage("root_id"),
        rows=f"SELECT root_id, {_TOTALS} FROM ledger_call GROUP BY 1 ORDER BY cost_usd DESC",
    ),
    Question(
        words="Which twenty tasks of one team were the dearest?",
        sums=_dearest_tasks,
        rows=f"SELECT task_id, {_TOTALS} FROM ledger_call WHERE team = '{TEAM}'"
        " GROUP BY 1 ORDER BY cost_usd DESC LIMIT 20",
    ),
    Question(
        words="How much was each model used, day by day?",
        sums=_usage("model", "day"),
        rows=f"SELECT model_served, {_DAY} AS day, {_TOTALS} FROM ledger_call"
        " WHERE decision <> 'refused' GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    Question(
        words="How many calls did each rule refuse, team by team?",
        sums=_refusals_by_rule,
        rows="SELECT rule, team, count(*) FROM ledger_call CROSS JOIN unnest(rules) AS rule"
        " WHERE decision = 'refused' GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    Question(
        words="Which share of calls was coalesced, reused or refused?",
        sums=_usage("decision"),
        rows="SELECT decision, count(*), count(*) / sum(count(*)) OVER () AS share"
        " FROM ledger_call GROUP BY 1",
    ),
    Question(
        words="Which share of each team's cost was linked to no task, this month?",
        sums=_unlinked_share,
        rows="SELECT u.team, u.cost / (u.cost + l.cost) AS share FROM"
        " (SELECT team, sum(cost_usd) AS cost FROM ledger_cost_hour"
        f" WHERE hour >= {MONTH_S} GROUP BY 1) AS u"
        " JOIN (SELECT team, sum(cost_nano_usd) / 1e9 AS cost FROM ledger_call"
        f" WHERE received_at_us >= {MONTH_S}000000 GROUP BY 1) AS l"
        " USING (team) ORDER BY 2 DESC",
    ),
    Question(
        words="Which were the newest hundred calls of one task?",
        sums=_newest_calls,
        rows=f"SELECT * FROM ledger_call WHERE task_id = '{TASK}' OR root_id = '{TASK}'"
        " ORDER BY received_at_us DESC, index_intent DESC LIMIT 100",
    ),
    Question(
        words="Which calls are open, or were lost with their gateway?",
        sums=_usage("team", "decision"),
        rows="SELECT index_intent, attempt_id, team, task_id, completion FROM ledger_call"
        " WHERE index_settle IS NULL OR completion = 'unknown_crash' ORDER BY 1",
    ),
    Question(
        words="Which hours were the busiest?",
        sums=_busiest_hours,
        rows="SELECT received_at_us / 3600000000 AS hour, count(*) AS calls"
        " FROM ledger_call GROUP BY 1 ORDER BY 2 DESC LIMIT 24",
    ),
)


def _place_leaves(session: psycopg.Connection) -> None:
    """Give the newest calls of the task their leaves, in full runs: `Reading.rows` reads them."""
    found = session.execute(
        "SELECT index_intent, index_settle, decision, attempt_id FROM ledger_call"
        " WHERE task_id = %s ORDER BY received_at_us DESC, index_intent DESC LIMIT 100",
        (TASK,),
    ).fetchall()
    wanted: dict[int, bytes] = {}
    calls = Calls()
    for begun, settled, decision, attempt_id in found:
        intent = msgspec.structs.replace(
            calls.next(("r1", 1 + begun)), attempt_id=attempt_id, task_id=TASK
        )
        wanted[begun] = ledger.encode(_refused(intent) if decision == "refused" else intent)
        if settled not in (None, begun):
            wanted[settled] = ledger.encode(calls.settled(intent, ("r1", 1 + settled)))
    for first in sorted({index - index % 256 for index in wanted}):
        run = [
            wanted.get(index) or ledger.encode(calls.next(("r1", 1 + index)))
            for index in range(first, first + 256)
        ]
        session.execute(
            "INSERT INTO ledger_leaf_run (first_index, count, lines) VALUES (%s, 256, %s)"
            " ON CONFLICT DO NOTHING",
            (first, b"\n".join(run)),
        )
    session.execute("ANALYZE ledger_leaf_run")


def _refused(intent: ledger.Intent) -> ledger.Refusal:
    kept = {
        name: getattr(intent, name)
        for name in ledger.Refusal.__struct_fields__
        if name not in ("code", "kind")
    }
    return ledger.Refusal(code="quota_exceeded", **kept)

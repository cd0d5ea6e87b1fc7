"""
Ten million calls in a database, as rows: what auditors ask about, without the leaves' bytes.

They come as work does, in sessions: somebody works on a task for an hour or so, with one model
and now and then a small one, so that an hour of a task is some dozen calls. A task lives for
about two weeks of the 90 days. The rollups are summed from the rows in SQL, by the fold's rule.
"""

import random
import time
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate

import msgspec
import psycopg
from psycopg import sql

DAYS, TEAMS, ROOTS, TASKS, PEOPLE = 90, 40, 3_000, 20_000, 1_500
START_S = 1_788_220_800  # 2026-09-01 00:00 UTC
SESSION_CALLS = 30
OPEN_CALLS = 300
"""Of the last ones: they were under way."""
MODELS = (
    ("gpt-5", 24), ("gpt-5-mini", 18), ("claude-sonnet-5", 22), ("claude-haiku-5", 12),
    ("claude-opus-5", 6), ("gemini-3-pro", 6), ("gemini-3-flash", 5), ("gpt-5-nano", 3),
    ("mistral-large-3", 1), ("llama-5-70b", 1), ("qwen-4-coder", 1), ("deepseek-v4", 1),
)  # fmt: skip
SMALL = ("gpt-5-mini", "claude-haiku-5", "gemini-3-flash")
RULES = (
    "call-rate", "task-cost", "team-budget", "month-budget", "no-exact-repeats", "office-hours",
    "large-models", "preview-models",
)  # fmt: skip
REASONS = ("task_missing", "task_unknown", "task_closed")
_HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 9, 18, 24, 25, 22, 16, 22, 25, 24, 20, 14, 8, 6, 5, 4, 3, 2)
COLUMNS = (
    "index_intent", "attempt_id", "received_at_us", "principal", "team", "tenant", "task_id",
    "root_id", "model_requested", "model_served", "provider", "decision", "rules", "replica",
    "index_settle", "completion", "adjusts", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "cost_nano_usd",
)  # fmt: skip
_LINES = 5_000
Say = Callable[[str], None]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and what it took."""

    calls: int
    rollups: int
    rule_rollups: int
    cost_hours: int
    gigabytes: float
    seconds: float


class _Session(msgspec.Struct):
    """Somebody at work on a task, from one moment on."""

    at_us: int
    calls: int
    before: str
    """Columns that all its calls share, as COPY takes them."""
    after: str
    model: int
    span_us: int


def load(url: str, count: int, say: Say) -> Loaded:
    """Fill a database in which a ledger was made; its calls, if any, are removed."""
    began = time.perf_counter()
    with psycopg.connect(url) as session:
        session.execute("SET synchronous_commit = off")
        session.execute("SET maintenance_work_mem = '512MB'")
        session.execute("SET work_mem = '256MB'")
        # Rows first and indexes after, all in one transaction: nothing has to be logged.
        again = _without_indexes(session)
        _copy(session, count, say)
        for statement in again:
            session.execute(statement)
        say(f"{len(again)} indexes made")
        for statement in _SUMS:
            session.execute(statement)
        _copy_costs(session)
        _place_open(session)
        session.execute("UPDATE ledger_log SET size = %s", (2 * count + 1_024,))
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("VACUUM ANALYZE")
        counts = [
            _one(session, f"SELECT count(*) FROM ledger_{name}")
            for name in ("call", "rollup", "rule_rollup", "cost_hour")
        ]
        size = _one(session, "SELECT pg_database_size(current_database())")
    return Loaded(
        calls=counts[0],
        rollups=counts[1],
        rule_rollups=counts[2],
        cost_hours=counts[3],
        gigabytes=size / 1e9,
        seconds=time.perf_counter() - began,
    )


def rows(count: int) -> Iterator[str]:
    """Yield calls as lines of COPY's text, about in the order they were received."""
    dice = random.Random(11)
    made = 0
    for each in _sessions(dice, count):
        step_us = each.span_us // each.calls
        for at in range(each.calls):
            if made == count:
                return
            yield _row(dice, each, made, each.at_us + at * step_us, open_=made > count - OPEN_CALLS)
            made += 1


def _sessions(dice: random.Random, count: int) -> Iterator[_Session]:
    hours = list(accumulate(_weight(hour) for hour in range(24 * DAYS)))
    per_weight = count * 1.02 / SESSION_CALLS / hours[-1]
    models = list(accumulate(weight for _, weight in MODELS))
    people = [f"{dice.getrandbits(128):032x}" for _ in range(PEOPLE)]
    before = 0.0
    for hour, total in enumerate(hours):
        while before < total * per_weight:
            before += 1
            # A task lives for two weeks around its own day.
            number = int(dice.gauss(hour / 24 / DAYS, 0.06) * TASKS) % TASKS
            root = number * ROOTS // TASKS
            team = root * 7 % TEAMS
            model = bisect(models, dice.random() * models[-1])
            person = people[(team * 37 + dice.randrange(40)) % PEOPLE]
            at_us = (START_S + hour * 3_600) * 1_000_000 + dice.randrange(3_600_000_000)
            yield _Session(
                at_us=at_us,
                calls=1 + int(dice.expovariate(1 / (SESSION_CALLS - 0.5))),
                before=f"{person}\tteam-{team:02}\tdefault\tPROJ-{number}\tEPIC-{root}",
                after=f"r{hour // 24:08x}",
                model=model,
                span_us=dice.randrange(600_000_000, 4_800_000_000),
            )


def _weight(hour: int) -> float:
    weekend = (START_S // 86_400 + hour // 24 + 3) % 7 >= 5
    return _HOUR_WEIGHTS[hour % 24] * (0.1 if weekend else 1)


def _row(dice: random.Random, each: _Session, number: int, at_us: int, *, open_: bool) -> str:
    chance = dice.random()
    model = MODELS[each.model][0] if chance < 0.8 else SMALL[number % 3]
    index = 1_024 + 2 * number
    head = f"{index}\tatt_{number:032x}\t{at_us}\t{each.before}\t{model}"
    chance = dice.random()
    if chance < 0.03:
        rule = RULES[min(int(dice.expovariate(0.7)), len(RULES) - 1)]
        return f"{head}\t\t\trefused\t{{{rule}}}\t{each.after}\t{index}\t\t0\t0\t0\t0\t0\t0\t0\n"
    decision = "coalesced" if chance > 0.99 else "reused" if chance > 0.96 else "forwarded"
    head = f"{head}\t{model}\topenai\t{decision}\t{{require-task}}\t{each.after}"
    if open_:
        return f"{head}\t\\N\t\t0\t0\t0\t0\t0\t0\t0\n"
    tokens, out = int(200 + 40_000 * dice.random()), int(1 + 1_500 * dice.random())
    ended = "complete" if chance < 0.95 else "unknown_crash" if chance < 0.9502 else "cancelled"
    cost = 0 if decision != "forwarded" else tokens * 1_250 + out * 10_000
    return (
        f"{head}\t{index + 1}\t{ended}\t0\t{tokens}\t{out}\t{tokens // 2}\t0\t{out // 3}\t{cost}\n"
    )


def _without_indexes(session: psycopg.Connection) -> list[str]:
    """Empty the tables of calls and drop their indexes; return what makes them again."""
    again: list[str] = []
    session.execute("TRUNCATE ledger_call, ledger_open_call, ledger_rollup, ledger_rule_rollup")
    session.execute("TRUNCATE ledger_cost_hour, ledger_leaf_run")
    constraints = session.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'ledger_call'::regclass AND contype IN ('p', 'u')"
    ).fetchall()
    for name, definition in constraints:
        session.execute(f"ALTER TABLE ledger_call DROP CONSTRAINT {name}".encode())
        again.append(f"ALTER TABLE ledger_call ADD CONSTRAINT {name} {definition}")
    indexes = session.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'ledger_call'"
    ).fetchall()
    for name, definition in indexes:
        session.execute(f"DROP INDEX {name}".encode())
        again.append(definition)
    return again


def _copy(session: psycopg.Connection, count: int, say: Say) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    statement = sql.SQL("COPY ledger_call ({}) FROM STDIN").format(columns)
    with session.cursor() as cursor, cursor.copy(statement) as copy:
        lines: list[str] = []
        for number, line in enumerate(rows(count), 1):
            lines.append(line)
            if len(lines) == _LINES or number == count:
                copy.write("".join(lines))
                lines.clear()
                if number % (count // 4 or 1) < _LINES:
                    say(f"{number:,} of {count:,} calls copied")


def _copy_costs(session: psycopg.Connection) -> None:
    """Add unlinked cost: each hour, a few models and reasons of each team."""
    dice = random.Random(12)
    columns = "hour, team, model, reason, calls, refused, tokens, cost_usd"
    with (
        session.cursor() as cursor,
        cursor.copy(f"COPY ledger_cost_hour ({columns}) FROM STDIN") as copy,
    ):
        for hour in range(24 * DAYS):
            chance, at_s = _weight(hour) / 25, START_S + hour * 3_600
            lines = [
                f"{at_s}\tteam-{team:02}\t{model}\t{reason}\t9\t1\t90000\t0.1125\n"
                for team in range(TEAMS)
                for model, weight in MODELS
                for reason in REASONS
                if dice.random() < chance * weight / 40
            ]
            copy.write("".join(lines))


def _place_open(session: psycopg.Connection) -> None:
    session.execute(
        "INSERT INTO ledger_open_call (index_intent, replica)"
        " SELECT index_intent, replica FROM ledger_call WHERE index_settle IS NULL"
    )


def _one(session: psycopg.Connection, statement: str) -> int:
    row = session.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


_SUMS = (
    """
    INSERT INTO ledger_rollup (hour, team, root_id, task_id, model, decision, calls, settled,
        failed, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, cost_nano_usd)
    SELECT received_at_us / 3600000000 * 3600, team, root_id, task_id,
        CASE decision WHEN 'refused' THEN model_requested ELSE model_served END, decision,
        count(*), count(*) FILTER (WHERE completion <> ''),
        count(*) FILTER (WHERE completion NOT IN ('', 'complete')),
        sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_tokens),
        sum(reasoning_tokens), sum(cost_nano_usd)
    FROM ledger_call GROUP BY 1, 2, 3, 4, 5, 6
    """,
    """
    INSERT INTO ledger_rule_rollup (hour, rule, team, decision, calls)
    SELECT received_at_us / 3600000000 * 3600, rule, team, decision, count(*)
    FROM ledger_call CROSS JOIN unnest(rules) AS rule GROUP BY 1, 2, 3, 4
    """,
)

"""
The facts a policy may look at: declared once, typed, by dotted name.

A fact with members takes one of a fixed set of values, and a condition may compare
it only with those. `few` says that a deployment sees only a handful of values of
it, so that what a rule says of them can be remembered. What a call is like is known only
once the store was asked: until then its kind is `new`, and its cluster empty.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from gateway.values import (
    EVIDENCE_RANK,
    Call,
    DrawUnit,
    Evidence,
    Facts,
    LikenessKind,
    Principal,
    Reserve,
    Role,
    TaskLink,
    TaskProblem,
    TaskSource,
)

FactType: TypeAlias = Literal["text", "whole", "number", "flag"]


class Fact(Struct, frozen=True, kw_only=True):
    """One declared fact."""

    name: str
    type: FactType
    about: str
    members: tuple[str, ...] = ()
    few: bool = False
    counted_only: bool = False
    """Whether it only keeps counters apart: no condition may read it."""


KIND = "likeness.kind"
CLUSTER = "likeness.cluster"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
USAGE = "usage."
METERED_WHO: Mapping[str, str] = {
    "principal": "principal.id",
    "team": "principal.team",
    "task": "task.id",
    "root": "task.root",
}
METERED_PERIODS: tuple[Literal["day", "month"], ...] = ("day", "month")
METERED_UNITS: Mapping[DrawUnit, FactType] = {
    "calls": "whole",
    "tokens": "whole",
    "cost_usd": "number",
}
ROUTES = ("chat", "completions", "responses", "embeddings", "messages", "count_tokens")


def _fact(
    name: str, type_: FactType, about: str, *, members: tuple[str, ...] = (), few: bool = False
) -> Fact:
    return Fact(name=name, type=type_, about=about, members=members, few=few or bool(members))


_LIST = (
    _fact("call.model", "text", "the model as the caller names it", few=True),
    _fact("call.route", "text", "which route the call came by", members=ROUTES),
    _fact("call.stream", "flag", "whether the reply is streamed", few=True),
    _fact("call.metered", "flag", "whether the call costs tokens", few=True),
    _fact(
        "call.tool_results_only",
        "flag",
        "whether the last turn is tool results and nothing else",
        few=True,
    ),
    _fact("call.client", "text", "the program that calls, as it names itself: no proof", few=True),
    _fact("call.choices", "whole", "how many answers are asked for (n)"),
    _fact("call.input_tokens", "whole", "an upper estimate of the input"),
    _fact("call.output_tokens_max", "whole", "the most tokens the answer can have"),
    _fact("call.cost_usd_max", "number", "the most the call can cost, in USD"),
    _fact("principal.id", "text", "who calls"),
    _fact("principal.team", "text", "the team of who calls", few=True),
    _fact("principal.role", "text", "what the key may do", members=get_args(Role)),
    _fact("principal.key_id", "text", "which of their keys was used"),
    _fact("task.id", "text", "the task, canonical; empty when none is named"),
    _fact("task.root", "text", "the task's root; empty when none is named"),
    _fact("task.evidence", "text", "how well the task is known", members=get_args(Evidence)),
    _fact("task.evidence_rank", "whole", "evidence as 0 (none) to 3 (verified)", few=True),
    _fact("task.problem", "text", "what kept it from verified", members=get_args(TaskProblem)),
    _fact("task.source", "text", "how the task was named", members=get_args(TaskSource)),
    _fact("task.team", "text", "the team that owns the task", few=True),
    _fact("task.value", "number", "the task's value budget, 0 when it has none"),
    _fact("task.lenient", "flag", "served although not verified (just closed, stale)", few=True),
    _fact(
        KIND,
        "text",
        "how the call is like earlier ones of its caller for its task",
        members=get_args(LikenessKind),
    ),
    Fact(
        name=CLUSTER,
        type="text",
        about="what calls alike have in common; only to count `by`",
        counted_only=True,
    ),
    *(
        _fact(
            f"{USAGE}{who}.{period}.{unit}",
            type_,
            f"{unit} of the {who} this {period} so far; calls under way at the most they can use",
        )
        for who in METERED_WHO
        for period in METERED_PERIODS
        for unit, type_ in METERED_UNITS.items()
    ),
    _fact("now.year", "whole", "the year, UTC"),
    _fact("now.month", "whole", "1 to 12, UTC"),
    _fact("now.day", "whole", "day of the month, UTC"),
    _fact("now.weekday", "text", "the day of the week, UTC", members=WEEKDAYS),
    _fact("now.hour", "whole", "0 to 23, UTC", few=True),
    _fact("now.minute", "whole", "0 to 59, UTC"),
)
DECLARED: Mapping[str, Fact] = {fact.name: fact for fact in _LIST}

SHORT_NAMES: Mapping[str, str] = {
    "principal": "principal.id",
    "key": "principal.key_id",
    "team": "principal.team",
    "role": "principal.role",
    "task": "task.id",
    "root": "task.root",
    "model": "call.model",
    "route": "call.route",
}
"""What `by: [principal, task]` stands for."""

COUNTABLE: Mapping[str, str] = {
    **SHORT_NAMES,
    **{
        fact.name: fact.name
        for fact in _LIST
        if fact.type in ("text", "flag") and not fact.name.startswith("now.") and fact.name != KIND
    },
}
"""What a quota may count `by`, and the fact it stands for."""

KEPT = ("principal", "team", "task", "root", "model")
"""What a budget may count `by`: the ledger can count it again after a restart."""

NOT_KNOWN: Mapping[str, str] = {KIND: "new", CLUSTER: ""}
"""What stands for likeness before the store was asked, and in records older than it."""


NOTHING_USED: Mapping[str, int | float] = {
    fact.name: 0.0 if fact.type == "number" else 0 for fact in _LIST if fact.name.startswith(USAGE)
}
"""What stands for usage that nobody has counted: only what some rule reads is."""

CLIENT_LENGTH_MAX = 64
"""Bytes of a User-Agent that are looked at: callers choose it, and many are remembered."""
_PRODUCT = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def facts(
    call: Call,
    principal: Principal,
    link: TaskLink,
    reserve: Reserve,
    now: float,
    *,
    tool_results_only: bool,
) -> Facts:
    """Return every declared fact of one call; its likeness and its usage are not known yet."""
    year, month, day, weekday, hour, minute = _calendar(int(now // 60))
    route = call.inbound.route
    return {
        "call.model": call.model,
        "call.route": route.name,
        "call.stream": call.stream,
        "call.metered": route.metered,
        "call.tool_results_only": tool_results_only,
        "call.client": _client(call.inbound.headers.get(b"user-agent", b"")[:CLIENT_LENGTH_MAX]),
        "call.choices": call.choices,
        "call.input_tokens": reserve.input_tokens,
        "call.output_tokens_max": reserve.output_tokens,
        "call.cost_usd_max": float(reserve.cost_usd),
        "principal.id": principal.id,
        "principal.team": principal.team,
        "principal.role": principal.role,
        "principal.key_id": principal.key_id,
        "task.id": link.task_id,
        "task.root": link.root_id,
        "task.evidence": link.evidence,
        "task.evidence_rank": EVIDENCE_RANK[link.evidence],
        "task.problem": link.problem,
        "task.source": link.source,
        "task.team": link.team,
        "task.value": link.value,
        "task.lenient": link.lenient,
        **NOT_KNOWN,
        "now.year": year,
        "now.month": month,
        "now.day": day,
        "now.weekday": weekday,
        "now.hour": hour,
        "now.minute": minute,
    }


@lru_cache(maxsize=1024)
def _client(user_agent: bytes) -> str:
    """Return the first product a User-Agent names (RFC 9110 section 10.1.5), in lower case."""
    found = _PRODUCT.match(user_agent)
    return found[0].decode("ascii").lower() if found else ""


@lru_cache(maxsize=8)
def _calendar(minute: int) -> tuple[int, int, int, str, int, int]:
    at = datetime.fromtimestamp(minute * 60, UTC)
    return at.year, at.month, at.day, WEEKDAYS[at.weekday()], at.hour, at.minute

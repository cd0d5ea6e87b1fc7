"""
What auditors ask the ledger, and what is done about it: a person forgotten, a period dropped.

People are pseudonyms, new for each question. A reveal shows names, to auditors alone, and
is itself an entry of the ledger, durable before anything is shown.
"""

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from gateway import ledger, reports, tasks
from gateway.errors import InvalidRequest
from gateway.web.api_terms import (
    Api,
    Ask,
    Caller,
    Name,
    body_of,
    count_of,
    query_of,
    reason_of,
)

LIMIT_MAX = 100_000
_FILTERS = ("task", "team", "principal", "model", "decision", "rule", "since", "until", "limit")
_SUMMED = ("by", "task", "team", "model", "decision", "since", "until", "limit")
_SUMMED_BY_RULE = ("by", "rule", "team", "decision", "since", "until", "limit")
_BY = "team,month"
PERIOD_MAX = 10**12 - 1


class ErasureWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/audit/erase."""

    principal: Name
    reason: str


class RetirementWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/audit/retire."""

    size: Annotated[int, Meta(ge=256, le=PERIOD_MAX, multiple_of=256)]
    """Leaves below it are dropped."""


async def entries(api: Api, ask: Ask) -> list[dict[str, Any]]:
    """Return entries that match, newest first; names only with `reveal` and its reason."""
    query = query_of(ask, (*_FILTERS, "reveal"))
    wanted, reason = _wanted(query, api.clock()), query.get("reveal")
    if reason is not None:
        await record_reveal(api, ask.caller, reason, query)
    # Reading may take a while, and calls are being served meanwhile.
    return await asyncio.to_thread(
        reports.entries,
        api.reading,
        wanted,
        key=secrets.token_bytes(32),
        revealed=reason is not None,
    )


async def unlinked(api: Api, ask: Ask) -> list[dict[str, Any]]:
    """Return the cost of what had no verified task, by hour, team, model and reason."""
    query = query_of(ask, ("team", "model", "since", "until", "limit"))
    wanted = _wanted(query, api.clock())
    keys = await asyncio.to_thread(api.registry.list_keys)
    is_small = reports.small(keys, api.clock())
    return await asyncio.to_thread(reports.unlinked, api.reading, wanted, is_small)


async def usage(api: Api, ask: Ask) -> list[dict[str, Any]]:
    """Return what calls came to, summed by what `by` names; by person there are no sums."""
    by = reports.columns(ask.query.get("by", _BY))
    query = query_of(ask, _SUMMED_BY_RULE if "rule" in by else _SUMMED)
    wanted = _wanted(query, api.clock())
    return await asyncio.to_thread(reports.summed, api.reading, by, wanted)


async def erase(api: Api, ask: Ask) -> dict[str, int]:
    """Forget who a person's commitments stand for; returns how many salts were deleted."""
    wish = body_of(ask, ErasureWish)
    reason = reason_of(wish.reason, "an erasure")
    if re.search(rf"(?<!\w){re.escape(wish.principal)}(?!\w)", reason, re.IGNORECASE):
        raise InvalidRequest("the reason names the person to be forgotten: it is kept for good")
    salts = await api.ledger.erase(wish.principal, auditor=ask.caller.account, reason=reason)
    return {"salts": salts}


async def retire(api: Api, ask: Ask) -> dict[str, int]:
    """Drop the entries below an index: whoever asks has exported and verified them."""
    wish = body_of(ask, RetirementWish)
    await api.ledger.retire(wish.size)
    return {"size": wish.size}


def _wanted(query: Mapping[str, str], now: float) -> ledger.Query:
    since, until, task = query.get("since"), query.get("until"), query.get("task", "")
    if task and not tasks.canonical(task):
        raise InvalidRequest("task can be no task id: write it as its tracker does, PROJ-123")
    return ledger.Query(
        task=tasks.canonical(task),
        team=query.get("team", ""),
        principal=query.get("principal", ""),
        model=query.get("model", ""),
        decision=query.get("decision", ""),
        rule=query.get("rule", ""),
        since_us=None if since is None else reports.moment_us(since, now),
        until_us=None if until is None else reports.moment_us(until, now),
        limit=count_of(query, "limit", 1000, LIMIT_MAX),
    )


async def record_reveal(api: Api, caller: Caller, reason: str, query: Mapping[str, str]) -> None:
    """Record that somebody is shown names, durably; raises NotAllowed, InvalidRequest."""
    caller.need("reveal", "names are shown to auditors only; ask one")
    reason = reason_of(reason, "a reveal")
    filters: dict[str, object] = {name: query[name] for name in query if name != "reveal"}
    if "principal" in query:
        # A leaf is never changed, so a name in it could never be erased: commitments stand for it.
        held = await asyncio.to_thread(api.reading.commitments, query["principal"])
        filters["principal"] = sorted(held)
    replica, replica_seq = api.ledger.stamp()
    await api.ledger.append(
        ledger.Reveal(
            at_us=int(api.clock() * 1_000_000),
            attempt_id="att_" + api.new_id(),
            auditor=caller.account,
            filters=json.dumps(filters, sort_keys=True, ensure_ascii=False),
            reason=reason,
            replica=replica,
            replica_seq=replica_seq,
        )
    )

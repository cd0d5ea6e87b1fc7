"""
What came of the work, and what it cost: reports, wins, the Goodhart meter, and one's own.

All that is durable is put in order first, so that what a caller has just done is in the answer.
"""

import asyncio
from typing import Any

from gateway.reports import meter as meters
from gateway.reports import own as owns
from gateway.reports import report as reports
from gateway.reports import wins as all_wins
from gateway.reports.months import Months, months
from gateway.reports.periods import moment_us
from gateway.web.api_audit import record_reveal
from gateway.web.api_terms import Api, Ask, query_of

_PERIOD = ("since", "until", "team", "as_of")


async def report(api: Api, ask: Ask) -> dict[str, Any]:
    """Return a report; what is about few people, and names, only with `reveal` and its reason."""
    query = query_of(ask, ("by", *_PERIOD, "reveal"))
    by = reports.columns(query.get("by", "team,month"))
    period, as_of_us, reason = _period(ask), _as_of(api, ask), query.get("reveal")
    if reason is not None:
        await record_reveal(api, ask.caller, reason, query)
    await api.flush()
    tasks = await asyncio.to_thread(api.registry.list_tasks)
    # A whole log is read, and calls are being served meanwhile.
    return await asyncio.to_thread(
        reports.report,
        api.reading,
        tasks,
        by=by,
        months=period,
        team=query.get("team", ""),
        as_of_us=as_of_us,
        revealed=reason is not None,
    )


async def wins(api: Api, ask: Ask) -> dict[str, Any]:
    """Return tasks that somebody else accepted and that AI was used for; nobody is named."""
    query = query_of(ask, (*_PERIOD, "use_case"))
    period, as_of_us = _period(ask), _as_of(api, ask)
    await api.flush()
    tasks = await asyncio.to_thread(api.registry.list_tasks)
    return await asyncio.to_thread(
        all_wins.wins,
        api.reading,
        tasks,
        months=period,
        team=query.get("team", ""),
        use_case=query.get("use_case", ""),
        as_of_us=as_of_us,
    )


async def meter(api: Api, ask: Ask) -> dict[str, Any]:
    """Return how calls, tokens and credit go with outcomes."""
    query_of(ask, ("as_of",))
    as_of_us = _as_of(api, ask)
    await api.flush()
    tasks = await asyncio.to_thread(api.registry.list_tasks)
    return await asyncio.to_thread(meters.meter, api.reading, tasks, as_of_us)


async def own(api: Api, ask: Ask) -> dict[str, Any]:
    """Return the caller's own tasks, and what came of them."""
    query_of(ask, ())
    await api.flush()
    tasks = await asyncio.to_thread(api.registry.list_tasks)
    principal = ask.caller.principal.id
    return await asyncio.to_thread(
        owns.own, api.reading, tasks, principal, int(api.clock() * 1_000_000)
    )


def _period(ask: Ask) -> Months:
    return months(ask.query.get("since", ""), ask.query.get("until", ""))


def _as_of(api: Api, ask: Ask) -> int:
    text = ask.query.get("as_of")
    return int(api.clock() * 1_000_000) if text is None else moment_us(text, api.clock())

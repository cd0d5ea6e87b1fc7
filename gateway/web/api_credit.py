"""
What came of the work, and what it cost: reports, wins, the Goodhart meter, and one's own.

All that is durable is put in order first, so that what a caller has just done is in the answer.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gateway.reports import meter as meters
from gateway.reports import own as owns
from gateway.reports import report as reports
from gateway.reports import wins as all_wins
from gateway.reports.months import Months, months
from gateway.reports.periods import moment_us
from gateway.reports.store import Store
from gateway.values import Task
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
    work = partial(
        reports.report,
        by=by,
        months=period,
        team=query.get("team", ""),
        as_of_us=as_of_us,
        revealed=reason is not None,
    )
    return await _read(api, work)


async def wins(api: Api, ask: Ask) -> dict[str, Any]:
    """Return tasks that somebody else accepted and that AI was used for; nobody is named."""
    query = query_of(ask, (*_PERIOD, "use_case"))
    period, as_of_us = _period(ask), _as_of(api, ask)
    work = partial(
        all_wins.wins,
        months=period,
        team=query.get("team", ""),
        use_case=query.get("use_case", ""),
        as_of_us=as_of_us,
    )
    return await _read(api, work)


async def meter(api: Api, ask: Ask) -> dict[str, Any]:
    """Return how calls, tokens and credit go with outcomes."""
    query_of(ask, ("as_of",))
    return await _read(api, partial(meters.meter, as_of_us=_as_of(api, ask)))


async def own(api: Api, ask: Ask) -> dict[str, Any]:
    """Return the caller's own tasks, and what came of them."""
    query_of(ask, ())
    await api.flush()
    now_us = int(api.clock() * 1_000_000)
    return await asyncio.to_thread(owns.own, api.reading, ask.caller.principal.id, now_us)


async def _read(
    api: Api, work: Callable[[Store, Sequence[Task]], dict[str, Any]]
) -> dict[str, Any]:
    """Return what is made of the ledger and the catalogue, while calls are being served."""
    await api.flush()
    tasks = await asyncio.to_thread(api.registry.list_tasks)
    return await asyncio.to_thread(work, api.reading, tasks)


def _period(ask: Ask) -> Months:
    return months(ask.query.get("since", ""), ask.query.get("until", ""))


def _as_of(api: Api, ask: Ask) -> int:
    text = ask.query.get("as_of")
    return int(api.clock() * 1_000_000) if text is None else moment_us(text, api.clock())

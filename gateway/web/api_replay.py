"""
What was decided of late: the decision log, a page at a time, and what shadow rules would do.

The log's people are weekly pseudonyms, and stay so: names never leave the server. Only to count
people over several weeks are they told apart here.
"""

import asyncio
from typing import Any

import msgspec

from gateway import reports
from gateway.errors import ConfigError
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.shadows import Shadows, shadows
from gateway.web.api_terms import Api, Ask, count_of, query_of

PAGE_MAX = 5_000
_SINCE = "7d"


async def listing(api: Api, ask: Ask) -> dict[str, Any]:
    """Return some lines of the decision log, and where the next page begins."""
    query = query_of(ask, ("since", "until", "after", "limit"))
    now = api.clock()
    since, until = query.get("since"), query.get("until")
    page = await asyncio.to_thread(
        api.decisions.decision_page,
        after=query.get("after", ""),
        since_us=0 if since is None else reports.moment_us(since, now),
        until_us=2**62 if until is None else reports.moment_us(until, now),
        limit=count_of(query, "limit", 1_000, PAGE_MAX),
    )
    return {"records": [msgspec.Raw(line) for line in page.lines], "after": page.after}


async def shadow(api: Api, ask: Ask) -> Shadows:
    """Return what each shadow rule in force would have done since a moment."""
    query = query_of(ask, ("since",))
    since_us = reports.moment_us(query.get("since", _SINCE), api.clock())
    return await asyncio.to_thread(_shadows, api, since_us)


def _shadows(api: Api, since_us: int) -> Shadows:
    policies = api.policies()
    if policies is None:
        raise ConfigError("no policies are in force where there is no server")
    log = api.decisions.decision_log(since_us, 2**62, shadowed=True)
    return shadows(log, policies, people_of(api))


def people_of(api: Api) -> People:
    """Return who weekly pseudonyms stand for, as far as the registry knows them."""
    keys = api.registry.list_keys()
    return People(
        api.weekly_apart(),
        principals=[key.principal.id for key in keys],
        keys=[key.id for key in keys],
    )

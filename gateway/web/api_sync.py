"""Syncs with trackers: begun, and looked at."""

from typing import Any

from msgspec import Struct

from gateway.errors import ConfigError
from gateway.web.api_terms import Api, Ask, Name, Syncs, body_of, query_of


class SyncWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/tasks/sync."""

    tracker: Name


async def start(api: Api, ask: Ask) -> dict[str, Any]:
    """Begin a sync with a tracker unless one runs; returns how far it is."""
    return _syncs(api).start(body_of(ask, SyncWish).tracker)


async def status(api: Api, ask: Ask) -> dict[str, Any]:
    """Return how far each sync is, or how it ended, by tracker."""
    query_of(ask, ())
    return _syncs(api).status()


def _syncs(api: Api) -> Syncs:
    if api.syncs is None:
        raise ConfigError("a sync is the running gateway's: leave out --data, and ask that one")
    return api.syncs

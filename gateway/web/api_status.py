"""`whoami`, and `reload`."""

from typing import Any

from gateway.web import api_tasks
from gateway.web.api_terms import Api, Ask, query_of, utc


async def whoami(api: Api, ask: Ask) -> dict[str, Any]:
    """Return what the gateway knows about the key that asks, and about itself."""
    query_of(ask, ())
    status, now = api.status(), api.clock()
    principal, key = ask.caller.principal, ask.caller.key
    reload = status.get("reload", {})
    told = {"reload_error": reload.get("error", "")} if principal.role == "admin" else {}
    return {
        **told,
        "principal": principal.id,
        "team": principal.team,
        "tenant": principal.tenant,
        "role": principal.role,
        "models": sorted(principal.models),
        "key_id": principal.key_id,
        "expires_at": None if key is None else utc(key.expires_at),
        "active_task": api_tasks.active(api, ask.caller),
        "version": status.get("version", ""),
        "policy": status.get("policy", ""),
        "catalogue": api.registry.tasks.digest,
        "prices_as_of": status.get("prices_as_of", ""),
        "now": now,
    }


async def reload(api: Api, ask: Ask) -> dict[str, Any]:
    """Load policies and providers again; a broken file is told, and changes nothing."""
    query_of(ask, ())
    return {"policy": await api.reload()}

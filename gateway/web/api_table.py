"""
Every route of the JSON API, with the permission it asks for: what is not here is refused.

`ROUTES` is what a test walks; `perform` is the one way in, for HTTP and for `--data` alike.
"""

from collections.abc import Mapping
from typing import Any

from gateway.errors import NotFound
from gateway.web import (
    api_audit,
    api_credit,
    api_decisions,
    api_keys,
    api_log,
    api_replay,
    api_status,
    api_sync,
    api_tasks,
)
from gateway.web.api_terms import Api, Ask, Caller, Operation

ROUTES: Mapping[tuple[str, str], str] = {
    ("GET", "/api/whoami"): "call",
    ("GET", "/api/tasks"): "tasks",
    ("GET", "/api/tasks/sync"): "catalogue",
    ("POST", "/api/tasks/sync"): "catalogue",
    ("GET", "/api/tasks/{id}"): "tasks",
    ("POST", "/api/tasks/start"): "tasks",
    ("POST", "/api/tasks/stop"): "tasks",
    ("POST", "/api/tasks/token"): "tasks",
    ("POST", "/api/tasks/import"): "catalogue",
    ("GET", "/api/keys"): "keys",
    ("POST", "/api/keys"): "keys",
    ("POST", "/api/keys/{id}/rotate"): "keys",
    ("POST", "/api/keys/{id}/revoke"): "keys",
    ("GET", "/api/decisions/{id}"): "call",
    ("GET", "/api/audit/entries"): "audit",
    ("GET", "/api/audit/unlinked"): "audit",
    ("GET", "/api/audit/usage"): "audit",
    ("GET", "/api/audit/report"): "audit",
    ("GET", "/api/audit/meter"): "audit",
    ("GET", "/api/wins"): "audit",
    ("GET", "/api/credit/mine"): "call",
    ("POST", "/api/audit/erase"): "erase",
    ("POST", "/api/audit/retire"): "retire",
    ("GET", "/api/receipts/{id}"): "call",
    ("GET", "/api/log/key"): "call",
    ("GET", "/api/log/checkpoint"): "call",
    ("GET", "/api/log/files"): "audit",
    ("GET", "/api/log/manifest"): "audit",
    ("POST", "/api/log/cosignatures"): "audit",
    ("GET", "/api/log/{path:path}"): "audit",
    ("GET", "/api/decisions"): "audit",
    ("GET", "/api/policy/shadow"): "audit",
    ("POST", "/-/reload"): "reload",
}
"""(method, path) -> permission; `identity.may` says which roles have it."""

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/api/whoami"): api_status.whoami,
    ("GET", "/api/tasks"): api_tasks.listing,
    ("GET", "/api/tasks/sync"): api_sync.status,
    ("POST", "/api/tasks/sync"): api_sync.start,
    ("GET", "/api/tasks/{id}"): api_tasks.one,
    ("POST", "/api/tasks/start"): api_tasks.start,
    ("POST", "/api/tasks/stop"): api_tasks.stop,
    ("POST", "/api/tasks/token"): api_tasks.credential,
    ("POST", "/api/tasks/import"): api_tasks.take_in,
    ("GET", "/api/keys"): api_keys.listing,
    ("POST", "/api/keys"): api_keys.create,
    ("POST", "/api/keys/{id}/rotate"): api_keys.rotate,
    ("POST", "/api/keys/{id}/revoke"): api_keys.revoke,
    ("GET", "/api/decisions/{id}"): api_decisions.explain,
    ("GET", "/api/audit/entries"): api_audit.entries,
    ("GET", "/api/audit/unlinked"): api_audit.unlinked,
    ("GET", "/api/audit/usage"): api_audit.usage,
    ("GET", "/api/audit/report"): api_credit.report,
    ("GET", "/api/audit/meter"): api_credit.meter,
    ("GET", "/api/wins"): api_credit.wins,
    ("GET", "/api/credit/mine"): api_credit.own,
    ("POST", "/api/audit/erase"): api_audit.erase,
    ("POST", "/api/audit/retire"): api_audit.retire,
    ("GET", "/api/receipts/{id}"): api_log.receipt,
    ("GET", "/api/log/key"): api_log.key,
    ("GET", "/api/log/checkpoint"): api_log.checkpoint,
    ("GET", "/api/log/files"): api_log.files,
    ("GET", "/api/log/manifest"): api_log.manifest,
    ("POST", "/api/log/cosignatures"): api_log.cosign,
    ("GET", "/api/log/{path:path}"): api_log.file,
    ("GET", "/api/decisions"): api_replay.listing,
    ("GET", "/api/policy/shadow"): api_replay.shadow,
    ("POST", "/-/reload"): api_status.reload,
}

_WHO_MAY: Mapping[str, str] = {
    "keys": "ask an admin",
    "catalogue": "ask an admin",
    "reload": "ask an admin",
    "audit": "ask an auditor or an admin",
    "erase": "ask an auditor",
    "retire": "ask an admin",
}

BODY_BYTES_MAX = 64 * 1024
IMPORT_BYTES_MAX = 50 * 1024 * 1024


def body_bytes_max(route: tuple[str, str]) -> int:
    """Return the most bytes a route's body may have."""
    return IMPORT_BYTES_MAX if route == ("POST", "/api/tasks/import") else BODY_BYTES_MAX


def admit(caller: Caller, route: tuple[str, str]) -> Operation:
    """
    Return the operation behind a route.

    Raises:
        NotFound: there is no such route.
        NotAllowed: the caller's role may not use it.

    """
    permission = ROUTES.get(route)
    if permission is None:
        raise NotFound("nothing is served at this path")
    caller.need(permission, _WHO_MAY.get(permission, "ask an admin for another key"))
    return OPERATIONS[route]


async def perform(api: Api, route: tuple[str, str], ask: Ask) -> Any:
    """Return what a route answers with; raises GatewayError when the answer is no."""
    return await admit(ask.caller, route)(api, ask)

"""
Tasks: seen, started, stopped, imported.

A developer sees the tasks they belong to and the one they started; of any other task they
learn no more than of one that does not exist.
"""

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from gateway import tasks
from gateway.errors import InvalidRequest, TaskClosed, TaskNotYours, TaskUnknown
from gateway.values import Claim, Task, TaskLink
from gateway.web.api_keys import Nothing
from gateway.web.api_terms import Api, Ask, Caller, Counts, body_of, count_of, query_of, utc

TTL_S_MAX = 30 * 86_400
LISTED_MAX = 10_000
NAME_LENGTH_MAX = 200
_MEMBERS_SHOWN = "catalogue"
"""The permission to see who belongs to a task."""

_UNKNOWN = (
    "no task with this id is yours: check its spelling, or have an admin import it"
    " (`goodgate task import`) with you among its members"
)


class TaskWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which task."""

    task: Annotated[str, Meta(min_length=1, max_length=512)]


class CredentialWish(TaskWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which task, and for how long its credential holds."""

    ttl_s: Annotated[int, Meta(ge=60, le=TTL_S_MAX)] = 8 * 3600


async def listing(api: Api, ask: Ask) -> list[dict[str, Any]]:
    """Return the tasks the caller may see, by id: open ones unless `status=closed` or `all`."""
    query = query_of(ask, ("status", "limit"))
    status = query.get("status", "open")
    if status not in ("open", "closed", "all"):
        raise InvalidRequest("status is one of open, closed, all")
    limit = count_of(query, "limit", 1000, LISTED_MAX)
    started = _started(api, ask.caller)
    found = [
        task
        for task in api.registry.list_tasks()
        if status in ("all", task.status) and _sees(ask.caller, task, started)
    ]
    found.sort(key=lambda task: (task.id != started, task.id))
    return [_shown(api, ask.caller, task, started) for task in found[:limit]]


async def one(api: Api, ask: Ask) -> dict[str, Any]:
    """Return one task, and whether a call naming it would be verified."""
    query_of(ask, ())
    started = _started(api, ask.caller)
    task = _visible(api, ask.caller, ask.place["id"], started)
    return _shown(api, ask.caller, task, started)


def active(api: Api, caller: Caller) -> dict[str, Any] | None:
    """Return the task the caller's key is working on."""
    started = _started(api, caller)
    task = api.registry.tasks.get(started) if started else None
    return None if task is None else _shown(api, caller, task, started)


async def start(api: Api, ask: Ask) -> dict[str, Any]:
    """Make a task the active one of the caller's key, for calls that name none."""
    task = _usable(api, ask.caller, body_of(ask, TaskWish).task)
    key_id = ask.caller.principal.key_id
    await asyncio.to_thread(api.registry.set_active, key_id, task.spelling, api.clock())
    return _shown(api, ask.caller, task, task.id)


async def stop(api: Api, ask: Ask) -> dict[str, Any]:
    """Leave the caller's key with no active task; returns which one it was."""
    body_of(ask, Nothing)
    started = _started(api, ask.caller)
    key_id = ask.caller.principal.key_id
    await asyncio.to_thread(api.registry.clear_active, key_id, api.clock())
    return {"stopped": started or None}


async def credential(api: Api, ask: Ask) -> dict[str, Any]:
    """Return a signed credential that names a task for the caller's key alone."""
    wish = body_of(ask, CredentialWish)
    task = _usable(api, ask.caller, wish.task)
    expires_at = api.clock() + wish.ttl_s
    text = api.credentials.issue(
        key_id=ask.caller.principal.key_id, task_id=task.id, expires_at=expires_at
    )
    return {"credential": text, "task": task.id, "expires_at": utc(expires_at)}


async def take_in(api: Api, ask: Ask) -> dict[str, Any]:
    """Read a catalogue into the registry; a mistake in it is told, and changes nothing."""
    name = query_of(ask, ("name",)).get("name", "")
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidRequest("say what the file is called: ?name=catalogue.yaml (or .csv, .json)")
    try:
        text = ask.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            f"{name} is not UTF-8 (byte {error.start}): save it as UTF-8"
        ) from None
    # A catalogue may take seconds to take in, and calls are being served meanwhile.
    count, counts, warnings = await asyncio.to_thread(_take_in, api, ask.caller, name, text)
    return {
        "file": name,
        "tasks": count,
        "new": counts.new,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "warnings": warnings,
    }


def _take_in(api: Api, caller: Caller, name: str, text: str) -> tuple[int, Counts, list[str]]:
    found, warnings = tasks.read_catalogue(name, text)
    valued = [_valued(api, caller, task) for task in found]
    return len(found), api.registry.import_tasks(valued, now=api.clock()), warnings


def _valued(api: Api, caller: Caller, task: Task) -> Task:
    """Return a task whose value somebody set: whoever imports it first, where no one is named."""
    if task.value is None or task.valued_by:
        return task
    known = api.registry.tasks.get(task.id)
    is_same = known is not None and known.value == task.value and known.valued_by
    who = known.valued_by if known is not None and is_same else caller.principal.id
    return structs.replace(task, valued_by=who)


def _started(api: Api, caller: Caller) -> str:
    return tasks.canonical(api.registry.tasks.active(caller.principal.key_id))


def _visible(api: Api, caller: Caller, text: str, started: str) -> Task:
    task_id = tasks.canonical(text)
    task = api.registry.tasks.get(task_id) if task_id else None
    if task is None or not _sees(caller, task, started):
        raise TaskUnknown(_UNKNOWN)
    return task


def _usable(api: Api, caller: Caller, text: str) -> Task:
    task = _visible(api, caller, text, "")
    link = _link(api, caller, task)
    if link.evidence == "verified" or link.lenient:
        return task
    if link.problem == "closed":
        raise TaskClosed(_said(task, link))
    raise TaskNotYours(_said(task, link))


def _sees(caller: Caller, task: Task, started: str) -> bool:
    if caller.may("catalogue") or caller.may("audit"):
        return True
    return task.id == started or tasks.is_member(caller.principal, task)


def _link(api: Api, caller: Caller, task: Task) -> TaskLink:
    claim = Claim(source="active", text=task.spelling)
    return tasks.link(claim, task, caller.principal, api.clock())


def _said(task: Task, link: TaskLink) -> str:
    """Return in words what keeps a task from being verified, and what to do."""
    said = {
        "closed": "is closed: start another, or have it reopened in its tracker",
        "not_yours": "has you neither among its members nor in its team: ask its owner to add you",
        "stale": "has not been heard of from its tracker lately: calls are served, not verified",
    }.get(link.problem, "")
    grace = ", and served for 24 h after that" if link.problem == "closed" and link.lenient else ""
    return f"{task.id} {said}{grace}" if said else ""


def _shown(api: Api, caller: Caller, task: Task, started: str) -> dict[str, Any]:
    link = _link(api, caller, task)
    shown: dict[str, Any] = {
        "id": task.id,
        "spelling": task.spelling,
        "title": task.title,
        "status": task.status,
        "root": task.root_id,
        "team": task.team,
        "value": None if task.value is None else str(task.value),
        "url": task.url,
        "opened_at": utc(task.opened_at),
        "closed_at": utc(task.closed_at),
        "stale": task.stale,
        "active": task.id == started,
        "usable": link.evidence == "verified" or link.lenient,
        "evidence": link.evidence,
        "problem": link.problem,
        "said": _said(task, link),
    }
    if caller.may(_MEMBERS_SHOWN):
        shown["members"] = sorted(task.members)
    return shown

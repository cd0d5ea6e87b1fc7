"""
A call that was never made, read from a file: what policies would make of it.

Either some of its facts (`facts: {task.evidence: none}`, the rest as in a test case), or the
body an SDK sends a provider. What a body cannot tell (who calls, for which task) is given
beside it; what is given wins over what the file says.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

from msgspec import Struct, structs

from gateway import metering, policy, tasks, wire
from gateway.documents import Fields, Problems, nearest, parse
from gateway.errors import InvalidRequest
from gateway.likeness import boilerplate
from gateway.policy.facts import DECLARED
from gateway.rehearsal.trials import cases, situations
from gateway.values import Call, Facts, Inbound, Principal, Reserve, Route, Target, TaskLink

FILE_SIZE_MAX = 1_000_000
_ANTHROPIC = ("system", "stop_sequences", "thinking", "anthropic_version", "mcp_servers")
"""Fields that the Messages API has, and chat completions has not."""


class Request(Struct, frozen=True, kw_only=True):
    """A call as policies see it."""

    facts: Facts
    reserve: Reserve
    """What it can come to."""
    now: float
    """When it comes (Unix seconds)."""
    notes: tuple[str, ...] = ()
    """What was taken for granted."""


def read(
    name: str,
    text: str,
    *,
    given: Mapping[str, str | float],
    route: str,
    prices: metering.PriceBook,
    now: float,
) -> Request:
    """
    Return the call a file describes, at its `at` or else at `now`.

    `given` are facts by name that win; `route` is the route of a body (empty: guessed).

    Raises:
        ConfigError: a line for each mistake in a file of facts, with its place.
        InvalidRequest: a body is no call, or what is given cannot be.

    """
    checked = {each: _fact(each, value) for each, value in given.items()}
    body = _body(text)
    if body is not None:
        return _from_body(text, body, checked, route, prices, now)
    if route:
        checked["call.route"] = _route(route).name
    return _from_facts(name, text, checked, now)


def at(request: Request, now: float) -> Request:
    """Return the same call at another time."""
    facts = request.facts | situations.calendar(now)
    return structs.replace(request, facts=facts, now=now)


def _fact(name: str, value: str | float) -> str | float:
    members = DECLARED[name].members
    if members and value not in members:
        hint = nearest(str(value), members) or f"; it is one of {', '.join(members)}"
        raise InvalidRequest(f"{name} is never {value!r}{hint}")
    return value


def _body(text: str) -> Mapping[str, Any] | None:
    """Return a provider's request; None when the file is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or "facts" in found or "model" not in found:
        return None
    return cast("dict[str, Any]", found)


def _from_facts(name: str, text: str, given: Facts, now: float) -> Request:
    problems = Problems()
    root = parse(name, text, size_max=FILE_SIZE_MAX)
    fields = Fields(root, problems, "a file of facts")
    if "facts" in fields:
        fields.only("facts", "at")
    else:
        said = "neither facts of a call (`facts: {task.evidence: none}`) nor a provider's request"
        problems.add(root, f"{said} (JSON with a `model`)")
    now = cases.read_instant(fields, now)
    facts = situations.whole(cases.read_facts(fields) | given, now)
    problems.raise_if_any()
    return Request(facts=facts, reserve=_reserve(facts), now=now)


def _reserve(facts: Facts) -> Reserve:
    """Return what a call can come to, as its facts say."""
    return Reserve(
        input_tokens=facts["call.input_tokens"],
        output_tokens=facts["call.output_tokens_max"],
        cost_usd=Decimal(repr(facts["call.cost_usd_max"])),
    )


def _from_body(
    text: str,
    body: Mapping[str, Any],
    given: Facts,
    route: str,
    prices: metering.PriceBook,
    now: float,
) -> Request:
    by = _route(route or _guessed(body))
    inbound = Inbound(route=by, path_task="", query=b"", headers={}, body=text.encode())
    call = wire.parse(inbound)
    reserve = metering.reserve(call, Target(provider="", model=call.model, format=""), prices)
    task = tasks.canonical(call.body_task)
    if task and "task.id" not in given:
        given = {"task.id": task, "task.source": "body", **given}
    if "task.id" not in given:
        given = {"task.evidence": "none", **given}
    facts = situations.whole(given, now) | _of_call(call, reserve, now)
    return Request(facts=facts | given, reserve=reserve, now=now, notes=tuple(_granted(facts)))


def _of_call(call: Call, reserve: Reserve, now: float) -> Facts:
    """Return the facts of a call that its body tells."""
    turn = call.turn
    only_results = bool(turn.results) and not boilerplate.strip("\n".join(turn.texts)).strip()
    nobody = Principal(id="", team="", key_id="")
    facts = policy.facts(call, nobody, TaskLink(), reserve, now, tool_results_only=only_results)
    return {name: value for name, value in facts.items() if name.startswith("call.")}


def _granted(facts: Facts) -> Iterator[str]:
    """Yield what a body does not tell, and how it was taken."""
    who = f"{facts['principal.id']} of {facts['principal.team']}"
    task = "no task"
    if facts["task.evidence"] != "none":
        task = f"the task {facts['task.id']} ({facts['task.evidence']})"
    yield (
        f"A body does not tell who calls and what for. Taken as a call of {who} for {task}: "
        "--principal, --team, --task and --evidence say otherwise."
    )


def _route(name: str) -> Route:
    routes = {route.name: route for route in wire.ROUTES}
    if name not in routes:
        hint = nearest(name, routes) or f"; it is one of {', '.join(routes)}"
        raise InvalidRequest(f"there is no route {name!r}{hint}")
    return routes[name]


def _guessed(body: Mapping[str, Any]) -> str:
    """Return the route a body is most likely for."""
    model = str(body["model"])
    if "messages" in body:
        anthropic = "claude" in model or any(field in body for field in _ANTHROPIC)
        return "messages" if anthropic and "max_tokens" in body else "chat"
    if "input" in body:
        return "embeddings" if "embed" in model else "responses"
    return "completions" if "prompt" in body else "chat"

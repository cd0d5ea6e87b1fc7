"""
`POST /webhooks/{tracker}`: what trackers tell, believed for their signature alone.

No key is asked for, and nothing is read before the proof over the very bytes was good. A message
that was taken is answered 200, and so is one that was seen before: a tracker that is refused
tries again, and stops in the end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import BodyTooLarge, GatewayError, NotFound, UnsupportedEncoding
from gateway.settings import Tracker
from gateway.tasks.trackers import reader
from gateway.values import Delivery
from gateway.web import bodies
from gateway.web.ingress import headers_of

PATH: Final = "/webhooks/{tracker}"
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Trackers send some ten kilobytes; nobody has shown who they are before the last of them."""
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class _Taking(Protocol):
    def __call__(self, tracker: Tracker, delivery: Delivery) -> Awaitable[bool]:
        """Take in what a tracker told; False: it had been taken before."""
        ...


class Webhooks(Struct, frozen=True, kw_only=True):
    """What the route needs of the program around it."""

    trackers: Callable[[], Mapping[str, Tracker]]
    """Those of goodgate.yaml that are in force, by name."""
    take: _Taking
    clock: Callable[[], float]
    """Unix time in seconds."""
    new_id: Callable[[], str]


def route(hooks: Webhooks) -> Route:
    """Return the Starlette route."""

    async def answer(request: Request) -> Response:
        headers = {**_HEADERS, "x-request-id": "req_" + hooks.new_id()}
        try:
            is_new = await _taken(hooks, request)
            status, body = 200, {"status": "taken" if is_new else "seen before"}
            return Response(msgspec.json.encode(body), status, headers, "application/json")
        except GatewayError as error:
            if isinstance(error, BodyTooLarge | UnsupportedEncoding):
                headers["connection"] = "close"
            problem = {"error": {"code": error.code, "message": str(error)}}
            return Response(msgspec.json.encode(problem), error.status, headers, "application/json")

    made = Route(PATH, answer, methods=["POST"])
    made.methods = {"POST"}
    return made


async def _taken(hooks: Webhooks, request: Request) -> bool:
    tracker = hooks.trackers().get(str(request.path_params["tracker"]))
    if tracker is None:
        raise NotFound("no tracker has this name: see `trackers:` in goodgate.yaml")
    headers = headers_of(request.scope)
    body = await bodies.read(request, headers, BODY_BYTES_MAX)
    # A large message takes milliseconds to prove and to read: calls must not wait for that.
    delivery = await asyncio.to_thread(
        reader(tracker.kind, tracker.value_field),
        headers,
        body,
        secret=tracker.secret,
        previous_secret=tracker.previous_secret,
        now=hooks.clock(),
    )
    return await hooks.take(tracker, delivery)

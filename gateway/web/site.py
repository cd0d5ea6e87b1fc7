"""Everything that is not a call to a model: health, metrics, the API, and what is not there."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from gateway import wire
from gateway.errors import GatewayError, MethodNotAllowed, NotFound
from gateway.values import WireFormat
from gateway.web import problems
from gateway.web.metrics import Exposition

PUBLIC = (("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/metrics"), ("GET", "/"))
"""Served without a key; everything else is in `web.api`'s table, or is refused."""


_PLACE = re.compile(r"^[^\s:]+:\d+:\d+(?=: )", re.MULTILINE)


def where(error: str) -> str:
    """
    Return at which places a reload found mistakes; empty when it found none.

    Anybody may read it, so it quotes nothing of a file: a mistake may stand beside a secret.
    """
    if not error:
        return ""
    places = _PLACE.findall(error)
    first = "/".join(places[0].split("/")[-2:]) if places else "a file"
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{first}{more}: `goodgate doctor` with an admin's key says what is wrong there"


def build(
    *,
    api_routes: Sequence[BaseRoute],
    exposition: Exposition,
    readiness: Callable[[], Mapping[str, Any]],
    new_id: Callable[[], str],
    lifespan: Lifespan[Starlette],
) -> Starlette:
    """Return the Starlette application around the API's routes."""

    async def root(_: Request) -> Response:
        """Say what answers here."""
        return JSONResponse({"name": "goodgate", "health": "/health/ready"})

    async def live(_: Request) -> Response:
        """Say that the process serves."""
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> Response:
        """Say whether calls are taken, and under which policy."""
        state = readiness()
        reload = {**state["reload"], "error": where(state["reload"]["error"])}
        return JSONResponse({**state, "reload": reload}, status_code=200 if state["ready"] else 503)

    async def metrics(_: Request) -> Response:
        """Show the counters."""
        return Response(exposition.text(), media_type="text/plain; version=0.0.4")

    endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/": root,
        "/health/live": live,
        "/health/ready": ready,
        "/metrics": metrics,
    }
    public = [Route(path, endpoints[path], methods=[method]) for method, path in PUBLIC]
    site = Starlette(routes=[*public, *api_routes], lifespan=lifespan)
    site.router.redirect_slashes = False

    async def refuse(request: Request, error: Exception) -> Response:
        """Say in the caller's shape that nothing is served there."""
        assert isinstance(error, HTTPException)
        problem: GatewayError = NotFound(
            "Nothing is served at this path. Model routes are under /v1; see the README."
        )
        if error.status_code == 405:  # noqa: PLR2004  # HTTP: method not allowed
            problem = MethodNotAllowed(f"This path does not take {_method(request)}.")
        request_id = "req_" + new_id()
        status, headers, body = problems.from_error(problem, _shape(request), request_id)
        reply = Response(body, status_code=status)
        for name, value in [*headers, (b"x-request-id", request_id.encode())]:
            reply.headers[name.decode()] = value.decode()
        return reply

    site.add_exception_handler(HTTPException, refuse)
    return site


def _method(request: Request) -> str:
    # Only a method of the standard is repeated: any other is the caller's own text.
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
    return request.method if request.method in known else "this method"


def _shape(request: Request) -> WireFormat:
    path = wire.locate(request.scope["raw_path"])[1]
    if b"anthropic-version" in dict(request.scope["headers"]) or path.startswith("/v1/messages"):
        return "anthropic"
    return "openai"

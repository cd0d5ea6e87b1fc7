"""
The JSON API over HTTP, which `goodgate` speaks from a developer's or an admin's machine.

Only a key in a header identifies anybody: no cookie is read or set, so no page in a
browser can ask in somebody's name. Who asks is settled before a body is read.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import identity
from gateway.errors import (
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    UnknownCredential,
    UnsupportedEncoding,
)
from gateway.web import bodies
from gateway.web.api_table import ROUTES, admit, body_bytes_max
from gateway.web.api_terms import Api, Ask, Caller, Document, Registry
from gateway.web.ingress import headers_of

__all__ = ["ROUTES", "Api", "Registry", "routes"]

_QUERY_FIELDS_MAX = 20
_QUERY_BYTES_MAX = 8 * 1024
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_FINAL = "private, max-age=31536000, immutable"


def routes(api: Api) -> list[Route]:
    """Return a Starlette route for each line of the table, and for nothing beside."""
    made = [
        Route(path, _endpoint(api, (method, path)), methods=[method]) for method, path in ROUTES
    ]
    for route, (method, _) in zip(made, ROUTES, strict=True):
        route.methods = {method}  # Starlette adds HEAD to GET; the table has no HEAD
    return made


async def identify(api: Api, headers: dict[bytes, bytes]) -> Caller:
    """Return who asks; raises UnknownCredential."""
    presented = identity.present(headers)
    key = await api.registry.keys.find(presented.key_id)
    principal = identity.authenticate(presented, key, pepper=api.pepper, now=api.clock())
    return Caller(principal=principal, account=principal.key_id, key=key)


def _endpoint(api: Api, route: tuple[str, str]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        headers = {**_HEADERS, "x-request-id": "req_" + api.new_id()}
        try:
            value = await _answer(api, route, request)
            if isinstance(value, Document):
                return _document(value, headers)
            status, body = 200, msgspec.json.encode(value)
        except GatewayError as error:
            status = error.status
            body = msgspec.json.encode({"error": {"code": error.code, "message": str(error)}})
            if isinstance(error, UnknownCredential):
                headers["www-authenticate"] = 'Bearer realm="goodgate"'
            if isinstance(error, BodyTooLarge | UnsupportedEncoding):
                headers["connection"] = "close"
        return Response(body, status, headers, media_type="application/json")

    return answer


def _document(value: Document, headers: dict[str, str]) -> Response:
    kept = {"cache-control": _FINAL} if value.is_final else {}
    return Response(value.body, 200, {**headers, **kept, "content-type": value.media_type})


async def _answer(api: Api, route: tuple[str, str], request: Request) -> object:
    headers = headers_of(request.scope)
    caller = await identify(api, headers)
    operation = admit(caller, route)
    ask = Ask(
        caller=caller,
        place={name: str(value) for name, value in request.path_params.items()},
        query=_query(request.scope["query_string"]),
        body=await bodies.read(request, headers, body_bytes_max(route)),
    )
    return await operation(api, ask)


def _query(raw: bytes) -> dict[str, str]:
    if len(raw) > _QUERY_BYTES_MAX:
        raise InvalidRequest("the query is longer than 8 KiB")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_QUERY_FIELDS_MAX,
        )
    except ValueError:
        raise InvalidRequest("the query cannot be read: send name=value pairs in UTF-8") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidRequest("the query gives a parameter twice: send each once")
    return dict(pairs)

"""Calls and streams to test with."""

from typing import Any

import msgspec

from gateway import wire
from gateway.values import Call, Inbound, Route, Target

ROUTES: dict[str, Route] = {route.name: route for route in wire.ROUTES}
OPENAI = Target(provider="openai", model="m", format="openai")
ANTHROPIC = Target(provider="anthropic", model="m", format="anthropic")


def inbound(route: str, body: bytes) -> Inbound:
    """Return a request to a route."""
    return Inbound(route=ROUTES[route], path_task="", query=b"", headers={}, body=body)


def parse(route: str, body: bytes) -> Call:
    """Return the call some bytes make."""
    return wire.parse(inbound(route, body))


def call(route: str, **fields: Any) -> Call:
    """Return the call some fields make; the model is `m` unless said otherwise."""
    return parse(route, msgspec.json.encode({"model": "m"} | fields))


def pieces(stream: bytes, size: int) -> list[bytes]:
    """Return a stream cut into chunks of a size."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]

"""
Errors and refusals as HTTP replies, in the caller's own shape.

Refusals are 400 with `x-should-retry: false` and no `Retry-After`: measured on seven
agents, any other status makes one of them retry, hang or crash (docs/decisions/0005).
Only a throttle that is over within 20 s is a 429 that names its wait.
"""

import math
from typing import TypeAlias

from gateway import wire
from gateway.errors import GatewayError, UnknownCredential
from gateway.values import Refusal, WireFormat

Headers: TypeAlias = list[tuple[bytes, bytes]]
Problem: TypeAlias = tuple[int, Headers, bytes]
"""Status, headers and body."""

WAIT_S_MAX = 20.0
"""The longest wait an agent is told to sit out; beyond it they hang."""

_NO_RETRY = (b"x-should-retry", b"false")
_JSON = (b"content-type", b"application/json")


def from_error(error: GatewayError, wire_format: WireFormat, request_id: str) -> Problem:
    """Return the reply an error deserves."""
    headers: Headers = [_JSON]
    if error.status < 500:  # noqa: PLR2004  # HTTP: from here on it is the server's fault
        headers.append(_NO_RETRY)
    if isinstance(error, UnknownCredential):
        headers.append((b"www-authenticate", b'Bearer realm="goodgate"'))
    body = wire.problem(
        wire_format,
        status=error.status,
        code=error.code,
        message=str(error),
        request_id=request_id,
    )
    return error.status, headers, body


def from_refusal(refusal: Refusal, wire_format: WireFormat, request_id: str) -> Problem:
    """Return the reply a refusal deserves."""
    headers: Headers = [_JSON]
    status = 400
    if 0 < refusal.retry_after_s <= WAIT_S_MAX:
        status = 429
        wait_s = max(1, math.ceil(refusal.retry_after_s))
        headers += [(b"retry-after", b"%d" % wait_s), (b"x-should-retry", b"true")]
    else:
        headers.append(_NO_RETRY)
    body = wire.problem(
        wire_format,
        status=status,
        code=refusal.code,
        message=f"{refusal.message} Ref {request_id}.",
        request_id=request_id,
    )
    return status, headers, body

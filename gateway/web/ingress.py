"""
The routes callers use: each provider's own paths, so that no SDK has to change.

Raw ASGI (docs/decisions/0008): a request to a model route goes from the server's
scope to the line and back with nothing between; every other path is Starlette's.
"""

import asyncio
import contextlib
import functools
import math
import re
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway import wire
from gateway.errors import (
    BodyTooLarge,
    GatewayError,
    InvalidRequest,
    MethodNotAllowed,
    UnsupportedEncoding,
)
from gateway.passage import Admission
from gateway.pipeline import Answer, Gateway
from gateway.ports import Tally
from gateway.values import Inbound, Reading, Route
from gateway.web import models, problems

Message: TypeAlias = MutableMapping[str, Any]

BODY_IDLE_S = 30.0
"""The longest silence while a request body arrives."""
HEADERS_MAX = 100
HEADER_BYTES_MAX = 32 * 1024
_HEADER_UNSAFE = re.compile(r"[^!-~]|;")


class CallerGone(Exception):
    """The caller hung up before its request was complete: there is nobody to answer."""


class Exchange(Struct, kw_only=True):
    """One request to a model route, while it is being served."""

    route: Route
    path_task: str
    scope: Scope
    receive: Receive
    send: Send
    admission: Admission | None = None
    decision: str = "refused"
    started: bool = False
    """Whether the head of the reply has been sent."""


class Ingress:
    """The ASGI application: model routes here, the rest `elsewhere`."""

    def __init__(
        self,
        gateway: Gateway,
        elsewhere: ASGIApp,
        *,
        tally: Tally,
        new_id: Callable[[], str],
        body_bytes_max: int,
    ) -> None:
        self._gateway = gateway
        self._elsewhere = elsewhere
        self._tally = tally
        self._new_id = new_id
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._elsewhere(scope, receive, send)
            return
        path_task, path = wire.locate(scope["raw_path"])
        route = wire.ROUTES_BY_PATH.get(path)
        if route is None:
            if models.serves(path):
                await self._list_models(path, scope, send)
            else:
                await self._elsewhere(scope, receive, send)
            return
        exchange = Exchange(
            route=route, path_task=path_task, scope=scope, receive=receive, send=send
        )
        began = time.perf_counter()
        self._tally.began()
        try:
            await self._serve(exchange)
        except CallerGone:
            exchange.decision = "gone"
        except GatewayError as error:
            # After the head the only honest ending is none: the server closes the connection.
            if not exchange.started:
                await self._fail(exchange, error)
        finally:
            if exchange.admission is not None:
                exchange.admission.close()
            self._tally.ended(route.name, exchange.decision, time.perf_counter() - began)

    async def _serve(self, exchange: Exchange) -> None:
        gateway, scope = self._gateway, exchange.scope
        headers = headers_of(scope)
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{exchange.route.path} takes POST only.")
        principal, task_credential = await gateway.authenticate(headers)
        inbound = Inbound(
            route=exchange.route,
            path_task=exchange.path_task,
            query=scope["query_string"],
            headers=headers,
            body=await self._body(headers, exchange.receive),
        )
        admission = await gateway.admit(inbound, principal, task_credential)
        exchange.admission = admission
        attempt = admission.attempt
        refusal = attempt.decision.refusal
        if refusal is not None:
            status, head, body = problems.from_refusal(
                refusal, exchange.route.wire_format, attempt.request_id
            )
            head += gateway_headers(admission, "refused")
            await _send_whole(exchange, status, head, body)
            return
        exchange.decision = attempt.served
        if attempt.call.stream or attempt.decision.obligations.disconnect == "cancel":
            await self._watched(exchange, admission)
        else:
            answer = await gateway.forward(admission, lambda: _has_hung_up(exchange.receive))
            await _send_answer(exchange, admission, answer)

    async def _watched(self, exchange: Exchange, admission: Admission) -> None:
        """Serve a call while looking out for a caller that hangs up."""
        gone = asyncio.Event()
        cancel = admission.attempt.decision.obligations.disconnect == "cancel"
        serving = asyncio.current_task()
        answered: list[Answer] = []

        async def watch() -> None:
            while (await exchange.receive())["type"] != "http.disconnect":
                pass
            gone.set()
            if cancel and not admission.followed:
                await _cut_off(answered, serving)

        job = asyncio.ensure_future(watch())
        try:
            answer = await self._gateway.forward(admission, gone.is_set)
            answered.append(answer)
            await _send_answer(exchange, admission, answer)
        except asyncio.CancelledError:
            if serving is None or not gone.is_set():
                raise
            serving.uncancel()
        finally:
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedEncoding("The body is compressed. Send it without Content-Encoding.")
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared[:20]) > self._body_bytes_max:
            raise self._too_large()
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await _next_message(receive)
            if message["type"] != "http.request":
                raise CallerGone
            more = message.get("more_body", False)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._body_bytes_max:
                raise self._too_large()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> BodyTooLarge:
        mebibytes = self._body_bytes_max // (1024 * 1024)
        return BodyTooLarge(
            f"The body is larger than {mebibytes} MiB. Send less, or ask an admin to raise "
            "GOODGATE_BODY_BYTES_MAX."
        )

    async def _list_models(self, path: str, scope: Scope, send: Send) -> None:
        request_id = "req_" + self._new_id()
        wire_format = models.shape(scope["raw_path"], dict(scope["headers"]))
        status, head = 200, [(b"content-type", b"application/json")]
        try:
            body = await models.page(
                self._gateway, scope["method"], path, headers_of(scope), wire_format
            )
        except GatewayError as error:
            status, head, body = problems.from_error(error, wire_format, request_id)
        head += self._headers_undecided(request_id)
        head.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})

    def _headers_undecided(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Return what the gateway says on a reply to what never became a call."""
        return [
            (b"x-request-id", request_id.encode()),
            (b"x-goodgate-task", b""),
            (b"x-goodgate-evidence", b"none"),
            (b"x-goodgate-likeness", b""),
            (b"x-goodgate-decision", b"refused"),
            (b"x-goodgate-policy", self._gateway.snapshot.policies.digest.encode()),
        ]

    async def _fail(self, exchange: Exchange, error: GatewayError) -> None:
        admission = exchange.admission
        request_id = admission.attempt.request_id if admission else "req_" + self._new_id()
        status, head, body = problems.from_error(error, exchange.route.wire_format, request_id)
        if admission:
            head += gateway_headers(admission, exchange.decision)
        else:
            head += self._headers_undecided(request_id)
        if isinstance(error, BodyTooLarge | UnsupportedEncoding | InvalidRequest):
            # What is left of the body is not read, so the connection cannot be used again.
            head.append((b"connection", b"close"))
        await _send_whole(exchange, status, head, body)


async def _cut_off(answered: list[Answer], serving: asyncio.Task[Any] | None) -> None:
    """Stop the provider: the job that waits for its head, or the stream that is arriving."""
    if not answered and serving is not None:
        serving.cancel()
    for answer in answered:
        if answer.abandon is not None:
            await answer.abandon()


async def _next_message(receive: Receive) -> Message:
    """Return the next piece of a body, the first one included: it must not keep us waiting."""
    try:
        async with asyncio.timeout(BODY_IDLE_S):
            return await receive()
    except TimeoutError:
        raise InvalidRequest(
            f"The body stopped arriving for {BODY_IDLE_S:.0f} s. Send the call again."
        ) from None


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """
    Return a request's headers by lower-case name; a name sent twice is joined by a newline.

    Raises:
        InvalidRequest: too many, too long, or not exactly one Host (RFC 9112 section 3.2).

    """
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(pairs)
    if len(headers) != len(pairs):
        headers = {}
        for name, value in pairs:
            headers[name] = headers[name] + b"\n" + value if name in headers else value
    host = headers.get(b"host", b"")
    if not host or b"\n" in host:
        raise InvalidRequest("Send exactly one Host header.")
    length = sum(map(len, headers)) + sum(map(len, headers.values()))
    if len(pairs) > HEADERS_MAX or length > HEADER_BYTES_MAX:
        raise InvalidRequest("The headers are too many or too long: at most 100, 32 KiB together.")
    return headers


def gateway_headers(admission: Admission, decision: str) -> list[tuple[bytes, bytes]]:
    """Return what the gateway says of a call on its reply (design section 4)."""
    attempt = admission.attempt
    link = attempt.link
    headers = [
        (b"x-request-id", attempt.request_id.encode()),
        (b"x-goodgate-task", link.task_id.encode()),
        (b"x-goodgate-evidence", link.evidence.encode()),
        (b"x-goodgate-likeness", attempt.verdict.kind.encode() if attempt.verdict else b""),
        (b"x-goodgate-decision", decision.encode()),
        (b"x-goodgate-policy", attempt.decision.policy.encode()),
    ]
    if admission.receipt.promise:
        headers.append((b"x-goodgate-receipt", admission.receipt.promise.encode()))
    if attempt.verdict and attempt.verdict.earlier:
        # So that whoever is slowed for a repeat can see which call it repeats, and why.
        headers.append((b"x-goodgate-likeness-of", attempt.verdict.earlier.encode()))
    if attempt.shares:
        headers.append((b"x-goodgate-shares", attempt.shares.encode()))
    if link.problem:
        # Served or not, its caller should learn what is wrong with the task.
        headers.append((b"x-goodgate-task-problem", link.problem.encode()))
    if attempt.decision.terms.rule:
        # Whoever gets another model than they asked for should see it, and why.
        terms = attempt.decision.terms
        # A rule that names a provider alone leaves the model's name as its caller wrote it.
        model = _HEADER_UNSAFE.sub("?", attempt.target.model)
        headers.append((b"x-goodgate-routed", f"{model}; {terms.rule}".encode()))
    if attempt.decision.obligations.note:
        headers.append((b"x-goodgate-note", attempt.decision.obligations.note.encode()))
    if admission.reservation.readings:
        headers += _rate_limit(admission.reservation.readings)
    return headers


def _rate_limit(readings: tuple[Reading, ...]) -> list[tuple[bytes, bytes]]:
    """Return the pair of draft-ietf-httpapi-ratelimit-headers, for what is nearest its end."""
    least, share = None, math.inf
    for reading in readings:
        left = reading.remaining / reading.draw.limit
        if left < share and not reading.draw.shadow:
            least, share = reading, left
    if least is None:
        return []
    draw = least.draw
    wait_s = math.ceil(least.retry_after_s)
    return [
        (b"ratelimit-policy", _quota_policy(draw.rule, draw.limit, draw.window_s)),
        (b"ratelimit", f'"{draw.rule}";r={max(0, least.remaining)};t={wait_s}'.encode()),
    ]


@functools.lru_cache(maxsize=1024)
def _quota_policy(rule: str, limit: int, window_s: float) -> bytes:
    if not window_s:
        return f'"{rule}";q={limit};qu="concurrent-requests"'.encode()
    return f'"{rule}";q={limit};w={max(1, round(window_s))}'.encode()


async def _send_answer(exchange: Exchange, admission: Admission, answer: Answer) -> None:
    own = admission.attempt.decision.obligations.reply_headers
    head = [*_replaced(answer.headers, own), *gateway_headers(admission, exchange.decision)]
    if answer.chunks is None:
        await _send_whole(exchange, answer.status, head, answer.body)
        return
    async with contextlib.aclosing(answer.chunks) as chunks:
        exchange.started = True
        send = exchange.send
        await send({"type": "http.response.start", "status": answer.status, "headers": head})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _replaced(
    headers: tuple[tuple[bytes, bytes], ...], own: tuple[tuple[str, str], ...]
) -> Iterable[tuple[bytes, bytes]]:
    """Return a provider's headers with those that rules add, which take the place of theirs."""
    if not own:
        return headers
    added = {name.encode(): value.encode() for name, value in own}
    return [*(each for each in headers if each[0] not in added), *added.items()]


async def _send_whole(
    exchange: Exchange, status: int, head: list[tuple[bytes, bytes]], body: bytes
) -> None:
    exchange.started = True
    head.append((b"content-length", b"%d" % len(body)))
    await exchange.send({"type": "http.response.start", "status": status, "headers": head})
    await exchange.send({"type": "http.response.body", "body": body})


def _has_hung_up(receive: Receive) -> bool:
    """Return whether the caller is gone, without waiting."""
    cycle = getattr(receive, "__self__", None)
    if isinstance(cycle, RequestResponseCycle):
        return cycle.disconnected
    # Another server: one step of `receive`, no more.
    step = receive()
    assert asyncio.iscoroutine(step)
    try:
        step.send(None)
    except StopIteration as said:
        return bool(said.value["type"] == "http.disconnect")
    step.close()
    return False

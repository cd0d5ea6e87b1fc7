"""
The same format on both sides: the body passes on byte for byte.

No redirect is followed (the key would follow it), no cookie kept, no proxy taken from
the environment, nothing decompressed. A call is sent once: a POST that fails on a
connection the provider closed meanwhile may have been served, so it is not repeated
here; the caller gets 502, and the SDKs retry (RFC 9110 section 9.2.2).
"""

import re

from gateway import settings, wire
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ProviderCut,
    ProviderTimeout,
    ProviderUnreachable,
)
from gateway.upstream import http1
from gateway.upstream.headers import Inward, Outward
from gateway.upstream.http1 import Failure
from gateway.values import Call, Reply, Target

BODY_BYTES_MAX = 64 * 1024 * 1024
"""The largest reply in one piece."""
HEADS_REMEMBERED_MAX = 256

_QUERY = re.compile(rb"[!-~]*")
_STREAM = b"text/event-stream"


class Native:
    """One provider that speaks the caller's own format."""

    def __init__(self, provider: settings.Provider) -> None:
        self._provider = provider
        self._outward = Outward(provider)
        self._inward = Inward()
        self._heads: dict[tuple[str, bytes], bytes] = {}
        limits = http1.Limits(
            connect_s=provider.connect_s,
            first_byte_s=provider.first_byte_s,
            idle_s=provider.idle_s,
        )
        self._client = http1.Client(provider.base_url, limits)

    async def send(self, call: Call, target: Target) -> Reply:
        """Send a call and return the reply once its head is there."""
        inbound = call.inbound
        body = wire.outgoing_body(call, target)
        head = b"%bcontent-length: %d\r\n%b\r\n" % (
            self._head(inbound.route.upstream_path, inbound.query),
            len(body),
            self._outward.of(inbound.headers, target.headers),
        )
        try:
            connection = await self._client.post(head, body)
        except http1.HttpError as error:
            raise self._no_reply(error.failure) from None
        headers = self._inward.of(connection.headers)
        stream = any(
            name == b"content-type" and value[:17].lower() == _STREAM for name, value in headers
        )
        chunks = self._client.body(connection, self._cut, None if stream else BODY_BYTES_MAX)
        return Reply(
            status=connection.status,
            headers=headers,
            chunks=chunks,
            close=chunks.close,
            stream=stream,
            resumable=True,
        )

    async def close(self) -> None:
        """Close the connections, once every reply was read or given up."""
        await self._client.close()

    def _head(self, path: str, query: bytes) -> bytes:
        """Return how a request to a path begins: the same for every call, and so remembered."""
        head = self._heads.get((path, query))
        if head is None:
            if not _QUERY.fullmatch(query) or b"#" in query:
                raise InvalidRequest("The query holds characters that must be percent-encoded")
            # Never re-quoted: the provider gets the query exactly as the caller wrote it.
            target = self._client.path + path.encode("ascii") + (b"?" + query if query else b"")
            head = b"POST %b HTTP/1.1\r\nhost: %b\r\n" % (target, self._client.authority)
            if len(self._heads) >= HEADS_REMEMBERED_MAX:
                self._heads.clear()
            self._heads[path, query] = head
        return head

    def _cut(self, failure: Failure) -> ProviderCut:
        """Return what to raise when a reply ends before it is complete."""
        who = f"The provider {self._provider.name!r}"
        if failure is Failure.TOO_LARGE:
            return ProviderCut(
                f"The reply of the provider {self._provider.name!r} is larger than the gateway "
                "takes in one piece; ask for less, or for a stream"
            )
        why = "fell silent" if failure is Failure.SILENT else "broke off"
        return ProviderCut(f"{who} {why} in the middle of its reply")

    def _no_reply(self, failure: Failure) -> GatewayError:
        """Return what a failure to get a reply's head means to the caller."""
        provider = self._provider
        who = f"The provider {provider.name!r}"
        if failure is Failure.SILENT:
            return ProviderTimeout(
                f"{who} sent no reply within {provider.first_byte_s:g} s; try again later"
            )
        if failure is Failure.UNCONNECTED:
            return ProviderUnreachable(
                f"{who} took no connection within {provider.connect_s:g} s; try again later"
            )
        if failure is Failure.UNREACHABLE:
            return ProviderUnreachable(
                f"{who} could not be reached; try again later, or have an admin check its base_url"
            )
        if failure is Failure.BROKEN:
            return ProviderUnreachable(
                f"{who} closed the connection before it answered; it may have served the call: "
                "try again if that does no harm"
            )
        return ProviderUnreachable(
            f"{who} answered with something that is no HTTP; have an admin check its base_url"
        )

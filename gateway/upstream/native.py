"""
The same format on both sides: the body passes on byte for byte.

No redirect is followed (the key would follow it), no cookie kept, no proxy taken from
the environment, nothing decompressed. A call is sent once: a POST that fails on a
connection the provider closed meanwhile may have been served, so it is not repeated
here; the caller gets 502, and the SDKs retry (RFC 9110 section 9.2.2).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Self

import aiohttp
from multidict import istr
from yarl import URL

from gateway import settings, wire
from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ProviderCut,
    ProviderTimeout,
    ProviderUnreachable,
)
from gateway.upstream.headers import Inward, Outward
from gateway.values import Call, Reply, Target

BODY_BYTES_MAX = 64 * 1024 * 1024
"""The largest reply in one piece."""
PIECE_BYTES = 256 * 1024
"""A larger request body is handed over in pieces, so that one call never holds up the rest."""
HEADER_BYTES_MAX = 32 * 1024
KEEP_ALIVE_S = 30.0
DNS_TTL_S = 60
URLS_REMEMBERED_MAX = 256

_QUERY = re.compile(rb"[!-~]*")
_STREAM = b"text/event-stream"
_CONTENT_LENGTH = istr("content-length")


class Native:
    """One provider that speaks the caller's own format."""

    def __init__(
        self, provider: settings.Provider, *, body_bytes_max: int = BODY_BYTES_MAX
    ) -> None:
        self._provider = provider
        self._outward = Outward(provider)
        self._inward = Inward()
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=provider.connect_s, sock_read=provider.first_byte_s
        )
        self._urls: dict[tuple[str, bytes], URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._is_retired = False
        self._last_close: asyncio.Future[None] | None = None
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def send(self, call: Call, target: Target) -> Reply:
        """Send a call and return the reply once its head is there."""
        session = self._session or self._open()
        inbound = call.inbound
        url = self._url(inbound.route.upstream_path, inbound.query)
        headers = self._outward.of(inbound.headers)
        body = wire.outgoing_body(call, target)
        if len(body) > PIECE_BYTES:
            headers.append((_CONTENT_LENGTH, str(len(body))))
        self._began()
        try:
            response = await session.post(
                url,
                data=body if len(body) <= PIECE_BYTES else _pieces(body),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except BaseException as error:
            self._ended()
            failure = _failure(error, self._provider)
            if failure is None:
                raise
            raise failure from None
        return self._reply(response)

    async def close(self) -> None:
        """Close the pool, once every reply was read or given up."""
        self._is_retired = True
        await self._quiet.wait()
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=DNS_TTL_S
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )
        return self._session

    def _url(self, path: str, query: bytes) -> URL:
        url = self._urls.get((path, query))
        if url is None:
            if not _QUERY.fullmatch(query) or b"#" in query:
                raise InvalidRequest("The query holds characters that must be percent-encoded")
            text = self._provider.base_url + path
            # Never re-quoted: the provider gets the query exactly as the caller wrote it.
            url = URL(f"{text}?{query.decode('ascii')}" if query else text, encoded=True)
            if len(self._urls) >= URLS_REMEMBERED_MAX:
                self._urls.clear()
            self._urls[path, query] = url
        return url

    def _reply(self, response: aiohttp.ClientResponse) -> Reply:
        provider = self._provider
        headers = self._inward.of(response.raw_headers)
        stream = any(
            name == b"content-type" and value[:17].lower() == _STREAM for name, value in headers
        )
        connection = response.connection
        if connection is not None and not response.content.is_eof():
            # From here on the clock is for silence between chunks.
            protocol = connection.protocol
            assert protocol is not None
            protocol.read_timeout = provider.idle_s
            protocol.start_timeout()
        body_bytes_max = None if stream else BODY_BYTES_MAX
        chunks = _Chunks(response, provider.name, body_bytes_max, self._ended)
        return Reply(
            status=response.status,
            headers=headers,
            chunks=chunks,
            close=chunks.close,
            stream=stream,
        )

    def _began(self) -> None:
        self._under_way += 1
        self._quiet.clear()

    def _ended(self) -> None:
        self._under_way -= 1
        if self._under_way > 0:
            return
        self._quiet.set()
        if self._is_retired and self._session is not None:
            # A call admitted before a reload, and sent after `close`.
            session, self._session = self._session, None
            self._last_close = asyncio.ensure_future(session.close())


class _Chunks:
    """A reply's body as it arrives; a class because a generator cannot be closed while it waits."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        provider: str,
        bytes_max: int | None,
        on_end: Callable[[], None],
    ) -> None:
        self._response = response
        self._content = response.content
        self._provider = provider
        self._bytes_left = bytes_max
        self._on_end: Callable[[], None] | None = on_end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            chunk = self._arrived_before()
            if not chunk:
                self._give_up()
                raise self._cut(error) from None
        if not chunk:
            self._end()
            raise StopAsyncIteration
        if self._bytes_left is not None:
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                self._give_up()
                raise ProviderCut(
                    f"The reply of the provider {self._provider!r} is larger than the gateway "
                    "takes in one piece; ask for less, or for a stream"
                )
        return chunk

    async def close(self) -> None:
        """Abort the connection, unless the reply was read to its end."""
        self._give_up()

    def _arrived_before(self) -> bytes:
        """Return what arrived before the cut: aiohttp raises without handing it out."""
        if self._on_end is None:
            return b""
        return self._content._read_nowait(-1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no public way

    def _give_up(self) -> None:
        if self._on_end is None:
            return
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()
        self._end()

    def _end(self) -> None:
        if self._on_end is not None:
            self._on_end()
            self._on_end = None

    def _cut(self, error: BaseException) -> ProviderCut:
        why = "fell silent" if isinstance(error, TimeoutError) else "broke off"
        return ProviderCut(f"The provider {self._provider!r} {why} in the middle of its reply")


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), PIECE_BYTES):
        yield body[at : at + PIECE_BYTES]


def _failure(error: BaseException, provider: settings.Provider) -> GatewayError | None:
    """Return what a failure to get a reply's head means to the caller; None for no failure."""
    who = f"The provider {provider.name!r}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ProviderUnreachable(
            f"{who} took no connection within {provider.connect_s:g} s; try again later"
        )
    if isinstance(error, TimeoutError):
        return ProviderTimeout(
            f"{who} sent no reply within {provider.first_byte_s:g} s; try again later"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return ProviderUnreachable(
            f"{who} could not be reached; try again later, or have an admin check its base_url"
        )
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return ProviderUnreachable(
            f"{who} closed the connection before it answered; it may have served the call: "
            "try again if that does no harm"
        )
    if isinstance(error, aiohttp.ClientError | OSError):
        return ProviderUnreachable(
            f"{who} answered with something that is no HTTP; have an admin check its base_url"
        )
    return None

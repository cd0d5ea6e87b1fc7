"""
The connections to one provider: made when needed, kept for a while, the last used first.

A connection goes back only after a whole reply that leaves it in a known state. Names with
several addresses are tried in turn, the next one after a moment (RFC 8305).
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from gateway.upstream.connection import Connection
from gateway.upstream.connection_limits import Failure, HttpError, Limits

NEXT_ADDRESS_S = 0.25
"""How long one address is tried alone (RFC 8305 section 5)."""


class Origin(Struct, frozen=True, kw_only=True):
    """Where connections go."""

    host: str
    port: int
    is_tls: bool


class Pool:
    """The connections to one origin."""

    __slots__ = ("_idle", "_is_retired", "_limits", "_origin", "_quiet", "_under_way")

    def __init__(self, origin: Origin, limits: Limits) -> None:
        """Connect to `origin` when asked to."""
        self._origin = origin
        self._limits = limits
        self._idle: list[Connection] = []
        self._under_way = 0
        self._is_retired = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def take(self) -> Connection:
        """
        Return a connection for one call; it must be given back, whatever becomes of it.

        Raises:
            HttpError: UNREACHABLE or UNCONNECTED.

        """
        self._under_way += 1
        self._quiet.clear()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.abort()
        try:
            return await self._connect()
        except BaseException:
            self._ended()
            raise

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next call, or end it."""
        if connection.is_reusable and not self._is_retired:
            connection.rest()
            self._idle.append(connection)
        else:
            connection.abort()
        self._ended()

    async def close(self) -> None:
        """End every connection, once each has been given back; later ones are not kept."""
        self._is_retired = True
        await self._quiet.wait()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await dial(self._origin, lambda: Connection(self._limits, self._lost))
        except TimeoutError:
            raise HttpError(Failure.UNCONNECTED) from None
        except (OSError, UnicodeError):  # UnicodeError: a name that is no host's
            raise HttpError(Failure.UNREACHABLE) from None

    def _ended(self) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._quiet.set()

    def _lost(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)


async def dial(origin: Origin, make: Callable[[], Connection]) -> Connection:
    """
    Return a connection to whichever address of an origin answers first.

    Raises:
        OSError: none does (the first one's reason).

    """
    loop = asyncio.get_running_loop()
    context = tls() if origin.is_tls else None
    name = origin.host if origin.is_tls else None

    async def connect(address: tuple[Any, ...]) -> Connection:
        """Return a connection to one of the host's addresses."""
        host, port = address[:2]
        _transport, connection = await loop.create_connection(
            make, host, port, ssl=context, server_hostname=name
        )
        return connection

    found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    jobs: list[asyncio.Future[Connection]] = []
    winner: Connection | None = None
    try:
        for address in in_turn(found):
            jobs.append(asyncio.ensure_future(connect(address)))
            winner = await _first(jobs, NEXT_ADDRESS_S)
            if winner is not None:
                return winner
        while winner is None and not all(job.done() for job in jobs):
            winner = await _first(jobs, None)
    finally:
        await _give_up(jobs, winner)
    return winner or jobs[0].result()


def in_turn(found: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return addresses in their order, but for the first of another family in second place."""
    other = next((info for info in found if info[0] != found[0][0]), None)
    if other is None:
        return [info[4] for info in found]
    rest = (info for info in found[1:] if info is not other)
    return [found[0][4], other[4], *(info[4] for info in rest)]


@functools.cache
def tls() -> ssl.SSLContext:
    """Return how certificates are checked: as the system does. Made once, when first needed."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _first(
    jobs: Iterable[asyncio.Future[Connection]], timeout_s: float | None
) -> Connection | None:
    """Return the first connection made; None when one failed, or none was made in time."""
    pending = [job for job in jobs if not job.done()]
    done, _pending = await asyncio.wait(
        pending, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
    )
    return next((job.result() for job in done if job.exception() is None), None)


async def _give_up(jobs: Iterable[asyncio.Future[Connection]], winner: Connection | None) -> None:
    for job in jobs:
        job.cancel()
    for made in await asyncio.gather(*jobs, return_exceptions=True):
        if isinstance(made, Connection) and made is not winner:
            made.abort()

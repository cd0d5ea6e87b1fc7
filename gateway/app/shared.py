"""
The store that replicas share, when GOODGATE_REDIS_URL names one.

Imported only then: the embedded default loads no driver for it.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

from gateway import sharing
from gateway.errors import ConfigError, StoreUnavailable
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.fallback import SharedQuotas
from gateway.stores.redis.quotas import RedisQuotas
from gateway.stores.redis.relay import Relay
from gateway.stores.redis.resp import ServerError

log = logging.getLogger("goodgate.app")

EXTEND_S: Final = 5.0
"""How often replicas are told that a reply is still under way here; they believe it for 15 s."""
CHECK_MS: Final = 60_000
_CHECK: Final = b"gg:{00000000}:secret"


class Shared:
    """Quotas, likeness and the replies under way that replicas have in common."""

    def __init__(
        self,
        url: str,
        *,
        replica: str,
        secret: bytes,
        mode: Callable[[], Literal["share", "closed"]],
    ) -> None:
        """
        Read the URL; `start` connects.

        Raises:
            ConfigError: the URL cannot be used.

        """
        connection = Connection(url)
        remote = RedisQuotas(connection, replica=replica, secret=secret)
        self.quotas = SharedQuotas(remote, connection, replica=replica, mode=mode)
        self._relay = Relay(
            url,
            key=hmac.digest(secret, b"goodgate relay", "sha256"),
            replica=replica,
            find=self._find,
        )
        self.flights = sharing.Flights(self._relay)
        self._connection = connection
        self._mark = _mark(secret)
        self._has_complained = False
        self._jobs: set[asyncio.Future[None]] = set()

    async def start(self) -> None:
        """Connect, and keep what must be kept up; a store that is away is no obstacle."""
        await self.quotas.start()
        self._start(self._relay.serve())
        self._start(self._keep_up())

    async def close(self) -> None:
        """Leave the store."""
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self.quotas.close()

    async def _keep_up(self) -> None:
        while True:
            await self._check()
            await asyncio.sleep(EXTEND_S)
            for share in self.flights.shares():
                await self.quotas.extend(share)

    async def _check(self) -> None:
        """Complain when the replicas of this store have different secrets: they share nothing."""
        try:
            kept = await self._connection.command(
                *(b"SET", _CHECK, self._mark, b"NX", b"GET", b"PX", b"%d" % CHECK_MS)
            )
            if kept in (None, self._mark):
                await self._connection.command(b"PEXPIRE", _CHECK, b"%d" % CHECK_MS)
                self._has_complained = False
                return
        except (StoreUnavailable, ServerError):
            return  # whoever asks it about a call says so, and goes on alone
        if not self._has_complained:
            self._has_complained = True
            log.error("%s", DIFFERENT_REPLICAS)

    def _find(self, share: bytes) -> sharing.Boarding | None:
        return self.flights.find(share)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


DIFFERENT_REPLICAS: Final = (
    "The replicas of this store have different secrets, so they can share neither quota nor reply: "
    "set the same GOODGATE_SECRET on all of them."
)


def check_secret(url: str, secret: bytes) -> None:
    """
    Refuse to join replicas that have another secret; say nothing while the store is away.

    Raises:
        ConfigError: they have, or the URL cannot be used.

    """
    mark = _mark(secret)

    async def ask() -> bool:
        """Return whether the others' secret is ours, or is not known."""
        try:
            connection = await Connection.connect(url)
        except StoreUnavailable:
            return True
        try:
            return await connection.command(b"GET", _CHECK) in (None, mark)
        except (StoreUnavailable, ServerError):
            return True
        finally:
            await connection.close()

    if not asyncio.run(ask()):
        raise ConfigError(DIFFERENT_REPLICAS)


def _mark(secret: bytes) -> bytes:
    """Return what shows that two have the same secret, and nothing of it."""
    return hmac.digest(secret, b"goodgate secret check", "sha256")[:8].hex().encode()


def replica_name(key: bytes) -> str:
    """Return the name of a replica: that of its data folder, over restarts."""
    return hashlib.sha256(b"replica" + key).hexdigest()[:16]

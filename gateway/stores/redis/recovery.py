"""
From a store that is away to one that all replicas share again, without losing count.

Coming back takes a moment in which calls are still decided by each replica for itself: every
budget's own field is set from the mirror, then, with nothing under way, those that changed
meanwhile. The same is done when the store turns out to have lost what it held, or when what
it did for us is not known (a caller gone while it drew).

Calls under way are put right in the same way, under a new life: what the store may remember of
them that has ended since nobody counts any more. One that was let through without the store and
ends after that is given back there MENDED_EVERY_S later at most. While some are under way, a
sign of life goes to their tenants with every heartbeat.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from gateway.errors import StoreUnavailable
from gateway.stores.redis.account import Account
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.heartbeat import EVERY_S, Heartbeat
from gateway.stores.redis.mirror import CounterKey, Mirror
from gateway.stores.redis.resp import ServerError

log = logging.getLogger("goodgate.stores")

AT_ONCE: Final = 256
"""Counters put right in one go."""
MENDED_EVERY_S: Final = 0.2
"""New calls are held up for a moment each time; not more often than that."""


class State(Struct, frozen=True, kw_only=True):
    """What `/metrics`, `/health/ready` and `goodgate doctor` show."""

    is_shared: bool
    """Whether the store decides for all replicas."""
    since: float
    """Since when (Unix seconds)."""
    reason: str
    """Why not, in a few words; empty while it is."""
    replicas: int
    """How many there are, or were when last known."""
    fallbacks: int
    """Calls this replica has decided by itself."""
    outages: int
    """How often the store was gone."""


class Recovery:
    """Knows whether the store is to be asked, and sees to it that it is again."""

    def __init__(
        self,
        connection: Connection,
        heartbeat: Heartbeat,
        mirror: Mirror,
        account: Account,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Put this replica's account in the store right by its mirror."""
        self._connection = connection
        self._heartbeat = heartbeat
        self._mirror = mirror
        self._account = account
        self._clock = clock
        self.is_shared = False
        self.outages = 0
        self.fallbacks = 0
        self.settled = asyncio.Event()
        """Set while the store is shared and nothing is left to be put right."""
        self._since = clock()
        self._reason = "not started"
        self._complaint = ""
        self._anew = False
        """Whether the store may take calls for under way here that are not."""
        self._under_way = 0
        self._quiet: asyncio.Future[None] | None = None
        self._pause: asyncio.Future[None] | None = None
        self._work = asyncio.Event()
        self._job: asyncio.Task[None] | None = None
        connection.on_up = self._work.set
        connection.on_down = self._went
        connection.on_moved = self._moved

    @property
    def state(self) -> State:
        """Return how it stands."""
        return State(
            is_shared=self.is_shared,
            since=self._since,
            reason="" if self.is_shared else self._reason,
            replicas=self._heartbeat.replicas,
            fallbacks=self.fallbacks,
            outages=self.outages,
        )

    async def start(self) -> None:
        """Connect, and share if the store is there; else say so, and go on alone."""
        await self._connection.start()
        await self._step()
        if not self.is_shared:
            self._reason = self._connection.reason
            log.warning(
                "the store of quotas is away (%s): each of %d replicas goes by its share of limits",
                self._reason,
                self._heartbeat.replicas,
            )
        self._job = asyncio.ensure_future(self._keep_on())

    async def close(self) -> None:
        """Stop, and be counted no more."""
        self._connection.on_down = self._ended
        if self._job is not None:
            self._job.cancel()
            await asyncio.wait([self._job])
        if self._connection.up:
            with contextlib.suppress(StoreUnavailable, ServerError):
                await self._heartbeat.stop()
        await self._connection.close()

    @property
    def is_paused(self) -> bool:
        """Return whether `enter` would have to wait a moment."""
        return self._pause is not None

    async def enter(self) -> bool:
        """Return whether the store is to be asked now; then `leave` when it has answered."""
        while self._pause is not None:
            await asyncio.shield(self._pause)
        self._under_way += self.is_shared
        return self.is_shared

    def leave(self) -> None:
        """Note that one who entered has an answer, or never will."""
        self._under_way -= 1
        if self._under_way == 0 and self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def mend_soon(self) -> None:
        """Put right what the mirror says is dirty, if the store is there."""
        self.settled.clear()
        self._work.set()

    def distrust_calls(self) -> None:
        """Put right all calls under way: which of them the store knows is not known."""
        self._anew = True
        self.mend_soon()

    def complain(self, error: ServerError) -> None:
        """Log what the store has against us; not the same thing over and over."""
        if str(error) != self._complaint:
            self._complaint = str(error)
            log.error("the store of quotas does not understand us: %s", error)

    async def _keep_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._work.wait()
            self._work.clear()
            await self._step()
            await asyncio.sleep(MENDED_EVERY_S)

    async def _step(self) -> None:
        """Say that we are here, come back if we were away, put right what is wrong."""
        if not self._connection.up:
            return
        try:
            kept = await self._heartbeat.beat(asyncio.get_running_loop().time())
            if not kept or not self.is_shared:
                self._soil()
            if not self.is_shared:
                await self._mend(self._mirror.dirty)
            if self._mirror.dirty or self._anew or not self.is_shared:
                await self._mend_in_peace()
            self._mirror.sweep(self._clock())
            await self._hold()
        except StoreUnavailable:
            return  # the next time it is up
        except ServerError as error:
            self.complain(error)
            return
        if not self._mirror.dirty:
            self.settled.set()

    async def _mend_in_peace(self) -> None:
        """Hold up new calls until those under way are done and every field is right."""
        self._pause = asyncio.get_running_loop().create_future()
        try:
            if self._under_way:
                self._quiet = asyncio.get_running_loop().create_future()
                await self._quiet
            if self._anew:
                self._account.begin_anew()
                self._mirror.soil_calls()
            await self._mend(self._mirror.dirty)
            self._anew = False
            if not self.is_shared and self._connection.up:
                self._came_back()
        finally:
            pause, self._pause, self._quiet = self._pause, None, None
            pause.set_result(None)

    async def _mend(self, keys: Iterable[CounterKey]) -> None:
        waiting = list(keys)
        for start in range(0, len(waiting), AT_ONCE):
            await asyncio.gather(*map(self._mend_one, waiting[start : start + AT_ONCE]))

    async def _mend_one(self, key: CounterKey) -> None:
        own = self._mirror.of(key)
        self._mirror.dirty.discard(key)
        if own is None:
            return
        try:
            await self._account.put(key, own)
        except BaseException:
            self._mirror.dirty.add(key)
            raise

    async def _hold(self) -> None:
        """Have calls under way here believed for longer; put them right if they were not."""
        for tenant in self._mirror.tenants():
            if not await self._account.hold(tenant):
                self._mirror.soil_calls(tenant)
                self.mend_soon()

    def _soil(self) -> None:
        """Take all that the store holds of this replica for wrong."""
        self._mirror.soil()
        self._anew = True

    def _came_back(self) -> None:
        self.is_shared = True
        self._since = self._clock()
        log.info(
            "the store of quotas is shared; replicas: %d, calls decided here alone so far: %d",
            self._heartbeat.replicas,
            self.fallbacks,
        )

    def _moved(self) -> None:
        self._soil()
        self.mend_soon()

    def _ended(self, reason: str) -> None:
        self.is_shared, self._reason = False, reason

    def _went(self, reason: str) -> None:
        self.settled.clear()
        self._reason = reason
        if not self.is_shared:
            return
        self.is_shared = False
        self.outages += 1
        self._since = self._clock()
        log.warning(
            "the store of quotas is away (%s): each of %d replicas goes by its share of limits",
            reason,
            self._heartbeat.replicas,
        )

"""
Quotas that hold whether or not the store does.

While the store is up, it decides for all replicas. While it is away, each replica decides by
itself, for its share: a quota's limit / replicas (at least 1), and of a budget what was left
/ replicas. Likeness is then of this replica's calls only. Nothing a store does fails a call,
unless the policy says that nothing passes without it (`on_store_failure: {quotas: closed}`).

What may pass at most. Of a quota, in any window, L being its limit and N the replicas: what
the store admits in one life (2 L, as ever), and beside it what the replicas admit by
themselves, 2 max(1, L / N) each, and each at most one draw larger than its share at a time,
which must find the whole share free, is reserved at the share and charged in full when it is
settled. A store that comes back empty begins a new life. Of a budget: nothing beyond the
limit, but for what others took after this replica last asked, one unit for each replica when
less is left than there are replicas, and for each replica one draw too large for its share;
and, where a store forgets without going away, what passes until that is seen: at the next
draw on the budget, and put right 0.2 s later at most. Of calls under way at once: a replica
alone lets one through while fewer than max(1, L / N) are open here, whoever let those through.
So replicas by themselves never have more than L open, or N if that is more; and all together
no more than that, but for what one had beyond its share when the outage began, until it ends.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeVar

from msgspec import Struct, structs

from gateway import ports, quota
from gateway.errors import StoreUnavailable
from gateway.stores.memory import TENANT, MemoryQuotas
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.heartbeat import Heartbeat
from gateway.stores.redis.mirror import CounterKey, Mirror
from gateway.stores.redis.recovery import Recovery, State
from gateway.stores.redis.remote import Remote
from gateway.stores.redis.resp import ServerError
from gateway.stores.redis.shares import Shares, counter_key
from gateway.values import (
    Draw,
    DrawUnit,
    Observation,
    Offer,
    Offers,
    Reservation,
    Sighting,
    Usage,
)

Mode: TypeAlias = Literal["share", "closed"]
HELD_S_MAX: Final = 86_400.0
_T = TypeVar("_T")


class _Drawing(Struct, frozen=True):
    """Whose draws they are, and of which cluster."""

    tenant: str
    cluster: str
    draws: tuple[Draw, ...]


class _Held(Struct, frozen=True):
    """A reservation that is not settled."""

    since: float
    inner: Reservation
    """As the one who made it knows it."""
    counted: tuple[tuple[CounterKey, Draw], ...]
    """The draws that were taken on budgets, and on calls under way."""
    is_local: bool


class SharedQuotas:
    """The store while it is up, this process's memory while not. Implements `ports.Quotas`."""

    def __init__(
        self,
        remote: Remote,
        connection: Connection,
        *,
        replica: str,
        mode: Callable[[], Mode] = lambda: "share",
        replicas: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Make ready; `start` connects.

        Args:
            remote: the store, on `connection`.
            connection: from now on started and closed by this alone.
            replica: this replica's name.
            mode: what the policy in force says of calls with draws while the store is away.
            replicas: how many there are, until the store has been asked.
            clock: Unix seconds.

        """
        self._remote = remote
        self._mode = mode
        self._local = MemoryQuotas()
        self._mirror = Mirror()
        self._recovery = Recovery(
            connection,
            Heartbeat(connection, replica, replicas),
            self._mirror,
            remote.account,
            clock,
        )
        self._held: OrderedDict[int, _Held] = OrderedDict()
        self._last_id = 0
        self._jobs: set[asyncio.Future[None]] = set()

    @property
    def state(self) -> State:
        """Return whether the store is up, since when, and what was decided without it."""
        return self._recovery.state

    @property
    def settled(self) -> asyncio.Event:
        """Return what is set while the store is shared and holds what it should."""
        return self._recovery.settled

    @property
    def held(self) -> int:
        """Return how many reservations are not settled."""
        return len(self._held)

    async def start(self) -> None:
        """Connect; a store that is away is waited for in the background."""
        await self._recovery.start()

    async def close(self) -> None:
        """Disconnect, once what was settled is on its way."""
        while self._jobs:
            await asyncio.wait(set(self._jobs))
        await self._recovery.close()

    async def observe(self, sighting: Sighting, offers: Offers, now: float) -> Observation:
        """Say how a call is like an earlier one of its scope, and draw what its kind is offered."""
        everything = (offers.new, offers.exact, offers.retry, offers.shared)
        draws = tuple([draw for offer in everything for draw in offer.draws])
        drawing = _Drawing(sighting.tenant, sighting.cluster, draws)
        found = await self._ask(drawing, lambda: self._remote.observe(sighting, offers, now))
        shares = None
        if found is None:
            shares = self._alone(drawing)
            ours = shares.offers(sighting.tenant, sighting.cluster, offers)
            found = await self._local.observe(sighting, ours, now)
        cluster = found.earlier.cluster if found.earlier is not None else sighting.cluster
        drawing = _Drawing(sighting.tenant, cluster, ())
        return structs.replace(
            found, reservation=self._file(drawing, found.reservation, shares, now)
        )

    async def decide(
        self, sighting: Sighting, cluster: str, offer: Offer, now: float
    ) -> Reservation:
        """Draw for a sighting that was undecided; remember it in a cluster when that is taken."""
        drawing = _Drawing(sighting.tenant, cluster, offer.draws)
        made = await self._ask(drawing, lambda: self._remote.decide(sighting, cluster, offer, now))
        if made is not None:
            return self._file(drawing, made, None, now)
        shares = self._alone(drawing)
        ours = shares.offer(sighting.tenant, cluster, offer)
        made = await self._local.decide(sighting, cluster, ours, now)
        return self._file(drawing, made, shares, now)

    async def draw(self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT) -> Reservation:
        """Take from every quota and budget, or (when one refuses) from none."""
        drawing = _Drawing(tenant, "", tuple(draws))
        made = await self._ask(drawing, lambda: self._remote.draw(draws, now, tenant=tenant))
        if made is not None:
            return self._file(drawing, made, None, now)
        shares = self._alone(drawing)
        made = await self._local.draw(shares.draws(tenant, "", draws), now, tenant=tenant)
        return self._file(drawing, made, shares, now)

    async def levels(
        self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT
    ) -> tuple[int, ...]:
        """
        Return what is used of each budget drawn on; draw nothing.

        While the store is away, what this replica knows: the last it heard of others', and its own.
        """
        if not draws:
            return ()
        keys = [CounterKey(tenant, draw.key, "", draw.period_start) for draw in draws]
        nothing = _Drawing(tenant, "", ())
        told = await self._ask(nothing, lambda: self._remote.levels(draws, now, tenant=tenant))
        if told is None:
            return tuple(map(self._mirror.level, keys))
        for key, draw, used in zip(keys, draws, told, strict=True):
            self._mirror.hear(key, draw, used)
        return told

    async def settle(
        self,
        reservation: Reservation,
        used: Usage,
        cost_nano_usd: int,
        now: float,
        *,
        failed: bool = False,
    ) -> None:
        """Replace what was reserved by what was used. A second time does nothing."""
        held = self._held.pop(reservation.id, None)
        if held is None:
            return

        async def tell(quotas: ports.Quotas) -> None:
            """Settle it with the one who made it."""
            await quotas.settle(held.inner, used, cost_nano_usd, now, failed=failed)

        actual = [quota.actual(draw, used, cost_nano_usd) for _key, draw in held.counted]
        await self._end_soon(held, actual, tell)

    async def release(self, reservation: Reservation, now: float) -> None:
        """Give back all that was reserved: the call was never made. A second time does nothing."""
        held = self._held.pop(reservation.id, None)
        if held is None:
            return

        async def tell(quotas: ports.Quotas) -> None:
            """Release it with the one who made it."""
            await quotas.release(held.inner, now)

        await self._end_soon(held, [0] * len(held.counted), tell)

    async def keep(self, share: bytes, reply: bytes, ttl_s: float) -> None:
        """Keep a reply for calls that share it; in this process alone while the store is away."""
        nothing = _Drawing("", "", ())
        kept = await self._ask(nothing, lambda: _told(self._remote.keep(share, reply, ttl_s)))
        if kept is None:
            await self._local.keep(share, reply, ttl_s)

    async def extend(self, share: bytes) -> bool:
        """Go on waiting for a reply others may share; whether nobody else does, as far as known."""
        nothing = _Drawing("", "", ())
        alone = await self._ask(nothing, lambda: self._remote.extend(share))
        return alone is not False

    async def seed(
        self,
        draw_key: str,
        unit: DrawUnit,
        period_start: float,
        used: int,
        *,
        tenant: str = TENANT,
    ) -> None:
        """
        Count at least so much of a budget as used by this replica, as its ledger says.

        The store is told as soon as it is there: best before `start`.
        """
        self._mirror.count(CounterKey(tenant, draw_key, "", period_start), unit, used)
        self._recovery.mend_soon()

    async def _ask(self, drawing: _Drawing, send: Callable[[], Awaitable[_T]]) -> _T | None:
        """Return what the store says; None when it says nothing, and what it did is not known."""
        if not await self._recovery.enter():
            return None
        try:
            return await send()
        except StoreUnavailable:
            self._doubt(drawing)
            return None
        except ServerError as error:
            self._doubt(drawing)
            self._recovery.complain(error)
            return None
        except asyncio.CancelledError:
            self._doubt(drawing)
            raise
        finally:
            self._recovery.leave()

    def _alone(self, drawing: _Drawing) -> Shares:
        """Return what this replica may decide by itself, if it may."""
        if drawing.draws and self._mode() == "closed":
            raise StoreUnavailable(
                "the store of quotas is away, and the policy lets nothing through without it"
                " (on_store_failure: {quotas: closed}); try again in a moment"
            )
        self._recovery.fallbacks += 1
        return Shares(self._mirror, self._recovery.state.replicas, self._recovery.outages)

    def _file(
        self, drawing: _Drawing, made: Reservation, shares: Shares | None, now: float
    ) -> Reservation:
        """Return a reservation under an id of our own; `shares`: it was made in this process."""
        if not made.id:
            return made
        outer = shares.whole(made) if shares is not None else made
        counted: list[tuple[CounterKey, Draw]] = []
        for reading in outer.readings:
            key = counter_key(drawing.tenant, drawing.cluster, reading.draw)
            if key is None:
                continue
            if shares is None and not self._mirror.read(key, reading.draw, reading.remaining):
                self._recovery.mend_soon()
            if reading.taken:
                self._mirror.take(key, reading.draw, is_local=shares is not None)
                counted.append((key, reading.draw))
        self._last_id += 1
        if any(not reading.taken and not reading.draw.shadow for reading in outer.readings):
            return Reservation(id=self._last_id, readings=outer.readings)  # refused: not held
        self._held[self._last_id] = _Held(now, made, tuple(counted), shares is not None)
        self._let_go_of_old(now)
        if shares is not None and counted:
            self._recovery.mend_soon()
        return Reservation(id=self._last_id, readings=outer.readings)

    async def _end_soon(
        self,
        held: _Held,
        actual: Sequence[int],
        tell: Callable[[ports.Quotas], Awaitable[None]],
    ) -> None:
        """End a reservation; while the store is put right, without waiting for that."""
        work = self._end(held, actual, tell)
        if self._recovery.is_paused:
            self._start(work)
        else:
            await work

    async def _end(
        self,
        held: _Held,
        actual: Sequence[int],
        tell: Callable[[ports.Quotas], Awaitable[None]],
    ) -> None:
        is_shared = await self._recovery.enter()
        try:
            for (key, draw), used in zip(held.counted, actual, strict=True):
                self._mirror.settle(key, draw, used, is_local=held.is_local)
            if held.is_local:
                await tell(self._local)
                if held.counted:
                    self._recovery.mend_soon()
            elif is_shared:
                await tell(self._remote)
        except StoreUnavailable:
            return  # the mirror knows, and the store will
        except ServerError as error:
            self._mirror.dirty.update(key for key, _draw in held.counted)
            self._recovery.complain(error)
        finally:
            if is_shared:
                self._recovery.leave()

    def _doubt(self, drawing: _Drawing) -> None:
        """Note that what these draws came to is not known: the mirror says what is right."""
        for draw in drawing.draws:
            key = counter_key(drawing.tenant, drawing.cluster, draw)
            if key is not None:
                self._mirror.doubt(key, draw)
                if draw.by_cluster and key.period_start is None:
                    self._recovery.distrust_calls()  # it may have been another cluster
        self._recovery.mend_soon()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _let_go_of_old(self, now: float) -> None:
        first = next(iter(self._held))
        if self._held[first].since + HELD_S_MAX > now:
            return
        held = self._held.pop(first)
        for key, draw in held.counted:
            if key.period_start is None:
                self._mirror.settle(key, draw, 0, is_local=held.is_local)


async def _told(work: Awaitable[None]) -> bool:
    await work
    return True

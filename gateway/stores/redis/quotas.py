"""
Quotas, budgets and likeness in Redis or Valkey, for all replicas: `MemoryQuotas`, bit for bit.

One round trip for an observation with all that it draws, a second only when a candidate must
be compared. A settle is sent and not waited for: commands of one connection run in order, so
what comes after it finds it done. What a reservation holds is known to this replica alone.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias

from msgspec import structs

from gateway import quota
from gateway.errors import StoreUnavailable
from gateway.stores.memory import NOTHING, TENANT
from gateway.stores.memory_likeness import REPLY_BYTES_MAX
from gateway.stores.redis import packing, reservations, scripts
from gateway.stores.redis.account import Account
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.replies import Seals, Unfit
from gateway.stores.redis.reservations import Asked, Drawing, Open, Reservations
from gateway.stores.redis.resp import ServerError
from gateway.stores.redis.scripts import Script
from gateway.values import (
    Draw,
    Observation,
    Offer,
    Offers,
    Reservation,
    Sighting,
    Usage,
)

log = logging.getLogger("goodgate.stores")

_FORBIDDEN, _TAKEN = 0, 2
_Kind: TypeAlias = Literal["new", "exact", "retry", "undecided", "unknown"]
_KINDS: Final[dict[bytes, _Kind]] = {
    b"new": "new",
    b"exact": "exact",
    b"retry": "retry",
    b"undecided": "undecided",
    b"unknown": "unknown",
}


class Scripts(Protocol):
    """What runs scripts: `connection.Connection`."""

    def call(
        self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]
    ) -> Coroutine[Any, Any, Any]:
        """Return what a script answers; raises StoreUnavailable."""
        ...


class RedisQuotas:
    """The counters and memories all replicas share. Implements `ports.Quotas`."""

    def __init__(
        self, connection: Scripts, *, replica: str, secret: bytes, server_time: bool = True
    ) -> None:
        """
        Use a connection that others may use too.

        Args:
            connection: to the store.
            replica: this process's name: no other has it, and it keeps it over restarts.
            secret: the deployment's, the same for all replicas.
            server_time: whether instants are the store's (replicas' clocks differ), or those
                the caller gives.

        """
        self._connection = connection
        self._replica = replica.encode()
        self._keys = Keys(secret)
        self.account = Account(self._call, self._keys, replica, lambda: self._at(self._now))
        self._seals = Seals(secret)
        self._server_time = server_time
        self._now = 0.0
        self._open = Reservations(self._keys)
        self._jobs: set[asyncio.Task[None]] = set()
        self._is_known = False
        """Whether the store has the script that settles: if not, it would run out of order."""

    async def observe(self, sighting: Sighting, offers: Offers, now: float) -> Observation:
        """
        Say how a call is like an earlier one of its scope, and draw what its kind is offered.

        Raises:
            StoreUnavailable: whether anything was drawn is not known.

        """
        answer = await self._call(
            _OBSERVE,
            self._keys.scope(sighting.tenant, sighting.scope) + self._shared(sighting),
            (
                self._keys.prefix(sighting.tenant),
                self._at(now),
                packing.flags(sighting),
                self._replica,
                self.account.name,
                *packing.described(sighting, sighting.cluster),
                *packing.offers(self._keys, offers),
            ),
        )
        return await self._observed(sighting, offers, answer, now)

    async def decide(
        self, sighting: Sighting, cluster: str, offer: Offer, now: float
    ) -> Reservation:
        """
        Draw for a sighting that was undecided; remember it in a cluster when that is taken.

        Raises:
            StoreUnavailable: whether anything was drawn is not known.

        """
        if offer.forbidden:
            return NOTHING
        keys = self._keys.scope(sighting.tenant, sighting.scope)
        flight = () if sighting.following else self._shared(sighting)[:1]
        status, readings, began = await self._call(
            _DECIDE,
            keys + flight,
            (
                self._keys.prefix(sighting.tenant),
                self._at(now),
                self._replica,
                self.account.name,
                *packing.described(sighting, cluster),
                packing.offer(self._keys, offer),
            ),
        )
        asked = self._asked(sighting, began=began == 1) if status == _TAKEN else None
        drawing = Drawing(sighting.tenant, offer.draws, cluster)
        led = flight[0] if flight and status == _TAKEN else b""
        return self._begin(drawing, readings, asked, now, led)

    async def draw(self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT) -> Reservation:
        """
        Take from every quota and budget, or (when one refuses) from none.

        Raises:
            StoreUnavailable: whether anything was drawn is not known.

        """
        args = self._at(now), self.account.name, packing.wishes(self._keys, draws)
        readings = await self._call(_DRAW, (self._keys.prefix(tenant),), args)
        return self._begin(Drawing(tenant, tuple(draws)), readings, None, now)

    async def levels(
        self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT
    ) -> tuple[int, ...]:
        """
        Return what is used of each budget drawn on, under way or settled; draw nothing.

        Raises:
            StoreUnavailable

        """
        if not draws:
            return ()
        args = (packing.wishes(self._keys, draws),)
        return tuple(map(int, await self._call(_LEVELS, (self._keys.prefix(tenant),), args)))

    async def settle(
        self,
        reservation: Reservation,
        used: Usage,
        cost_nano_usd: int,
        now: float,
        *,
        failed: bool = False,
    ) -> None:
        """
        Replace what was reserved by what was used. A second time does nothing.

        Sent, not waited for; when the store is away, what was reserved stays so there.
        """
        found = self._open.pop(reservation)
        if found is None:
            return
        actual = [quota.actual(held.draw, used, cost_nano_usd) for held in found.held]
        mark = b""
        if found.asked is not None and (failed or not found.asked.began):
            mark = b"failed" if failed else b"ok"
        await self._change(found, actual, mark, now)

    async def release(self, reservation: Reservation, now: float) -> None:
        """Give back all that was reserved, and forget the call. A second time does nothing."""
        found = self._open.pop(reservation)
        if found is None:
            return
        mark = b"forget" if found.asked is not None and found.asked.began else b""
        await self._change(found, [0] * len(found.held), mark, now)

    async def keep(self, share: bytes, reply: bytes, ttl_s: float) -> None:
        """
        Keep a reply, sealed, for calls that share it; one of more than 1 MiB is not kept.

        Raises:
            StoreUnavailable

        """
        if not reply or len(reply) > REPLY_BYTES_MAX or ttl_s <= 0:
            return
        args = (
            self._at(self._now),
            repr(float(ttl_s)).encode(),
            self._seals.close(share, reply),
        )
        key = self._keys.reply(self._seals.tenant(share), share)
        await self._call(_KEEP, (key,), args)

    async def extend(self, share: bytes) -> bool:
        """
        Go on waiting for a reply others may share, for 15 s more; whether nobody else does.

        Raises:
            StoreUnavailable

        """
        key = self._keys.flight(self._seals.tenant(share), share)
        return bool(await self._call(_FLIGHT, (key,), (self._at(self._now), self._replica)))

    async def flush(self) -> None:
        """Wait until everything sent so far has been answered, or never will be."""
        while self._jobs:
            await asyncio.wait(set(self._jobs))

    @property
    def held(self) -> int:
        """Return how many reservations are not settled."""
        return len(self._open)

    async def _observed(
        self, sighting: Sighting, offers: Offers, answer: Sequence[Any], now: float
    ) -> Observation:
        """Return what an answer of `observe.lua` says."""
        name, status, readings, names, leader, sealed, *candidates = answer
        kind = _KINDS[name]
        earlier = packing.earlier(names) if names else None
        asked = None
        if status == _TAKEN and sighting.comparable:
            asked = self._asked(sighting, began=kind == "new")
        held = NOTHING
        if status != _FORBIDDEN:
            is_shared = bool(sighting.following or leader or sealed)
            offer = offers.shared if is_shared else _offer(offers, kind)
            cluster = earlier.cluster if earlier is not None else sighting.cluster
            drawing = Drawing(sighting.tenant, offer.draws, cluster)
            leads = bool(sighting.share) and not is_shared and status == _TAKEN
            led = self._keys.flight(sighting.tenant, sighting.share) if leads else b""
            held = self._begin(drawing, readings, asked, now, led)
        try:
            reply = self._seals.open(sighting.share, sealed) if sealed else b""
        except Unfit:  # as if it had never been kept
            await self.release(held, now)
            return await self.observe(structs.replace(sighting, stored=False), offers, now)
        return Observation(
            kind=kind,
            reservation=held,
            earlier=earlier,
            candidates=tuple([packing.earlier(each) for each in candidates]),
            leader=leader.decode(),
            reply=reply,
        )

    def _asked(self, sighting: Sighting, *, began: bool) -> Asked:
        keys = self._keys.scope(sighting.tenant, sighting.scope)
        return Asked(keys, sighting.exact, packing.canonical(sighting), began)

    def _shared(self, sighting: Sighting) -> tuple[bytes, ...]:
        """Return the keys of a call's flight and reply, if it may share one."""
        if not sighting.share:
            return ()
        self._seals.note(sighting)
        tenant, share = sighting.tenant, sighting.share
        return self._keys.flight(tenant, share), self._keys.reply(tenant, share)

    def _begin(
        self,
        drawing: Drawing,
        readings: bytes,
        asked: Asked | None,
        now: float,
        flight: bytes = b"",
    ) -> Reservation:
        """Return the handle of what was drawn; let go of what nobody settles."""
        made = self._open.add(drawing, readings, asked, now, flight)
        for lost in self._open.let_go(now) if made in self._open else ():
            plain = structs.replace(lost, asked=None, flight=b"")
            self._dispatch(plain, reservations.abandoned(lost), b"", now)
        return made

    async def _change(self, found: Open, actual: Sequence[int], mark: bytes, now: float) -> None:
        """Send what becomes of a reservation, and see that it is on its way."""
        job = self._dispatch(found, actual, mark, now)
        if job is None:
            return
        if self._is_known:
            await asyncio.sleep(0)  # now it is sent: before whatever comes next
        else:
            await asyncio.wait([job])

    def _dispatch(
        self, found: Open, actual: Sequence[int], mark: bytes, now: float
    ) -> asyncio.Task[None] | None:
        """Start to send what becomes of a reservation; None when there is nothing to say."""
        keys, changes = reservations.changed(found, actual)
        exact = canonical = b""
        if found.asked is not None and mark:
            keys += found.asked.keys
            exact, canonical = found.asked.exact, found.asked.canonical
        if found.flight:
            keys.append(found.flight)
        replica = self._replica if found.flight else b""
        args = self._at(now), self.account.name, b"".join(changes), mark, exact, canonical, replica
        if not keys:
            return None
        job = asyncio.ensure_future(self._send(keys, args))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    async def _send(self, keys: Sequence[bytes], args: Sequence[bytes]) -> None:
        try:
            await self._call(_SETTLE, keys, args)
        except StoreUnavailable:
            return  # whoever sees the store come back restates what we used
        except ServerError as error:
            log.error("the store of quotas does not understand us: %s", error)  # noqa: TRY400 # no trace wanted
        self._is_known = True

    async def _call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Any:
        try:
            return await self._connection.call(script, keys, args)
        except StoreUnavailable:
            self._is_known = False
            raise

    def _at(self, now: float) -> bytes:
        """Return an instant for a script; empty when it asks the store itself."""
        self._now = max(self._now, now)
        return b"" if self._server_time else repr(now).encode()


def _offer(offers: Offers, kind: _Kind) -> Offer:
    if kind == "exact":
        return offers.exact
    return offers.retry if kind == "retry" else offers.new


_DRAWING: Final = ("under_way", "counting")
_OBSERVE: Final = scripts.joined(*_DRAWING, "remembering", "flights", "observe")
_DECIDE: Final = scripts.joined(*_DRAWING, "remembering", "flights", "decide")
_DRAW: Final = scripts.joined(*_DRAWING, "draw")
_LEVELS: Final = scripts.joined(*_DRAWING, "levels")
_SETTLE: Final = scripts.joined(*_DRAWING, "remembering", "flights", "settle")
_KEEP: Final = scripts.joined("counting", "keep")
_FLIGHT: Final = scripts.joined("counting", "flights", "flight")

"""
Quotas, budgets and likeness in memory: the reference every other store is held to.

Nothing here awaits, so each call is atomic. Times are those the caller gives: a kept reply
lasts from the latest of them.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct, structs

from gateway.quota import Counters, Drawn, Held
from gateway.stores.memory_likeness import Asked, Entry, Replies, Scopes
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

SWEPT_EVERY: Final = 8
"""Reservations between two looks at the counters longest not looked at."""
HELD_S_MAX: Final = 86_400.0
TENANT: Final = "default"
"""Whose counters `draw` and `seed` mean when nobody is named."""
NOTHING: Final = Reservation(id=0)
"""Nothing was drawn and nothing remembered: there is nothing to settle."""


class _Open(Struct, frozen=True):
    """A reservation that is not settled."""

    since: float
    held: tuple[Held, ...]
    asked: Asked | None


class MemoryQuotas:
    """Counters and memories of one process. Implements `ports.Quotas`."""

    def __init__(self) -> None:
        """Begin with nothing drawn and nothing remembered."""
        self._counters = Counters()
        self._scopes = Scopes()
        self._replies = Replies()
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._last_id = 0
        self._now = 0.0

    async def observe(self, sighting: Sighting, offers: Offers, now: float) -> Observation:
        """Say how a call is like an earlier one of its scope, and draw what its kind is offered."""
        is_kept = sighting.stored and bool(sighting.share)
        reply = self._replies.find(sighting.share, now) if is_kept else b""
        shared = offers.shared if sighting.following or reply else None
        found = self._look(sighting, offers, shared, now)
        return structs.replace(found, reply=reply) if reply else found

    async def decide(
        self, sighting: Sighting, cluster: str, offer: Offer, now: float
    ) -> Reservation:
        """Draw for a sighting that was undecided; remember it in a cluster when that is taken."""
        return self._begin(sighting, cluster, offer, now)

    async def draw(self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT) -> Reservation:
        """Take from every quota and budget, or (when one refuses) from none."""
        return self._reserve(self._counters.draw(tenant, draws, "", now), None, now)

    async def levels(
        self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT
    ) -> tuple[int, ...]:
        """Return what is used of each budget drawn on, under way or settled; draw nothing."""
        return tuple([self._level(tenant, draw) for draw in draws])

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
        found = self._open.pop(reservation.id, None)
        if found is None:
            return
        for held in found.held:
            self._counters.settle(held, used, cost_nano_usd, now)
        asked = found.asked
        # A first call that went well has nothing to put right: whatever failed came after it.
        if asked is not None and (failed or not asked.began):
            state: Literal["ok", "failed"] = "failed" if failed else "ok"
            self._scopes.settle(asked, state, now)

    async def release(self, reservation: Reservation, now: float) -> None:
        """Give back all that was reserved, and forget the call. A second time does nothing."""
        found = self._open.pop(reservation.id, None)
        if found is None:
            return
        for held in found.held:
            self._counters.release(held, now)
        asked = found.asked
        if asked is not None and asked.began:
            self._scopes.forget(asked, now)

    async def keep(self, share: bytes, reply: bytes, ttl_s: float) -> None:
        """Keep a reply for calls that share it; one of more than 1 MiB is not kept."""
        self._replies.keep(share, reply, self._now + ttl_s)

    def seed(
        self,
        draw_key: str,
        unit: DrawUnit,
        period_start: float,
        used: int,
        *,
        tenant: str = TENANT,
    ) -> None:
        """
        Set what the ledger says was used of a budget, in `unit`, in the period that began then.

        Before the first draw, after a restart; never lowers what is counted already.
        """
        self._counters.seed((tenant, draw_key), period_start, used)

    @property
    def counters(self) -> int:
        """Return how many counters are remembered."""
        return len(self._counters)

    @property
    def held(self) -> int:
        """Return how many reservations are not settled."""
        return len(self._open)

    @property
    def remembered(self) -> int:
        """Return how many calls are remembered."""
        return self._scopes.entries

    def _level(self, tenant: str, draw: Draw) -> int:
        assert draw.period_start is not None, "only a budget has a level"
        return self._counters.used((tenant, draw.key), draw.period_start)

    def _look(
        self, sighting: Sighting, offers: Offers, shared: Offer | None, now: float
    ) -> Observation:
        scope = self._scopes.get(sighting.scope, now) if sighting.comparable else None
        if scope is not None:
            entry = scope.find(sighting.exact)
            if entry is not None:
                return self._again(sighting, entry, offers, shared, now)
            candidates = () if shared else scope.candidates(sighting.features)
            if candidates:
                return Observation(kind="undecided", reservation=NOTHING, candidates=candidates)
        held = self._begin(sighting, sighting.cluster, shared or offers.new, now)
        return Observation(kind="new" if sighting.comparable else "unknown", reservation=held)

    def _again(
        self, sighting: Sighting, entry: Entry, offers: Offers, shared: Offer | None, now: float
    ) -> Observation:
        """Draw for a call that repeats one, and note that it does when that is taken."""
        is_retry = entry.is_retried_by(sighting)
        offer = shared or (offers.retry if is_retry else offers.exact)
        earlier = entry.earlier
        held = NOTHING
        if not offer.forbidden:
            drawn = self._counters.draw(sighting.tenant, offer.draws, entry.cluster, now)
            asked = None
            if not drawn.is_refused:
                entry.ask_again(sighting, is_retry=is_retry)
                asked = Asked(sighting.scope, sighting.exact, sighting.canonical, began=False)
            held = self._reserve(drawn, asked, now)
        return Observation(kind="retry" if is_retry else "exact", reservation=held, earlier=earlier)

    def _begin(self, sighting: Sighting, cluster: str, offer: Offer, now: float) -> Reservation:
        """Draw for a call that repeats none, and remember it when that is taken."""
        if offer.forbidden:
            return NOTHING
        drawn = self._counters.draw(sighting.tenant, offer.draws, cluster, now)
        asked = None
        if sighting.comparable and not drawn.is_refused:
            began = self._scopes.add(sighting, cluster, now)
            asked = Asked(sighting.scope, sighting.exact, sighting.canonical, began)
        return self._reserve(drawn, asked, now)

    def _reserve(self, drawn: Drawn, asked: Asked | None, now: float) -> Reservation:
        """Return the handle of what was drawn and remembered."""
        self._now = max(self._now, now)
        self._last_id += 1
        if self._last_id % SWEPT_EVERY == 0:
            self._sweep(now)
        if drawn.held or asked is not None:
            self._open[self._last_id] = _Open(now, drawn.held, asked)
        return Reservation(id=self._last_id, readings=drawn.readings)

    def _sweep(self, now: float) -> None:
        self._counters.sweep(now)
        while self._open:
            first = next(iter(self._open))
            if self._open[first].since + HELD_S_MAX > now:
                break
            for held in self._open.pop(first).held:
                self._counters.abandon(held, now)

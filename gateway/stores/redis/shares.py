"""
A replica's share of a limit, for as long as it decides by itself.

A quota falls to limit / replicas, and at least 1. Who asks for more than the share is let
through when all of the share is free, and pays for the rest when the call is settled. Of the
calls under way at once it is limit / replicas too (and at least 1), those counted that were
let through by the store. What only counts is not shared out: it refuses nothing.
"""

from collections.abc import Sequence

from msgspec import structs

from gateway.stores.redis.mirror import CounterKey, Mirror
from gateway.values import Draw, Offer, Offers, Reservation


class Shares:
    """Draws, made smaller for a while."""

    def __init__(self, mirror: Mirror, replicas: int, outage: int) -> None:
        """Share budgets by what `mirror` knows; an outage has a number of its own."""
        self._mirror = mirror
        self._replicas = replicas
        self._outage = outage
        self._whole: dict[int, Draw] = {}

    def offers(self, tenant: str, cluster: str, offers: Offers) -> Offers:
        """Return our share of each offer to a call that would begin a cluster."""
        return Offers(
            new=self.offer(tenant, cluster, offers.new),
            exact=self.offer(tenant, cluster, offers.exact),
            retry=self.offer(tenant, cluster, offers.retry),
            shared=self.offer(tenant, cluster, offers.shared),
        )

    def offer(self, tenant: str, cluster: str, offer: Offer) -> Offer:
        """Return our share of an offer."""
        return structs.replace(offer, draws=tuple(self.draws(tenant, cluster, offer.draws)))

    def draws(self, tenant: str, cluster: str, draws: Sequence[Draw]) -> list[Draw]:
        """Return our share of each draw."""
        return [self._share(tenant, cluster, draw) for draw in draws]

    def whole(self, reservation: Reservation) -> Reservation:
        """Return a reservation with the draws as they were before they became shares."""
        readings = tuple(
            structs.replace(reading, draw=self._whole[id(reading.draw)])
            for reading in reservation.readings
        )
        return structs.replace(reservation, readings=readings)

    def _share(self, tenant: str, cluster: str, draw: Draw) -> Draw:
        limit, amount = draw.limit, draw.amount
        key = counter_key(tenant, cluster, draw)
        if draw.meter:
            pass
        elif key is None:
            limit = max(1, draw.limit // self._replicas)
            amount = min(draw.amount, limit) if draw.amount <= draw.limit else draw.amount
        elif key.period_start is None:
            limit = self._mirror.room(key, draw, self._replicas)
        else:
            limit = self._mirror.limit(key, draw, self._replicas, self._outage)
        share = structs.replace(draw, limit=limit, amount=amount)
        self._whole[id(share)] = draw
        return share


def counter_key(tenant: str, cluster: str, draw: Draw) -> CounterKey | None:
    """Return the budget, or the calls under way, that a draw is on; None for a quota."""
    if draw.period_start is None and draw.unit != "concurrent":
        return None
    suffix = f"@{cluster}" if draw.by_cluster else ""
    return CounterKey(tenant, draw.key, suffix, draw.period_start)

"""Sightings and offers for the tests of every store of likeness."""

import hashlib
from typing import Any

from gateway.values import Draw, Offer, Offers, Reservation, Sighting

NOW = 1_795_348_800.25
HOUR_S = 3_600.0
NOTHING = Offer()


def digest(text: str, size: int = 16) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def sighting(text: str = "fix the login", number: int = 1, **changes: Any) -> Sighting:
    """Return a call that says a text: each word of it is a feature."""
    fields: dict[str, Any] = {
        "tenant": "default",
        "scope": digest("alice in PROJ-1"),
        "request_id": f"req_{number:032x}",
        "comparable": True,
        "exact": digest(text),
        "features": tuple(dict.fromkeys(digest(word, 3) for word in text.split()[:12])),
        "words": b"".join(digest(word, 3) for word in text.split()),
        "canonical": digest(f"canonical {text}"),
    }
    return Sighting(**fields | changes)


def rate(key: str = "rate", *, limit: int = 10, by_cluster: bool = False, amount: int = 1) -> Draw:
    return Draw(
        rule=key,
        key=key,
        unit="calls",
        amount=amount,
        limit=limit,
        window_s=60.0,
        by_cluster=by_cluster,
    )


def offer(*draws: Draw) -> Offer:
    return Offer(draws=draws)


def offers(**changes: Offer) -> Offers:
    """Return offers that name themselves by the keys of what they draw."""
    every = {name: offer(rate(name)) for name in ("new", "exact", "retry", "shared")}
    return Offers(**every | changes)


def drawn(reservation: Reservation) -> list[tuple[str, bool, int]]:
    """Return what was drawn: key, whether it was taken, and what remains."""
    return [(each.draw.key, each.taken, each.remaining) for each in reservation.readings]

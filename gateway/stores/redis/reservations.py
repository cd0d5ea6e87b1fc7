"""What this replica holds in the store, until it is settled. Nobody else knows of it."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.stores.memory import HELD_S_MAX
from gateway.stores.redis import packing
from gateway.stores.redis.keys import Keys
from gateway.values import Draw, Reading, Reservation

LET_GO_AT_ONCE: Final = 4


class Held(Struct, frozen=True):
    """One draw that was taken and is not settled."""

    draw: Draw
    key: bytes
    level: float
    """A quota's, as the draw left it, …"""
    at: float
    """… and when."""

    def change(self, actual: int) -> bytes:
        """Return what becomes of it, as `settle.lua` reads it."""
        draw = self.draw
        if draw.unit == "concurrent":
            return packing.call_change(draw.amount, actual)
        if draw.period_start is None:
            return packing.quota_change(draw, actual, self.level, self.at)
        return packing.budget_change(draw.amount, actual, draw.period_start + draw.window_s)


class Asked(Struct, frozen=True):
    """Which remembered call a reservation began, or asked again."""

    keys: tuple[bytes, bytes]
    exact: bytes
    canonical: bytes
    began: bool


class Open(Struct, frozen=True):
    """A reservation that is not settled."""

    since: float
    held: tuple[Held, ...]
    asked: Asked | None
    flight: bytes
    """Key of the flight it leads; empty when it leads none."""


class Drawing(Struct, frozen=True):
    """What is needed to read an answer: whose draws they were, and of which cluster."""

    tenant: str
    draws: tuple[Draw, ...]
    cluster: str = ""


class Reservations:
    """All that are open."""

    def __init__(self, keys: Keys) -> None:
        """Begin with none."""
        self._keys = keys
        self._open: OrderedDict[int, Open] = OrderedDict()
        self._last_id = 0

    def __len__(self) -> int:
        """Return how many are not settled."""
        return len(self._open)

    def __contains__(self, reservation: Reservation) -> bool:
        """Return whether one is not settled."""
        return reservation.id in self._open

    def add(
        self,
        drawing: Drawing,
        readings: bytes,
        asked: Asked | None,
        now: float,
        flight: bytes = b"",
    ) -> Reservation:
        """Return the handle of what was drawn and remembered, as an answer says."""
        told: list[Reading] = []
        held: list[Held] = []
        rows = packing.readings(readings)
        for draw, (taken, left, wait_s, level, at) in zip(drawing.draws, rows, strict=True):
            if taken:
                key = self._keys.drawn(drawing.tenant, draw, drawing.cluster)
                held.append(Held(draw, key, level, at))
            told.append(
                Reading(draw=draw, taken=taken == 1, retry_after_s=wait_s, remaining=int(left))
            )
        self._last_id += 1
        if held or asked is not None or flight:
            self._open[self._last_id] = Open(now, tuple(held), asked, flight)
        return Reservation(id=self._last_id, readings=tuple(told))

    def pop(self, reservation: Reservation) -> Open | None:
        """Return what a handle is for, once."""
        return self._open.pop(reservation.id, None)

    def let_go(self, now: float) -> list[Open]:
        """Return what nobody settled in a day, and take it for settled: by what was reserved."""
        gone: list[Open] = []
        while self._open and len(gone) < LET_GO_AT_ONCE:
            first = next(iter(self._open))
            if self._open[first].since + HELD_S_MAX > now:
                break
            gone.append(self._open.pop(first))
        return gone


def abandoned(found: Open) -> list[int]:
    """Return what draws of a reservation nobody settles came to: its call is not under way."""
    return [0 if held.draw.unit == "concurrent" else held.draw.amount for held in found.held]


def changed(found: Open, actual: Sequence[int]) -> tuple[list[bytes], list[bytes]]:
    """Return the keys of what was not used as reserved, and the changes."""
    pairs = [
        (held.key, held.change(used))
        for held, used in zip(found.held, actual, strict=True)
        if used != held.draw.amount
    ]
    return [key for key, _ in pairs], [change for _, change in pairs]

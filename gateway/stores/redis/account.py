"""
What one replica says of itself: its part of what replicas count together, and that it lives.

A budget, and a count of calls under way, is a sum in which each replica has a part of its own.
That part of a budget stands until its period is over. That of the calls under way stands while
the replica is believed to live: for `heartbeat.LEASE_S` after its last word, so that the calls
of one that died hold up nobody for longer. It is filed under a life of its own, and a replica that
begins anew (it was started again, or the store may remember what is no longer true) leaves all
that it had behind by taking another.
"""

import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias

from gateway.quota import PERIOD_S_MAX
from gateway.stores.redis import scripts
from gateway.stores.redis.keys import Keys
from gateway.stores.redis.mirror import CounterKey, Own
from gateway.stores.redis.scripts import Script

LIFE_BYTES: Final = 4

Call: TypeAlias = Callable[[Script, Sequence[bytes], Sequence[bytes]], Coroutine[Any, Any, Any]]
"""What runs a script: `connection.Connection.call`."""


class Account:
    """The part one replica has in every counter of the store."""

    def __init__(self, call: Call, keys: Keys, replica: str, clock: Callable[[], bytes]) -> None:
        """Begin a life; `clock` says an instant as the scripts want it."""
        self._call = call
        self._keys = keys
        self._clock = clock
        self._field = keys.field(replica)
        self.name = b""
        """What this replica's parts are filed under: its field and its life."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Leave behind all calls that the store may think are under way here."""
        self.name = self._field + os.urandom(LIFE_BYTES).hex().encode()

    async def hold(self, tenant: str) -> bool:
        """
        Give a sign of life; return whether calls under way here have counted until now.

        Raises:
            StoreUnavailable

        """
        args = self._clock(), self.name
        return bool(await self._call(_HOLD, (self._keys.lives(tenant),), args))

    async def put(self, key: CounterKey, own: Own) -> None:
        """
        Set this replica's part of a counter, whatever the store says of it; others' stays.

        Nothing of the same counter may be under way.

        Raises:
            StoreUnavailable

        """
        name = self._keys.own(key.tenant, key.draw_key, key.period_start, key.suffix)
        if key.period_start is not None:
            await self._set(name, own.ends, own.amount, b"exactly")
            return
        args = self._clock(), self.name, b"%d" % own.amount
        await self._call(_HOLD, (self._keys.lives(key.tenant), name), args)

    async def seed(self, key: CounterKey, used: int) -> None:
        """
        Count at least so much of a budget as used by this replica, as the ledger says.

        Raises:
            StoreUnavailable

        """
        assert key.period_start is not None
        name = self._keys.own(key.tenant, key.draw_key, key.period_start, key.suffix)
        await self._set(name, key.period_start + PERIOD_S_MAX, used, b"least")

    async def _set(self, name: bytes, ends: float, used: int, how: bytes) -> None:
        args = self._clock(), self._field, repr(ends).encode(), b"%d" % used, how
        await self._call(_SEED, (name,), args)


_SEED: Final = scripts.joined("counting", "seed")
_HOLD: Final = scripts.joined("under_way", "counting", "hold")

"""How many replicas there are, and whether the store has lost what it held."""

import hashlib
from typing import Final

from gateway.stores.redis import scripts
from gateway.stores.redis.connection import Connection

EVERY_S: Final = 2.0
LEASE_S: Final = 10.0
"""A replica counts for so long after it was last heard."""
EPOCH_S: Final = 7 * 86_400.0
_REPLICAS: Final = b"gg:{00000000}:replicas"
_EPOCH: Final = b"gg:{00000000}:epoch"


class Heartbeat:
    """One replica's sign of life. Clocks are the store's, and the loop's for waiting."""

    def __init__(self, connection: Connection, replica: str, replicas: int) -> None:
        """Believe in `replicas` until the store has been asked."""
        self._connection = connection
        self._script = scripts.load("heartbeat")
        self._name = hashlib.blake2b(replica.encode(), digest_size=16).hexdigest().encode()
        self.replicas = max(1, replicas)
        """How many there are, or were when the store was last there."""
        self._fewer_since: float | None = None

    async def beat(self, at: float) -> bool:
        """
        Give a sign of life; return whether the store still has what it was given earlier.

        After an outage others may be slow to come back, so `replicas` falls only when fewer
        have been seen for a whole lease. `at` is the loop's clock.
        """
        lease, epoch = b"%d" % (LEASE_S * 1000), b"%d" % (EPOCH_S * 1000)
        count, was_there = await self._connection.call(
            self._script, (_REPLICAS, _EPOCH), (self._name, lease, epoch)
        )
        self._count(int(count), at)
        return bool(was_there)

    async def stop(self) -> None:
        """Be counted no more, from now on."""
        await self._connection.command(b"HDEL", _REPLICAS, self._name)

    def _count(self, count: int, at: float) -> None:
        if count >= self.replicas:
            self.replicas, self._fewer_since = count, None
        elif self._fewer_since is None:
            self._fewer_since = at
        elif at - self._fewer_since > LEASE_S:
            self.replicas, self._fewer_since = count, None

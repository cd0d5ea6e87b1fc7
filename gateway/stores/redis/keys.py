"""
The names of the store's keys: digests only, and one hash tag for all that is a tenant's.

Digests are keyed with a secret all replicas share, so that nobody who reads the store learns
who or what a key stands for, and everything one call touches lies on one node of a cluster.
"""

import hashlib
import hmac
from functools import lru_cache
from typing import Final

from gateway.values import Draw

TENANTS_CACHED: Final = 1_024
COUNTERS_CACHED: Final = 8_192


class Keys:
    """Names under one deployment's secret."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key of the digests."""
        self._key = hmac.digest(secret, b"goodgate store keys", "sha256")
        self.prefix = lru_cache(TENANTS_CACHED)(self._prefix)
        self.counter = lru_cache(COUNTERS_CACHED)(self._counter)

    def field(self, replica: str) -> bytes:
        """Return what a replica's own amounts are filed under: 8 hex digits."""
        return self._digest(b"replica", replica, 4)

    def drawn(self, tenant: str, draw: Draw, cluster: str) -> bytes:
        """Return the key of the counter a draw is on, as `counting.lua` makes it."""
        sort = b"b:"
        if draw.period_start is None:
            sort = b"c:" if draw.unit == "concurrent" else b"q:"
        key = self.prefix(tenant) + sort + self.counter(draw.key, draw.period_start)
        return key + b"@" + cluster.encode() if draw.by_cluster else key

    def own(
        self, tenant: str, draw_key: str, period_start: float | None, suffix: str = ""
    ) -> bytes:
        """
        Return the key of what replicas count for themselves, each its own part.

        That is a budget, or (without a `period_start`) a count of calls under way; `suffix` is
        "@" and the cluster of a draw that is `by_cluster`.
        """
        sort = b"c:" if period_start is None else b"b:"
        name = self.counter(draw_key, period_start)
        return self.prefix(tenant) + sort + name + suffix.encode()

    def lives(self, tenant: str) -> bytes:
        """Return the key that says which replicas have calls under way, and until when."""
        return self.prefix(tenant) + b"l"

    def scope(self, tenant: str, scope: bytes) -> tuple[bytes, bytes]:
        """Return the keys of a scope: its ring, and what is known of its calls."""
        prefix, name = self.prefix(tenant), scope.hex().encode()
        return prefix + b"s:" + name, prefix + b"w:" + name

    def flight(self, tenant: str, share: bytes) -> bytes:
        """Return the key that says who waits for a reply."""
        return self.prefix(tenant) + b"f:" + share.hex().encode()

    def reply(self, tenant: str, share: bytes) -> bytes:
        """Return the key of a kept reply."""
        return self.prefix(tenant) + b"r:" + share.hex().encode()

    def _prefix(self, tenant: str) -> bytes:
        """Return how every key of a tenant begins; in braces its hash tag."""
        return b"gg:{%s}:" % self._digest(b"tenant", tenant, 4)

    def _counter(self, draw_key: str, period_start: float | None) -> bytes:
        """Return the name of a counter, without the cluster: 32 hex digits."""
        named = draw_key if period_start is None else f"{period_start!r} {draw_key}"
        return self._digest(b"quota" if period_start is None else b"budget", named, 16)

    def _digest(self, sort: bytes, text: str, size: int) -> bytes:
        found = hashlib.blake2b(text.encode(), digest_size=size, key=self._key, person=sort)
        return found.hexdigest().encode()

"""The store all replicas share, as it is seen by what goes on without it: `RedisQuotas`."""

from collections.abc import Sequence
from typing import Protocol

from gateway import ports
from gateway.stores.memory import TENANT
from gateway.stores.redis.account import Account
from gateway.values import Draw, Reservation


class Remote(ports.Quotas, Protocol):
    """Quotas that may be away."""

    async def draw(self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT) -> Reservation:
        """Take from every quota and budget of a tenant, or from none."""
        ...

    async def levels(
        self, draws: Sequence[Draw], now: float, *, tenant: str = TENANT
    ) -> tuple[int, ...]:
        """Return what is used of each budget of a tenant."""
        ...

    @property
    def account(self) -> Account:
        """What it says of this replica."""
        ...

    async def extend(self, share: bytes) -> bool:
        """Go on waiting for a reply others may share."""
        ...

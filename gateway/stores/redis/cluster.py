"""
A cluster: which node has a key's slot, and what to do when it says another has.

All masters are connected, or the cluster counts as away: a key's node is not chosen by us,
and one answer for all of them keeps quotas simple.
"""

import asyncio
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.stores.redis import dialling
from gateway.stores.redis.address import Address
from gateway.stores.redis.resp import Answer, Away, Link, Moved, ServerError

SLOTS: Final = 16_384
REDIRECTS_MAX: Final = 5


def slot_of(key: bytes) -> int:
    """Return a key's slot: CRC-16 of its hash tag (Valkey cluster specification, "Hash tags")."""
    start = key.find(b"{") + 1
    if start:
        end = key.find(b"}", start)
        if end > start:
            key = key[start:end]
    return crc_hqx(key, 0) % SLOTS


def masters(slots: Sequence[Any], asked: str) -> list[str]:
    """
    Return the place of each slot's master from what CLUSTER SLOTS said; empty for none.

    A node that does not know its own host is where it was `asked`.
    """
    table = [""] * SLOTS
    for first, last, master, *_replicas in slots:
        host = (master[0] or b"").decode() or asked
        table[first : last + 1] = [f"{host}:{master[1]}"] * (last + 1 - first)
    return table


class Cluster:
    """One link to each master."""

    def __init__(
        self,
        seed: Address,
        make: Callable[[], Link],
        timeout_s: float,
        on_moved: Callable[[], None],
    ) -> None:
        """Know nothing but `seed`; links are made by `make`; tell when a slot has a new owner."""
        self._seed = seed
        self._make = make
        self._timeout_s = timeout_s
        self._on_moved = on_moved
        self._table: list[str] = [""] * SLOTS
        self._links: dict[str, Link] = {}
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def places(self) -> list[str]:
        """Return every node known to be a master, in no order."""
        return [place for place in set(self._table) if place]

    @property
    def lost(self) -> str:
        """Return why a link is over, if one is."""
        return next((link.lost for link in self._links.values() if link.lost), "")

    def has(self, link: Link) -> bool:
        """Return whether a link is in use."""
        return link in self._links.values()

    async def learn(self, link: Link, asked: Address) -> None:
        """
        Take one node's word for who has what, and connect to all of them.

        Raises:
            Away: a slot has no master, or one of them is not there.

        """
        table = masters(await link.send(b"CLUSTER", b"SLOTS"), asked.host)
        if "" in table:
            raise Away("slots of the cluster have no master")
        self._links.setdefault(asked.place, link)
        needed = set(table)
        for met in await asyncio.gather(*map(self._meet, needed), return_exceptions=True):
            if met is not None:
                raise met
        self._table = table
        for place in self._links.keys() - needed:
            self._links.pop(place).close()

    async def ask(self, slot: int, parts: Sequence[bytes]) -> Answer:
        """Send a command to the node that has a slot, wherever that is by now."""
        link = self._links.get(self._table[slot])
        asking = False
        for _ in range(REDIRECTS_MAX):
            if link is None:
                break
            if asking:  # both leave in one write: nothing comes between them
                link.send(b"ASKING").add_done_callback(_heard)
            try:
                return await link.send(*parts)
            except Moved as moved:
                place = self._seed.at(moved.address).place
                link = await self._link_to(place)
                asking = moved.ask
                if not asking:
                    self._table[slot] = place
                    self._refresh(link, place)
                    self._on_moved()
        raise Away("the cluster does not say who has a slot")

    def any(self) -> int:
        """Return a slot whose node is connected."""
        return next((n for n, place in enumerate(self._table) if place in self._links), 0)

    def close(self, reason: str) -> None:
        """End every link; the table stays, to ask its nodes again."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        links, self._links = self._links, {}
        for link in links.values():
            link.close(reason)

    async def _meet(self, place: str) -> None:
        """Connect to a node, and refuse it if it does not see its cluster whole."""
        link = await self._link_to(place)
        if b"cluster_state:ok" not in await link.send(b"CLUSTER", b"INFO"):
            raise Away("CLUSTERDOWN")

    async def _link_to(self, place: str) -> Link:
        link = self._links.get(place)
        if link is None or link.lost:
            fresh, _mode = await dialling.dial(self._seed.at(place), self._make, self._timeout_s)
            link = self._links.setdefault(place, fresh)
            if link is not fresh:
                fresh.close()
        return link

    def _refresh(self, link: Link, place: str) -> None:
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.ensure_future(self._learn_again(link, place))

    async def _learn_again(self, link: Link, place: str) -> None:
        try:
            await self.learn(link, self._seed.at(place))
        except (Away, ServerError):
            return  # the next redirection asks again; a lost link is the owner's to notice


def _heard(answer: asyncio.Future[Answer]) -> None:
    """Take note of an answer nobody waits for."""
    if not answer.cancelled():
        answer.exception()

"""
The connection to the store: one link to a server, or one to each master of a cluster.

It comes back by itself. While it is away every command fails at once, and anything that
shows the store to be away (refused, reset, silent, loading, read-only, full) ends it for all.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from gateway.stores.redis import address, dialling
from gateway.stores.redis.address import Address
from gateway.stores.redis.cluster import Cluster, slot_of
from gateway.stores.redis.resp import Answer, Away, Link, Moved, NoScript, ServerError
from gateway.stores.redis.scripts import Script

TIMEOUT_S: Final = 1.0
"""How long one command may take: a frozen server must not hold up calls."""
BACKOFF_S: Final = (0.1, 2.0)
"""The first pause between two attempts, and the longest."""
STEADY_S: Final = 5.0
"""Who was up for less begins the next attempts where the last ones ended."""


def _nothing() -> None:
    """Tell nobody."""


def _no_reason(_reason: str) -> None:
    """Tell nobody why."""


class Connection:
    """A connection that keeps itself up, from `start` to `close`."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        on_push: Callable[[bytes], None] | None = None,
    ) -> None:
        """
        Read a URL; nothing is connected yet.

        Args:
            url: `redis://`, `rediss://` or `unix://`.
            timeout_s: what each command is given.
            on_push: what takes the messages of channels subscribed to.

        Raises:
            ConfigError: the URL cannot be used.

        """
        self.address: Address = address.read(url)
        self.up = False
        """Whether commands are sent at all."""
        self.reason = "not started"
        """Why it is away, in a few words; of no meaning while it is up."""
        self.on_up: Callable[[], None] = _nothing
        self.on_down: Callable[[str], None] = _no_reason
        self.on_moved: Callable[[], None] = _nothing
        """Told when a slot of a cluster has a new owner: it may not know all the last one did."""
        self._timeout_s = timeout_s
        self._on_push = on_push
        self._link: Link | None = None
        self._cluster: Cluster | None = None
        self._job: asyncio.Task[None] | None = None
        self._down = asyncio.Event()
        self._tried = asyncio.Event()

    @classmethod
    async def connect(cls, url: str, *, timeout_s: float = TIMEOUT_S) -> "Connection":
        """
        Return a connection that is up.

        Raises:
            ConfigError: the URL cannot be used.
            StoreUnavailable: the first attempt failed; there is no second.

        """
        made = cls(url, timeout_s=timeout_s)
        await made.start()
        if not made.up:
            reason = made.reason
            await made.close()
            raise Away(reason)
        return made

    @property
    def is_cluster(self) -> bool:
        """Return whether it is a cluster that is, or was last, connected to."""
        return self._cluster is not None

    async def start(self) -> None:
        """Begin to keep it up; returns when the first attempt has succeeded or failed."""
        self._job = asyncio.ensure_future(self._keep_up())
        await self._tried.wait()

    async def close(self) -> None:
        """End it for good; commands under way fail."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
            await asyncio.wait([job])
        self._end("closed")

    async def call(self, script: Script, keys: Sequence[bytes], args: Sequence[bytes]) -> Answer:
        """
        Return what a script answers; the keys' hash tag says which node runs it.

        Raises:
            StoreUnavailable: the store is away. Whether the script ran is not known.
            ServerError: the script is wrong.

        """
        slot = slot_of(keys[0]) if self._cluster is not None else 0
        parts = (b"%d" % len(keys), *keys, *args)
        try:
            try:
                return await self._ask(slot, (b"EVALSHA", script.sha1, *parts))
            except NoScript:
                return await self._ask(slot, (b"EVAL", script.text, *parts))
        except ServerError as error:
            raise ServerError(f"stores/lua/{script.name}.lua: {error}") from None

    async def command(self, name: bytes, *operands: bytes) -> Answer:
        """
        Return what a command answers; its first operand names the node if it has a hash tag.

        Raises:
            StoreUnavailable: the store is away.
            ServerError: there is no such command, or not so.

        """
        slot = 0
        if self._cluster is not None:
            tagged = operands and b"{" in operands[0]
            slot = slot_of(operands[0]) if tagged else self._cluster.any()
        try:
            return await self._ask(slot, (name, *operands))
        except ServerError as error:
            raise ServerError(f"{name.decode()}: {error}") from None

    async def _ask(self, slot: int, parts: Sequence[bytes]) -> Answer:
        if not self.up:
            raise Away(self.reason)
        if self._cluster is not None:
            try:
                return await self._cluster.ask(slot, parts)
            except Away as error:
                self._end(error.reason)
                raise
        link = self._link
        if link is None:
            raise Away(self.reason)
        try:
            return await link.send(*parts)
        except Moved:  # it has become a cluster
            link.close("MOVED")
            raise Away("it has become a cluster") from None

    async def _keep_up(self) -> None:
        pause_s, longest_s = BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            self._down.clear()
            try:
                await self._establish()
            except Away as error:
                self.reason = error.reason
            else:
                since = loop.time()
                self.up = True
                self._tried.set()
                self.on_up()
                await self._down.wait()
                if loop.time() - since > STEADY_S:
                    pause_s = BACKOFF_S[0]
            self._tried.set()
            # Jitter: replicas that lost it together must not come back together.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 # not a secret
            pause_s = min(2 * pause_s, longest_s)

    async def _establish(self) -> None:
        """Connect; a cluster's nodes are asked in turn until one knows who has what."""
        seeds = [self.address]
        if self._cluster is not None:
            seeds += [self.address.at(place) for place in self._cluster.places]
        last = Away("refused")
        for seed in seeds:
            try:
                await self._enter(seed)
            except Away as error:
                self._drop(error.reason)
                last = error
            else:
                return
        raise last

    async def _enter(self, seed: Address) -> None:
        link, mode = await dialling.dial(seed, self._make, self._timeout_s)
        if mode == "cluster":
            if self._cluster is None:
                self._cluster = Cluster(self.address, self._make, self._timeout_s, self._moved)
            await self._cluster.learn(link, seed)
        else:
            self._cluster = None
            self._link = link
            await dialling.probe(link)
        lost = self._cluster.lost if self._cluster is not None else link.lost
        if lost:
            raise Away(lost)

    def _make(self) -> Link:
        return Link(self._timeout_s, self._lost, self._on_push)

    def _moved(self) -> None:
        self.on_moved()  # whoever that is by then

    def _lost(self, link: Link) -> None:
        used = self._cluster.has(link) if self._cluster is not None else link is self._link
        if used and self.up:
            self._end(link.lost)

    def _end(self, reason: str) -> None:
        was_up, self.up = self.up, False
        self.reason = reason
        self._drop(reason)
        self._down.set()
        if was_up:
            self.on_down(reason)

    def _drop(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close(reason)
        if self._cluster is not None:
            self._cluster.close(reason)

"""
Replies under way in another replica, carried by the store's channels.

Each replica listens on a channel of its own. Who wants a reply asks its leader there, and the
leader, who reads it from the provider as one more follower of its own flight, passes it on in
sealed messages. The store keeps none of them. A message lost, a leader silent, the store
gone: then the reply counts as cut, and whoever asked must not guess at the rest.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import msgspec

from gateway.errors import GatewayError, StoreUnavailable
from gateway.stores.redis import sealing
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.following import Following, Head
from gateway.stores.redis.resp import ServerError
from gateway.stores.redis.sealing import Envelope, Kind, Seal, Unfit, Way
from gateway.values import Reply

log = logging.getLogger("goodgate.stores")

PACE_S: Final = 2.0
"""How often each side says that it is there, when it has nothing else to say."""
SILENCES: Final = 3
"""Who is silent for that many paces is gone."""
PIECE_BYTES: Final = 256 * 1024
"""A larger chunk goes in several messages."""
SHARE_BYTES: Final = 32


class Seat(Protocol):
    """A follower's seat on a flight of this process: `sharing.Boarding`."""

    @property
    def leader_request_id(self) -> str:
        """Request id of the call that was sent."""
        ...

    async def departure(self) -> bool:
        """Wait until the reply can be had, and say whether it can."""
        ...

    def follow(self) -> Reply:
        """Return the reply from its first byte."""
        ...

    def close(self) -> None:
        """Give the seat up unless the reply was followed."""
        ...


class _Leading:
    """A reply of ours that another replica follows."""

    def __init__(self, opened: Seal, sealed: Seal, channel: bytes, now: float) -> None:
        self.opened = opened
        self.sealed = sealed
        self.channel = channel
        self.heard_at = now
        self.is_quiet = False
        self.job: asyncio.Future[None] | None = None


class Relay:
    """The way to the other replicas. Implements `sharing.Relay`."""

    def __init__(
        self,
        url: str,
        *,
        key: bytes,
        replica: str,
        find: Callable[[bytes], Seat | None],
        pace_s: float = PACE_S,
    ) -> None:
        """
        Make ready; `serve` does the work.

        Args:
            url: the store's.
            key: 32 bytes that all replicas have and the store has not.
            replica: this one's name, as others find it in `Observation.leader`.
            find: gives a seat on the flight of a share, if one leaves from here.
            pace_s: how often each side says that it is there.

        """
        self._key = key
        self._replica = replica
        self._channel = _channel(replica)
        self._find = find
        self._pace_s = pace_s
        # Two connections of its own: one only listens (RESP2 allows it nothing else), and what
        # is large must not hold up the quotas' commands.
        self._ear = Connection(url, on_push=self._receive)
        self._mouth = Connection(url)
        self._ear.on_up = self._wake
        self._ear.on_down = self._deaf
        self._wakened = asyncio.Event()
        self._lost = asyncio.Event()
        self.listening = asyncio.Event()
        """Set while others can reach this replica."""
        self._following: dict[bytes, tuple[Following, Seal, bytes]] = {}
        self._leading: dict[bytes, _Leading] = {}
        self._jobs: set[asyncio.Future[None]] = set()

    @property
    def flows(self) -> tuple[int, int]:
        """Return how many replies are followed from here, and how many of ours from elsewhere."""
        return len(self._following), len(self._leading)

    async def follow(self, share: bytes, leader: str) -> Following | None:
        """
        Return the reply the replica `leader` waits for, once its head is there.

        None when it has none, or failed, or cannot be reached: then the call is sent from here.
        """
        if leader == self._replica or not (self.listening.is_set() and self._mouth.up):
            return None
        flow, channel = sealing.flow_id(), _channel(leader)
        seal = Seal(self._key, Way.TO_LEADER, flow, channel, b"")
        opened = Seal(self._key, Way.TO_ASKER, flow, self._channel, share)

        async def stop() -> None:
            """Tell the leader that nobody listens any more."""
            self._following.pop(flow, None)
            await self._publish(channel, seal, Kind.STOP)

        following = Following(opened, stop)
        self._following[flow] = (following, seal, channel)
        departed = False
        try:
            if await self._publish(channel, seal, Kind.WANT, share + self._replica.encode()):
                async with asyncio.timeout(self._pace_s / 2):
                    await following.answer()
                departed = await following.departed()
        except TimeoutError:
            departed = False
        finally:
            if not departed:
                self._following.pop(flow, None)
                if not following.over:
                    self._start(following.close())
        return following if departed else None

    async def serve(self) -> None:
        """Listen, answer and keep watch until cancelled; then everything is given up."""
        try:
            await asyncio.gather(self._ear.start(), self._mouth.start())
            while True:
                await self._wakened.wait()
                try:
                    await self._listen()
                except StoreUnavailable:
                    continue  # `_deaf` was told; `_wake` will be
                except ServerError as error:
                    log.error("replies cannot be shared between replicas: %s", error)  # noqa: TRY400 # no frames: they say nothing
                    await asyncio.sleep(self._pace_s)
        finally:
            self._deaf("closed")
            for job in self._jobs:
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)
            await asyncio.gather(self._ear.close(), self._mouth.close())

    async def _listen(self) -> None:
        """Return when the connection we listened on is lost, whether or not there is another."""
        self._lost.clear()
        await self._ear.command(b"SUBSCRIBE", self._channel)
        self.listening.set()
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace_s):
                    await self._lost.wait()
            await self._ear.command(b"PING")
            self._watch(asyncio.get_running_loop().time())

    def _watch(self, now: float) -> None:
        """Say that we are here, and give up those who are not."""
        limit_s = SILENCES * self._pace_s
        for flow, (following, seal, channel) in list(self._following.items()):
            if now - following.heard_at > limit_s:
                following.fail()
            if following.over:
                del self._following[flow]
            else:
                self._start(self._say(channel, seal, Kind.HERE))
        for leading in self._leading.values():
            if now - leading.heard_at > limit_s and leading.job is not None:
                leading.job.cancel()
            elif leading.is_quiet:
                self._start(self._say(leading.channel, leading.sealed, Kind.PING))
            leading.is_quiet = True

    def _receive(self, message: bytes) -> None:
        try:
            envelope = Envelope(message)
        except Unfit:
            return
        if envelope.way is Way.TO_ASKER:
            found = self._following.get(envelope.flow)
            if found is not None:
                found[0].take(envelope)
                if found[0].over:
                    del self._following[envelope.flow]
        else:
            self._hear(envelope)

    def _hear(self, envelope: Envelope) -> None:
        """Take a message of somebody who asks, or asked, for a reply of ours."""
        leading = self._leading.get(envelope.flow)
        try:
            if leading is None:
                self._asked(envelope)
                return
            kind, _content = leading.opened.open(envelope)
        except Unfit:
            kind = Kind.STOP
        if leading is None or leading.job is None:
            return
        if kind is Kind.STOP:
            leading.job.cancel()
        leading.heard_at = asyncio.get_running_loop().time()

    def _asked(self, envelope: Envelope) -> None:
        flow = envelope.flow
        opened = Seal(self._key, Way.TO_LEADER, flow, self._channel, b"")
        kind, content = opened.open(envelope)
        if kind is not Kind.WANT:
            return
        share, asker = content[:SHARE_BYTES], _channel(content[SHARE_BYTES:].decode())
        sealed = Seal(self._key, Way.TO_ASKER, flow, asker, share)
        leading = _Leading(opened, sealed, asker, asyncio.get_running_loop().time())
        leading.job = self._start(self._lead(flow, leading, share))
        self._leading[flow] = leading

    async def _lead(self, flow: bytes, leading: _Leading, share: bytes) -> None:
        """Pass a reply on, as one of its followers."""
        seat = self._find(share)
        try:
            if seat is None:
                await self._tell(leading, Kind.GONE)
                return
            await self._tell(leading, Kind.PING)
            if not await seat.departure():
                await self._tell(leading, Kind.GONE)
                return
            await self._pass_on(leading, seat.leader_request_id, seat.follow())
        except StoreUnavailable:
            pass  # who asked hears nothing more, and knows what that means
        except GatewayError:
            await self._say(leading.channel, leading.sealed, Kind.FAILED)
        finally:
            if seat is not None:
                seat.close()
            self._leading.pop(flow, None)

    async def _pass_on(self, leading: _Leading, request_id: str, reply: Reply) -> None:
        head = Head(
            request_id=request_id, status=reply.status, headers=reply.headers, stream=reply.stream
        )
        try:
            await self._tell(leading, Kind.HEAD, msgspec.msgpack.encode(head))
            async for chunk in reply.chunks:
                for start in range(0, len(chunk), PIECE_BYTES):
                    await self._tell(leading, Kind.CHUNK, chunk[start : start + PIECE_BYTES])
        except BaseException:
            await reply.close()
            raise
        await self._tell(leading, Kind.END)

    async def _tell(self, leading: _Leading, kind: Kind, content: bytes = b"") -> None:
        leading.is_quiet = False
        await self._mouth.command(b"PUBLISH", leading.channel, leading.sealed.close(kind, content))

    async def _publish(self, channel: bytes, seal: Seal, kind: Kind, content: bytes = b"") -> bool:
        """Return whether somebody may have heard a message."""
        try:
            heard = await self._mouth.command(b"PUBLISH", channel, seal.close(kind, content))
        except StoreUnavailable:
            return False
        # A cluster's node counts only its own clients.
        return heard > 0 or self._mouth.is_cluster

    async def _say(self, channel: bytes, seal: Seal, kind: Kind) -> None:
        await self._publish(channel, seal, kind)

    def _wake(self) -> None:
        self._wakened.set()

    def _deaf(self, _reason: str) -> None:
        """Give up what is followed: messages may be lost from now on."""
        self._wakened.clear()
        self._lost.set()
        self.listening.clear()
        following, self._following = self._following, {}
        for found, _seal, _asked in following.values():
            found.fail()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job


def _channel(replica: str) -> bytes:
    """Return where a replica listens; its name is not in it."""
    return (
        b"gg:{00000000}:r:" + hashlib.blake2b(replica.encode(), digest_size=16).hexdigest().encode()
    )

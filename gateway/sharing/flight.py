"""
One reply, read once from its provider, for all who wait for it.

Nobody follows most flights, so the leader reads such a reply itself, chunk by chunk; a
flight only remembers what went by. When somebody boards, a job (the pump) reads on, and
the leader becomes one reader of the buffer among others.

The rule it keeps: while anybody is aboard, the reply is read on, whoever of them hangs up;
when nobody is left, it is given up at once.
"""

import asyncio
import copy
from collections.abc import Coroutine
from typing import Final

from msgspec import Struct

from gateway import wire
from gateway.errors import GatewayError, ProviderCut
from gateway.sharing import stored
from gateway.values import Reply

AHEAD_BYTES_MAX: Final = 16 * 1024 * 1024
"""How far the pump reads ahead of the fastest reader."""
BUFFER_BYTES_MAX: Final = 64 * 1024 * 1024
"""A flight that has carried more takes no new followers."""

_WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 425, 429})

Jobs = set[asyncio.Future[None]]


class Flight(Struct, eq=False):
    """A reply under way. Callers use it through their `Boarding`."""

    share: bytes
    request_id: str
    """Of the call that is sent to the provider."""
    table: "dict[bytes, Flight]"
    """Where others find it, as long as they may board."""
    jobs: Jobs
    head: Reply | None = None
    """The provider's reply; None until it is there."""
    parts: list[bytes] = []
    """What has arrived of the body."""
    size: int = 0
    ended: bool = False
    error: GatewayError | None = None
    """Why it ended before it was complete."""
    failed: bool = False
    """Whether those who wait should try again: refused, failed, or cut before a byte came."""
    is_borrowed: bool = False
    """Whether it was not asked for from here: another replica's reply, or one that was kept."""
    followers: set[object] = set()
    """Who boarded after the leader and is still there, waiting or reading."""
    leader_aboard: bool = True
    direct: bool = False
    """Whether the leader reads from the provider itself."""
    reading: bool = False
    """Whether it waits for the provider just now."""
    handed_over: int = 0
    """How many parts the leader had read when the pump took over."""
    furthest: int = 0
    """How many bytes the fastest reader has had since."""
    is_open: bool = False
    """Whether the provider's reply must be closed, should nobody read it to its end."""
    asleep: list[asyncio.Future[None]] = []
    pump: asyncio.Future[None] | None = None
    room: asyncio.Future[None] | None = None

    def depart(self, reply: Reply) -> None:
        """Begin to carry a reply."""
        assert self.head is None
        self.head = reply
        self.is_open = self.direct = True
        if reply.status >= 400 and is_worth_another_try(reply.status):  # noqa: PLR2004 - HTTP
            self.failed = True
            self._leave_the_table()
        if self.followers:
            self.take_over()
            self._wake()

    def fail(self, error: GatewayError | None) -> None:
        """End before departure: refused (None) or failed. Does nothing afterwards."""
        if self.head is None and not self.ended:
            self.failed = True
            self.end(error)

    def end(self, error: GatewayError | None) -> None:
        """Note that nothing more comes; the first word counts."""
        if self.ended:
            return
        self.ended = True
        if self.direct:
            self.direct = False
            self.handed_over = len(self.parts)
        if error is not None:
            self.error = bare(error)
            self.failed = self.failed or not self.parts
        self._leave_the_table()
        if self.asleep:
            self._wake()
        if self.room is not None:
            self._make_room()

    def read_out(self, error: GatewayError | None) -> None:
        """Note that the provider's reply came to its end, or was cut."""
        self.is_open = False
        self.end(error)

    def interrupt(self, *, cancelled: bool) -> None:
        """Go on, if that can be, after the leader's job ended while it waited for the provider."""
        assert self.head is not None
        self.reading = False
        if not (cancelled and self.head.resumable):
            self.end(ProviderCut("The reply was given up before its end; try again"))
        elif self.followers:
            self.take_over()

    def arrived(self) -> None:
        """Do what a chunk that was just added to the buffer demands."""
        if self.asleep:
            self._wake()
        if self.followers:
            self.take_over()
        if self.size > BUFFER_BYTES_MAX:
            self._leave_the_table()
            if not self.followers and self.direct:
                self.parts.clear()  # nobody will ever ask for it

    def enter(self, follower: object) -> None:
        """Take a follower aboard."""
        self.followers.add(follower)
        if self.head is not None and not self.reading and not self.ended:
            self.take_over()

    def leave(self, follower: object | None) -> bool:
        """Let a follower (None: the leader) go; return whether the provider must be given up."""
        if follower is None:
            self.leader_aboard = False
            self.direct = False
        else:
            self.followers.discard(follower)
        return self.is_open and (self.ended or not (self.leader_aboard or self.followers))

    def take_over(self) -> None:
        """Have a job read on, so that no reader depends on another."""
        if self.pump is None:
            self.direct = False
            self.handed_over = len(self.parts)
            self.furthest = self.size
            self.pump = self.job(self._run())

    def give_up(self) -> Coroutine[None, None, None]:
        """Take nobody else, as nobody is left who wants the reply; return what cuts it off."""
        self.end(ProviderCut("The reply was given up before its end; try again"))
        if self.pump is not None:
            self.pump.cancel()
        is_open, self.is_open = self.is_open, False
        return self._cut_off(is_open=is_open)

    def sleeper(self) -> asyncio.Future[None]:
        """Return what is done when the flight has changed."""
        waiter = asyncio.get_running_loop().create_future()
        self.asleep.append(waiter)
        return waiter

    def reached(self, size: int) -> None:
        """Note how many bytes a reader has had."""
        if size > self.furthest:
            self.furthest = size
            self._make_room()

    def job(self, work: Coroutine[None, None, None]) -> asyncio.Future[None]:
        """Do something beside the callers, and see that it is not forgotten."""
        job = asyncio.ensure_future(work)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)
        return job

    def complete_reply(self) -> bytes | None:
        """Return the reply as `stored.pack` does; None when it must not answer later calls."""
        head = self.head
        if head is None or head.status != 200 or not self.ended:  # noqa: PLR2004 - HTTP
            return None
        if self.error is not None or self.is_borrowed or self.size > stored.STORED_BYTES_MAX:
            return None
        body = b"".join(self.parts)
        if not wire.is_tool_free(body):
            return None
        return stored.pack(self.request_id, stream=head.stream, headers=head.headers, body=body)

    async def _cut_off(self, *, is_open: bool) -> None:
        if is_open and self.head is not None:
            await self.head.close()

    async def _run(self) -> None:
        """Read the provider's reply to its end."""
        assert self.head is not None
        try:
            async for chunk in self.head.chunks:
                self.parts.append(chunk)
                self.size += len(chunk)
                self.arrived()
                while self.size - self.furthest > AHEAD_BYTES_MAX and not self.ended:
                    self.room = asyncio.get_running_loop().create_future()
                    await self.room
            self.read_out(None)
        except GatewayError as error:
            self.read_out(error)
        finally:
            if not self.ended:  # the process is stopping
                self.pump = None
                await self.give_up()

    def _leave_the_table(self) -> None:
        if self.table.get(self.share) is self:
            del self.table[self.share]

    def _wake(self) -> None:
        asleep, self.asleep = self.asleep, []
        for waiter in asleep:
            if not waiter.done():
                waiter.set_result(None)

    def _make_room(self) -> None:
        if self.room is not None and not self.room.done():
            self.room.set_result(None)


def is_worth_another_try(status: int) -> bool:
    """Return whether the same call may well succeed later: what the SDKs try again too."""
    return status >= 500 or status in _WORTH_ANOTHER_TRY  # noqa: PLR2004 - HTTP


def bare(error: GatewayError) -> GatewayError:
    """Return an error like it for somebody else to raise: it holds no frames."""
    return copy.copy(error).with_traceback(None)

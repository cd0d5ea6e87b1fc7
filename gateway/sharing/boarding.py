"""
One caller's seat on a flight: as its leader, who sends the call, or as a follower.

The rule it keeps: whatever becomes of one caller, a seat is given up exactly once, and those
on the other seats still get every byte.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Self

from msgspec import Struct

from gateway.errors import GatewayError, ProviderCut
from gateway.sharing import remote
from gateway.sharing.flight import BUFFER_BYTES_MAX, Flight, bare
from gateway.sharing.remote import RemoteFlight
from gateway.sharing.stored import Stored
from gateway.values import Reply

FAILURES_MAX: Final = 3
"""The failure of this many flights a caller takes as its own."""
TOGETHER_MAX: Final = 16
"""How many parts that are here already are passed on as one."""


class Boarding(Struct, eq=False):
    """
    A seat, and the body of the reply as it is seen from there.

    Close it in a `finally` (or use it in a `with`): until the reply is carried or followed,
    that gives the seat up; afterwards it does nothing, and the reply's own `close` does.
    """

    flight: Flight
    leads: bool
    """Whether this caller sends the call."""
    failures: int = 0
    """How many flights failed this caller so far."""
    from_provider: Callable[[], Awaitable[bytes]] | None = None
    """How a leader reads on."""
    at: int = 0
    """How many parts of the buffer a reader has had,"""
    had: int = 0
    """and how many bytes."""
    is_seated: bool = True
    """Whether neither `carry` nor `follow` was called yet, nor `close`."""
    is_gone: bool = False
    """Whether its reply was closed."""
    waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def leader_request_id(self) -> str:
        """Request id of the call that is sent to the provider."""
        return self.flight.request_id

    @property
    def shares(self) -> str:
        """`Attempt.shares`: request id of the call whose reply answers this one, if another's."""
        other = not self.leads or self.flight.is_borrowed
        return self.flight.request_id if other else ""

    @property
    def followed(self) -> bool:
        """Whether others go by this leader's reply: when its caller is gone, it must drain it."""
        return self.leads and bool(self.flight.followers)

    def carry(self, reply: Reply) -> Reply:
        """Return the provider's reply to the leader, for itself and for all who follow."""
        assert self.leads
        if self.flight.share:
            self.from_provider = reply.chunks.__anext__
            self.flight.depart(reply)
            reply = self._seen_from_here(reply)
        return reply

    def carry_stored(self, kept: Stored) -> Reply:
        """Return a kept reply to the leader, for itself and for all who follow."""
        return self._carry_borrowed(kept.reply(), kept.request_id)

    async def carry_remote(self, found: RemoteFlight) -> Reply | None:
        """
        Return another replica's reply to the leader, for itself and for all who follow.

        Its first byte is here then. None when it failed before: the leader still leads.
        """
        reply = await remote.begun(found)
        return None if reply is None else self._carry_borrowed(reply, found.request_id)

    def fail(self, error: GatewayError | None) -> None:
        """Say that the leader's call was refused (None) or failed; not for error statuses."""
        assert self.leads
        self.flight.fail(error)

    async def departure(self) -> bool:
        """
        Wait until a follower can have its reply, and say whether it can; else board again.

        True also for the third failure in a row: `follow` then raises it, or returns the
        provider's error as it is.
        """
        flight = self.flight
        ready = False
        try:
            while not (flight.parts or flight.failed or flight.ended):
                await flight.sleeper()
            if not self._must_board_again():
                while not (flight.parts or flight.ended):
                    await flight.sleeper()
                ready = True
        finally:
            if not ready:
                self.close()
        return ready

    def follow(self) -> Reply:
        """
        Return the reply to a follower, from its first byte; ask once `departure` was True.

        Raises:
            GatewayError: the provider failed for the third time.

        """
        flight = self.flight
        assert not self.leads
        assert self.is_seated
        if flight.error is not None and not flight.parts:
            self.close()
            raise bare(flight.error)
        assert flight.head is not None
        return self._seen_from_here(flight.head)

    def close(self) -> None:
        """Give the seat up, unless a reply was carried or followed. A second time does nothing."""
        if not self.is_seated:
            return
        self.is_seated = False
        flight = self.flight
        if self.leads:
            flight.fail(None)
        elif flight.leave(self):
            flight.job(flight.give_up())

    def complete_reply(self) -> bytes | None:
        """
        Return the reply for `ports.Quotas.keep`; None when it must not answer later calls.

        It was complete (the leader's `Completion` must say so too: only its reader knows the
        terminal event), status 200, at most 1 MiB, free of tool calls, and sent from here.
        """
        return self.flight.complete_reply()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        flight, read = self.flight, self.from_provider
        if read is None or not flight.direct:
            return await self._next_of_buffer()
        flight.reading = True
        try:
            chunk = await read()
        except StopAsyncIteration:
            flight.read_out(None)
            raise
        except GatewayError as error:
            flight.read_out(error)
            raise
        except BaseException as error:
            flight.interrupt(cancelled=isinstance(error, asyncio.CancelledError))
            raise
        flight.reading = False
        flight.parts.append(chunk)
        flight.size += len(chunk)
        if flight.followers or flight.size > BUFFER_BYTES_MAX:
            flight.arrived()
        return chunk

    async def _next_of_buffer(self) -> bytes:
        flight, parts = self.flight, self.flight.parts
        if self.leads and self.at < flight.handed_over:
            self.at = flight.handed_over
            self.had = sum(map(len, parts[: self.at]))
        while not self.is_gone:
            if self.at < len(parts):
                return self._pass_on(parts)
            if flight.ended:
                await self._leave()
                if flight.error is not None:
                    raise bare(flight.error)
                raise StopAsyncIteration
            self.waiter = flight.sleeper()
            await self.waiter
        raise ProviderCut("The reply was closed before its end")

    def _pass_on(self, parts: list[bytes]) -> bytes:
        at = self.at
        self.at = min(len(parts), at + TOGETHER_MAX)
        chunk = parts[at] if self.at == at + 1 else b"".join(parts[at : self.at])
        self.had += len(chunk)
        self.flight.reached(self.had)
        return chunk

    def _carry_borrowed(self, reply: Reply, request_id: str) -> Reply:
        self.flight.is_borrowed = True
        self.flight.request_id = request_id
        return self.carry(reply)

    def _seen_from_here(self, head: Reply) -> Reply:
        # From now on the seat is the reply's.
        self.is_seated = False
        return Reply(
            status=head.status,
            headers=head.headers,
            chunks=self,
            close=self._hang_up,
            stream=head.stream,
        )

    def _must_board_again(self) -> bool:
        flight = self.flight
        if not flight.failed:
            return False
        if flight.error is None and flight.head is None:
            return True  # never sent: nobody's failure
        self.failures += 1
        return self.failures < FAILURES_MAX

    async def _hang_up(self) -> None:
        self.is_gone = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
        await self._leave()

    async def _leave(self) -> None:
        if self.flight.leave(None if self.leads else self):
            await self.flight.give_up()

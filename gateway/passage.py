"""
A reply on its way through: every byte is seen once, and the call is settled once.

Hanging up early is a way to use a model and leave no trace. So a settle happens
before whatever ends a reply leaves the gateway, and in a `finally` for every other
way a reply can end: the caller goes, the provider cuts, the process is told to stop.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec
from msgspec import Struct

from gateway import ledger, metering, policy, ports, sharing, wire
from gateway.errors import GatewayError, ProviderCut
from gateway.values import Attempt, Completion, Figures, Reply, Reservation, Result, Usage


class Snapshot(Struct, frozen=True, kw_only=True):
    """What a reload swaps in one assignment. A call ends under the one it began with."""

    policies: policy.PolicySet
    upstream: ports.Upstream
    prices: metering.PriceBook


class Receipt(Struct):
    """What a caller may hold the gateway to, once the ledger has promised it."""

    promise: str = ""
    """That the call will be in the ledger's tree: `x-goodgate-receipt`. Empty: it is no usage."""


class Admission(Struct, frozen=True, kw_only=True):
    """A call that has been looked at, and what was decided about it."""

    attempt: Attempt
    reservation: Reservation
    snapshot: Snapshot
    boarding: sharing.Boarding | None = None
    """The call's seat on a flight: its reply is another's too, or another's is its own."""
    reply: Reply | None = None
    """A reply that is here already, from a store or another replica."""
    receipt: Receipt = msgspec.field(default_factory=Receipt)

    @property
    def followed(self) -> bool:
        """Return whether others go by its reply: then it is read to its end, whoever hangs up."""
        return self.boarding is not None and self.boarding.followed

    async def release(self, outside: ports.Outside) -> None:
        """Give back all that was drawn: the call is not made."""
        now = outside.clock()
        await outside.quotas.release(self.reservation, now)
        if any(reading.taken for reading in self.reservation.readings):
            outside.ledger.note(ledger.released(self.attempt, round(now * 1_000_000)))

    def close(self) -> None:
        """Give up the seat, if no reply came of it: others may be waiting for one."""
        if self.boarding is not None:
            self.boarding.close()


class Passage:
    """One reply's way from its provider to its caller."""

    def __init__(
        self, outside: ports.Outside, admission: Admission, is_gone: Callable[[], bool]
    ) -> None:
        self._outside = outside
        self._admission = admission
        self._is_gone = is_gone
        self._intended: Awaitable[str] | None = None
        self._settled: Completion | None = None
        self._status = 0
        self._first_token_us: int | None = None

    async def intend(self, commitment: str) -> None:
        """Append the intent; one that is not taken draws nothing."""
        admission, record = self._admission, self._outside.ledger
        try:
            stamp = record.stamp(unlinked=not ledger.is_linked(admission.attempt))
            intent = ledger.intent(admission.attempt, commitment, stamp)
            self._intended = record.append(intent, urgent=False)
        except GatewayError:
            await admission.release(self._outside)
            raise

    async def intended(self) -> None:
        """Return once the intent is durable, and the caller may hold the gateway to it."""
        # Taken out first: who is cancelled while it waits has given the promise up.
        promised, self._intended = self._intended, None
        if promised is not None:
            self._admission.receipt.promise = await promised

    async def whole(self, reply: Reply) -> bytes:
        """Return the reply's body once the ledger holds what it came to."""
        reader = self._reader(reply)
        parts: list[bytes] = []
        completion: Completion = "cancelled"
        try:
            parts.extend([reader.feed(chunk) async for chunk in reply.chunks])
            parts.append(reader.close())
            completion = "complete"
        except ProviderCut:
            completion = "truncated"
            raise
        finally:
            if completion == "cancelled":
                await reply.close()
            self._first_token_us = self._since_receipt()
            await self.settle(reader.figures(), completion)
        await self._keep()
        return b"".join(parts)

    async def stream(self, reply: Reply) -> AsyncGenerator[bytes, None]:
        """
        Yield nothing, then the reply's bytes as they arrive; what ends it leaves after the settle.

        Ask for the first at once: only what has begun settles when it is closed.
        """
        reader = self._reader(reply)
        completion: Completion = "cancelled"
        try:
            yield b""
            async for chunk in reply.chunks:
                if self._first_token_us is None:
                    self._first_token_us = self._since_receipt()
                passed = reader.feed(chunk)
                if reader.ended:
                    # Whoever sees the end may rely on the record of it.
                    await self.settle(reader.figures(), "complete")
                if passed:
                    yield passed
            rest = reader.close()
            figures = self._at_the_end(reader.figures())
            completion = "complete" if figures.ended else "truncated"
            await self.settle(figures, completion)
            if rest:
                yield rest
            await self._keep()
        except ProviderCut:
            completion = "truncated"
            raise
        finally:
            if completion == "cancelled":
                await reply.close()
            await self.settle(reader.figures(), completion)

    async def settle(self, figures: Figures, completion: Completion) -> None:
        """Settle quotas and the ledger, unless that was done already."""
        if self._settled:
            return
        if completion in {"complete", "truncated"}:
            completion = self._really(completion, figures)
        self._settled = completion
        attempt, prices = self._admission.attempt, self._admission.snapshot.prices
        now = self._outside.clock()
        usage = self._usage(figures)
        cost = prices.cost_usd(attempt.target.model, usage)
        nano_usd = metering.nano_usd(cost)
        await self._outside.quotas.settle(
            self._admission.reservation,
            usage,
            nano_usd,
            now,
            failed=completion in {"failed", "truncated"},
        )
        self._outside.tally.spent(
            usage,
            nano_usd,
            linked=ledger.is_linked(attempt),
            priced=prices.price(attempt.target.model) is not None,
        )
        result = Result(
            usage=usage,
            cost_usd=cost,
            completion=completion,
            status=self._status,
            settled_at_us=round(now * 1_000_000),
            first_token_us=self._first_token_us,
        )
        record = self._outside.ledger
        record.note(ledger.settled(attempt, result, nano_usd))
        stamp = record.stamp(unlinked=not ledger.is_linked(attempt))
        await record.append(ledger.settle(attempt, result, stamp))
        await self.intended()

    def _usage(self, figures: Figures) -> Usage:
        attempt = self._admission.attempt
        if attempt.served != "forwarded":
            # The provider was asked once, and that call has it all in its own entry.
            return Usage()
        unused = figures.failed and figures.usage is None and not figures.text_events
        return Usage() if unused else metering.usage(figures, attempt.call)

    async def _keep(self) -> None:
        """Keep a complete reply for later calls, where the policy says so."""
        boarding, reuse = self._admission.boarding, self._admission.snapshot.policies.settings.reuse
        if boarding is None or reuse.exact != "store" or self._admission.attempt.shares:
            return
        if self._settled != "complete":
            return
        packed = boarding.complete_reply()
        if packed:
            await self._outside.quotas.keep(boarding.flight.share, packed, reuse.ttl_s)

    def _really(self, completion: Completion, figures: Figures) -> Completion:
        if figures.failed:
            return "failed"
        return "cancelled" if self._is_gone() else completion

    def _at_the_end(self, figures: Figures) -> Figures:
        # Some servers that speak OpenAI's format leave `[DONE]` out; there usage comes last, so
        # it says as much. Anthropic's first event has usage already: it says nothing of the end.
        openai = self._admission.attempt.call.inbound.route.wire_format == "openai"
        if figures.usage is not None and openai:
            return msgspec.structs.replace(figures, ended=True)
        return figures

    def _reader(self, reply: Reply) -> wire.Reader:
        self._status = reply.status
        return wire.reader(self._admission.attempt.call, status=reply.status, stream=reply.stream)

    def _since_receipt(self) -> int:
        now_us = round(self._outside.clock() * 1_000_000)
        return max(0, now_us - self._admission.attempt.received_at_us)

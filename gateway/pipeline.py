"""
The line: the path of one call, from the bytes that arrive to the entry left behind.

    find key, authenticate -> parse -> link the task -> plan, observe likeness, draw quotas
    -> decide -> intent to the ledger -> send upstream, metering as bytes pass
    -> settle quotas and ledger before the last byte leaves

Read `authenticate`, `admit`, `forward`. Every `await` asks a port or waits for the
provider; everything between two awaits is a pure function that can be called from
a test, the command line or a replay.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway import identity, ledger, planning, policy, ports, tasks, wire
from gateway.errors import GatewayError
from gateway.linking import Linking
from gateway.passage import Admission, Passage, Snapshot
from gateway.repeats import Repeats
from gateway.values import (
    Attempt,
    Figures,
    Inbound,
    Principal,
    Reply,
    Reserve,
)

NOTHING: Final = Reserve(input_tokens=0, output_tokens=0, cost_usd=Decimal(0))
"""What a call can come to that shares another's reply."""


class Answer(Struct, frozen=True, kw_only=True):
    """What goes back to the caller: a whole body, or one that is still arriving."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""
    chunks: AsyncGenerator[bytes, None] | None = None
    """Close it when the caller is served: that settles whatever is still open."""
    abandon: Callable[[], Awaitable[None]] | None = None
    """Cut the provider off: the caller is gone, and the policy says `cancel`."""


class Gateway:
    """The policy enforcement point: it does what the policy decides, and no more."""

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        outside: ports.Outside,
        repeats: Repeats,
        credentials: tasks.TaskCredentials,
        pepper: bytes,
    ) -> None:
        self.snapshot = snapshot
        self._outside = outside
        self._repeats = repeats
        self._linking = Linking(outside.tasks, credentials)
        self._pepper = pepper

    async def authenticate(self, headers: Mapping[bytes, bytes]) -> tuple[Principal, str]:
        """Return who is calling, and the task credential behind the key (or nothing)."""
        presented = identity.present(headers)
        key = await self._outside.keys.find(presented.key_id)
        now = self._outside.clock()
        principal = identity.authenticate(presented, key, pepper=self._pepper, now=now)
        return principal, presented.task_credential

    async def admit(
        self, inbound: Inbound, principal: Principal, task_credential: str = ""
    ) -> Admission:
        """Decide about one call. Refusals are recorded here, permits in `forward`."""
        outside, snapshot = self._outside, self.snapshot
        now = outside.clock()

        call = wire.parse(inbound)
        link = await self._linking.link(call, principal, task_credential, now)

        request = outside.new_id()
        arrival = self._repeats.read("req_" + request, call, principal, link, now)
        prospect = await planning.look_ahead(outside.quotas, snapshot, arrival)
        standing = await self._repeats.place(arrival, prospect, snapshot)
        decision = policy.decide(standing.plan, standing.reservation.readings)

        attempt = Attempt(
            request_id=arrival.request_id,
            attempt_id="att_" + request,
            received_at_us=round(now * 1_000_000),
            call=call,
            principal=principal,
            link=link,
            target=prospect.target,
            reserve=prospect.reserve if standing.served == "forwarded" else NOTHING,
            decision=identity.within_the_key(decision, call, principal),
            verdict=standing.verdict,
            units=arrival.signature.units,
            served=standing.served,
            shares=standing.shares,
            catalogue=outside.tasks.digest,
            prices=snapshot.prices.digest,
        )
        admission = Admission(
            attempt=attempt,
            reservation=standing.reservation,
            snapshot=snapshot,
            boarding=standing.boarding,
            reply=standing.reply,
        )
        outside.tally.condition_failed(len(standing.plan.errors))
        outside.tally.would_have(attempt.decision.would_have)
        if standing.verdict is not None:
            outside.tally.recognised(standing.verdict.kind)
        facts = prospect.plans.facts(standing.verdict or arrival.unseen)
        readings = standing.reservation.readings
        outside.ledger.note(ledger.decision(attempt, facts, readings, outside.pseudonyms.weekly))
        if attempt.decision.refusal is not None:
            await self._refuse(admission)
        return admission

    async def forward(self, admission: Admission, is_gone: Callable[[], bool]) -> Answer:
        """Send a permitted call upstream and return its answer, settled exactly once."""
        attempt, outside = admission.attempt, self._outside
        assert attempt.decision.refusal is None
        passage = Passage(outside, admission, is_gone)
        # Written while the provider thinks; nothing of the reply leaves before it is durable.
        await passage.intend(self._commitment(attempt))
        try:
            reply = await self._reply(admission)
        except asyncio.CancelledError:
            await passage.settle(Figures(failed=True), "cancelled")
            raise
        except BaseException:
            # Whatever went wrong: what was drawn for calls under way must not be held for ever.
            await passage.settle(Figures(failed=True), "failed")
            raise
        if not reply.stream:
            # The settle is durable before any of it leaves, and the intent before the settle.
            body = await passage.whole(reply)
            return Answer(status=reply.status, headers=reply.headers, body=body)
        outside.ledger.expedite()
        try:
            await passage.intended()
        except GatewayError:
            await reply.close()
            await admission.release(outside)
            raise
        except asyncio.CancelledError:
            await reply.close()
            await passage.settle(Figures(), "cancelled")
            raise
        chunks = passage.stream(reply)
        await anext(chunks)
        return Answer(
            status=reply.status, headers=reply.headers, chunks=chunks, abandon=reply.close
        )

    async def _reply(self, admission: Admission) -> Reply:
        """Return the reply that answers a call: another call's, or its provider's."""
        attempt, boarding = admission.attempt, admission.boarding
        if admission.reply is not None:
            return admission.reply
        if boarding is not None and not boarding.leads:
            return boarding.follow()
        try:
            reply = await admission.snapshot.upstream.send(attempt.call, attempt.target)
            return reply if boarding is None else boarding.carry(reply)
        except GatewayError as error:
            self._outside.tally.provider_failed(attempt.target.provider, error.code)
            if boarding is not None:
                boarding.fail(error)
            raise
        finally:
            admission.close()

    async def _refuse(self, admission: Admission) -> None:
        attempt, outside = admission.attempt, self._outside
        admission.close()
        if admission.reply is not None:
            await admission.reply.close()
        await admission.release(outside)
        stamp = outside.ledger.stamp(unlinked=not ledger.is_linked(attempt))
        record = ledger.refusal(attempt, self._commitment(attempt), stamp)
        admission.receipt.promise = await outside.ledger.append(record)

    def _commitment(self, attempt: Attempt) -> str:
        if not ledger.is_linked(attempt):
            return ""
        return self._outside.pseudonyms.commitment(attempt.principal.id, attempt.received_at_us)

"""
The line: the path of one call, from the bytes that arrive to the entry left behind.

    find key, authenticate -> parse -> link the task -> plan -> draw quotas -> decide
    -> intent to the ledger -> send upstream, metering as bytes pass
    -> settle quotas and ledger before the last byte leaves

Read `authenticate`, `admit`, `forward`. Every `await` asks a port or waits for the
provider; everything between two awaits is a pure function that can be called from
a test, the command line or a replay.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from msgspec import Struct

from gateway import identity, ledger, metering, policy, ports, tasks, wire
from gateway.errors import GatewayError
from gateway.passage import Admission, Passage, Snapshot
from gateway.values import (
    Attempt,
    Call,
    Decision,
    Figures,
    Inbound,
    Principal,
    Refusal,
    TaskLink,
)


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
        credentials: tasks.TaskCredentials,
        pepper: bytes,
    ) -> None:
        self.snapshot = snapshot
        self._outside = outside
        self._credentials = credentials
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
        snapshot, now = self.snapshot, self._outside.clock()

        call = wire.parse(inbound)
        link = await self._link(call, principal, task_credential, now)
        target = snapshot.upstream.target(call)
        reserve = metering.reserve(call, target, snapshot.prices)

        facts = policy.facts(call, principal, link, reserve, now)
        plan = policy.plan(snapshot.policies, facts, reserve, now)
        reservation = await self._outside.quotas.draw(plan.draws, now)
        decision = policy.decide(plan, reservation.readings)

        request = self._outside.new_id()
        attempt = Attempt(
            request_id="req_" + request,
            attempt_id="att_" + request,
            received_at_us=int(now * 1_000_000),
            call=call,
            principal=principal,
            link=link,
            target=target,
            reserve=reserve,
            decision=_within_the_key(decision, call, principal),
            catalogue=self._outside.tasks.digest,
            prices=snapshot.prices.digest,
        )
        admission = Admission(attempt=attempt, reservation=reservation, snapshot=snapshot)
        if plan.errors:
            self._outside.tally.condition_failed(len(plan.errors))
        pseudonym = self._outside.pseudonyms.weekly(principal.id, attempt.received_at_us)
        self._outside.ledger.note(ledger.decision(attempt, facts, pseudonym))
        if attempt.decision.refusal is not None:
            await self._refuse(admission)
        return admission

    async def forward(self, admission: Admission, is_gone: Callable[[], bool]) -> Answer:
        """Send a permitted call upstream and return its answer, settled exactly once."""
        attempt, outside = admission.attempt, self._outside
        assert attempt.decision.refusal is None
        passage = Passage(outside, admission, is_gone)
        # Written while the provider thinks; nothing of the reply leaves before it is durable.
        intended = outside.ledger.append(
            ledger.intent(attempt, self._commitment(attempt), outside.ledger.stamp()),
            urgent=False,
        )
        try:
            reply = await admission.snapshot.upstream.send(attempt.call, attempt.target)
        except GatewayError as error:
            outside.tally.provider_failed(attempt.target.provider, error.code)
            await passage.settle(Figures(failed=True), "failed")
            raise
        except asyncio.CancelledError:
            await passage.settle(Figures(failed=True), "cancelled")
            raise
        if not reply.stream:
            # The settle is durable before any of it leaves, and the intent before the settle.
            body = await passage.whole(reply)
            return Answer(status=reply.status, headers=reply.headers, body=body)
        outside.ledger.expedite()
        try:
            await intended
        except GatewayError:
            await reply.close()
            await outside.quotas.release(admission.reservation, outside.clock())
            raise
        except asyncio.CancelledError:
            await reply.close()
            await passage.settle(Figures(), "cancelled")
            raise
        return Answer(
            status=reply.status,
            headers=reply.headers,
            chunks=passage.stream(reply),
            abandon=reply.close,
        )

    async def _link(
        self, call: Call, principal: Principal, task_credential: str, now: float
    ) -> TaskLink:
        catalogue = self._outside.tasks
        claims = tasks.read_claims(
            call,
            key_id=principal.key_id,
            task_credential=task_credential,
            credentials=self._credentials,
            now=now,
        )
        pinned, active = await catalogue.recall(principal, claims.session, now)
        claim = tasks.choose(claims, pinned=pinned, active=active)
        if claim is None:
            return TaskLink()
        if claims.session and claims.explicit:
            await catalogue.pin(principal, claims.session, claim.text, now)
        task = await catalogue.find(tasks.canonical(claim.text))
        return tasks.link(claim, task, principal, now)

    async def _refuse(self, admission: Admission) -> None:
        attempt, outside = admission.attempt, self._outside
        await outside.quotas.release(admission.reservation, outside.clock())
        await outside.ledger.append(
            ledger.refusal(attempt, self._commitment(attempt), outside.ledger.stamp())
        )

    def _commitment(self, attempt: Attempt) -> str:
        if not ledger.is_linked(attempt):
            return ""
        return self._outside.pseudonyms.commitment(attempt.principal.id, attempt.received_at_us)


def _within_the_key(decision: Decision, call: Call, principal: Principal) -> Decision:
    """Return the decision, or a refusal when the key may not use the model."""
    if not principal.models or call.model in principal.models or decision.effect == "forbid":
        return decision
    refusal = Refusal(
        code="model_not_allowed",
        message=f"This key may use {', '.join(sorted(principal.models))}, and not the model asked "
        "for. Choose one of them, or ask an admin for a key with more models.",
    )
    return Decision(effect="forbid", refusal=refusal, policy=decision.policy)

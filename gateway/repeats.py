"""
What a call repeats, and whose reply may answer it.

    board: does a call like this one wait for its reply already?
    -> observe, in one round trip: how is it like an earlier one, and what does it draw
    -> judge and decide, in a second one, only when there was a candidate to compare with

Likeness refuses nothing by itself: it is a fact the policy goes by. And a call that shares a
reply costs nobody anything, so it draws only what every call draws.
"""

import hashlib
from typing import Final

from msgspec import Struct, structs

from gateway import policy, ports, sharing
from gateway.likeness import Observer
from gateway.passage import Snapshot
from gateway.planning import Arrival, Prospect
from gateway.values import (
    Call,
    Observation,
    Principal,
    Reply,
    Reservation,
    ServedKind,
    Sighting,
    Target,
    TaskLink,
    Verdict,
)

_COMPARED: Final = "new"
"""What a signature says of a turn that is worth comparing."""
_REASONS: Final = {
    "exact": "the same text",
    "retry": "the same call, which its provider failed",
}


class Standing(Struct, frozen=True, kw_only=True):
    """What was found out about a call, and drawn for it."""

    plan: policy.Plan
    reservation: Reservation
    verdict: Verdict | None = None
    boarding: sharing.Boarding | None = None
    """The call's seat on a flight, as leader or follower, if others may share its reply."""
    reply: Reply | None = None
    """A kept reply, or another replica's: it answers the call instead of its provider's."""
    served: ServedKind = "forwarded"
    shares: str = ""
    """Request id of the call whose reply answers it."""


class Repeats:
    """Recognises repeats, and lets identical calls share one reply."""

    def __init__(
        self,
        outside: ports.Outside,
        *,
        observer: Observer,
        flights: sharing.Flights,
        secret: bytes,
    ) -> None:
        self._outside = outside
        self._observer = observer
        self._flights = flights
        self._secret = secret

    def read(
        self,
        request_id: str,
        call: Call,
        principal: Principal,
        link: TaskLink,
        now: float,
    ) -> Arrival:
        """Return a call with what its turn looks like in its scope: (tenant, principal, task)."""
        scope = self._observer.scope(principal.tenant, principal.id, link.task_id)
        root = link.root_id or link.task_id if link.evidence == "verified" else None
        return Arrival(
            request_id=request_id,
            call=call,
            principal=principal,
            link=link,
            scope=scope,
            signature=self._observer.observe(call.turn, scope=scope, root=root),
            now=now,
        )

    async def place(self, arrival: Arrival, prospect: Prospect, snapshot: Snapshot) -> Standing:
        """Return where a call stands; whoever gets its boarding carries, follows or closes it."""
        kind, plans = arrival.signature.kind, prospect.plans
        if plans.forbidden:
            return Standing(plan=plans.of(kind), reservation=Reservation(id=0))
        sighting = self._sighting(arrival, prospect.target, snapshot)
        if not sighting.share:
            return await self._alone(arrival, sighting, plans)
        boarding = await self._board(sighting)
        try:
            if boarding.leads:
                return await self._lead(arrival, sighting, plans, boarding)
            return await self._follow(arrival, sighting, plans, boarding)
        except BaseException:
            boarding.close()
            raise

    async def _board(self, sighting: Sighting) -> sharing.Boarding:
        """Return a seat whose flight has departed, or the leader's."""
        failures = 0
        while True:
            boarding = self._flights.board(sighting.share, sighting.request_id, failures)
            if boarding.leads or await boarding.departure():
                return boarding
            failures = boarding.failures

    async def _follow(
        self, arrival: Arrival, sighting: Sighting, plans: policy.Plans, boarding: sharing.Boarding
    ) -> Standing:
        """Return the standing of a call that gets the reply of one under way here."""
        following = structs.replace(sighting, following=True)
        offers = plans.offers(arrival.signature.kind)
        seen = await self._outside.quotas.observe(following, offers, arrival.now)
        verdict = _verdict(arrival, sighting, seen)
        return Standing(
            plan=plans.of(verdict.kind),
            reservation=seen.reservation,
            verdict=verdict,
            boarding=boarding,
            served="coalesced",
            shares=boarding.leader_request_id,
        )

    async def _lead(
        self, arrival: Arrival, sighting: Sighting, plans: policy.Plans, boarding: sharing.Boarding
    ) -> Standing:
        """Return the standing of a call that nobody in this process can answer."""
        quotas, offers = self._outside.quotas, plans.offers(arrival.signature.kind)
        seen = await quotas.observe(sighting, offers, arrival.now)
        if not seen.reply and not seen.leader:
            return await self._judged(arrival, sighting, plans, seen, boarding)
        try:
            shared = await self._from_elsewhere(seen, boarding)
        except BaseException:
            await quotas.release(seen.reservation, arrival.now)
            raise
        if shared is None:
            # It is there no more, and only a share was drawn: begin again, and look no further.
            await quotas.release(seen.reservation, arrival.now)
            alone = structs.replace(sighting, share=b"", stored=False)
            seen = await quotas.observe(alone, offers, arrival.now)
            return await self._judged(arrival, alone, plans, seen, boarding)
        reply, shares = shared
        verdict = _verdict(arrival, sighting, seen)
        return Standing(
            plan=plans.of(verdict.kind),
            reservation=seen.reservation,
            verdict=verdict,
            boarding=boarding,
            reply=reply,
            served="reused" if seen.reply else "coalesced",
            shares=shares,
        )

    async def _alone(self, arrival: Arrival, sighting: Sighting, plans: policy.Plans) -> Standing:
        """Return the standing of a call that shares nothing."""
        kind, quotas = arrival.signature.kind, self._outside.quotas
        if not sighting.comparable:
            plan = plans.of(kind)
            reservation = await quotas.draw(plan.draws, arrival.now)
            return Standing(plan=plan, reservation=reservation, verdict=Verdict(kind=kind))
        seen = await quotas.observe(sighting, plans.offers(kind), arrival.now)
        return await self._judged(arrival, sighting, plans, seen, None)

    async def _judged(
        self,
        arrival: Arrival,
        sighting: Sighting,
        plans: policy.Plans,
        seen: Observation,
        boarding: sharing.Boarding | None,
    ) -> Standing:
        """Return the standing of a call its provider will answer; compare it where it must be."""
        reservation = seen.reservation
        if seen.kind == "undecided":
            verdict = self._observer.judge(arrival.signature, seen.candidates)
            offer = plans.of(verdict.kind).offer
            quotas = self._outside.quotas
            reservation = await quotas.decide(sighting, verdict.cluster, offer, arrival.now)
        else:
            verdict = _verdict(arrival, sighting, seen)
        return Standing(
            plan=plans.of(verdict.kind),
            reservation=reservation,
            verdict=verdict,
            boarding=boarding,
        )

    async def _from_elsewhere(
        self, seen: Observation, boarding: sharing.Boarding
    ) -> tuple[Reply, str] | None:
        """Return a kept reply, or another replica's, with whose it is; None when it is gone."""
        if seen.reply:
            kept = sharing.unpack(seen.reply)
            return None if kept is None else (boarding.carry_stored(kept), kept.request_id)
        reply = await self._flights.join(boarding, seen.leader)
        return None if reply is None else (reply, boarding.leader_request_id)

    def _sighting(self, arrival: Arrival, target: Target, snapshot: Snapshot) -> Sighting:
        signature, call, principal = arrival.signature, arrival.call, arrival.principal
        reuse = snapshot.policies.settings.reuse
        comparable = signature.kind == _COMPARED
        eligible = sharing.eligible(reuse.exact, call)
        share = canonical = b""
        if comparable or eligible:
            # Hashed once for both: a long conversation is most of what this costs.
            seen_by_provider = snapshot.upstream.fingerprint(call, target)
            fingerprint = hashlib.sha256(seen_by_provider).digest()
            canonical = sharing.canonical(self._secret, fingerprint)
            if eligible:
                share = sharing.key(
                    self._secret,
                    scope=reuse.share,
                    principal=principal,
                    fingerprint=fingerprint,
                    policy=snapshot.policies.digest,
                    provider=target.provider,
                    model=target.model,
                )
        return Sighting(
            tenant=principal.tenant,
            scope=arrival.scope,
            request_id=arrival.request_id,
            comparable=comparable,
            exact=signature.exact,
            features=signature.features,
            words=signature.words,
            canonical=canonical,
            share=share,
            stored=bool(share) and reuse.exact == "store",
        )


def _verdict(arrival: Arrival, sighting: Sighting, seen: Observation) -> Verdict:
    """Return what the store could tell without comparing words."""
    if seen.earlier is not None and seen.kind in ("exact", "retry"):
        earlier = seen.earlier
        return Verdict(
            kind="retry" if seen.kind == "retry" else "exact",
            cluster=earlier.cluster,
            earlier=earlier.request_id,
            reason=_REASONS[seen.kind],
        )
    if seen.kind == "new":
        return Verdict(kind="new", cluster=sighting.cluster)
    return Verdict(kind=arrival.signature.kind)

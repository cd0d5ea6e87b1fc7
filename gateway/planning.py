"""
What rules make of a call before anybody asks what it repeats: who answers, and at what cost.

    the facts of the call as it was asked for
    -> what has been used so far, if a rule wants to know: one round trip to the store
    -> who is to answer it, on which terms, and the most that can come to

A rule sees a call as its caller sent it; quotas count it as it will be sent.
"""

from msgspec import Struct

from gateway import metering, policy, ports
from gateway.likeness import Signature
from gateway.passage import Snapshot
from gateway.values import Call, Principal, Reserve, Target, TaskLink, Terms, Verdict

_AS_ASKED = Terms()


class Arrival(Struct, frozen=True, kw_only=True):
    """A call, as far as it is known before its likeness."""

    request_id: str
    call: Call
    principal: Principal
    link: TaskLink
    scope: bytes
    signature: Signature
    now: float

    @property
    def unseen(self) -> Verdict:
        """Return how it is like an earlier one, when nobody has been asked."""
        return Verdict(kind=self.signature.kind)


class Prospect(Struct, frozen=True, kw_only=True):
    """A call as it would be sent, and a plan for each kind of likeness it may have."""

    plans: policy.Plans
    target: Target
    reserve: Reserve


async def look_ahead(quotas: ports.Quotas, snapshot: Snapshot, arrival: Arrival) -> Prospect:
    """
    Return what the rules in force make of a call.

    Raises:
        ModelUnknown: nobody serves the model.
        RouteUnsupported: who is to answer does not speak the caller's format.

    """
    upstream, prices, policies = snapshot.upstream, snapshot.prices, snapshot.policies
    call, now = arrival.call, arrival.now
    target = upstream.target(call)
    reserve = metering.reserve(call, target, prices)
    facts = policy.facts(
        call,
        arrival.principal,
        arrival.link,
        reserve,
        now,
        tool_results_only=arrival.signature.tool_results_only,
    )
    counted = policies.usage_draws(facts, now)
    if counted:
        facts |= policies.usage(
            counted, await quotas.levels(counted, now, tenant=arrival.principal.tenant)
        )
    plans = policy.Plans(policies, facts, now)
    if plans.terms != _AS_ASKED:
        target = upstream.target(call, plans.terms)
        reserve = metering.reserve(call, target, prices)
    plans.reserve = reserve
    return Prospect(plans=plans, target=target, reserve=reserve)

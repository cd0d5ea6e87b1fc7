"""
What a policy set decides about calls, one after the other, without a gateway.

It does for each call what the line does, in the same order of steps: usage facts from its own
meters, plans, terms, draws, a decision. Quotas and budgets are counted by the line's own
counters, at the instants the calls bring along, so two runs over the same calls end alike, to
the last bit. What is kept is bounded: counters that have no say any more are forgotten, and so
is, after a day, what no call ever settled.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway import metering, policy
from gateway.policy.facts import CLUSTER, KIND
from gateway.quota import CounterKey, Counters, Drawn, Held
from gateway.rehearsal.spending import Spending, Spent
from gateway.values import (
    Decision,
    Draw,
    Facts,
    Offer,
    Reading,
    Refusal,
    Reserve,
    Terms,
    Usage,
)

SWEPT_EVERY: Final = 8
"""Calls between two looks at the counters longest not looked at, as in the memory store."""
HELD_S_MAX: Final = 86_400.0
TENANT: Final = "default"
NOTHING: Final = Reserve(input_tokens=0, output_tokens=0, cost_usd=Decimal(0))
_NONE: Final = Drawn((), (), is_refused=False)
BY_KEY: Final = Refusal(
    code="model_not_allowed", message="The key that was used may not use the model asked for."
)


class Asked(Struct, frozen=True, kw_only=True):
    """One call, as far as policies look at it."""

    request_id: str
    facts: Facts
    """Every declared fact; `usage.*` are counted here, unless `usage_known`."""
    reserve: Reserve
    """The most the call can come to."""
    now: float
    """Unix seconds."""
    tenant: str = TENANT
    served: str = "forwarded"
    """`coalesced` or `reused`: it shares a reply, and draws what every call draws."""
    by_key: bool = False
    """Whether the key refuses the model: what rules permit is refused, and released."""
    held: bool = False
    """Whether what a key refused is released later, by `release`, and not at once."""
    given: frozenset[str] = frozenset()
    """The `usage.*` facts that are as `facts` has them, whatever was counted."""
    usage_known: bool = False
    """Whether the facts hold `usage.*` as they were when the call was asked."""
    reserve_for: Callable[[Terms], Reserve] | None = None
    """The most the call can come to on given terms, where that is known better than `reserve`."""


class Decided(Struct, frozen=True, kw_only=True):
    """What was decided about a call, and by what."""

    decision: Decision
    readings: tuple[Reading, ...]
    facts: Facts
    """Those of the call, with `usage.*` as they were when it was asked."""
    reserve: Reserve
    """The most it can come to, on the terms it would be sent on."""


class _Open(Struct, frozen=True):
    """What was drawn for a call that is not settled."""

    since: float
    held: tuple[Held, ...]
    spent: Sequence[Spent] = ()
    """The ledger's sums the call will be in, …"""
    most: Reserve = NOTHING
    """… with this if its process ends before it does."""


class Simulation:
    """Policies in force, and the state of their quotas and budgets."""

    def __init__(self, policies: policy.PolicySet) -> None:
        """Begin with nothing drawn."""
        self.policies = policies
        """May be replaced, as a reload does: the counters stay."""
        self._counters = Counters()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._drawn = 0
        self._spending = Spending()
        self._counted: policy.PolicySet | None = None
        self._seeded: dict[tuple[CounterKey, float], int] = {}
        self._restarted: float | None = None

    @property
    def counters(self) -> int:
        """Return how many counters are remembered."""
        return len(self._counters)

    @property
    def held(self) -> int:
        """Return how many calls are not settled."""
        return len(self._open)

    def decide(self, asked: Asked) -> Decided:
        """Return what is decided about a call, and draw for it when it is permitted."""
        self._prepare()
        facts = self._with_usage(asked)
        plans = policy.Plans(self.policies, facts, asked.now)
        find_reserve = asked.reserve_for
        plans.reserve = asked.reserve if find_reserve is None else find_reserve(plans.terms)
        kind = facts[KIND]
        plan = plans.of(kind)
        offer = plan.offer if asked.served == "forwarded" else plans.offers(kind).shared
        drawn = self._draw(asked, offer, facts[CLUSTER])
        readings = drawn.readings
        decision = policy.decide(plan, readings)
        self._begin(asked, drawn.held, decision, plans.reserve)
        if asked.by_key:
            decision = refused_by_key(decision)
            if not asked.held:
                self.release(asked.request_id, asked.now)
        return Decided(decision=decision, readings=readings, facts=facts, reserve=plans.reserve)

    def settle(self, request_id: str, used: Usage, cost_nano_usd: int, now: float) -> None:
        """Replace what was reserved for a call by what it used. A second time does nothing."""
        found = self._open.pop(request_id, None)
        if found is not None:
            for held in found.held:
                self._counters.settle(held, used, cost_nano_usd, now)
            for spent in found.spent:
                spent.add(used, cost_nano_usd)

    def release(self, request_id: str, now: float) -> None:
        """Give back what was drawn for a call: it was not made. A second time does nothing."""
        found = self._open.pop(request_id, None)
        if found is not None:
            for held in found.held:
                self._counters.release(held, now)

    def restart(self, now: float) -> None:
        """
        Lose what a gateway without a shared store does when it ends: all counters, all calls.

        Budgets are counted again as a gateway does it, from what its ledger would hold. There,
        a call that was under way comes to the most it can have come to.
        """
        while self._open:
            self._cut_off(self._open.popitem()[1])
        self._counters = Counters()
        self._restarted = now

    def level(self, draw: Draw, tenant: str = TENANT) -> int:
        """Return what is used of a budget, or counted by a meter, in the draw's period."""
        assert draw.period_start is not None
        return self._counters.used((tenant, draw.key), draw.period_start)

    def seed(self, draw: Draw, used: int, tenant: str = TENANT) -> None:
        """Count at least this much of a budget, or by a meter, in the draw's period."""
        assert draw.period_start is not None
        key = (tenant, draw.key)
        self._counters.seed(key, draw.period_start, used)
        self._seeded[key, draw.period_start] = used

    def _prepare(self) -> None:
        """Take in that the policies, or the gateway, are others now."""
        if self._counted is not self.policies:
            self._counted = self.policies
            self._spending.under(self.policies.budgets)
        if self._restarted is not None:
            self._count_again(self._restarted)
            self._restarted = None

    def _count_again(self, now: float) -> None:
        """Seed budgets and meters from the ledger; none of their counters has anything yet."""
        told = self._seeded
        for budget in self.policies.budgets:
            began, _ = budget.bounds(now)
            for draw_key, used in self._spending.of_budget(budget, began):
                key = TENANT, draw_key
                self._counters.seed(key, began, used + told.get((key, began), 0))
        for (key, start), used in told.items():
            self._counters.seed(key, start, used)

    def _with_usage(self, asked: Asked) -> Facts:
        if asked.usage_known or not self.policies.meters:
            return asked.facts
        counted = self.policies.usage_draws(asked.facts, asked.now)
        levels = [self.level(draw, asked.tenant) for draw in counted]
        usage = self.policies.usage(counted, levels)
        return {**asked.facts, **usage, **{name: asked.facts[name] for name in asked.given}}

    def _begin(
        self, asked: Asked, held: tuple[Held, ...], decision: Decision, most: Reserve
    ) -> None:
        """Remember a call until it is settled; what is refused is no call for the ledger."""
        spent: Sequence[Spent] = ()
        if decision.effect == "permit" and not asked.by_key:
            spent = self._spending.of_call(asked.facts, asked.now)
        if held or spent:
            bound = most if asked.served == "forwarded" else NOTHING
            self._open[asked.request_id] = _Open(asked.now, held, spent, bound)

    def _draw(self, asked: Asked, offer: Offer, cluster: str) -> Drawn:
        if offer.forbidden:
            return _NONE
        now = asked.now
        drawn = self._counters.draw(asked.tenant, offer.draws, cluster, now)
        self._drawn += 1
        if self._drawn % SWEPT_EVERY == 0:
            self._sweep(now)
        return drawn

    def _sweep(self, now: float) -> None:
        self._counters.sweep(now)
        while self._open:
            first = next(iter(self._open))
            if self._open[first].since + HELD_S_MAX > now:
                break
            found = self._open.pop(first)
            for held in found.held:
                self._counters.abandon(held, now)
            self._cut_off(found)

    def _cut_off(self, found: _Open) -> None:
        """Count a call nobody will settle, as the ledger will, at the most it can come to."""
        most = found.most
        used = Usage(input_tokens=most.input_tokens, output_tokens=most.output_tokens)
        for spent in found.spent:
            spent.add(used, metering.nano_usd(most.cost_usd))


def refused_by_key(decision: Decision) -> Decision:
    """Return what becomes of a decision when the caller's key may not use the model."""
    if decision.effect == "forbid":
        return decision
    return Decision(effect="forbid", refusal=BY_KEY, policy=decision.policy)

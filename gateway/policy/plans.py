"""
What the rules say of one call, before the stores are asked, for all it may turn out to be.

Which earlier call a call is like, the store finds out in the same round trip that draws the
quotas. So a plan is made for each kind of likeness that can be found, and an offer of it
goes along. Where no rule asks for the kind, one match serves all of them.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import ceil
from typing import get_args

from msgspec import Struct

from gateway.policy.facts import CLUSTER, KIND, NOT_KNOWN
from gateway.policy.matching import Matched, Verdicts
from gateway.policy.policies import PolicySet
from gateway.policy.rules import Limit, Rule
from gateway.values import (
    Draw,
    Facts,
    LikenessKind,
    Offer,
    Offers,
    Reserve,
    Verdict,
)

NANO = Decimal(10**9)

KINDS: tuple[LikenessKind, ...] = get_args(LikenessKind)

UNCLUSTERED: frozenset[LikenessKind] = frozenset({"short", "continuation"})
"""What is never compared, and so has no cluster: no rule that counts by cluster counts it."""


class Plan(Struct, frozen=True, kw_only=True):
    """What the rules say of a call, and what has to be asked before a decision."""

    draws: tuple[Draw, ...]
    """One for each quota and budget that counts this call; none when a rule forbids it."""
    matched: Matched
    policies: PolicySet
    now: float
    offer: Offer
    """The same, for the store."""

    @property
    def forbidden(self) -> bool:
        """Return whether a rule refuses the call, whatever quotas say."""
        return self.offer.forbidden

    @property
    def errors(self) -> tuple[str, ...]:
        """Return the ids of the rules whose condition erred: count them, and show them."""
        return self.matched.errors


def plan(policies: PolicySet, facts: Facts, reserve: Reserve, now: float) -> Plan:
    """
    Match every rule to facts that are all known, and list the draws of those that limit.

    The facts may come from a record older than likeness: such a call counts as new.
    """
    known: Facts = {**NOT_KNOWN, **facts}
    return Plans(policies, known, reserve, now).of(known[KIND])


class Plans:
    """The plan for each kind of likeness one call may turn out to have, made when asked for."""

    def __init__(self, policies: PolicySet, facts: Facts, reserve: Reserve, now: float) -> None:
        """Keep what a plan is made of; `facts` are those known before the store is asked."""
        self._policies = policies
        self._facts = facts
        self._reserve = reserve
        self._now = now
        self._plans: dict[LikenessKind, Plan] = {}
        self._draws: dict[str, Draw] = {}
        self._asked: Verdicts | None = None

    def of(self, kind: LikenessKind) -> Plan:
        """Return the plan for a call of a kind; kinds that match alike have one plan."""
        found = self._plans.get(kind)
        if found is None:
            found = self._plans[kind] = self._make(kind)
        return found

    @property
    def forbidden(self) -> bool:
        """Return whether a rule refuses the call whatever its kind: no store need be asked."""
        return self.of("new").forbidden and all(self.of(kind).forbidden for kind in KINDS)

    def offers(self, kind: LikenessKind = "new") -> Offers:
        """
        Return what the call draws for each thing the store can find.

        A `kind` that is never compared (short, continuation) is what it is: all it is offered
        is of that kind.
        """
        known = kind in UNCLUSTERED
        exact = self.of(kind if known else "exact")
        shared = Offer(draws=self._draw_all(exact.matched.limits_shared), forbidden=exact.forbidden)
        if known:
            return Offers(new=exact.offer, exact=exact.offer, retry=exact.offer, shared=shared)
        new, retry = self.of("new").offer, self.of("retry").offer
        return Offers(new=new, exact=exact.offer, retry=retry, shared=shared)

    def facts(self, verdict: Verdict) -> Facts:
        """Return all facts of the call, now that it is known what it is like."""
        return self._facts | {KIND: verdict.kind, CLUSTER: verdict.cluster}

    def _make(self, kind: LikenessKind) -> Plan:
        matched = self._match(kind)
        limits = matched.limits_unclustered if kind in UNCLUSTERED else matched.limits
        for made in self._plans.values():
            if made.matched is matched and len(made.draws) == len(limits):
                return made
        draws = self._draw_all(limits)
        return Plan(
            draws=draws,
            matched=matched,
            policies=self._policies,
            now=self._now,
            offer=Offer(draws=draws, forbidden=matched.decision.effect == "forbid"),
        )

    def _match(self, kind: LikenessKind) -> Matched:
        matcher, facts = self._policies.matcher, self._facts
        if not matcher.reads_kind:
            made = next(iter(self._plans.values()), None)
            return made.matched if made else matcher.match(facts)
        if self._asked is None:
            self._asked = matcher.ask(facts)
        return matcher.match(facts if kind == facts[KIND] else facts | {KIND: kind}, self._asked)

    def _draw_all(self, rules: Sequence[Rule]) -> tuple[Draw, ...]:
        """Return the draws of rules. A draw is the same whatever kind the call has."""
        made = self._draws
        for rule in rules:
            if rule.id not in made:
                made[rule.id] = _draw(rule, self._facts, self._reserve, self._now)
        return tuple([made[rule.id] for rule in rules])


def _draw(rule: Rule, facts: Facts, reserve: Reserve, now: float) -> Draw:
    limit = rule.limit
    assert limit is not None
    window_s: float = limit.window_s
    period_start = None
    if limit.period is not None:
        period_start, period_end = limit.bounds(now)
        window_s = period_end - period_start
    return Draw(
        rule=rule.id,
        key=limit.key(facts),
        unit=limit.unit,
        amount=_amount(limit, reserve),
        limit=limit.amount,
        window_s=window_s,
        period_start=period_start,
        shadow=rule.shadow,
        by_cluster=limit.by_cluster,
    )


def _amount(limit: Limit, reserve: Reserve) -> int:
    if limit.unit == "calls":
        return 1
    if limit.unit == "tokens":
        return reserve.input_tokens + reserve.output_tokens
    return ceil(reserve.cost_usd * NANO)

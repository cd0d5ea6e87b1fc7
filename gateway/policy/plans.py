"""
What the rules say of one call, before the stores are asked, for all it may turn out to be.

Which earlier call a call is like, the store finds out in the same round trip that draws the
quotas. So a plan is made for each kind of likeness that can be found, and an offer of it
goes along. Where no rule asks for the kind, one match serves all of them.
"""

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct

from gateway.policy import drawing
from gateway.policy.facts import CLUSTER, KIND, NOT_KNOWN, NOTHING_USED
from gateway.policy.index import Hits
from gateway.policy.matching import Matched
from gateway.policy.policies import PolicySet
from gateway.policy.rules import Rule
from gateway.values import (
    Decision,
    Draw,
    Facts,
    LikenessKind,
    Offer,
    Offers,
    Reserve,
    Terms,
    Verdict,
)

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
    known: Facts = {**NOTHING_USED, **NOT_KNOWN, **facts}
    plans = Plans(policies, known, now)
    plans.reserve = reserve
    return plans.of(known[KIND])


class Plans:
    """The plan for each kind of likeness one call may turn out to have, made when asked for."""

    reserve: Reserve
    """The most the call can come to as `terms` have it sent: set it before asking for a plan."""

    def __init__(self, policies: PolicySet, facts: Facts, now: float) -> None:
        """Keep what a plan is made of; `facts` are those known before the store is asked."""
        self._policies = policies
        self._facts = facts
        self._now = now
        self._matches: dict[LikenessKind, Matched] = {}
        self._plans: dict[LikenessKind, Plan] = {}
        self._draws: dict[str, Draw] = {}
        self._asked: Hits | None = None
        self._varied = facts
        """The same facts, of one kind after the other: a copy, once there are two."""

    @property
    def terms(self) -> Terms:
        """
        Return how rules want the call sent, whatever its kind; empty when no kind is permitted.

        The conditions of rules with a say in it read no kind, so one permitted kind tells.
        """
        permit = self._permit()
        return _NO_TERMS if permit is None else permit.terms

    @property
    def forbidden(self) -> bool:
        """Return whether a rule refuses the call whatever its kind: no store need be asked."""
        return self._permit() is None

    def of(self, kind: LikenessKind) -> Plan:
        """Return the plan for a call of a kind; kinds that match alike have one plan."""
        found = self._plans.get(kind)
        if found is None:
            found = self._plans[kind] = self._make(kind)
        return found

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
        matched = self._matched(kind)
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

    def _permit(self) -> Decision | None:
        for kind in KINDS:
            decision = self._matched(kind).decision
            if decision.effect == "permit":
                return decision
        return None

    def _matched(self, kind: LikenessKind) -> Matched:
        found = self._matches.get(kind)
        if found is None:
            found = self._matches[kind] = self._match(kind)
        return found

    def _match(self, kind: LikenessKind) -> Matched:
        matcher, facts = self._policies.matcher, self._facts
        if not matcher.reads_kind:
            made = next(iter(self._matches.values()), None)
            return made or matcher.match(facts)
        if self._asked is None:
            self._asked = matcher.ask(facts)
        if self._varied[KIND] != kind:
            if self._varied is facts:
                self._varied = dict(facts)
            self._varied[KIND] = kind
        return matcher.match(self._varied, self._asked)

    def _draw_all(self, rules: Sequence[Rule]) -> tuple[Draw, ...]:
        """Return the draws of rules. A draw is the same whatever kind the call has."""
        made, facts, now = self._draws, self._facts, self._now
        draws: list[Draw] = []
        for rule in rules:
            draw = made.get(rule.id)
            if draw is None:
                assert rule.limit is not None
                amount = drawing.amount(rule.limit, self.reserve)
                draw = made[rule.id] = drawing.draw(rule, facts, amount, now)
            draws.append(draw)
        return tuple(draws)


_NO_TERMS = Terms()

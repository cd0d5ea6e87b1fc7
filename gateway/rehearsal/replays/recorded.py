"""
A recorded decision, asked again: the facts it was decided by, and what it can come to.

A record says what a call could come to as it was asked for and as it was sent. Under another
policy it may be sent elsewhere: then its price there counts, with the same input.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway import metering
from gateway.ledger import DecisionRecord
from gateway.policy.facts import CLUSTER, DECLARED, KIND, NOTHING_USED, USAGE, FactType
from gateway.policy.plans import UNCLUSTERED
from gateway.policy.policies import PolicySet
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.simulation import Asked
from gateway.settings import Deployment
from gateway.values import Facts, Reserve, Terms, Usage

_UNTOLD: Final[Mapping[FactType, str | int | float | bool]] = {
    "text": "",
    "whole": 0,
    "number": 0.0,
    "flag": False,
}
_DEFAULTS: Final[Facts] = {
    name: "new" if name == KIND else _UNTOLD[fact.type]
    for name, fact in DECLARED.items()
    if not name.startswith(USAGE)
}
_AS_ASKED: Final = Terms()
_UNKNOWN: Final = Deployment(providers={}, models={})


class Place(Struct, frozen=True, kw_only=True):
    """Who answers a call."""

    provider: str
    """Empty: not known."""
    model: str
    """As the provider names it."""


class Places:
    """Who answers which model, as goodgate.yaml says, for calls that rules send elsewhere."""

    def __init__(self, deployment: Deployment | None = None) -> None:
        """Keep the deployment; None: it is not known, and models have no other names."""
        self._models = (deployment or _UNKNOWN).models

    def of(self, asked: str, terms: Terms) -> Place:
        """Return who would answer a call for a model, on given terms."""
        name = terms.model or asked
        entry = self._models.get(name) or self._models.get("*")
        if entry is None:
            return Place(provider=terms.provider, model=name)
        if terms.provider and terms.provider != entry.provider:
            return Place(provider=terms.provider, model=name)
        return Place(provider=entry.provider, model=entry.model or name)


class Recorded:
    """Turns records into calls to be decided again, and counts what is not known of them."""

    def __init__(self, people: People, places: Places, prices: metering.PriceBook | None) -> None:
        """Keep who is known, who answers what, and at what price."""
        self._people = people
        self._places = places
        self._prices = prices
        self._looked_at: PolicySet | None = None
        self._sends_as_asked = False
        self.unnamed = 0
        """Calls of people whose pseudonym could not be resolved."""
        self.incomplete = 0
        """Calls recorded before some fact was declared."""

    def asked(self, record: DecisionRecord, policies: PolicySet) -> Asked:
        """Return a recorded call as it is to be decided again, under given policies."""
        # Under the policy it was recorded by it is sent just as it was then.
        known = record.policy == policies.digest and bool(record.model)
        return Asked(
            request_id=record.request_id,
            facts=self._facts(record),
            reserve=as_sent(record) if known else self.reserve(record, _AS_ASKED),
            now=record.at_us / 1e6,
            served=record.served,
            by_key=record.by_key,
            held=True,
            usage_known=known,
            reserve_for=None if known else self._reserve_for(record, policies),
        )

    def _reserve_for(
        self, record: DecisionRecord, policies: PolicySet
    ) -> Callable[[Terms], Reserve] | None:
        if self._looked_at is not policies:
            self._looked_at = policies
            rules = policies.rules
            self._sends_as_asked = not any(rule.route or rule.duties for rule in rules)
        return None if self._sends_as_asked else lambda terms: self.reserve(record, terms)

    def place(self, record: DecisionRecord, terms: Terms) -> Place:
        """Return who would answer a recorded call on given terms."""
        return self._places.of(record.facts["call.model"], terms)

    def reserve(self, record: DecisionRecord, terms: Terms) -> Reserve:
        """Return the most a recorded call can come to on given terms."""
        output: int = record.facts.get("call.output_tokens_max", 0)
        most = terms.output_tokens_max
        if most is not None:
            output = min(output, most * record.facts["call.choices"])
        if output == record.reserved_output_tokens and self._stays(record, terms):
            return as_sent(record)
        if not (terms.rule or most is not None):
            return as_asked(record)
        return self._priced(record, terms, output)

    def cost_nano_usd(self, model: str, input_tokens: int, output_tokens: int) -> int | None:
        """Return what tokens cost at a model; None when its price is not known."""
        if self._prices is None or self._prices.price(model) is None:
            return None
        used = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return metering.nano_usd(self._prices.cost_usd(model, used))

    def _stays(self, record: DecisionRecord, terms: Terms) -> bool:
        if terms.rule != record.route or not record.model:
            return False
        return not terms.rule or self.place(record, terms).model == record.model

    def _priced(self, record: DecisionRecord, terms: Terms, output: int) -> Reserve:
        asked = as_asked(record)
        model = self.place(record, terms).model if terms.rule else record.model
        cost = self.cost_nano_usd(model, asked.input_tokens, output)
        return Reserve(
            input_tokens=asked.input_tokens,
            output_tokens=output,
            cost_usd=asked.cost_usd if cost is None else Decimal(cost).scaleb(-9),
        )

    def _facts(self, record: DecisionRecord) -> Facts:
        facts = {**_DEFAULTS, **record.facts}
        if len(facts) != len(record.facts):
            self.incomplete += 1
        names = self._people.names(record.at_us)
        name = names.get(record.principal)
        if name is None:
            self.unnamed += 1
        else:
            pseudonym = facts["principal.key_id"]
            key = names.get(pseudonym, pseudonym)
            facts["principal.id"], facts["principal.key_id"] = name, key
        if not record.compared and facts[KIND] not in UNCLUSTERED:
            # Nobody asked what it is like: it is like no other, and not like all such calls.
            facts[CLUSTER] = record.request_id
        return facts


def as_asked(record: DecisionRecord) -> Reserve:
    """Return the most a call could come to as its caller asked for it."""
    facts = record.facts
    return Reserve(
        input_tokens=facts.get("call.input_tokens", 0),
        output_tokens=facts.get("call.output_tokens_max", 0),
        cost_usd=Decimal(repr(facts.get("call.cost_usd_max", 0))),
    )


def as_sent(record: DecisionRecord) -> Reserve:
    """Return the most a call could come to as it was sent, or would have been."""
    return Reserve(
        input_tokens=record.reserved_input_tokens,
        output_tokens=record.reserved_output_tokens,
        cost_usd=Decimal(record.reserved_cost_usd),
    )


def whole(facts: Facts) -> Facts:
    """Return recorded facts with those that were not declared then as if they said nothing."""
    return {**_DEFAULTS, **NOTHING_USED, **facts}

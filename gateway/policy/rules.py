"""
The rules in force, checked and immutable.

A rule either permits, forbids, or limits: a quota (GCRA, design section 5) throttles,
a budget is exact in its calendar period, in UTC, and forbids once it is used up.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from gateway.policy.conditions.cel import Condition
from gateway.policy.facts import CLUSTER, KIND
from gateway.values import BudgetUnit, DrawUnit, Effect, Facts, Obligations, Refusal

Period: TypeAlias = Literal["hour", "day", "week", "month"]

KEY_VALUE_LENGTH_MAX = 128

_Value: TypeAlias = str | bool | None
"""Of a fact; None: a cluster, which the store finds out."""


class Limit(Struct, frozen=True, kw_only=True):
    """How much may be drawn, how fast, and what is counted apart."""

    unit: DrawUnit
    amount: int
    """Calls, tokens, or nano-dollars."""
    text: str
    """The amount in words: `600 calls`."""
    by: tuple[str, ...]
    """Facts: each of their values has a counter of its own."""
    by_text: str
    """In words: `for each principal and task`."""
    window_s: int = 0
    """A quota's `per`; 0 for a budget."""
    per: str = ""
    """The window as it was written: `1m`."""
    period: Period | None = None
    """A budget's."""

    prefix: str
    """The part of every draw key that is the same for all calls."""

    @property
    def by_cluster(self) -> bool:
        """Return whether each likeness cluster has a counter of its own."""
        return CLUSTER in self.by

    def key(self, facts: Facts) -> str:
        """
        Return which counter a call draws on; no two sets of values share one.

        A cluster has a mark in its place: the store, which finds it out, adds it at the end.
        """
        return _joined(self.prefix, [None if by == CLUSTER else facts[by] for by in self.by])

    def bounds(self, now: float) -> tuple[float, float]:
        """Return when the current period of a budget began, and when it ends (Unix seconds)."""
        assert self.period is not None
        return _bounds(self.period, int(now // 3600))


def key_prefix(rule: str, unit: str, period: str) -> str:
    """Return how the keys of a limit's counters begin: another unit is another counter."""
    return f"{rule}/{unit}/{period}"


def _joined(prefix: str, values: Sequence[_Value]) -> str:
    """Return a counter's key: unambiguous whatever the values hold, and of bounded length."""
    key = prefix
    for value in values:
        if isinstance(value, str) and len(value) <= KEY_VALUE_LENGTH_MAX:
            key = f"{key}|{len(value)}:{value}"
        else:
            key += _part(value)
    return key


def _part(value: _Value) -> str:
    """Return what stands for a value that is no short text."""
    if value is None:
        return "|@"  # no value looks so: each begins with its length or `sha256:`
    text = str(value)
    if len(text) > KEY_VALUE_LENGTH_MAX:
        return f"|sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"
    return f"|{len(text)}:{text}"


@lru_cache(maxsize=64)
def _bounds(period: Period, hour: int) -> tuple[float, float]:
    at = datetime.fromtimestamp(hour * 3600, UTC)
    start = at.replace(hour=0)
    if period == "hour":
        start, end = at, at + timedelta(hours=1)
    elif period == "day":
        end = start + timedelta(days=1)
    elif period == "week":
        start -= timedelta(days=start.weekday())
        end = start + timedelta(days=7)
    else:
        start = start.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    return start.timestamp(), end.timestamp()


class Rerouting(Struct, frozen=True, kw_only=True):
    """Who answers a call instead: what a `route` rule says."""

    model: str = ""
    """Empty: the model asked for."""
    provider: str = ""
    """Empty: the one that serves the model."""
    priority: int = 0
    """Of the matching rules, the one with the highest priority has its way."""


class Duties(Struct, frozen=True, kw_only=True):
    """What a matching rule obliges the gateway to do: its `obligations`."""

    output_tokens_max: int | None = None
    provider_headers: tuple[tuple[str, str], ...] = ()
    """Sorted by name; names in lower case."""
    reply_headers: tuple[tuple[str, str], ...] = ()
    note: str = ""

    @property
    def change_what_is_sent(self) -> bool:
        """Return whether a provider sees another call because of it."""
        return self.output_tokens_max is not None or bool(self.provider_headers)


class Rule(Struct, frozen=True, kw_only=True):
    """One rule of a policy file, or a meter that `usage.*` facts need."""

    id: str
    description: str
    when: str
    """The condition as written; empty: always."""
    condition: Condition | None
    effect: Effect
    limit: Limit | None
    route: Rerouting | None = None
    duties: Duties | None = None
    team: str = ""
    """The team whose own file it stands in: it matches their calls only. Empty: everybody's."""
    meter: bool = False
    """Whether it only counts, for facts: no file holds it, and nobody is shown it."""
    shadow: bool
    """Whether it only says what it would have done."""
    message: str
    """What is wrong, and what to do."""
    refusal: Refusal
    """What it says when it refuses; a limit adds how long to wait."""

    @property
    def reads_kind(self) -> bool:
        """Return whether its condition asks what kind of likeness a call has."""
        return self.condition is not None and KIND in self.condition.reads

    @property
    def by_cluster(self) -> bool:
        """Return whether it counts each likeness cluster apart."""
        return self.limit is not None and self.limit.by_cluster

    @property
    def free_when_shared(self) -> bool:
        """Return whether a call that shares a reply does not draw on its limit."""
        counts_calls = self.limit is not None and self.limit.unit == "calls"
        return not counts_calls or self.by_cluster or self.reads_kind

    @property
    def named(self) -> str:
        """Return the words that name the rule at the end of a refusal."""
        return named(self.id, self.refusal.place)


def named(rule: str, place: str) -> str:
    """Return the words that name a rule and its file:line."""
    return f"Policy: {rule} ({place})."


class Budget(Struct, frozen=True, kw_only=True):
    """What a store must know to count a budget again from the ledger after a restart."""

    rule: str
    unit: BudgetUnit
    period: Period
    by: tuple[str, ...]
    prefix: str

    def key(self, values: Sequence[str | bool]) -> str:
        """Return the draw key for values of the `by` facts, in their order."""
        return _joined(self.prefix, values)

    def bounds(self, now: float) -> tuple[float, float]:
        """Return when the current period began, and when it ends (Unix seconds)."""
        return _bounds(self.period, int(now // 3600))


class OnStoreFailure(Struct, frozen=True, kw_only=True):
    """What happens while a store cannot be reached."""

    quotas: Literal["share", "closed"] = "share"
    """share: each replica enforces its share of a limit by itself."""
    ledger: Literal["closed", "spool"] = "closed"
    """spool: each replica records calls in a file of its own until the ledger is back."""


class Reuse(Struct, frozen=True, kw_only=True):
    """Which calls may be answered by the reply to another that is exactly alike, and whose."""

    exact: Literal["off", "coalesce", "coalesce_sampled", "store"] = "off"
    """coalesce: with one under way, unless answers are meant to differ; `_sampled`: even then."""
    share: Literal["principal", "team", "tenant"] = "principal"
    """Among whose calls."""
    ttl_s: int = 0
    """How long `store` keeps a reply; 0 for all others."""


def digest(canonical: Mapping[str, object]) -> str:
    """Return `sha256:` and 16 hex digits of what a policy set says, whatever its order."""
    content = msgspec.json.encode(canonical, order="deterministic")
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"


class CreditParameters(Struct, frozen=True, kw_only=True):
    """The parameters of credit (design section 7): part of the digest, so versioned with it."""

    saturation: Decimal = Decimal(10)
    """S of 1 - e^(-x/S): how many units of novel work half-saturate a root, and more."""
    settle_days: int = 7
    """How long an acceptance is provisional."""
    unvalued_budget: Decimal | None = None
    """What a team's unvalued roots share in a month; None: the team's size."""
    boilerplate_roots: int = 20
    """Five words that so many roots say in a month are boilerplate from the next version on."""
    umbrella_days: int = 90
    """A root open longer than this is marked …"""
    umbrella_cost_share: Decimal = Decimal("0.2")
    """… and one with more than this share of its team's cost and no outcome."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a policy set says once, for all calls."""

    obligations: Obligations = Obligations()
    credit: CreditParameters = CreditParameters()
    on_store_failure: OnStoreFailure = OnStoreFailure()
    reuse: Reuse = Reuse()

"""
Hourly sums of calls, kept by the sequencer beside the entries they are the fold of.

A call counts in the hour it was received: when its intent is in order, and once more, with
its figures, when its settle is. `fold` recomputes all of it from the leaves alone.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import Struct

from gateway.ledger.codec import Leaf
from gateway.ledger.entry import Adjust, Intent, Refusal, Settle
from gateway.ledger.projection import nano_usd
from gateway.ledger.query import Query

Group: TypeAlias = tuple[str | int, ...]
"""Values of what sums are asked by, in the order asked."""
OfRule: TypeAlias = tuple[str, str, str]
"""Rule, team and decision."""

_HOUR_S = 3_600
_HOUR_US = 3_600_000_000
_DAY_S = 86_400
_LAST_S = 2**53


class RollupKey(NamedTuple):
    """What calls are summed by."""

    hour: int
    """Its start, Unix seconds."""
    team: str
    root_id: str
    task_id: str
    model: str
    """The one that served; the one asked for, of a refused call."""
    decision: str


class RuleKey(NamedTuple):
    """What the effect of rules is summed by."""

    hour: int
    rule: str
    team: str
    decision: str


class RollupSum(Struct):
    """What calls came to."""

    calls: int = 0
    settled: int = 0
    failed: int = 0
    """Those of the settled that are not complete."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    """Each call's rounded up."""

    def add(self, other: "RollupSum", times: int = 1) -> None:
        """Add another sum, or (with -1) take it away."""
        self.calls += times * other.calls
        self.settled += times * other.settled
        self.failed += times * other.failed
        self.input_tokens += times * other.input_tokens
        self.output_tokens += times * other.output_tokens
        self.cache_read_tokens += times * other.cache_read_tokens
        self.cache_write_tokens += times * other.cache_write_tokens
        self.reasoning_tokens += times * other.reasoning_tokens
        self.cost_nano_usd += times * other.cost_nano_usd


class Rollups(Struct):
    """Sums of some calls, or what a slice adds to them."""

    sums: dict[RollupKey, RollupSum] = {}
    rules: dict[RuleKey, int] = {}
    """Calls each rule had a say in."""

    def begin(self, key: RollupKey, rules: Iterable[str]) -> None:
        """Count a call."""
        self.at(key).calls += 1
        for rule in rules:
            of_rule = RuleKey(key.hour, rule, key.team, key.decision)
            self.rules[of_rule] = self.rules.get(of_rule, 0) + 1

    def at(self, key: RollupKey) -> RollupSum:
        """Return the sum under a key, begun if need be."""
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = RollupSum()
        return found


def key_of(call: Intent | Refusal) -> RollupKey:
    """Return what a call is summed under."""
    if isinstance(call, Refusal):
        model, decision = call.model_requested, "refused"
    else:
        model, decision = call.model_served, str(call.decision)
    hour = call.received_at_us // _HOUR_US * 3_600
    return RollupKey(hour, call.team, call.root_id, call.task_id, model, decision)


def figures_of(settle: Settle | Adjust) -> RollupSum:
    """Return what a settle adds to the sums."""
    return RollupSum(
        0,
        1,
        int(settle.completion != "complete"),
        settle.input_tokens,
        settle.output_tokens,
        settle.cache_read_tokens,
        settle.cache_write_tokens,
        settle.reasoning_tokens,
        nano_usd(settle.cost_usd),
    )


def usage(
    sums: Mapping[RollupKey, RollupSum], by: Sequence[str], query: Query
) -> list[tuple[Group, RollupSum]]:
    """
    Return sums by any of `hour`, `day`, `month` (their start, Unix seconds, UTC), `team`,
    `root_id`, `task_id`, `model` and `decision`, in the order of these values, up to the limit.

    The query's task, team, model (as in `RollupKey`), decision and time choose; an hour that
    overlaps with the time asked for counts as a whole.
    """
    parts = [PARTS[each] for each in by]
    found: dict[Group, RollupSum] = {}
    for key, came_to in sums.items():
        if _is_asked_for(key, query):
            found.setdefault(tuple([part(key) for part in parts]), RollupSum()).add(came_to)
    return sorted(found.items(), key=_by_values)[: query.limit]


def rule_usage(calls: Mapping[RuleKey, int], query: Query) -> list[tuple[OfRule, int]]:
    """Return calls by rule, team and decision, in this order, as far as a query asks for them."""
    found: dict[OfRule, int] = {}
    for key, count in calls.items():
        if (
            _overlaps(key.hour, query)
            and query.rule in ("", key.rule)
            and query.team in ("", key.team)
            and query.decision in ("", key.decision)
        ):
            of_rule = (key.rule, key.team, key.decision)
            found[of_rule] = found.get(of_rule, 0) + count
    return sorted(found.items())[: query.limit]


def window(query: Query) -> tuple[int, int]:
    """Return the hours that overlap with a query's time: first and last start, Unix seconds."""
    since_us, until_us = query.since_us, query.until_us
    first = 0 if since_us is None else since_us // _HOUR_US * _HOUR_S
    # An hour that begins when the time ends is not in it.
    last = _LAST_S if until_us is None else (until_us - 1) // _HOUR_US * _HOUR_S
    return first, last


def fold(leaves: Iterable[Leaf]) -> Rollups:
    """Return the sums of all calls among some leaves, in their order."""
    found = Rollups()
    opened: dict[str, RollupKey] = {}
    settled: dict[str, RollupSum] = {}
    for leaf in _of_calls(leaves):
        if isinstance(leaf, Intent | Refusal):
            opened[leaf.attempt_id] = key = key_of(leaf)
            found.begin(key, leaf.rules)
            continue
        under = found.at(opened[leaf.attempt_id])
        before = settled.get(leaf.attempt_id)
        if before is not None:
            under.add(before, -1)
        settled[leaf.attempt_id] = after = figures_of(leaf)
        under.add(after)
    return found


def _is_asked_for(key: RollupKey, query: Query) -> bool:
    return (
        _overlaps(key.hour, query)
        and query.task in ("", key.task_id, key.root_id)
        and query.team in ("", key.team)
        and query.model in ("", key.model)
        and query.decision in ("", key.decision)
    )


def _overlaps(hour: int, query: Query) -> bool:
    first, last = window(query)
    return first <= hour <= last


def _by_values(each: tuple[Group, RollupSum]) -> Any:
    return each[0]


def _month(key: RollupKey) -> int:
    day = datetime.datetime.fromtimestamp(key.hour, datetime.UTC)
    return int(day.replace(day=1, hour=0).timestamp())


PARTS: Final[Mapping[str, Callable[[RollupKey], str | int]]] = {
    "hour": lambda key: key.hour,
    "day": lambda key: key.hour - key.hour % _DAY_S,
    "month": _month,
    "team": lambda key: key.team,
    "root_id": lambda key: key.root_id,
    "task_id": lambda key: key.task_id,
    "model": lambda key: key.model,
    "decision": lambda key: key.decision,
}
"""What sums can be asked by."""


def _of_calls(leaves: Iterable[Leaf]) -> Iterator[Intent | Refusal | Settle | Adjust]:
    for leaf in leaves:
        if isinstance(leaf, Intent | Refusal | Settle | Adjust):
            yield leaf

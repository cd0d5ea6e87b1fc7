"""
Which of many conditions can hold for a call, found by what they demand of it.

Each rule that demands one of some values of a fact stands in a table under them, by the fact
that leaves the fewest calls over; only the rules found under a call's own values, and those
that demand nothing of the kind, are evaluated. So a thousand rules for a thousand tasks cost
what one does. What is left out could only have been false: see `policy.conjuncts`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from gateway.policy.conditions import cel
from gateway.policy.conditions.cel import Condition
from gateway.policy.conditions.syntax import Constant
from gateway.policy.conjuncts import TEAM, Constants, demands
from gateway.policy.facts import DECLARED
from gateway.policy.rules import Rule
from gateway.values import Facts

Hits: TypeAlias = tuple[int, ...]
"""Numbers of the rules that match, and `~number` of those whose condition erred."""

VALUES_FEW = 10
VALUES_MANY = 1_000
"""How many values a fact is taken to have that says nothing better."""
TOGETHER_MAX = 8
"""Of more conditions than these, all the facts of all conditions are handed over."""


class _Asked(Struct, frozen=True, eq=False):
    """One rule, ready to be asked."""

    number: int
    condition: Condition | None
    team: str
    reads: tuple[str, ...]


class Index:
    """Some rules by number, and what can make each of them match."""

    def __init__(self, rules: Sequence[tuple[int, Rule]]) -> None:
        """Choose for each rule the demand fewest calls fulfil."""
        self.reads = tuple(sorted({name for _, rule in rules for name in _reads(rule)}))
        """Every fact that what they say depends on."""
        always: list[_Asked] = []
        tables: dict[str, dict[Constant, list[_Asked]]] = defaultdict(lambda: defaultdict(list))
        every = [
            _Asked(number, rule.condition, rule.team, tuple(sorted(_reads(rule))))
            for number, rule in rules
        ]
        needs = [demands(rule).needs for _, rule in rules]
        chosen = _Choice(needs)
        for asked, needed in zip(every, needs, strict=True):
            fact = chosen.fact(needed)
            if fact is None:
                always.append(asked)
                continue
            for value in needed[fact]:
                tables[fact][value].append(asked)
        self._every = tuple(every)
        self._always = tuple(always)
        self._tables = [(fact, dict(table)) for fact, table in sorted(tables.items())]
        self._texts = [name for name in self.reads if DECLARED[name].type == "text" if self._tables]

    def __bool__(self) -> bool:
        """Return whether there is any rule to ask."""
        return bool(self._every)

    def ask(self, facts: Facts) -> Hits:
        """Return which rules match the facts, and which err, always in the same order."""
        asked = self._candidates(facts)
        if not asked:
            return ()
        if len(asked) <= TOGETHER_MAX:
            known = {name: facts[name] for each in asked for name in each.reads}
        else:
            known = {name: facts[name] for name in self.reads}
        return _ask(asked, known, facts)

    def _candidates(self, facts: Facts) -> Sequence[_Asked]:
        for name in self._texts:
            text: str = facts[name]
            if not (text.isascii() or _is_unicode(text)):
                return self._every  # a condition errs that as much as looks at it
        found: Sequence[_Asked] = self._always
        for fact, table in self._tables:
            more = table.get(facts[fact])
            if more:
                found = (*found, *more)
        return found


def _ask(asked: Iterable[_Asked], known: Facts, facts: Facts) -> Hits:
    activation: Any = cel.activation(known) if known else None
    hits: list[int] = []
    for each in asked:
        if each.team and each.team != facts[TEAM]:
            continue
        verdict = True if each.condition is None else each.condition.holds(activation)
        if verdict:
            hits.append(each.number)
        elif verdict is None:
            hits.append(~each.number)
    return tuple(hits)


def _reads(rule: Rule) -> frozenset[str]:
    read: frozenset[str] = frozenset() if rule.condition is None else rule.condition.reads
    return read | {TEAM} if rule.team else read


def _is_unicode(text: str) -> bool:
    """Return whether a text is whole: half a surrogate pair is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Choice:
    """Which demand of a rule fewest calls fulfil, judged by all the values rules name."""

    def __init__(self, needs: Iterable[Mapping[str, Constants]]) -> None:
        named: dict[str, set[Constant]] = defaultdict(set)
        for needed in needs:
            for fact, values in needed.items():
                named[fact] |= values
        self._values = {fact: _values(fact, len(values)) for fact, values in named.items()}

    def fact(self, needed: Mapping[str, Constants]) -> str | None:
        """Return the fact to find a rule by; None when it demands no value of any."""
        return min(
            needed, key=lambda fact: (len(needed[fact]) / self._values[fact], fact), default=None
        )


def _values(fact: str, named: int) -> int:
    """Return how many values a fact can have, as far as one can say."""
    declared = DECLARED[fact]
    if declared.type == "flag":
        return 2
    if declared.members:
        return len(declared.members)
    return max(VALUES_FEW if declared.few else VALUES_MANY, named + 1)

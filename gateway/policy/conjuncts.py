"""
What a condition demands before it can be true, read from its top-level `&&` conjuncts.

Each of these is a necessary condition of the whole: `&&` is false as soon as one side is,
whatever errors the other side meets (CEL language definition, "Logical Operators"). So a rule
that lacks one need not be evaluated, and two rules that ask for different values of one fact
never match one call. What is not read here is taken to be possible.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import TypeAlias

from msgspec import Struct

from gateway.policy.conditions.syntax import Constant, Tree
from gateway.policy.facts import DECLARED
from gateway.policy.rules import Rule

TEAM = "principal.team"

Constants: TypeAlias = frozenset[Constant]
Bound: TypeAlias = tuple[float, int]
"""A number, and 0 when it is inside; +1 (below) or -1 (above) when all but it is."""


class Span(Struct, frozen=True):
    """The numbers a fact may be, from one bound to another."""

    low: Bound = (-inf, 0)
    high: Bound = (inf, 0)

    def both(self, other: "Span") -> "Span":
        """Return what is in both."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    def meets(self, other: "Span") -> bool:
        """Return whether some number is in both."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return low[0] < high[0] or (low[0] == high[0] and low[1] == high[1] == 0)

    def holds(self, number: Constant) -> bool:
        """Return whether a number is inside."""
        assert isinstance(number, int | float)
        return self.low <= (number, 0) <= self.high


_ANY = Span()


class Conjuncts(Struct, frozen=True, kw_only=True):
    """What must be so, by fact, for a condition to be true."""

    needs: Mapping[str, Constants] = {}
    """Facts that must be one of some values."""
    bars: Mapping[str, Constants] = {}
    """Facts that must be none of some values."""
    spans: Mapping[str, Span] = {}
    """Numeric facts that must lie between two bounds."""

    def both(self, other: "Conjuncts") -> "Conjuncts":
        """Return what must be so for both to be true."""
        needs, bars, spans = dict(self.needs), dict(self.bars), dict(self.spans)
        for fact, values in other.needs.items():
            needs[fact] = needs[fact] & values if fact in needs else values
        for fact, values in other.bars.items():
            bars[fact] = bars.get(fact, frozenset()) | values
        for fact, span in other.spans.items():
            spans[fact] = spans.get(fact, _ANY).both(span)
        return Conjuncts(needs=needs, bars=bars, spans=spans)

    @property
    def can_be(self) -> bool:
        """Return whether there are facts that fulfil them all."""
        return self.meets(self)

    def meets(self, other: "Conjuncts") -> bool:
        """Return whether there are facts that fulfil these and those; each can be, alone."""
        for fact, span in self.spans.items():
            theirs = other.spans.get(fact)
            if theirs is not None and not span.meets(theirs):
                return False
        for one, two in ((self, other), (other, self)):
            for fact, values in one.needs.items():
                left = values & two.needs[fact] if fact in two.needs else values
                if not one.left(fact, two.left(fact, left)):
                    return False
        return True

    def left(self, fact: str, values: Constants) -> Constants:
        """Return those of a fact's values that are neither barred nor outside its span."""
        if fact in self.bars:
            values -= self.bars[fact]
        if fact in self.spans:
            values = frozenset(filter(self.spans[fact].holds, values))
        return values


_NOTHING = Conjuncts()


def demands(rule: Rule) -> Conjuncts:
    """Return what a rule demands of a call: its condition's conjuncts, and its file's team."""
    found = Conjuncts(needs={TEAM: frozenset((rule.team,))}) if rule.team else _NOTHING
    if rule.condition is not None:
        for node in _conjuncts(rule.condition.tree.root):
            found = found.both(_demand(node, is_so=True))
    return found


def can_both(a: Rule, b: Rule) -> bool:
    """Return whether two rules can match one call; False only where that is proven impossible."""
    one, other = demands(a), demands(b)
    return one.can_be and other.can_be and one.meets(other)


def overlaps(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """
    Yield each pair of rules that can match one call, in the order of the rules.

    As `can_both` says it of every pair; those that want different values of the fact that most
    rules name are not even compared, so a thousand rules for a thousand tasks cost little.
    """
    asked = [demands(rule) for rule in rules]
    can_be = [demanded.can_be for demanded in asked]
    fact = _most_named(asked)
    everywhere: list[int] = []
    by_value: dict[Constant, list[int]] = {}
    for late, demanded in enumerate(asked):
        if not can_be[late]:
            continue
        wanted = demanded.needs.get(fact)
        places = range(late) if wanted is None else _merged(wanted, by_value, everywhere)
        for early in places:
            if can_be[early] and demanded.meets(asked[early]):
                yield rules[early], rules[late]
        if wanted is None:
            everywhere.append(late)
        for value in wanted or ():
            by_value.setdefault(value, []).append(late)


def _most_named(asked: Iterable[Conjuncts]) -> str:
    counts: dict[str, set[Constant]] = {}
    for demanded in asked:
        for fact, values in demanded.needs.items():
            counts.setdefault(fact, set()).update(values)
    return max(sorted(counts), key=lambda fact: len(counts[fact]), default="")


def _merged(
    wanted: Constants, by_value: Mapping[Constant, list[int]], everywhere: Iterable[int]
) -> Sequence[int]:
    return sorted({*everywhere, *(at for value in wanted for at in by_value.get(value, ()))})


def _conjuncts(node: Tree) -> Iterator[Tree]:
    if node.kind == "call" and node.name == "_&&_":
        for below in node.below:
            yield from _conjuncts(below)
    else:
        yield node


def _demand(node: Tree, *, is_so: bool) -> Conjuncts:
    """Return what must be so for one conjunct (or, `is_so` false, its negation) to be true."""
    if node.kind == "name" and node.name in DECLARED:
        return Conjuncts(needs={node.name: frozenset((is_so,))})
    if node.kind != "call":
        return _NOTHING
    if node.name == "!_":
        return _demand(node.below[0], is_so=not is_so)
    if node.name in _EQUALITIES:
        return _membership(node, is_in=is_so == _EQUALITIES[node.name])
    if node.name in _ORDERS:
        return _order(node, is_so=is_so)
    return _NOTHING


_EQUALITIES: Mapping[str, bool] = {"_==_": True, "@in": True, "_!=_": False}
_ORDERS: Mapping[str, tuple[str, str]] = {
    # What it is from the other side, and what it is when it is not so.
    "_<_": ("_>_", "_>=_"),
    "_<=_": ("_>=_", "_>_"),
    "_>_": ("_<_", "_<=_"),
    "_>=_": ("_<=_", "_<_"),
}


_FLAGS: Constants = frozenset((False, True))


def _membership(node: Tree, *, is_in: bool) -> Conjuncts:
    fact, other = _sides(node)
    if fact is None:
        return _NOTHING
    listed = other.below if other.kind == "list" and node.name == "@in" else (other,)
    if any(each.kind != "constant" for each in listed):
        return _NOTHING
    values: Constants = frozenset(each.value for each in listed)
    if not is_in and DECLARED[fact].type == "flag":
        is_in, values = True, _FLAGS - values
    return Conjuncts(needs={fact: values}) if is_in else Conjuncts(bars={fact: values})


def _order(node: Tree, *, is_so: bool) -> Conjuncts:
    fact, other = _sides(node)
    if fact is None or other.kind != "constant" or not isinstance(other.value, int | float):
        return _NOTHING
    operator = node.name if other is node.below[1] else _ORDERS[node.name][0]
    is_whole = DECLARED[fact].type == "whole"
    if not is_so:
        if not is_whole:  # what is not below a number need not be above it: it may be none (NaN)
            return _NOTHING
        operator = _ORDERS[operator][1]
    return Conjuncts(spans={fact: _span(operator, other.value, is_whole=is_whole)})


def _span(operator: str, number: float, *, is_whole: bool) -> Span:
    if operator == "_<_":
        return Span(high=(number - 1, 0) if is_whole else (number, -1))
    if operator == "_<=_":
        return Span(high=(number, 0))
    if operator == "_>_":
        return Span(low=(number + 1, 0) if is_whole else (number, 1))
    return Span(low=(number, 0))


def _sides(node: Tree) -> tuple[str | None, Tree]:
    """Return the fact one side of a comparison is, and the other side."""
    left, right = node.below
    if left.kind == "name" and left.name in DECLARED:
        return left.name, right
    if right.kind == "name" and right.name in DECLARED and node.name != "@in":
        return right.name, left
    return None, right

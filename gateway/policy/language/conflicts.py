"""
Rules that contradict each other.

Two routes of one priority, or two values of one header, cannot both have their way. Where
one call may match both rules the files are in the wrong; what is proven apart may stand.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, TypeAlias

from gateway.policy.conjuncts import overlaps
from gateway.policy.rules import Rule

COMPARED_MAX = 1_000
"""Rules of one kind that are compared with each other, two by two."""
TOLD_MAX = 1_000

Conflict: TypeAlias = tuple[Rule, Literal["route", "obligations"], str]
"""The later of two rules, which of its keys, and what is wrong."""


def conflicts(rules: Sequence[Rule]) -> Iterator[Conflict]:
    """Yield what contradicts an earlier rule, once for each pair, in the order rules are given."""
    yield from _routes([each for each in rules if each.route and not each.shadow])
    yield from _headers(_contested(rules))


def _routes(rules: Sequence[Rule]) -> Iterator[Conflict]:
    if len(rules) > COMPARED_MAX:
        yield rules[COMPARED_MAX], "route", _too_many(len(rules), "routes")
        return
    by_priority: dict[int, list[Rule]] = defaultdict(list)
    for rule in rules:
        assert rule.route is not None
        by_priority[rule.route.priority].append(rule)
    for priority, alike in by_priority.items():
        for first, later in islice(overlaps(alike), TOLD_MAX):
            said = (
                f"the route of {later.id!r} and that of {first.id!r} ({first.refusal.place}) "
                f"both have priority {priority} and can match one call, "
                "expected another priority, or conditions that exclude each other"
            )
            yield later, "route", said


def _headers(rules: Sequence[Rule]) -> Iterator[Conflict]:
    if len(rules) > COMPARED_MAX:
        yield rules[COMPARED_MAX], "obligations", _too_many(len(rules), "rules that set one header")
        return
    for first, later in islice(overlaps(rules), TOLD_MAX):
        before, given = dict(_given(first)), dict(_given(later))
        for (where, name), value in given.items():
            if before.get((where, name), value) != value:
                said = (
                    f"{later.id!r} and {first.id!r} ({first.refusal.place}) set the header "
                    f"{name!r} in {where!r} to two values and can match one call, "
                    "expected one value, or conditions that exclude each other"
                )
                yield later, "obligations", said


def _contested(rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules that set a header some rule gives another value."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in rules:
        for header, value in _given(rule):
            values[header].add(value)
    return [rule for rule in rules if any(len(values[header]) > 1 for header, _ in _given(rule))]


def _given(rule: Rule) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each header a rule sets: where, its name, and its value."""
    if rule.duties is not None:
        for name, value in rule.duties.provider_headers:
            yield ("provider_headers", name), value
        for name, value in rule.duties.reply_headers:
            yield ("reply_headers", name), value


def _too_many(count: int, what: str) -> str:
    return f"{count:,} {what} to compare with each other, expected at most {COMPARED_MAX:,}"

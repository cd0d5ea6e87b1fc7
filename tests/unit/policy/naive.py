"""
The policy language a second time, as its guide tells it, and as slowly as that reads.

Conditions are trees of tuples with the operator first; a rule is what its YAML says, but for
`when`, which is such a tree. Nothing here is remembered, indexed or shared between calls, and
nothing of `gateway.policy` is used.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import ceil, copysign, inf, isnan, nan
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple, TypeAlias

Tree: TypeAlias = tuple[Any, ...]
Rule: TypeAlias = Mapping[str, Any]
Facts: TypeAlias = Mapping[str, Any]
Drawn: TypeAlias = tuple[str, str, int, bool]
"""Rule, counter, amount and whether it only says what it would have done."""

UNCOUNTED = ("short", "continuation")
"""Kinds of calls that belong to no cluster."""
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
BY = {"principal": "principal.id", "team": "principal.team", "task": "task.id"}
WHO = {**BY, "root": "task.root"}


class Erred(Exception):
    """A part of a condition has no value."""


# --- conditions -----------------------------------------------------------------------------


def cel(tree: Tree) -> str:
    """Return a condition as an admin would write it."""
    operator, *parts = tree
    if operator == "fact":
        return str(parts[0])
    if operator == "const":
        return json.dumps(parts[0], ensure_ascii=False)
    if operator == "not":
        return f"!({cel(parts[0])})"
    if operator == "?:":
        return f"({cel(parts[0])} ? {cel(parts[1])} : {cel(parts[2])})"
    if operator == "in":
        return f"{cel(parts[0])} in {json.dumps(parts[1], ensure_ascii=False)}"
    if operator in ("exists", "all"):
        return f"{json.dumps(parts[0])}.{operator}(x, {cel(parts[1])})"
    if operator in _METHODS:
        return f"{cel(parts[0])}.{operator}({cel(parts[1])})"
    return f"({cel(parts[0])} {operator} {cel(parts[1])})"


def reads(tree: Tree) -> set[str]:
    """Return the facts a condition names."""
    if tree[0] == "fact":
        return {tree[1]} - {"x"}
    found: set[str] = set()
    return found.union(*(reads(part) for part in tree[1:] if isinstance(part, tuple)))


def value(tree: Tree, facts: Facts) -> Any:
    """Return what a condition, or a part of it, comes to."""
    operator, *parts = tree
    if operator == "fact":
        return facts[parts[0]]
    if operator == "const":
        return parts[0]
    if operator == "not":
        return not value(parts[0], facts)
    if operator == "?:":
        return value(parts[1] if value(parts[0], facts) else parts[2], facts)
    if operator == "in":
        return value(parts[0], facts) in parts[1]
    if operator in ("&&", "||"):
        return _either([(part, facts) for part in parts], decisive=operator == "||")
    if operator in ("exists", "all"):
        items = [(parts[1], {**facts, "x": item}) for item in parts[0]]
        return _either(items, decisive=operator == "exists")
    return _BINARY[operator](value(parts[0], facts), value(parts[1], facts))


def _either(parts: Sequence[tuple[Tree, Facts]], *, decisive: bool) -> bool:
    """Return what one part alone decides, whatever the others do; an error if none does."""
    erred = False
    for part, facts in parts:
        try:
            if bool(value(part, facts)) is decisive:
                return decisive
        except Erred:
            erred = True
    if erred:
        raise Erred
    return not decisive


def _whole(operation: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    def within(left: int, right: int) -> int:
        result = operation(left, right)
        if not INT_MIN <= result <= INT_MAX:
            raise Erred
        return result

    return within


def _divided(left: Any, right: Any) -> Any:
    if isinstance(left, float):
        if right:
            return left / right
        return copysign(inf, left) * copysign(1.0, right) if left and not isnan(left) else nan
    if not right:
        raise Erred
    quotient = abs(left) // abs(right)
    return _whole(lambda *_: quotient if (left < 0) == (right < 0) else -quotient)(left, right)


def _modulo(left: int, right: int) -> int:
    return left - right * int(_divided(left, right))


_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    **_METHODS,
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "+": lambda a, b: a + b if isinstance(a, float) else _whole(int.__add__)(a, b),
    "-": lambda a, b: a - b if isinstance(a, float) else _whole(int.__sub__)(a, b),
    "*": lambda a, b: a * b if isinstance(a, float) else _whole(int.__mul__)(a, b),
    "/": _divided,
    "%": _modulo,
}


# --- rules ----------------------------------------------------------------------------------


class Said(NamedTuple):
    """What is decided about a call, as far as its caller, its provider or a report can tell."""

    effect: str
    reasons: tuple[str, ...] = ()
    would_have: tuple[str, ...] = ()
    code: str = ""
    speaks: str = ""
    retry_after_s: float = 0.0
    route: tuple[str, str, str] = ("", "", "")
    output_tokens_max: int | None = None
    provider_headers: tuple[tuple[str, str], ...] = ()
    reply_headers: tuple[tuple[str, str], ...] = ()
    note: str = ""


class Call(NamedTuple):
    """A call, and the most it can use."""

    facts: Facts
    tokens: int
    cost_usd: Decimal


class Short(NamedTuple):
    """A limit that has too little left for a call."""

    retry_after_s: float
    amount: int
    limit: int
    period: bool
    code: str
    shadow: bool


def matching(rules: Sequence[Rule], facts: Facts) -> tuple[list[Rule], tuple[str, ...]]:
    """Return the rules that match, by id, and the ids of those whose condition erred."""
    found: list[Rule] = []
    errors: list[str] = []
    for rule in sorted(rules, key=lambda rule: str(rule["id"])):
        if rule.get("team") not in (None, facts["principal.team"]):
            continue
        try:
            holds = "when" not in rule or value(rule["when"], facts) is True
        except Erred:
            errors.append(rule["id"])
            holds = rule.get("effect") == "forbid"
        if holds:
            found.append(rule)
    return found, tuple(errors)


def draws(
    rules: Sequence[Rule], found: Sequence[Rule], call: Call, *, shared: bool = False
) -> list[Drawn]:
    """Return what a call draws by the rules it matches, and by what any rule asks was used."""
    if any(rule.get("effect") == "forbid" and not is_shadow(rule) for rule in found):
        return []
    drawn = [
        (rule["id"], _counter(rule, call.facts), _amount(rule, call), is_shadow(rule))
        for rule in found
        if limit(rule) and not (shared and _is_free(rule))
        if not (_by_cluster(rule) and call.facts["likeness.kind"] in UNCOUNTED)
    ]
    named = {name for rule in rules if "when" in rule for name in reads(rule["when"])}
    for name in named:
        if name.startswith("usage."):
            _, who, period, unit = name.split(".")
            meter = {"id": name, "budget": {unit: 1, "period": period, "by": [who]}}
            if not shared or unit == "calls":
                drawn.append((name, _counter(meter, call.facts), _amount(meter, call), True))
    return sorted(drawn)


def terms(found: Sequence[Rule]) -> Said:
    """Return how a permitted call is sent and answered, with what else is said of it."""
    permits = [rule for rule in found if not is_shadow(rule) and not limit(rule)]
    routes = sorted((r for r in permits if "route" in r), key=_priority, reverse=True)
    winner = routes[0]["id"] if routes else None
    to = routes[0]["route"] if routes else {}
    shadows = [
        rule["id"]
        for rule in found
        if is_shadow(rule) and "route" in rule
        if not routes or _priority(rule) >= _priority(routes[0])
    ]
    duties = [rule["obligations"] for rule in permits if "obligations" in rule]
    most = [each["max_output_tokens"] for each in duties if "max_output_tokens" in each]
    return Said(
        effect="permit",
        reasons=tuple(r["id"] for r in permits if "route" not in r or r["id"] == winner),
        would_have=tuple(sorted(shadows + _would_forbid(found))),
        route=(winner or "", to.get("model", ""), to.get("provider", "")),
        output_tokens_max=min(most) if most else None,
        provider_headers=_all(duties, "provider_headers"),
        reply_headers=_all(duties, "reply_headers"),
        note=" | ".join(each["note"] for each in duties if "note" in each),
    )


def decide(found: Sequence[Rule], short: Mapping[str, Short]) -> Said:
    """Return the decision about a call by the rules it matches, some of which have too little."""
    forbids = [r for r in found if r.get("effect") == "forbid" and not is_shadow(r)]
    if forbids:
        return Said(
            effect="forbid",
            reasons=tuple(rule["id"] for rule in forbids),
            would_have=tuple(_would_forbid(found)),
            code=forbids[0].get("code", "policy_forbids"),
            speaks=forbids[0]["id"],
        )
    permit = terms(found)
    shadows = {name for name, each in short.items() if each.shadow and name[:6] != "usage."}
    would_have = tuple(sorted(shadows | {*permit.would_have}))
    refused = {name: each for name, each in short.items() if not each.shadow}
    if not refused:
        return permit._replace(would_have=would_have)
    hopeless = {n: each for n, each in refused.items() if each.period or each.amount > each.limit}
    reasons = hopeless or refused
    speaks = max(reasons, key=lambda name: (reasons[name].retry_after_s, name))
    return permit._replace(
        effect="forbid" if hopeless else "throttle",
        reasons=tuple(sorted(reasons)),
        would_have=would_have,
        code=reasons[speaks].code,
        speaks=speaks,
        retry_after_s=0.0 if hopeless else reasons[speaks].retry_after_s,
        reply_headers=(),
        note="",
    )


def is_shadow(rule: Rule) -> bool:
    """Return whether a rule only says what it would have done."""
    return rule.get("mode") == "shadow"


def limit(rule: Rule) -> Mapping[str, Any]:
    """Return a rule's quota or budget, or nothing."""
    found: Mapping[str, Any] = rule.get("quota") or rule.get("budget") or {}
    return found


def code(rule: Rule) -> str:
    """Return what a rule with a limit calls its refusals."""
    by_cluster = _by_cluster(rule) and "concurrent" not in limit(rule)
    return str(rule.get("code", "near_identical_rate" if by_cluster else "quota_exceeded"))


def unit(rule: Rule) -> str:
    """Return what a rule's limit counts."""
    return next(each for each in _UNITS if each in limit(rule))


_UNITS = ("calls", "tokens", "cost_usd", "concurrent")


def _priority(rule: Rule) -> int:
    return int(rule["route"].get("priority", 0))


def _would_forbid(found: Sequence[Rule]) -> list[str]:
    return [rule["id"] for rule in found if rule.get("effect") == "forbid" and is_shadow(rule)]


def _all(duties: Sequence[Mapping[str, Any]], key: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({pair for each in duties for pair in each.get(key, {}).items()}))


def _by_cluster(rule: Rule) -> bool:
    return "likeness.cluster" in limit(rule).get("by", ())


def _is_free(rule: Rule) -> bool:
    asks = "when" in rule and "likeness.kind" in reads(rule["when"])
    return unit(rule) != "calls" or _by_cluster(rule) or asks


def _amount(rule: Rule, call: Call) -> int:
    nano_usd = ceil(call.cost_usd * 10**9)
    return {"tokens": call.tokens, "cost_usd": nano_usd}.get(unit(rule), 1)


def _counter(rule: Rule, facts: Facts) -> str:
    name = f"{rule['id']}/{unit(rule)}/{limit(rule).get('period', '')}"
    for by in limit(rule)["by"]:
        known = "" if by == "likeness.cluster" else str(facts[WHO.get(by, by)])
        name += "|@" if by == "likeness.cluster" else f"|{len(known)}:{known}"
    return name

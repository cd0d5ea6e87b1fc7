"""
What a test says a call should come to, and what it came to: both by the same names.

A thing that no `expect` names is not looked at.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import ceil
from typing import Any, Final, TypeAlias, get_args

from msgspec import Struct

from gateway.documents import Fields, Node, nearest
from gateway.policy.language.model import CODES
from gateway.rehearsal.simulation import Decided
from gateway.values import Effect, Reading, Terms

EFFECTS: Final[tuple[Effect, ...]] = get_args(Effect)
KEYS: Final = (
    *("effect", "reasons", "would_have", "code", "message", "rule", "retry_after_s"),
    *("route", "obligations", "remaining"),
)
ROUTE_KEYS: Final = ("model", "provider")
OBLIGATION_KEYS: Final = ("max_output_tokens", "provider_headers", "reply_headers", "note")

_NANO: Final = 10**9
_REMAINING: Final = "remaining."
_WORDS: Final = ("message", "obligations.note")

Value: TypeAlias = "str | int | Decimal | frozenset[str] | tuple[tuple[str, str], ...] | None"


class Expected(Struct, frozen=True, kw_only=True):
    """One thing a call should come to."""

    what: str
    """`effect`, `route.model`, `remaining.task-cost`."""
    value: Value
    line: int
    rules: frozenset[str] = frozenset()
    """Ids of the rules it names."""

    def met(self, decided: Decided) -> bool:
        """Return whether a call came to it."""
        came = self.came(decided)
        if self.contained:
            return str(self.value) in str(came)
        return came == self.value

    @property
    def contained(self) -> bool:
        """Return whether it is enough that what came has it in it."""
        return self.what in _WORDS and self.value != ""

    def came(self, decided: Decided) -> Value:
        """Return what came instead, or the same."""
        if self.what.startswith(_REMAINING):
            return _remaining(decided.readings, self.what.removeprefix(_REMAINING))
        found: Value = _CAME[self.what](decided)
        return found


def read(fields: Fields, rules: Sequence[str]) -> tuple[Expected, ...]:
    """Return what `expect` says; what is wrong with it goes to the problems of `fields`."""
    if "expect" not in fields:
        return ()
    inner = Fields(fields.items["expect"], fields.problems, "expect")
    inner.only(*KEYS)
    if not inner.items and isinstance(inner.node.value, dict):
        fields.expected("expect", f"at least one of {', '.join(KEYS)}")
    return _Reader(inner, rules).all()


class _Reader:
    """Reads one `expect`."""

    def __init__(self, fields: Fields, rules: Sequence[str]) -> None:
        self._fields = fields
        self._rules = rules
        self._found: list[Expected] = []

    def all(self) -> tuple[Expected, ...]:
        fields = self._fields
        if "effect" in fields:
            self._add(fields, "effect", fields.choice("effect", EFFECTS, ""))
        for key in ("reasons", "would_have"):
            if key in fields:
                named = frozenset(self._rule(item) for item in fields.nodes(key))
                self._add(fields, key, named, rules=named)
        if "code" in fields:
            self._add(fields, "code", fields.choice("code", ("", *CODES), ""))
        if "message" in fields:
            self._add(fields, "message", " ".join(fields.text("message").split()))
        if "rule" in fields:
            rule = self._rule(fields.items["rule"]) if fields.text("rule") else ""
            self._add(fields, "rule", rule, rules=frozenset({rule} if rule else ()))
        if "retry_after_s" in fields:
            self._add(fields, "retry_after_s", fields.integer("retry_after_s"))
        self._route()
        self._obligations()
        self._remaining()
        return tuple(self._found)

    def _add(
        self,
        fields: Fields,
        key: str,
        value: Value,
        *,
        within: str = "",
        rules: frozenset[str] = frozenset(),
    ) -> None:
        line = fields.items[key].line
        self._found.append(Expected(what=within + key, value=value, line=line, rules=rules))

    def _rule(self, node: Node) -> str:
        name = node.value if isinstance(node.value, str) else ""
        if name not in self._rules:
            hint = nearest(node.text, self._rules) or "; the policies have no such rule"
            self._fields.problems.add(node, f"unknown rule {node.text[:64]!r}{hint}")
        return name

    def _route(self) -> None:
        inner = self._inner("route", ROUTE_KEYS)
        for key in ROUTE_KEYS:
            if key in inner:
                self._add(inner, key, inner.text(key), within="route.")

    def _obligations(self) -> None:
        inner, within = self._inner("obligations", OBLIGATION_KEYS), "obligations."
        if "max_output_tokens" in inner:
            free = inner.items["max_output_tokens"].value is None
            value = None if free else inner.integer("max_output_tokens")
            self._add(inner, "max_output_tokens", value, within=within)
        for key in ("provider_headers", "reply_headers"):
            if key in inner:
                self._add(inner, key, _headers(inner, key), within=within)
        if "note" in inner:
            self._add(inner, "note", " ".join(inner.text("note").split()), within=within)

    def _remaining(self) -> None:
        inner = self._inner("remaining", ())
        for rule in inner.items:
            if rule in self._rules:
                value = inner.decimal(rule, Decimal(0))
                named = frozenset({rule})
                self._add(inner, rule, value, within=_REMAINING, rules=named)
                continue
            hint = nearest(rule, self._rules) or "; the policies have no such rule"
            inner.problems.add(inner.node, f"unknown rule {rule[:64]!r}{hint}", key=rule)

    def _inner(self, key: str, names: Sequence[str]) -> Fields:
        node = self._fields.items.get(key, _NOTHING)
        inner = Fields(node, self._fields.problems, key)
        if names:
            inner.only(*names)
        return inner


_NOTHING: Final = Node({}, "", 0, 0)


def _headers(fields: Fields, key: str) -> tuple[tuple[str, str], ...]:
    inner = Fields(fields.items[key], fields.problems, key)
    return tuple(sorted((name.lower(), inner.text(name)) for name in inner.items))


def _remaining(readings: Sequence[Reading], rule: str) -> Value:
    """Return what is left of a limit, in calls, tokens or USD; None when nothing was drawn."""
    for reading in readings:
        if reading.draw.rule == rule:
            left = Decimal(reading.remaining)
            return left / _NANO if reading.draw.unit == "cost_usd" else left
    return None


def _refusal(name: str) -> Callable[[Decided], Any]:
    def came(decided: Decided) -> object:
        refusal = decided.decision.refusal
        return "" if refusal is None else getattr(refusal, name)

    return came


def _retry_after_s(decided: Decided) -> int:
    """Return the wait in whole seconds, without the millisecond quotas add against rounding."""
    refusal = decided.decision.refusal
    return 0 if refusal is None else max(0, ceil(round(refusal.retry_after_s - 0.001, 3)))


def _terms(decided: Decided) -> Terms:
    return decided.decision.terms


_CAME: Final[Mapping[str, Callable[[Decided], Any]]] = {
    "effect": lambda decided: decided.decision.effect,
    "reasons": lambda decided: frozenset(decided.decision.reasons),
    "would_have": lambda decided: frozenset(decided.decision.would_have),
    "code": _refusal("code"),
    "message": _refusal("message"),
    "rule": _refusal("rule"),
    "retry_after_s": _retry_after_s,
    "route.model": lambda decided: _terms(decided).model,
    "route.provider": lambda decided: _terms(decided).provider,
    "obligations.max_output_tokens": lambda decided: _terms(decided).output_tokens_max,
    "obligations.provider_headers": lambda decided: _terms(decided).headers,
    "obligations.reply_headers": lambda decided: decided.decision.obligations.reply_headers,
    "obligations.note": lambda decided: decided.decision.obligations.note,
}

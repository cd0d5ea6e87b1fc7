"""
Which rules match a call, remembered for facts seen before.

Most conditions read facts that take few values (evidence, route, team): what they say
of one combination is kept, in a bounded table, so ten rules cost one look-up. Only the
conditions that read other facts (ids, amounts, minutes) are evaluated on every call,
with one activation for all of them.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from msgspec import Struct

from gateway.policy import cel
from gateway.policy.cel import Condition
from gateway.policy.facts import DECLARED
from gateway.policy.rules import Rule
from gateway.values import Decision, Facts, Obligations

REMEMBERED_MAX = 4_096
REMEMBERED_MODEL_LENGTH_MAX = 200

Verdicts = tuple[bool | None, ...]


class Matched(Struct, frozen=True, kw_only=True):
    """What the rules say of a call, before quotas are asked."""

    decision: Decision
    """The decision, if no quota or budget refuses."""
    limits: tuple[Rule, ...] = ()
    """Matching rules that draw; none when a rule forbids."""
    errors: tuple[str, ...] = ()
    """Ids of the rules whose condition erred, sorted."""


class Matcher:
    """Every condition of a policy set, ready to be asked."""

    def __init__(self, rules: Sequence[Rule], obligations: Obligations, digest: str) -> None:
        self._obligations = obligations
        self._digest = digest
        self._rules = sorted(rules, key=lambda rule: (not _remembers(rule), rule.id))
        conditions = [rule.condition for rule in self._rules]
        known = sum(1 for rule in self._rules if _remembers(rule))
        self._remembered = conditions[:known]
        self._asked = [condition for condition in conditions[known:] if condition is not None]
        self._reads_remembered = _reads(self._remembered)
        self._reads_asked = _reads(self._asked)
        self._pick = _picker(self._reads_remembered)
        self._verdicts: dict[Any, Verdicts] = {}
        self._matched: dict[Verdicts, Matched] = {}

    def match(self, facts: Facts) -> Matched:
        """Return what the rules say of a call."""
        key = self._pick(facts)
        verdicts = self._verdicts.get(key)
        if verdicts is None:
            verdicts = _ask(self._remembered, self._reads_remembered, facts)
            if len(facts["call.model"]) <= REMEMBERED_MODEL_LENGTH_MAX:
                _keep(self._verdicts, key, verdicts)
        if self._asked:
            verdicts += _ask(self._asked, self._reads_asked, facts)
        matched = self._matched.get(verdicts)
        if matched is None:
            matched = self._weigh(verdicts)
            _keep(self._matched, verdicts, matched)
        return matched

    def _weigh(self, verdicts: Verdicts) -> Matched:
        """Return what the rules together say: a forbid wins, and one that erred matches."""
        matching: list[Rule] = []
        errors: list[str] = []
        for rule, verdict in zip(self._rules, verdicts, strict=True):
            if verdict is None:
                errors.append(rule.id)
            if verdict or (verdict is None and rule.effect == "forbid" and rule.limit is None):
                matching.append(rule)
        matching.sort(key=lambda rule: rule.id)
        limits = tuple(rule for rule in matching if rule.limit is not None)
        decision = self._decide([rule for rule in matching if rule.limit is None])
        return Matched(
            decision=decision,
            limits=() if decision.effect == "forbid" else limits,
            errors=tuple(sorted(errors)),
        )

    def _decide(self, matching: Sequence[Rule]) -> Decision:
        forbids = [rule for rule in matching if rule.effect == "forbid"]
        forbidding = [rule for rule in forbids if not rule.shadow]
        reasons = forbidding or [r for r in matching if r.effect == "permit" and not r.shadow]
        return Decision(
            effect="forbid" if forbidding else "permit",
            reasons=tuple(rule.id for rule in reasons),
            would_have=tuple(rule.id for rule in forbids if rule.shadow),
            refusal=forbidding[0].refusal if forbidding else None,
            obligations=self._obligations,
            policy=self._digest,
        )


def _remembers(rule: Rule) -> bool:
    """Return whether what a rule's condition says is worth remembering."""
    return rule.condition is None or all(DECLARED[name].few for name in rule.condition.reads)


def _reads(conditions: Sequence[Condition | None]) -> tuple[str, ...]:
    return tuple(sorted({name for each in conditions if each is not None for name in each.reads}))


def _picker(names: tuple[str, ...]) -> Callable[[Facts], Any]:
    getter: Any = itemgetter
    pick: Callable[[Facts], Any] = getter(*names) if names else _nothing
    return pick


def _nothing(_facts: Facts) -> None:
    return None


def _ask(conditions: Sequence[Condition | None], reads: tuple[str, ...], facts: Facts) -> Verdicts:
    activation = cel.activation({name: facts[name] for name in reads})
    return tuple(True if each is None else each.holds(activation) for each in conditions)


def _keep(table: dict[Any, Any], key: object, value: object) -> None:
    if len(table) >= REMEMBERED_MAX:
        table.clear()
    table[key] = value

"""
Which rules match a call, remembered for facts seen before.

Most conditions read facts that take few values (evidence, route, team): what they say
of one combination is kept, in a bounded table, so ten rules cost one look-up. Only the
conditions that read other facts (ids, amounts, minutes) are evaluated on every call,
with one activation for all of them; and only those of them that ask for the kind of
likeness again for each kind the call may have.
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
    limits_unclustered: tuple[Rule, ...] = ()
    """Those that draw for a call without a cluster: the same object when all do."""
    limits_shared: tuple[Rule, ...] = ()
    """Those that draw for a call that shares a reply, which costs nobody anything."""
    errors: tuple[str, ...] = ()
    """Ids of the rules whose condition erred, sorted."""


class Matcher:
    """Every condition of a policy set, ready to be asked."""

    def __init__(self, rules: Sequence[Rule], obligations: Obligations, digest: str) -> None:
        self.reads_kind = any(rule.reads_kind for rule in rules)
        """Whether it matters to any condition what kind of likeness a call has."""
        self._obligations = obligations
        self._digest = digest
        remembered = [rule for rule in rules if _remembers(rule)]
        asked = [rule for rule in rules if not _remembers(rule) and not rule.reads_kind]
        asked_by_kind = [rule for rule in rules if not _remembers(rule) and rule.reads_kind]
        self._rules = (*remembered, *asked, *asked_by_kind)
        self._remembered = _Conditions(remembered)
        self._asked = _Conditions(asked)
        self._asked_by_kind = _Conditions(asked_by_kind)
        self._pick = _picker(self._remembered.reads)
        self._verdicts: dict[Any, Verdicts] = {}
        self._matched: dict[Verdicts, Matched] = {}

    def ask(self, facts: Facts) -> Verdicts:
        """Return what conditions say that are not remembered, and the same for every kind."""
        return self._asked.ask(facts)

    def match(self, facts: Facts, asked: Verdicts | None = None) -> Matched:
        """Return what the rules say of a call; `asked` is what `ask` said of it already."""
        key = self._pick(facts)
        verdicts = self._verdicts.get(key)
        if verdicts is None:
            verdicts = self._remembered.ask(facts)
            if len(facts["call.model"]) <= REMEMBERED_MODEL_LENGTH_MAX:
                _keep(self._verdicts, key, verdicts)
        verdicts += self.ask(facts) if asked is None else asked
        verdicts += self._asked_by_kind.ask(facts)
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
        decision = self._decide([rule for rule in matching if rule.limit is None])
        limits = (
            () if decision.effect == "forbid" else tuple(rule for rule in matching if rule.limit)
        )
        unclustered = tuple(rule for rule in limits if not rule.by_cluster)
        return Matched(
            decision=decision,
            limits=limits,
            limits_unclustered=limits if len(unclustered) == len(limits) else unclustered,
            limits_shared=tuple(rule for rule in limits if not rule.free_when_shared),
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


class _Conditions:
    """Some rules' conditions, asked together."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._conditions = [rule.condition for rule in rules]
        given: list[Condition] = [each for each in self._conditions if each is not None]
        self.reads = tuple(sorted({name for each in given for name in each.reads}))

    def ask(self, facts: Facts) -> Verdicts:
        """Return what each says of the facts; no condition is true."""
        if not self._conditions:
            return ()
        activation = cel.activation({name: facts[name] for name in self.reads})
        return tuple(
            [True if each is None else each.holds(activation) for each in self._conditions]
        )


def _picker(names: tuple[str, ...]) -> Callable[[Facts], Any]:
    getter: Any = itemgetter
    pick: Callable[[Facts], Any] = getter(*names) if names else _nothing
    return pick


def _nothing(_facts: Facts) -> None:
    return None


def _keep(table: dict[Any, Any], key: object, value: object) -> None:
    if len(table) >= REMEMBERED_MAX:
        table.clear()
    table[key] = value

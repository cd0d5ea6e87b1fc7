"""
Which rules match a call, remembered for facts seen before, and what they say together.

Most conditions read facts that take few values (evidence, route, team): what they say
of one combination is kept, in a bounded table, so ten rules cost one look-up. Only the
conditions that read other facts (ids, amounts, minutes) are evaluated on every call, of
those only the ones that can hold; and only those of them that ask for the kind of
likeness again for each kind the call may have.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from msgspec import Struct, structs

from gateway.policy.facts import DECLARED
from gateway.policy.index import Hits, Index
from gateway.policy.rules import Rule
from gateway.values import Decision, Facts, Obligations, Terms

REMEMBERED_MAX = 4_096
REMEMBERED_MODEL_LENGTH_MAX = 200
LARGE = 16
"""Rules that match at once: of what twice as many say, half as much is remembered."""
NOTE_LENGTH_MAX = 500


class Matched(Struct, frozen=True, kw_only=True):
    """What the rules say of a call, before quotas are asked."""

    decision: Decision
    """The decision, if no quota or budget refuses."""
    limits: tuple[Rule, ...] = ()
    """Matching rules that draw, meters too, by id; none when a rule forbids."""
    limits_unclustered: tuple[Rule, ...] = ()
    """Those that draw for a call without a cluster: the same object when all do."""
    limits_shared: tuple[Rule, ...] = ()
    """Those that draw for a call that shares a reply, which costs nobody anything."""
    errors: tuple[str, ...] = ()
    """Ids of the rules whose condition erred, sorted."""


class _Seen:
    """What the remembered rules say of some facts; there is one of it for all that say so."""

    def __init__(self, hits: Hits, alone: Matched) -> None:
        self.hits = hits
        self.alone = alone
        """What follows when no other rule matches."""


class Matcher:
    """Every condition of a policy set, ready to be asked."""

    def __init__(self, rules: Sequence[Rule], obligations: Obligations, digest: str) -> None:
        """Sort out which rules to remember, and index the others."""
        self.reads_kind = any(rule.reads_kind for rule in rules)
        """Whether it matters to any condition what kind of likeness a call has."""
        self._obligations = obligations
        self._digest = digest
        self._rules = tuple(sorted(rules, key=lambda rule: rule.id))
        numbered = tuple(enumerate(self._rules))
        asked = [(number, rule) for number, rule in numbered if not _remembers(rule)]
        self._remembered = Index([each for each in numbered if _remembers(each[1])])
        self._asked = Index([each for each in asked if not each[1].reads_kind])
        self._asked_by_kind = Index([each for each in asked if each[1].reads_kind])
        self._pick = _picker(self._remembered.reads)
        self._seen: dict[Any, _Seen] = {}
        self._alike: dict[Hits, _Seen] = {}
        self._matched: dict[tuple[_Seen, Hits], Matched] = {}

    def ask(self, facts: Facts) -> Hits:
        """Return what conditions say that are not remembered, and the same for every kind."""
        return self._asked.ask(facts)

    def match(self, facts: Facts, asked: Hits | None = None) -> Matched:
        """Return what the rules say of a call; `asked` is what `ask` said of it already."""
        key = self._pick(facts)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._look(key, facts)
        hits = self._asked.ask(facts) if asked is None else asked
        if self._asked_by_kind:
            hits += self._asked_by_kind.ask(facts)
        if not hits:
            return seen.alone
        matched = self._matched.get((seen, hits))
        if matched is None:
            matched = self._weigh(seen.hits + hits)
            _keep(self._matched, (seen, hits), matched, size=len(hits))
        return matched

    def _look(self, key: object, facts: Facts) -> _Seen:
        hits = self._remembered.ask(facts)
        seen = self._alike.get(hits)
        if seen is None:
            seen = _Seen(hits, self._weigh(hits))
            _keep(self._alike, hits, seen)
        if len(facts["call.model"]) <= REMEMBERED_MODEL_LENGTH_MAX:
            _keep(self._seen, key, seen)
        return seen

    def _weigh(self, hits: Hits) -> Matched:
        """Return what the rules together say: a forbid wins, and one that erred matches."""
        rules = self._rules
        matching = [rules[number] for number in sorted({max(hit, ~hit) for hit in hits})]
        errors = tuple(rules[~hit].id for hit in sorted(hits, reverse=True) if hit < 0)
        erred = frozenset(errors)
        matching = [rule for rule in matching if rule.id not in erred or _forbids(rule)]
        decision = self._decide([rule for rule in matching if rule.limit is None])
        if decision.effect == "forbid":
            return Matched(decision=decision, errors=errors)
        limits = tuple(rule for rule in matching if rule.limit is not None)
        unclustered = tuple(rule for rule in limits if not rule.by_cluster)
        return Matched(
            decision=decision,
            limits=limits,
            limits_unclustered=limits if len(unclustered) == len(limits) else unclustered,
            limits_shared=tuple(rule for rule in limits if not rule.free_when_shared),
            errors=errors,
        )

    def _decide(self, matching: Sequence[Rule]) -> Decision:
        """Return what matching rules without a limit, sorted by id, decide."""
        forbids = [rule for rule in matching if rule.effect == "forbid"]
        would_have = [rule for rule in forbids if rule.shadow]
        forbidding = [rule for rule in forbids if not rule.shadow]
        if forbidding:
            return Decision(
                effect="forbid",
                reasons=_ids(forbidding),
                would_have=_ids(would_have),
                refusal=forbidding[0].refusal,
                obligations=self._obligations,
                policy=self._digest,
            )
        routes = [rule for rule in matching if rule.route is not None]
        permits = [rule for rule in matching if rule.effect == "permit" and not rule.shadow]
        winner = _winner([rule for rule in routes if not rule.shadow])
        would_have += [rule for rule in routes if rule.shadow and not _outdone(rule, winner)]
        return Decision(
            effect="permit",
            reasons=_ids([rule for rule in permits if rule.route is None or rule is winner]),
            would_have=tuple(sorted(_ids(would_have))),
            obligations=_obligations(self._obligations, permits),
            terms=_terms(winner, permits),
            policy=self._digest,
        )


def _remembers(rule: Rule) -> bool:
    """Return whether what a rule's condition says is worth remembering."""
    return rule.condition is None or all(DECLARED[name].few for name in rule.condition.reads)


def _forbids(rule: Rule) -> bool:
    return rule.effect == "forbid" and rule.limit is None


def _ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    return tuple(rule.id for rule in rules)


def _winner(routes: Sequence[Rule]) -> Rule | None:
    """Return the rule that says who answers: of those of the highest priority the first by id."""
    return max(routes, key=_priority, default=None)


def _outdone(shadow: Rule, winner: Rule | None) -> bool:
    """Return whether a shadow route would not have had its way."""
    return winner is not None and _priority(winner) > _priority(shadow)


def _priority(rule: Rule) -> int:
    assert rule.route is not None
    return rule.route.priority


def _terms(winner: Rule | None, permits: Sequence[Rule]) -> Terms:
    """Return how a call is to be sent: where its route says, and as the strictest duties want."""
    terms = Terms()
    if winner is not None and winner.route is not None:
        place, to = winner.refusal.place, winner.route
        terms = Terms(rule=winner.id, place=place, model=to.model, provider=to.provider)
    duties = [rule.duties for rule in permits if rule.duties is not None]
    most = [each.output_tokens_max for each in duties if each.output_tokens_max is not None]
    return structs.replace(
        terms,
        output_tokens_max=min(most, default=None),
        headers=_union([each.provider_headers for each in duties]),
    )


def _obligations(first: Obligations, permits: Sequence[Rule]) -> Obligations:
    """Return what a permit demands towards its caller."""
    duties = [rule.duties for rule in permits if rule.duties is not None]
    note = " | ".join(each.note for each in duties if each.note)
    if len(note) > NOTE_LENGTH_MAX:
        note = f"{note[: NOTE_LENGTH_MAX - 3]}..."
    headers = _union([each.reply_headers for each in duties])
    return structs.replace(first, note=note, reply_headers=headers)


def _union(headers: Sequence[tuple[tuple[str, str], ...]]) -> tuple[tuple[str, str], ...]:
    """Return all headers, sorted by name. No two rules that can both match differ about one."""
    return tuple(sorted(dict(pair for each in headers for pair in each).items()))


def _picker(names: tuple[str, ...]) -> Callable[[Facts], Any]:
    getter: Any = itemgetter
    pick: Callable[[Facts], Any] = getter(*names) if names else _nothing
    return pick


def _nothing(_facts: Facts) -> None:
    return None


def _keep(table: dict[Any, Any], key: object, value: object, *, size: int = 1) -> None:
    """Remember a value; of large ones fewer."""
    if len(table) >= REMEMBERED_MAX // (1 + size // LARGE):
        table.clear()
    table[key] = value

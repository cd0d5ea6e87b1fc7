"""
Why a call was, or would be, decided as it was: every rule with its verdict, and what decided.

The decision comes from the same plan and the same `decide` as a call's; beside it stands, for
each rule, the value of every part of its condition, and for each quota and budget how it stood.
What was recorded of a call is never overruled: where the kept facts do not give the recorded
decision again, that is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from gateway import policy
from gateway.ledger import DecisionRecord, Level
from gateway.policy import PolicySet, Rule
from gateway.policy.conditions.syntax import Tree
from gateway.policy.facts import KIND, NOT_KNOWN, NOTHING_USED
from gateway.rehearsal.explanations import bearing, standing
from gateway.rehearsal.explanations.bearing import Bearing, Conclusion, Verdict
from gateway.rehearsal.explanations.parts import Part, Taker
from gateway.rehearsal.explanations.standing import Standing
from gateway.rehearsal.replays import recorded
from gateway.values import Facts, Reserve

_NOBODY: Mapping[str, str] = {}
NAMES = frozenset({"principal.id", "principal.key_id"})
"""What stands under a pseudonym in records."""


class Said(Struct, frozen=True, kw_only=True):
    """What one rule says of a call."""

    rule: str
    kind: bearing.Kind
    place: str
    """`policies/default.yaml:14`"""
    team: str = ""
    """The team whose own file it is in."""
    shadow: bool = False
    description: str = ""
    verdict: Verdict
    decided: bool = False
    """Whether the decision, or what a shadow rule would have made of it, is its doing."""
    came_to: str
    """In words, what follows from the verdict: `refuses the call`."""
    parts: Part | None = None
    """The condition taken apart; none for a rule that matches every call."""
    standing: Standing | None = None
    """How its quota or budget stood, if it counted the call."""


class Explanation(Struct, frozen=True, kw_only=True):
    """One call, what was decided about it, and what each rule had to do with it."""

    conclusion: Conclusion
    at: str
    """UTC."""
    facts: Facts
    rules: tuple[Said, ...]
    """Those that decided first; those that do not match last."""
    notes: tuple[str, ...] = ()
    """What to know before relying on it."""
    request_id: str = ""
    """Of the call it is about, when there was one."""
    alike: str = ""
    because: str = ""
    """What the call was found to be like, and why."""
    provider: str = ""
    model: str = ""
    """Whom the call was sent to, or would have been."""
    now_in_force: Conclusion | None = None
    """What the policies in force say now, where those of the record are others."""


def explain(
    policies: PolicySet,
    facts: Facts,
    *,
    reserve: Reserve | None = None,
    now: float,
    levels: Sequence[Level] = (),
) -> Explanation:
    """
    Return what policies make of a call with these facts at `now` (Unix seconds).

    `levels` say how quotas and budgets stood; one without is taken to have room. `reserve` is
    what the call can come to as it is sent; without one, what its facts say.
    """
    facts = {**NOTHING_USED, **NOT_KNOWN, **facts}
    asked = _Asked(policies, facts, reserve or _reserve(facts), now, levels)
    return Explanation(
        conclusion=asked.conclusion,
        at=standing.instant(now),
        facts=facts,
        rules=asked.rules(asked.conclusion),
    )


def explain_record(
    record: DecisionRecord,
    policies: PolicySet | None,
    *,
    names: Mapping[str, str] = _NOBODY,
    in_force: PolicySet | None = None,
) -> Explanation:
    """
    Return what policies made of a recorded call; `policies` were in force then (None: lost).

    `names` are the facts of `NAMES` as they are, for the caller's own eyes: all others get the
    pseudonyms of the record. `in_force` are the policies of now, to say what they would make of
    the same call.
    """
    facts = {**recorded.whole(record.facts), **names}
    now = record.at_us / 1_000_000
    reserve = recorded.as_sent(record)
    asked = _Asked(policies, facts, reserve, now, record.levels) if policies else None
    conclusion = _as_recorded(record, asked)
    later = None
    if in_force is not None and in_force.digest != record.policy:
        levels = [each for each in record.levels if _same_limit(each.rule, policies, in_force)]
        later = _Asked(in_force, facts, reserve, now, levels).conclusion
    return Explanation(
        conclusion=conclusion,
        at=standing.instant(now),
        facts=facts,
        rules=asked.rules(conclusion, shares=record.served != "forwarded") if asked else (),
        notes=tuple(_notes(record, asked, names)),
        request_id=record.request_id,
        alike=record.alike,
        because=record.because,
        provider=record.provider,
        model=record.model,
        now_in_force=later,
    )


class _Asked:
    """One policy set, asked about one call."""

    def __init__(
        self,
        policies: PolicySet,
        facts: Facts,
        reserve: Reserve,
        now: float,
        levels: Sequence[Level],
    ) -> None:
        self.policies = policies
        self._facts = facts
        self._now = now
        self._plan = policy.plan(policies, facts, reserve, now)
        self._draws = {draw.rule: draw for draw in self._plan.draws if not draw.meter}
        self._levels = {level.rule: level for level in levels if level.rule in self._draws}
        readings = [
            standing.reading(self._draws[rule], level) for rule, level in self._levels.items()
        ]
        self.conclusion = bearing.conclusion(
            policy.decide(self._plan, readings),
            unasked=tuple(
                sorted(
                    draw.rule
                    for draw in self._draws.values()
                    if not draw.shadow and draw.rule not in self._levels
                )
            ),
        )

    def rules(self, conclusion: Conclusion, *, shares: bool = False) -> tuple[Said, ...]:
        """Return what each rule says, given what came of it; most important first."""
        taker = Taker(self._facts)
        said = [self._said(rule, taker, conclusion, shares=shares) for rule in self.policies.rules]
        return tuple(sorted(said, key=lambda each: (_rank(each, conclusion), each.rule)))

    def _said(self, rule: Rule, taker: Taker, conclusion: Conclusion, *, shares: bool) -> Said:
        tree = _tree(rule)
        parts = None if tree is None else taker.take(tree)
        verdict: Verdict = "matches"
        if parts is not None and parts.value is not True:
            verdict = "errs" if parts.error else "does not match"
        stood = self._standing(rule) if verdict == "matches" else None
        borne = Bearing(rule=rule, verdict=verdict, stood=stood, conclusion=conclusion)
        return Said(
            rule=rule.id,
            kind=bearing.kind(rule),
            place=rule.refusal.place,
            team=rule.team,
            shadow=rule.shadow,
            description=rule.description,
            verdict=verdict,
            decided=borne.decided,
            came_to=borne.words(kind_of_call=self._facts[KIND], shares=shares),
            parts=parts,
            standing=stood,
        )

    def _standing(self, rule: Rule) -> Standing | None:
        draw = self._draws.get(rule.id)
        if rule.limit is None or draw is None:
            return None
        return standing.standing(rule.limit, draw, self._levels.get(rule.id), self._now)


def _tree(rule: Rule) -> Tree | None:
    """Return a rule's whole condition: a team's own file asks for the team first."""
    when = None if rule.condition is None else rule.condition.tree.root
    if not rule.team:
        return when
    team = Tree(id=0, kind="name", name="principal.team")
    is_theirs = _call("_==_", team, Tree(id=0, kind="constant", value=rule.team))
    return is_theirs if when is None else _call("_&&_", is_theirs, when)


def _call(name: str, *below: Tree) -> Tree:
    return Tree(id=0, kind="call", name=name, below=below)


def _rank(said: Said, conclusion: Conclusion) -> int:
    """Return how far down a rule is shown."""
    if said.rule == conclusion.rule:
        return 0
    if said.decided:
        return 2 if said.rule in conclusion.would_have else 1
    return {"matches": 3, "errs": 4, "does not match": 5}[said.verdict]


def _reserve(facts: Facts) -> Reserve:
    return Reserve(
        input_tokens=facts["call.input_tokens"],
        output_tokens=facts["call.output_tokens_max"],
        cost_usd=Decimal(str(facts["call.cost_usd_max"])),
    )


def _as_recorded(record: DecisionRecord, asked: _Asked | None) -> Conclusion:
    """Return what was recorded, in the words of the rule that refused."""
    again = None if asked is None else asked.conclusion
    if again is not None and _agrees(record, again):
        return again
    refused_by = "" if record.effect == "permit" else next(iter(record.reasons), "")
    rules = () if asked is None else asked.policies.rules
    rule = next((each for each in rules if each.id == refused_by), None)
    message = "" if rule is None else rule.refusal.message
    if record.by_key:
        model = record.facts["call.model"]
        message = f"The key may not use the model {model!r}: choose another, or ask an admin."
    return Conclusion(
        effect=bearing.effect(record.effect),
        reasons=record.reasons,
        would_have=record.would_have,
        code=record.code,
        message=message,
        rule=refused_by,
        place="" if rule is None else rule.refusal.place,
        policy=record.policy,
    )


def _agrees(record: DecisionRecord, conclusion: Conclusion) -> bool:
    """Return whether a conclusion is the one recorded."""
    was = (record.effect, record.code, record.reasons, record.would_have)
    return was == (conclusion.effect, conclusion.code, conclusion.reasons, conclusion.would_have)


def _notes(record: DecisionRecord, asked: _Asked | None, names: Mapping[str, str]) -> Iterator[str]:
    if asked is None:
        yield (
            f"The policy in force then, {record.policy}, is not kept: its rules cannot be shown."
        )
        return
    if (
        not record.compared
        and record.facts.get(KIND) == "new"
        and asked.policies.matcher.reads_kind
    ):
        yield f"A rule refused it before anybody asked what it is like: {KIND} is new here."
    hidden = NAMES - names.keys()
    veiled = [
        rule.id
        for rule in asked.policies.rules
        if rule.condition is not None and hidden & rule.condition.reads
    ]
    if veiled:
        asks = "asks" if len(veiled) == 1 else "ask"
        yield (
            f"{', '.join(veiled)} {asks} who calls, and here that is a pseudonym: the answer may "
            "be another than it was."
        )
    elif not record.by_key and not _agrees(record, asked.conclusion):
        again = asked.conclusion
        said = f"{again.effect} ({', '.join(again.reasons) or 'no rule'})"
        yield f"The facts as kept give {said}; what is shown first is what was recorded."


def _same_limit(rule: str, then: PolicySet | None, now: PolicySet) -> bool:
    """Return whether what was recorded of a limit still holds under other policies."""
    if then is None:
        return False
    limits = [
        next((each.limit for each in policies.rules if each.id == rule), None)
        for policies in (then, now)
    ]
    return limits[0] is not None and limits[0] == limits[1]

"""What a rule had to do with what became of a call, in words."""

from typing import Literal, TypeAlias

from msgspec import Struct, structs

from gateway.policy import Rule
from gateway.policy.rules import Duties
from gateway.rehearsal.explanations.standing import Standing
from gateway.values import Decision, Effect, Obligations, Terms

Kind: TypeAlias = Literal["permit", "forbid", "quota", "budget", "route", "obligations"]
Verdict: TypeAlias = Literal["matches", "does not match", "errs"]


class Conclusion(Struct, frozen=True, kw_only=True):
    """What a set of policies decides."""

    effect: Effect
    reasons: tuple[str, ...] = ()
    would_have: tuple[str, ...] = ()
    code: str = ""
    """Of the refusal, and the same for the next three."""
    message: str = ""
    rule: str = ""
    place: str = ""
    terms: Terms = Terms()
    """How the call is sent."""
    obligations: Obligations = Obligations()
    policy: str
    unasked: tuple[str, ...] = ()
    """Ids of the quotas and budgets whose level is not known: they were taken to have room."""

    @property
    def permitted(self) -> bool:
        """Return whether the call is served."""
        return self.effect == "permit"


def conclusion(decision: Decision, *, unasked: tuple[str, ...] = ()) -> Conclusion:
    """Return a decision as a conclusion."""
    refusal = decision.refusal
    known = Conclusion(
        effect=decision.effect,
        reasons=decision.reasons,
        would_have=decision.would_have,
        terms=decision.terms,
        obligations=decision.obligations,
        policy=decision.policy,
        unasked=unasked,
    )
    if refusal is None:
        return known
    return structs.replace(
        known, code=refusal.code, message=refusal.message, rule=refusal.rule, place=refusal.place
    )


def effect(text: str) -> Effect:
    """Return an effect as a record writes it."""
    if text == "permit":
        return "permit"
    return "throttle" if text == "throttle" else "forbid"


def kind(rule: Rule) -> Kind:
    """Return what sort of rule it is."""
    if rule.limit is not None:
        return "quota" if rule.limit.period is None else "budget"
    if rule.route is not None:
        return "route"
    if rule.duties is not None:
        return "obligations"
    return "forbid" if rule.effect == "forbid" else "permit"


def where_to(model: str, provider: str) -> str:
    """Return who answers, in words: `gpt-5-mini at openai`."""
    return " at ".join(each for each in (model or "the same model", provider) if each)


def demands(duties: Duties) -> str:
    """Return in words what a rule's obligations are."""
    said: list[str] = []
    if duties.output_tokens_max is not None:
        said.append(f"at most {duties.output_tokens_max} output tokens")
    said += [f"{name}: {value} to the provider" for name, value in duties.provider_headers]
    said += [f"{name}: {value} on the reply" for name, value in duties.reply_headers]
    if duties.note:
        said.append(f"a note to the caller: {duties.note}")
    return "; ".join(said)


class Bearing(Struct, frozen=True, kw_only=True):
    """One rule, its verdict, and what came of the call."""

    rule: Rule
    verdict: Verdict
    stood: Standing | None
    conclusion: Conclusion

    @property
    def decided(self) -> bool:
        """Return whether the conclusion, or what shadow rules would make of it, is its doing."""
        reasons, would_have = self.conclusion.reasons, self.conclusion.would_have
        return self.rule.id in (*reasons, *would_have)

    def words(self, *, kind_of_call: str, shares: bool) -> str:
        """Return what the rule came to; nothing when it does not match."""
        which, rule = kind(self.rule), self.rule
        if self.verdict == "does not match":
            return ""
        if self.verdict == "errs" and which != "forbid":
            return "takes no part: a condition that errs counts as false here"
        if which in ("quota", "budget"):
            return self._limited(kind_of_call, shares=shares)
        if which == "forbid":
            erred = self.verdict == "errs"
            because = ": a condition that errs counts as true in a rule that forbids"
            said = "would have refused the call" if rule.shadow else "refuses the call"
            return said + because * erred
        if which == "route":
            return self._routed()
        said = "permits the call" if rule.duties is None else f"demands {demands(rule.duties)}"
        return said if self.conclusion.permitted else f"{said}; the refusal wins"

    def _routed(self) -> str:
        rule, terms = self.rule, self.conclusion.terms
        assert rule.route is not None
        to = where_to(rule.route.model, rule.route.provider)
        if rule.shadow and rule.id in self.conclusion.would_have:
            return f"would have sent the call to {to}"
        if not self.conclusion.permitted:
            return f"would send the call to {to}, were it not refused"
        if terms.rule == rule.id:
            return f"sends the call to {to}"
        return f"would send the call to {to}; {terms.rule} has a higher priority"

    def _limited(self, kind_of_call: str, *, shares: bool) -> str:
        rule, stood, conclusion = self.rule, self.stood, self.conclusion
        if stood is None:
            if not conclusion.permitted:
                return "not asked: the call is refused whatever is left"
            return f"does not count a call that is {kind_of_call}"
        if stood.before is None:
            return (
                "does not count a shared reply" if shares else "counts the call, if there is room"
            )
        if rule.id in conclusion.reasons and not conclusion.permitted:
            return "slows the call" if conclusion.effect == "throttle" else "refuses the call"
        if not stood.fits:
            return "would have refused the call" if rule.shadow else "has no room either"
        return "has room" if conclusion.permitted else "had room"

"""
Mutants of a policy set, and those that no test case notices.

Every rule is changed in one thing at a time: an operator of its condition, its effect, its
limit, its period, what it counts by, its mode, where it sends a call. A case that fails then
has noticed; a mutant that all cases pass with survives, and shows what is not tested.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, structs

from gateway.policy import PolicySet, Rule
from gateway.policy.rules import Duties, Limit, Period, Rerouting
from gateway.rehearsal.trials import testing
from gateway.rehearsal.trials.cases import Case
from gateway.rehearsal.trials.operators import twists

_PERIODS: Final[Mapping[Period, tuple[Period, ...]]] = {
    "hour": ("day",),
    "day": ("hour", "week"),
    "week": ("day", "month"),
    "month": ("week",),
}
_COUNTED: Final = ("calls", "concurrent")


class Mutant(Struct, frozen=True, kw_only=True):
    """A rule with one thing changed."""

    rule: Rule
    """As it would be."""
    words: str

    @property
    def place(self) -> str:
        """Return the file:line of the rule."""
        return self.rule.refusal.place


class Survey(Struct, frozen=True, kw_only=True):
    """What came of all mutants of a policy set."""

    mutants: int
    survivors: tuple[Mutant, ...]


def mutants(policies: PolicySet) -> Iterator[Mutant]:
    """Yield every mutant of every rule, in the order of rule ids."""
    routes = sum(rule.route is not None for rule in policies.rules)
    for rule in policies.rules:
        yield from _of_condition(rule)
        yield from _of_effect(rule)
        if rule.limit is not None:
            yield from _of_limit(rule, rule.limit)
        if rule.route is not None:
            yield from _of_route(rule, rule.route, among=routes)
        if rule.duties is not None:
            yield from _of_duties(rule, rule.duties)


def survey(
    policies: PolicySet, cases: Sequence[Case], tell: Callable[[Mutant], object] | None = None
) -> Survey:
    """Return which mutants survive the cases, all of which pass without; `tell` hears of each."""
    survivors: list[Mutant] = []
    count = 0
    order = {rule.id: _in_order(cases, rule.id) for rule in policies.rules}
    for mutant in mutants(policies):
        count += 1
        changed = _with(policies, mutant.rule)
        if all(testing.run(case, changed).passed for case in order[mutant.rule.id]):
            survivors.append(mutant)
        if tell is not None:
            tell(mutant)
    return Survey(mutants=count, survivors=tuple(survivors))


def _in_order(cases: Sequence[Case], rule: str) -> Sequence[Case]:
    """Return the cases with the short ones that name a rule first: most mutants fall at once."""
    return sorted(cases, key=lambda case: (rule not in case.rules, case.calls))


def _with(policies: PolicySet, changed: Rule) -> PolicySet:
    rules = [changed if rule.id == changed.id else rule for rule in policies.rules]
    return PolicySet(rules, policies.settings, (), None)


def _of_condition(rule: Rule) -> Iterator[Mutant]:
    if rule.condition is None:
        return
    always = structs.replace(rule, when="", condition=None)
    yield Mutant(rule=always, words="'when' is dropped: it always matches")
    for twist in twists(rule.condition):
        made = structs.replace(rule, when=twist.condition.text, condition=twist.condition)
        yield Mutant(rule=made, words=twist.words)


def _of_effect(rule: Rule) -> Iterator[Mutant]:
    if rule.limit is None and rule.effect == "forbid":
        yield Mutant(rule=structs.replace(rule, effect="permit"), words="forbid becomes permit")
    elif rule.limit is None and rule.route is None:
        forbids = structs.replace(rule, effect="forbid", duties=None)
        yield Mutant(rule=forbids, words="permit becomes forbid")
    if rule.limit is not None or rule.route is not None or rule.effect == "forbid":
        words = "'mode: shadow' is dropped" if rule.shadow else "'mode: shadow' is added"
        yield Mutant(rule=structs.replace(rule, shadow=not rule.shadow), words=words)


def _of_limit(rule: Rule, limit: Limit) -> Iterator[Mutant]:
    kind = "quota" if limit.period is None else "budget"
    none = structs.replace(rule, limit=None, effect="permit")
    yield Mutant(rule=none, words=f"the {kind} is dropped")
    for amount, words in _amounts(limit):
        yield _limited(rule, structs.replace(limit, amount=amount), f"{limit.text} {words}")
    if limit.window_s:
        for window_s, words in ((limit.window_s * 2, "twice"), (limit.window_s / 2, "half")):
            changed = structs.replace(limit, window_s=window_s)
            yield _limited(rule, changed, f"'per' is {words} as long")
    for period in _PERIODS[limit.period] if limit.period is not None else ():
        changed = structs.replace(limit, period=period)
        yield _limited(rule, changed, f"the budget is for the {period}, not the {limit.period}")
    for by in limit.by:
        left = tuple(each for each in limit.by if each != by)
        yield _limited(rule, structs.replace(limit, by=left), f"'by' without {by}")


def _amounts(limit: Limit) -> Iterator[tuple[int, str]]:
    if limit.unit in _COUNTED:
        yield limit.amount + 1, "and one more"
        yield limit.amount - 1, "less one"
    else:
        yield limit.amount * 2, "doubled"
        yield limit.amount // 2, "halved"


def _limited(rule: Rule, limit: Limit, words: str) -> Mutant:
    return Mutant(rule=structs.replace(rule, limit=limit), words=words)


def _of_route(rule: Rule, route: Rerouting, *, among: int) -> Iterator[Mutant]:
    yield Mutant(rule=structs.replace(rule, route=None), words="'route' is dropped")
    if route.model and route.provider:
        for key in ("model", "provider"):
            changed = structs.replace(route, **{key: ""})
            made = structs.replace(rule, route=changed)
            yield Mutant(rule=made, words=f"'route' without {key}")
    if route.priority and among > 1:
        made = structs.replace(rule, route=structs.replace(route, priority=0))
        yield Mutant(rule=made, words="'route' without priority")


def _of_duties(rule: Rule, duties: Duties) -> Iterator[Mutant]:
    for changed, words in _lesser(duties):
        yield Mutant(rule=structs.replace(rule, duties=changed), words=words)


def _lesser(duties: Duties) -> Iterator[tuple[Duties, str]]:
    most = duties.output_tokens_max
    if most is not None:
        yield structs.replace(duties, output_tokens_max=None), "max_output_tokens is dropped"
        yield structs.replace(duties, output_tokens_max=most + 1), "max_output_tokens and one more"
        yield structs.replace(duties, output_tokens_max=most - 1), "max_output_tokens less one"
    if duties.note:
        yield structs.replace(duties, note=""), "the note is dropped"
    for key in ("provider_headers", "reply_headers"):
        headers: tuple[tuple[str, str], ...] = getattr(duties, key)
        for header in headers:
            left = tuple(each for each in headers if each != header)
            yield structs.replace(duties, **{key: left}), f"{key} without {header[0]}"

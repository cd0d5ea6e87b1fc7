"""The compiled decision is what a naive reading of the same document comes to."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import policy
from gateway.values import Draw, LikenessKind, Reading, Reserve
from tests.unit.policy import cases, naive
from tests.unit.policy.naive import Tree

EXAMPLES = 2_000
KINDS: Sequence[LikenessKind] = get_args(LikenessKind)
KIND = "likeness.kind"
COMPARED_AND_NOT: Sequence[LikenessKind] = ("new", "short", "continuation")

# --- facts, and the values they have here -----------------------------------------------------

TEXTS: dict[str, list[Any]] = {
    "task.id": ["", "A-1", "B-2", "ü-3"],
    "principal.id": ["alice", "bob"],
    "principal.team": ["payments", "web", ""],
    "call.model": ["gpt-5", "gpt-5-mini", "opus"],
}
MEMBERS: dict[str, list[Any]] = {
    "task.evidence": ["none", "inferred", "claimed", "verified"],
    "now.weekday": ["monday", "sunday"],
    KIND: list(KINDS),
}
FLAGS = ["call.metered", "call.stream", "task.lenient"]
INTS: dict[str, list[Any]] = {
    "call.choices": [0, 1, 2, 7],
    "task.evidence_rank": [0, 1, 2, 3],
    "call.input_tokens": [0, 5, 2**62],
    "usage.task.day.calls": [0, 3, 50],
}
NUMBERS: dict[str, list[Any]] = {
    "task.value": [0.0, 0.5, 2.0],
    "call.cost_usd_max": [0.0, 0.0123, 1e300],
    "usage.team.month.cost_usd": [0.0, 1.25, 99.5],
}
VALUES = {**TEXTS, **MEMBERS, **INTS, **NUMBERS, **{name: [False, True] for name in FLAGS}}


def _facts(numbers: Sequence[int]) -> dict[str, Any]:
    """Return a combination of values: a few numbers are drawn faster than each of them."""
    left, found = list(numbers), dict[str, Any]()
    for at, (name, values) in enumerate(VALUES.items()):
        left[at % len(left)], chosen = divmod(left[at % len(left)], len(values))
        found[name] = values[chosen]
    return found


# Hypothesis draws all numbers of a range this small alike.
FACTS = st.tuples(*[st.integers(0, 2**16 - 1)] * 4).map(_facts)


# --- conditions -------------------------------------------------------------------------------


def _fact(name: str) -> Tree:
    return ("fact", name)


def _const(value: object) -> Tree:
    return ("const", value)


def _named() -> list[Tree]:
    """Return demands for one or some values of a fact, the sort of which rules are made."""
    found: list[Tree] = []
    for name, values in {**TEXTS, **MEMBERS}.items():
        found += [("==", _fact(name), _const(value)) for value in values]
        found += [("==", _const(values[-1]), _fact(name)), ("!=", _fact(name), _const(values[0]))]
        found += [("in", _fact(name), values[1:]), ("in", _fact(name), values[:2])]
        found.append(("not", ("in", _fact(name), values[:1])))
    for name in FLAGS:
        fact, yes, no = _fact(name), _const(value=True), _const(value=False)
        found += [fact, ("not", fact), ("==", fact, yes), ("==", no, fact), ("!=", fact, yes)]
    for name, numbers in {**INTS, **NUMBERS}.items():
        found += [("==", _fact(name), _const(number)) for number in numbers]
        found.append(("in", _fact(name), numbers[:2]))
    return found


def _odd() -> list[Tree]:
    """Return what demands no value: orders, arithmetic that can fail, texts, loops."""
    found: list[Tree] = []
    for name in TEXTS:
        for method in ("startsWith", "endsWith", "contains"):
            found += [(method, _fact(name), _const(part)) for part in ("A-", "mini", "ü")]
    for name, numbers in {**INTS, **NUMBERS}.items():
        fact, one = _fact(name), numbers[1]
        found += [(each, fact, _const(one)) for each in ("<", "<=", ">", ">=", "!=")]
        found.append(("<", ("/", _const(one), fact), _const(numbers[2])))
        found.append((">=", ("*", fact, _const(one + one)), _const(numbers[2])))
        found.append(("==", ("-", fact, ("+", fact, _const(one))), _const(one - one - one)))
        larger = ("?:", _fact("call.stream"), fact, ("-", fact, _const(one)))
        found.append((">", larger, _const(numbers[0])))
    for name, numbers in INTS.items():
        found.append(("==", ("%", _const(7), _fact(name)), _const(1)))
        errs = ("==", ("/", _const(2), ("-", _fact("x"), _fact(name))), _const(1))
        found += [("exists", [*numbers, 9], errs), ("all", [1, 3, 5], ("not", errs))]
    for name, values in TEXTS.items():
        found.append(("exists", values[:2], ("startsWith", _fact(name), _fact("x"))))
        found.append(("all", values, ("!=", _fact(name), _fact("x"))))
    return found


def _conditions(*, kinds: bool) -> st.SearchStrategy[Tree]:
    named = [tree for tree in _named() if kinds or KIND not in naive.reads(tree)]
    plain, odd = st.sampled_from(named), st.sampled_from(_odd())
    leaf = plain | plain | odd
    operator = st.sampled_from(["&&", "||"])
    nested = st.one_of(
        st.tuples(operator, leaf, leaf),
        st.tuples(st.just("not"), st.tuples(operator, leaf, leaf)),
        st.tuples(st.just("?:"), leaf, leaf, leaf),
        st.tuples(operator, st.tuples(operator, leaf, leaf), leaf),
    )
    one = leaf | leaf | nested
    both = st.tuples(st.just("&&"), one, one)
    return st.one_of(one, both, both, st.tuples(st.just("&&"), both, one))


ANY_KIND, NO_KIND = _conditions(kinds=True), _conditions(kinds=False)

# --- documents --------------------------------------------------------------------------------

Strategy: TypeAlias = st.SearchStrategy[dict[str, Any]]

SHADOW: Strategy = st.sampled_from([{}, {}, {"mode": "shadow"}])
BUDGET_BY = st.sampled_from([[], ["task"], ["principal", "team"]])
QUOTA_BY = BUDGET_BY | st.sampled_from([["likeness.cluster"], ["task", "likeness.cluster"]])
AMOUNTS: Strategy = st.sampled_from(
    [{"calls": 3}, {"tokens": 5000}, {"tokens": 500}, {"cost_usd": 0.02}]
)
AT_ONCE = AMOUNTS.map(lambda each: {**each, "per": "1m"}) | st.just({"concurrent": 2})
TO: Strategy = st.sampled_from([{"model": "small"}, {"provider": "local", "model": "big"}])
CODE: Strategy = st.sampled_from([{}, {"code": "model_not_allowed"}])
NOTES: Strategy = st.sampled_from([{}, {"note": "one"}, {"note": "another"}])
HEADERS: Strategy = st.sampled_from(
    [{}, {"x-a": "1"}, {"x-b": "2", "x-c": "3"}, {"x-a": "1", "x-c": "3"}]
)
OUTPUT: Strategy = st.sampled_from([{}, {"max_output_tokens": 100}, {"max_output_tokens": 70}])


@st.composite
def _rule(draw: st.DrawFn, priority: int) -> dict[str, Any]:
    """Return a rule as YAML holds it, but for its id, and `when`, a tree."""
    made = draw(st.sampled_from(_RULES))
    rule: dict[str, Any] = made(draw, priority)
    settled_before = "route" in rule or not {"max_output_tokens", "provider_headers"}.isdisjoint(
        rule.get("obligations", {})
    )
    if draw(st.integers(0, 5)):
        rule["when"] = draw(NO_KIND if settled_before else ANY_KIND)
    # A team's own file sends no calls elsewhere, and adds no headers to what a provider is sent.
    if "route" not in rule and "provider_headers" not in rule.get("obligations", {}):
        team = draw(st.sampled_from(["", "", "", "payments", "web"]))
        rule |= {"team": team} if team else {}
    return rule


def _permit(_draw: st.DrawFn, _priority: int) -> dict[str, Any]:
    return {"effect": "permit"}


def _forbid(draw: st.DrawFn, _priority: int) -> dict[str, Any]:
    code = draw(CODE)
    return {"effect": "forbid", **code, **draw(SHADOW)}


def _quota(draw: st.DrawFn, _priority: int) -> dict[str, Any]:
    amount = draw(AT_ONCE)
    return {"quota": {**amount, "by": draw(QUOTA_BY)}, **draw(SHADOW)}


def _budget(draw: st.DrawFn, _priority: int) -> dict[str, Any]:
    period = draw(st.sampled_from(["hour", "day", "week", "month"]))
    budget = {**draw(AMOUNTS), "period": period, "by": draw(BUDGET_BY)}
    return {"budget": budget, **draw(SHADOW)}


def _route(draw: st.DrawFn, priority: int) -> dict[str, Any]:
    if draw(st.integers(0, 2)):
        return {"route": {**draw(TO), "priority": priority}}
    # What only says what it would have done may stand beside another of its priority.
    return {"route": {**draw(TO), "priority": draw(st.integers(-3, 3))}, "mode": "shadow"}


def _duties(draw: st.DrawFn, _priority: int) -> dict[str, Any]:
    found: dict[str, Any] = {**draw(OUTPUT), **draw(NOTES)}
    for key in ("provider_headers", "reply_headers"):
        headers = draw(HEADERS)
        found |= {key: headers} if headers else {}
    return {"effect": "permit", **({"obligations": found} if found else {})}


_RULES = (_permit, _forbid, _forbid, _quota, _quota, _budget, _route, _route, _duties, _duties)


@st.composite
def _documents(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return rules: no two routes of one priority, and no two values of one header."""
    count = draw(st.integers(1, 7))
    ids = draw(st.permutations(range(count)))
    return [{"id": f"r{at}", **draw(_rule(place - 3))} for place, at in enumerate(ids)]


def written(rules: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the files that hold some rules: everybody's, and each team's own."""
    files: dict[str, list[Mapping[str, Any]]] = {"": []}
    for rule in rules:
        held = {key: part for key, part in rule.items() if key != "team"}
        if "when" in rule:
            held["when"] = naive.cel(rule["when"])
        files.setdefault(rule.get("team", ""), []).append(held)
    return [
        (
            f"policies/teams/{team}.yaml" if team else "policies/all.yaml",
            json.dumps({"version": 1, **({"team": team} if team else {}), "rules": held}),
        )
        for team, held in files.items()
    ]


# --- what is compared -------------------------------------------------------------------------

RESERVES = st.sampled_from(
    [
        Reserve(input_tokens=100, output_tokens=300, cost_usd=Decimal("0.0100000001")),
        Reserve(input_tokens=1000, output_tokens=9000, cost_usd=Decimal("0.5")),
    ]
)


def said(decision: Any, policies: policy.PolicySet) -> naive.Said:
    """Return a decision in the words of the naive one."""
    terms, obligations, refusal = decision.terms, decision.obligations, decision.refusal
    speaks = refusal.rule if refusal else ""
    place = policies.rule(terms.rule).refusal.place if terms.rule else ""
    assert (terms.place, decision.policy) == (place, policies.digest)
    assert not refusal or refusal.place == policies.rule(speaks).refusal.place
    return naive.Said(
        effect=decision.effect,
        reasons=decision.reasons,
        would_have=decision.would_have,
        code=refusal.code if refusal else "",
        speaks=speaks,
        retry_after_s=refusal.retry_after_s if refusal else 0.0,
        route=(terms.rule, terms.model, terms.provider),
        output_tokens_max=terms.output_tokens_max,
        provider_headers=terms.headers,
        reply_headers=obligations.reply_headers,
        note=obligations.note,
    )


def drawn(draws: Sequence[Draw]) -> list[naive.Drawn]:
    return sorted((each.rule, each.key, each.amount, each.shadow) for each in draws)


def answered(draws: Sequence[Draw], bits: int) -> tuple[list[Reading], dict[str, naive.Short]]:
    """Return what a store says to draws, of which some are short; and which are."""
    short = {each.rule: each for at, each in enumerate(draws) if bits >> at & 1}
    short |= {each.rule: each for each in draws if each.amount > each.limit}
    refused = any(not each.shadow for each in short.values())
    readings = [
        Reading(draw=each, taken=False, retry_after_s=_wait_s(each), remaining=each.amount - 1)
        if each.rule in short
        else Reading(draw=each, taken=not refused, remaining=each.amount)
        for each in draws
    ]
    return readings, {
        name: naive.Short(
            retry_after_s=_wait_s(each),
            amount=each.amount,
            limit=each.limit,
            period=each.period_start is not None,
            code="",
            shadow=each.shadow,
        )
        for name, each in short.items()
    }


def _wait_s(draw: Draw) -> float:
    return 1.0 if draw.unit == "concurrent" else float(len(draw.key))


class Case(NamedTuple):
    """A document, a call, and the rules of the one that match the other, by the call's kind."""

    rules: Sequence[naive.Rule]
    policies: policy.PolicySet
    call: naive.Call
    found: Mapping[LikenessKind, tuple[list[naive.Rule], tuple[str, ...]]]


def compare(case: Case, reserve: Reserve, bits: int) -> None:
    """Hold all that is planned and decided about one call to what the rules naively say."""
    plans = policy.Plans(case.policies, dict(case.call.facts), cases.NOW)
    terms = plans.terms
    plans.reserve = reserve
    alone = [naive.decide(case.found[kind][0], {}) for kind in KINDS]
    sent = next((each for each in alone if each.effect == "permit"), None)
    assert plans.forbidden is (sent is None)
    sent = sent or naive.Said(effect="forbid")
    assert (terms.rule, terms.model, terms.provider) == sent.route
    assert terms.output_tokens_max == sent.output_tokens_max
    assert terms.headers == sent.provider_headers
    for kind in KINDS:
        compare_plan(case, plans.of(kind), kind, bits)
    for kind in COMPARED_AND_NOT:
        compare_offers(case, plans, kind)


def compare_plan(case: Case, plan: policy.Plan, kind: LikenessKind, bits: int) -> None:
    """Hold the plan for one kind of call, and what comes of it, to what the rules say."""
    found, errors = case.found[kind]
    assert plan.errors == errors
    assert drawn(plan.draws) == naive.draws(case.rules, found, of_kind(case.call, kind))
    readings, short = answered(plan.draws, bits)
    codes = {rule["id"]: naive.code(rule) for rule in found if naive.limit(rule)}
    short = {name: each._replace(code=codes.get(name, "")) for name, each in short.items()}
    assert said(policy.decide(plan, readings), case.policies) == naive.decide(found, short)


def compare_offers(case: Case, plans: policy.Plans, kind: LikenessKind) -> None:
    """Hold what a store is offered for a call of a kind to what its plans say."""
    offers = plans.offers(kind)
    exact: LikenessKind = "exact" if kind == "new" else kind
    assert offers.new == plans.of(kind).offer
    assert offers.exact == plans.of(exact).offer
    assert offers.retry == plans.of("retry" if kind == "new" else kind).offer
    found, call = case.found[exact][0], of_kind(case.call, exact)
    assert drawn(offers.shared.draws) == naive.draws(case.rules, found, call, shared=True)
    assert offers.shared.forbidden is offers.exact.forbidden


def of_kind(call: naive.Call, kind: LikenessKind) -> naive.Call:
    return call._replace(facts={**call.facts, KIND: kind})


@settings(max_examples=EXAMPLES)
@given(
    rules=_documents(),
    calls=st.lists(st.tuples(FACTS, RESERVES, st.integers(0, 127)), min_size=2, max_size=2),
)
def test_a_compiled_policy_decides_what_its_document_says(
    rules: list[dict[str, Any]], calls: list[tuple[dict[str, Any], Reserve, int]]
) -> None:
    policies = policy.load(written(rules))
    for facts, reserve, bits in calls:
        tokens = reserve.input_tokens + reserve.output_tokens
        call = naive.Call({**cases.facts(), **facts}, tokens, reserve.cost_usd)
        found = {kind: naive.matching(rules, of_kind(call, kind).facts) for kind in KINDS}
        compare(Case(rules, policies, call, found), reserve, bits)

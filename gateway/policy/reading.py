"""One rule of a policy file: from its node to a checked `Rule`, or to what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway.documents import Fields, Node, Problems, nearest
from gateway.policy import cel
from gateway.policy.cel import Condition
from gateway.policy.facts import CLUSTER, COUNTABLE, KEPT
from gateway.policy.rules import Limit, Period, Rule, key_prefix, named
from gateway.values import DrawUnit, Effect, Refusal

CODES = (
    "task_required",
    "task_unknown",
    "task_closed",
    "task_not_yours",
    "near_identical_rate",
    "quota_exceeded",
    "model_not_allowed",
    "policy_forbids",
)
"""Stable codes a refusal may carry (design section 4)."""

PERIODS: tuple[Period, ...] = ("hour", "day", "week", "month")
UNITS: tuple[DrawUnit, ...] = ("calls", "tokens", "cost_usd")
EFFECTS: tuple[Effect, ...] = ("permit", "throttle", "forbid")
NANO = 10**9
DAYS_MAX = 31
AMOUNT_MAX = 10**15

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def read_rule(node: Node, problems: Problems) -> Rule | None:
    """Return the rule a node states; None (and what is wrong in `problems`) when it cannot be."""
    before = len(problems)
    fields = Fields(node, problems, "a rule")
    fields.only("id", "description", "when", "effect", "message", "quota", "budget", "mode", "code")
    fields.need("id")
    rule_id = fields.text("id")
    if "id" in fields and not _ID.fullmatch(rule_id):
        fields.expected("id", "1 to 64 of a-z, 0-9, '.', '_' and '-'")
    limit = _limit(fields, rule_id)
    effect = _effect(fields, limit)
    code = fields.choice("code", CODES, _default_code(effect, limit))
    mode = fields.choice("mode", ("enforce", "shadow"), "enforce")
    message = " ".join(fields.text("message").split()) or _default_message(limit)
    description = fields.text("description")
    condition = _condition(fields)
    if len(problems) > before:
        return None
    place = node.place
    return Rule(
        id=rule_id,
        description=description,
        when=condition.text if condition else "",
        condition=condition,
        effect=effect,
        limit=limit,
        shadow=mode == "shadow",
        message=message,
        refusal=Refusal(
            code=code,
            message=f"{message} {named(rule_id, place)}",
            rule=rule_id,
            place=place,
        ),
    )


def _condition(fields: Fields) -> Condition | None:
    if "when" not in fields:
        return None
    text = fields.text("when")
    node = fields.items["when"]
    if not isinstance(node.value, str):
        return None
    try:
        return cel.compile_condition(text)
    except cel.Mistakes as mistakes:
        for mistake in mistakes.found:
            line, col = node.at(mistake.line, mistake.col)
            fields.problems.add_at(node.name, line, col, f"in 'when': {mistake.message}")
    return None


def _effect(fields: Fields, limit: Limit | None) -> Effect:
    """Return the effect; a quota throttles and a budget forbids, whether they say so or not."""
    if limit is None:
        return _effect_alone(fields)
    expected: Effect = "throttle" if limit.period is None else "forbid"
    kind = "quota" if limit.period is None else "budget"
    if fields.choice("effect", EFFECTS, expected) != expected:
        fields.expected("effect", f"{expected!r} (or nothing) in a rule with a {kind}")
    return expected


def _effect_alone(fields: Fields) -> Effect:
    limited = "quota" in fields or "budget" in fields
    if not limited and "effect" not in fields:
        fields.problems.add(fields.node, "a rule needs 'effect', 'quota' or 'budget'")
    effect = fields.choice("effect", EFFECTS, "permit")
    if effect == "throttle" and not limited:
        fields.expected("effect", "permit or forbid: only a rule with a quota throttles")
    return "forbid" if effect == "forbid" else "permit"


def _limit(fields: Fields, rule_id: str) -> Limit | None:
    given = [key for key in ("quota", "budget") if key in fields]
    if not given:
        return None
    if len(given) > 1:
        said = "a rule has a quota or a budget, and not both: write two rules"
        fields.problems.add(fields.node, said, key="budget")
    key = given[0]
    span = "per" if key == "quota" else "period"
    inner = Fields(fields.items[key], fields.problems, f"a {key}")
    inner.only(*UNITS, span, "by")
    inner.need(span, "by")
    unit, amount, text = _amount(inner)
    by = _by(inner, COUNTABLE if key == "quota" else {name: COUNTABLE[name] for name in _KEPT})
    period = _period(inner)
    return Limit(
        unit=unit,
        amount=amount,
        text=text,
        by=tuple(COUNTABLE[name] for name in by),
        by_text=_by_text(by),
        window_s=seconds(inner, "per") if "per" in inner else 0,
        per=inner.text("per"),
        period=period,
        prefix=key_prefix(rule_id, unit, period or ""),
    )


def _amount(inner: Fields) -> tuple[DrawUnit, int, str]:
    """Return the unit, how many of it, and both in words."""
    given: list[DrawUnit] = [unit for unit in UNITS if unit in inner]
    if len(given) != 1:
        said = f"{inner.what} needs exactly one of {', '.join(UNITS)}"
        inner.problems.add(inner.node, said)
        return "calls", 0, ""
    unit: DrawUnit = given[0]
    if unit == "cost_usd":
        cost = inner.decimal(unit, Decimal(0)) or Decimal(0)
        amount, text = int(cost * NANO), f"{cost:f} USD"
    else:
        amount = inner.integer(unit)
        text = f"{amount} {unit}"
    if not 1 <= amount <= AMOUNT_MAX * (NANO if unit == "cost_usd" else 1):
        inner.expected(unit, f"more than 0, at most {AMOUNT_MAX}; to allow none, use 'forbid'")
    return unit, amount, text


_KEPT = (*KEPT, *(COUNTABLE[name] for name in KEPT))


def _by(inner: Fields, countable: Mapping[str, str]) -> list[str]:
    names: list[str] = []
    for item in inner.nodes("by"):
        name = item.value if isinstance(item.value, str) else ""
        if name in COUNTABLE and name not in countable:
            # A cluster is forgotten before a period is over; the ledger does not hold the others.
            said = f"the ledger counts budgets by {', '.join(KEPT)}: a quota can count by {name!r}"
            inner.problems.add(item, said)
        elif name not in COUNTABLE:
            hint = nearest(name, countable) or f"; expected some of {', '.join(countable)}"
            inner.problems.add(item, f"cannot count by {item.shown}{hint}")
        elif COUNTABLE[name] in [COUNTABLE[each] for each in names]:
            inner.problems.add(item, f"{name!r} is counted by already, expected it once")
        else:
            names.append(name)
    return names


def _by_text(by: Sequence[str]) -> str:
    named = ["group of near-identical prompts" if name == CLUSTER else name for name in by]
    return f" for each {' and '.join(named)}" if named else ""


def seconds(inner: Fields, key: str, *, days_max: int = DAYS_MAX) -> int:
    """Return the seconds a time such as `6h` stands for."""
    found = _TIME.fullmatch(inner.text(key))
    time_s = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= time_s <= days_max * _SECONDS["d"]:
        inner.expected(key, f"a time such as 30s, 1m, 6h or 1d, at most {days_max}d")
    return time_s


def _period(inner: Fields) -> Period | None:
    text = inner.choice("period", PERIODS, "")
    return next((period for period in PERIODS if period == text), None)


def _default_code(effect: Effect, limit: Limit | None) -> str:
    if limit is not None:
        return "near_identical_rate" if limit.by_cluster else "quota_exceeded"
    return "policy_forbids" if effect == "forbid" else ""


def _default_message(limit: Limit | None) -> str:
    if limit is None:
        return "A rule of this gateway forbids this call."
    if limit.by_cluster:
        rate = f"{limit.text} per {limit.per}"
        return f"This is nearly the same prompt again and again, more than {rate}."
    if limit.period is None:
        return f"The quota of {limit.text} per {limit.per}{limit.by_text} is used up."
    return f"The budget of {limit.text} per {limit.period}{limit.by_text} is used up."

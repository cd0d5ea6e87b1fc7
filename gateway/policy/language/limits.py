"""The limit a rule sets: its quota or its budget, and what it says once that is used up."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway.documents import Node, Problems, nearest
from gateway.policy.facts import CLUSTER, COUNTABLE, KEPT
from gateway.policy.language.clauses import BUDGET, BUDGET_BY, QUOTA, QUOTA_BY, UNITS
from gateway.policy.language.forms import Form
from gateway.policy.language.kinds import Names
from gateway.policy.rules import Limit, Period, key_prefix
from gateway.values import DrawUnit

NANO = 10**9
_PERIODS: Mapping[str, Period] = {"hour": "hour", "day": "day", "week": "week", "month": "month"}


def read_quota(node: Node, problems: Problems, rule_id: str) -> Limit:
    """Return what a quota limits; what is wrong with it is among the problems."""
    form = Form(QUOTA, node, problems)
    unit, amount, text = _amount(form, (*UNITS, "concurrent"))
    by = _by(form, QUOTA_BY)
    return Limit(
        unit=unit,
        amount=amount,
        text=text,
        by=tuple([COUNTABLE[name] for name in by]),
        by_text=_by_text(by),
        window_s=form.get("per", 0),
        per=form.at("per").text if "per" in form else "",
        prefix=key_prefix(rule_id, unit, ""),
    )


def read_budget(node: Node, problems: Problems, rule_id: str) -> Limit:
    """Return what a budget limits; what is wrong with it is among the problems."""
    form = Form(BUDGET, node, problems)
    unit, amount, text = _amount(form, UNITS)
    by = _by(form, BUDGET_BY)
    period = _PERIODS.get(form.get("period", ""), "day")
    return Limit(
        unit=unit,
        amount=amount,
        text=text,
        by=tuple([COUNTABLE[name] for name in by]),
        by_text=_by_text(by),
        period=period,
        prefix=key_prefix(rule_id, unit, period),
    )


def default_message(limit: Limit | None) -> str:
    """Return what a rule says that has no message of its own."""
    if limit is None:
        return "A rule of this gateway forbids this call."
    if limit.unit == "concurrent":
        return f"At most {limit.text}{limit.by_text} may be under way at once."
    if limit.by_cluster:
        rate = f"{limit.text} per {limit.per}"
        return f"This is nearly the same prompt again and again, more than {rate}."
    if limit.period is None:
        return f"The quota of {limit.text} per {limit.per}{limit.by_text} is used up."
    return f"The budget of {limit.text} per {limit.period}{limit.by_text} is used up."


def _amount(form: Form, units: Sequence[DrawUnit]) -> tuple[DrawUnit, int, str]:
    """Return the unit, how many of it, and both in words."""
    given: list[DrawUnit] = [unit for unit in units if unit in form]
    unit = given[0] if given else units[0]
    if unit == "cost_usd":
        cost: Decimal = form.get(unit, Decimal(0))
        return unit, int(cost * NANO), f"{cost:f} USD"
    amount = form.get(unit, 0)
    one, many = ("call", "calls") if unit == "concurrent" else (unit.removesuffix("s"), unit)
    return unit, amount, f"{amount} {one if amount == 1 else many}"


def _by(form: Form, known: Names) -> list[str]:
    names: list[str] = []
    for item in form.nodes("by"):
        name = item.value if isinstance(item.value, str) else ""
        if name in COUNTABLE and name not in known.names:
            # A cluster is forgotten before a period is over; the ledger does not hold the others.
            said = f"the ledger counts budgets by {', '.join(KEPT)}: a quota can count by {name!r}"
            form.problems.add(item, said)
        elif name not in COUNTABLE:
            meant = known.meant.get(name.lower())
            hint = f"; did you mean {meant!r}?" if meant else nearest(name, known.names)
            hint = hint or f"; expected some of {', '.join(known.names)}"
            form.problems.add(item, f"cannot count by {item.shown}{hint}")
        elif COUNTABLE[name] in [COUNTABLE[each] for each in names]:
            form.problems.add(item, f"{name!r} is counted by already, expected it once")
        else:
            names.append(name)
    return names


def _by_text(by: Sequence[str]) -> str:
    named = ["group of near-identical prompts" if name == CLUSTER else name for name in by]
    return f" for each {' and '.join(named)}" if named else ""

"""
What a root is worth: what somebody set who does not profit from it, or a share of its team's.

What nobody valued shares one budget per owning team and month, so that more roots are worth less
each, and making tasks up makes nothing.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal, InvalidOperation

from msgspec import Struct

from gateway.credit.acceptance import Event
from gateway.credit.roots import Root, Worth
from gateway.credit.saturation import EXACT, PLACES
from gateway.ledger.pseudonyms import month_of
from gateway.policy import CreditParameters

DAY_US = 86_400 * 1_000_000
VALUE_MAX = Decimal(1_000_000)


class Unscored(ValueError):
    """A root cannot be scored, and why; it has no credit."""


class Valued(Struct, frozen=True, kw_only=True):
    """What is settled about a root with its first acceptance."""

    parameters: CreditParameters
    first_us: int
    """When the gateway learnt of its first acceptance."""
    month: str
    team: str
    value: Decimal | None
    """None: it shares the budget of its team and month."""
    budget: Decimal
    weights: Mapping[str, Decimal]


def valued(root: Root, policies: Mapping[str, CreditParameters]) -> Valued | None:
    """
    Return what was settled with a root's first acceptance; None when nothing of it ever was.

    Raises:
        Unscored: its policy or its valuation is missing or makes no sense.

    """
    taken = [each for of in root.events.values() for each in of if each.kind == "accepted"]
    if not taken:
        return None
    if root.is_flooded:
        raise Unscored("its tasks were accepted and undone too often")
    first = min(taken, key=lambda each: (each.at_us, each.policy))
    parameters = _parameters(first, policies)
    worth = _in_force(root, first.at_us + parameters.settle_days * DAY_US)
    return Valued(
        parameters=parameters,
        first_us=first.at_us,
        month=month_of(first.at_us),
        team=worth.team,
        value=_value(worth),
        budget=_budget(worth, parameters),
        weights=_weights(root),
    )


def shares(roots: Sequence[Valued]) -> dict[tuple[str, str], Decimal]:
    """Return what each unvalued root is worth, by team and month."""
    budgets: dict[tuple[str, str], list[Decimal]] = {}
    for root in roots:
        if root.value is None:
            budgets.setdefault((root.team, root.month), []).append(root.budget)
    return {
        key: min(
            Decimal(1),
            # Down, so that all of them together are never worth more than the budget.
            (min(given) / len(given)).quantize(PLACES, ROUND_DOWN, EXACT),
        )
        for key, given in budgets.items()
    }


def _parameters(first: Event, policies: Mapping[str, CreditParameters]) -> CreditParameters:
    found = policies.get(first.policy)
    if found is None:
        raise Unscored("the policy it was accepted under is not to be had")
    if found.saturation <= 0:
        raise Unscored("the policy it was accepted under has no saturation above 0")
    return found


def _in_force(root: Root, until_us: int) -> Worth:
    # What is set after the hold changes nothing: nobody revalues what has come out well.
    known = [root.worth[n] for n in sorted(root.worth) if root.worth[n].at_us <= until_us]
    if not known or 0 not in root.worth:
        raise Unscored("nothing says what it is worth")
    return known[-1]


def _value(worth: Worth) -> Decimal | None:
    if not worth.value or not worth.is_independent:
        return Decimal(0) if worth.by_bot else None
    return _decimal(worth.value, VALUE_MAX)


def _budget(worth: Worth, parameters: CreditParameters) -> Decimal:
    given = parameters.unvalued_budget
    return Decimal(max(0, worth.team_size)) if given is None else max(Decimal(0), given)


def _weights(root: Root) -> Mapping[str, Decimal]:
    given = root.worth[0].weights
    weights = {each.task_id: _decimal(each.weight, Decimal(1)) for each in given}
    if len(weights) != len(given) or sum(weights.values()) != 1:
        raise Unscored("the weights of its tasks do not sum to 1")
    return weights


def _decimal(text: str, most: Decimal) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise Unscored("a value or weight of it is no number") from None
    if not found.is_finite() or not 0 <= found <= most:
        raise Unscored("a value or weight of it is out of bounds")
    return found

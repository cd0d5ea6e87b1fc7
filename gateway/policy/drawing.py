"""What a rule that limits, or a meter, draws for one call: the wish a store answers."""

from decimal import Decimal
from math import ceil

from gateway.policy.rules import Limit, Rule
from gateway.values import Draw, Facts, Reserve

NANO = Decimal(10**9)


def draw(rule: Rule, facts: Facts, amount: int, now: float) -> Draw:
    """Return the wish to take an amount, in its limit's unit, from the counter of a call."""
    limit = rule.limit
    assert limit is not None
    window_s: float = limit.window_s
    period_start = None
    if limit.period is not None:
        period_start, period_end = limit.bounds(now)
        window_s = period_end - period_start
    return Draw(
        rule=rule.id,
        key=limit.key(facts),
        unit=limit.unit,
        amount=amount,
        limit=limit.amount,
        window_s=window_s,
        period_start=period_start,
        shadow=rule.shadow,
        meter=rule.meter,
        by_cluster=limit.by_cluster,
    )


def amount(limit: Limit, reserve: Reserve) -> int:
    """Return how much a call takes before it is known what it uses: the most it can come to."""
    if limit.unit in ("calls", "concurrent"):
        return 1
    if limit.unit == "tokens":
        return reserve.input_tokens + reserve.output_tokens
    return ceil(reserve.cost_usd * NANO)

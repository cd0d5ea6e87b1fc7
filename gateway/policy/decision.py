"""
From facts to a decision, in two pure steps.

`plan` says which quotas and budgets a call must draw on; `decide` says what happens,
given what they answered. The same code answers a live call, an explanation and a replay.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil

from msgspec import Struct, structs

from gateway.policy.matching import Matched
from gateway.policy.policies import PolicySet
from gateway.policy.rules import Limit, Rule
from gateway.values import Decision, Draw, Effect, Facts, Reading, Refusal, Reserve

WAIT_NAMED_ALONE_MAX_S = 120
NANO = Decimal(10**9)


class Plan(Struct, frozen=True, kw_only=True):
    """What the rules say of a call, and what has to be asked before a decision."""

    draws: tuple[Draw, ...]
    """One for each quota and budget that counts this call; none when a rule forbids it."""
    matched: Matched
    policies: PolicySet
    now: float

    @property
    def errors(self) -> tuple[str, ...]:
        """Return the ids of the rules whose condition erred: count them, and show them."""
        return self.matched.errors


def plan(policies: PolicySet, facts: Facts, reserve: Reserve, now: float) -> Plan:
    """Match every rule, and list the draws of those that limit."""
    matched = policies.matcher.match(facts)
    draws = tuple([_draw(rule, facts, reserve, now) for rule in matched.limits])
    return Plan(draws=draws, matched=matched, policies=policies, now=now)


def decide(plan: Plan, readings: Sequence[Reading]) -> Decision:
    """Return the decision. Forbid wins over throttle, throttle over permit."""
    refused = [reading for reading in readings if not reading.taken]
    if not refused:
        return plan.matched.decision
    # Of draws made together all are refused when one is: the reason is the one that is short.
    short = [each for each in refused if each.remaining < each.draw.amount]
    enforced = [each for each in refused if not each.draw.shadow]
    reasons = [each for each in short if not each.draw.shadow] or enforced
    shadows = [each.draw.rule for each in short if each.draw.shadow]
    would_have = tuple(sorted({*plan.matched.decision.would_have, *shadows}))
    if not reasons:
        return structs.replace(plan.matched.decision, would_have=would_have)
    return _refused(plan, reasons, would_have)


def _draw(rule: Rule, facts: Facts, reserve: Reserve, now: float) -> Draw:
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
        amount=_amount(limit, reserve),
        limit=limit.amount,
        window_s=window_s,
        period_start=period_start,
        shadow=rule.shadow,
    )


def _amount(limit: Limit, reserve: Reserve) -> int:
    if limit.unit == "calls":
        return 1
    if limit.unit == "tokens":
        return reserve.input_tokens + reserve.output_tokens
    return ceil(reserve.cost_usd * NANO)


def _refused(plan: Plan, readings: Sequence[Reading], would_have: tuple[str, ...]) -> Decision:
    effects: dict[str, Effect] = {each.draw.rule: _effect(each) for each in readings}
    effect: Effect = "forbid" if "forbid" in effects.values() else "throttle"
    reasons = [each for each in readings if effects[each.draw.rule] == effect]
    longest = max(reasons, key=lambda each: (each.retry_after_s, each.draw.rule))
    return Decision(
        effect=effect,
        reasons=tuple(sorted(each.draw.rule for each in reasons)),
        would_have=would_have,
        refusal=_refusal(plan, longest, effect),
        obligations=plan.matched.decision.obligations,
        policy=plan.matched.decision.policy,
    )


def _effect(reading: Reading) -> Effect:
    """Return forbid where waiting a little does not help: a budget, or more than a whole quota."""
    draw = reading.draw
    return "forbid" if draw.period_start is not None or draw.amount > draw.limit else "throttle"


def _refusal(plan: Plan, reading: Reading, effect: Effect) -> Refusal:
    rule = plan.policies.rule(reading.draw.rule)
    return structs.replace(
        rule.refusal,
        message=f"{rule.message} {_when(reading, plan.now)} {rule.named}",
        retry_after_s=reading.retry_after_s if effect == "throttle" else 0.0,
    )


def _when(reading: Reading, now: float) -> str:
    """Return in words when the same call would be taken."""
    draw = reading.draw
    if draw.amount > draw.limit:
        return (
            f"This call reserves {_shown(draw, draw.amount)}, more than the whole limit, and can "
            "never fit: ask for fewer output tokens, or raise the limit."
        )
    wait_s = max(1, -(-reading.retry_after_s // 1))
    if draw.period_start is not None:
        return f"It begins anew at {_instant(draw.period_start + draw.window_s)}."
    if wait_s <= WAIT_NAMED_ALONE_MAX_S:
        return f"Try again in {wait_s:.0f} s."
    return f"Try again at {_instant(now + wait_s + 59)}."


def _shown(draw: Draw, amount: int) -> str:
    if draw.unit == "cost_usd":
        return f"{Decimal(amount) / NANO:f} USD"
    return f"{amount} {draw.unit}"


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

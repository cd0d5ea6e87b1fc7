"""
From a plan to a decision, given what quotas and budgets answered.

The same code answers a live call, an explanation and a replay.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import structs

from gateway.policy.drawing import NANO
from gateway.policy.plans import Plan
from gateway.values import Decision, Draw, Effect, Reading, Refusal

WAIT_NAMED_ALONE_MAX_S = 120


def decide(plan: Plan, readings: Sequence[Reading]) -> Decision:
    """Return the decision. Forbid wins over throttle, throttle over permit."""
    refused = [each for each in readings if not each.taken and not each.draw.meter]
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
        obligations=plan.policies.settings.obligations,
        terms=plan.matched.decision.terms,
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
    if draw.unit == "concurrent":
        return "Try again when one of them has ended."
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

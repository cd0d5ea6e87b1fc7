"""
How a quota or a budget stood when a call drew on it, in figures and in words.

A quota's level is what is not free of it at the moment: it drains all the time, so "when it
frees" is when the same call would fit. A budget's stays until its period is over.
"""

from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct, structs

from gateway.ledger import Level
from gateway.policy import Limit
from gateway.values import Draw, DrawUnit, Reading

NANO = Decimal(10**9)


class Standing(Struct, frozen=True, kw_only=True):
    """What one quota or budget said to one call; amounts in calls, tokens or USD."""

    unit: DrawUnit
    limit: float
    text: str
    """What is allowed, in words: `10 calls per 1m for each principal`."""
    asked: float
    """What the call asked of it."""
    before: float | None = None
    """How much was used before the call; None: nobody asked."""
    after: float | None = None
    """… and after it."""
    fits: bool | None = None
    """Whether the call fitted."""
    frees_at: str | None = None
    """When the same call would fit, where it did not; for a budget, when it begins anew. UTC."""

    @property
    def words(self) -> str:
        """Return it in words: `9 of 10 calls used, this call makes it 10`."""
        asked, name = _figure(self.asked), _UNITS[self.unit]
        if self.before is None:
            one = name.replace("s", "", 1) if self.asked == 1 else name
            return f"{self.text}; this call counts {asked} {one}"
        used = f"{_figure(self.before)} of {_figure(self.limit)} {name} used"
        if self.fits:
            drawn = self.after != self.before
            return f"{used}; with this call {_figure(self.after or 0)}" if drawn else used
        again = f"; free for it again at {self.frees_at}" if self.frees_at else ""
        if self.asked > self.limit:
            again = ", more than the whole limit: it can never fit"
        return f"{used}; this call would need {asked} more{again}"


def standing(limit: Limit, draw: Draw, level: Level | None, now: float) -> Standing:
    """Return how a limit stood, given what was recorded of it (None: nothing)."""
    scale = NANO if limit.unit == "cost_usd" else Decimal(1)
    amount = draw.amount if level is None else level.amount
    known = Standing(
        unit=limit.unit,
        limit=float(limit.amount / scale),
        text=words(limit),
        asked=float(amount / scale),
    )
    if level is None:
        return known
    used = limit.amount - level.remaining
    before = used - amount if level.taken else used
    return Standing(
        unit=known.unit,
        limit=known.limit,
        text=known.text,
        asked=known.asked,
        before=float(before / scale),
        after=float(used / scale),
        fits=_fits(level),
        frees_at=_frees_at(limit, level, now),
    )


def words(limit: Limit) -> str:
    """Return what a limit allows: `1200 calls per 1m for each principal`."""
    if limit.unit == "concurrent":
        return f"{limit.amount} calls at once{limit.by_text}"
    return f"{limit.text} per {limit.per or limit.period}{limit.by_text}"


def reading(draw: Draw, level: Level) -> Reading:
    """Return what was recorded of a draw as the store said it."""
    return Reading(
        draw=structs.replace(draw, amount=level.amount),
        taken=level.taken,
        retry_after_s=level.retry_after_s,
        remaining=level.remaining,
    )


def instant(at: float) -> str:
    """Return a moment in UTC as people write it: `2026-11-23 14:02:11 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _frees_at(limit: Limit, level: Level, now: float) -> str | None:
    if limit.period is not None:
        return instant(limit.bounds(now)[1])
    return None if _fits(level) else instant(now + level.retry_after_s)


def _fits(level: Level) -> bool:
    """Return whether there was room; of draws made together none is taken when one has none."""
    return level.taken or level.remaining >= level.amount


def _figure(number: float) -> str:
    """Return a number in plain digits, without needless zeros."""
    return f"{number:,.6f}".rstrip("0").rstrip(".")


_UNITS = {"calls": "calls", "tokens": "tokens", "cost_usd": "USD", "concurrent": "calls at once"}

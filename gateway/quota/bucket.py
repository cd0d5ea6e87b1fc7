"""
The arithmetic of quotas and budgets, for every store to share.

A quota is the generic cell rate algorithm (GCRA, ITU-T I.371) in its form as a leaky bucket:
what is drawn fills it, and it drains its limit evenly in each window. It admits its limit at
once and at most twice that in any window of its length. A budget is a sum, exact in its
calendar period.

Everything is IEEE-754 doubles, in an order of operations that `stores/lua/counting.lua`
repeats word for word: Lua has no other numbers, and two stores must decide alike to the last
bit. At one instant nothing drains, so whole amounts add up exactly as long as all of them
together stay below 2⁵³ (9 million USD in nano-dollars).

What was reserved and not used is given back, but only as far as time has not given it
back already: a caller who reserves much, waits and uses little gains nothing by it.
"""

from math import floor

from msgspec import Struct

from gateway.values import Draw, Usage

SLACK = 2.0**-20
"""By how much of a unit a limit may be passed, so that no rounding ever refuses a whole one."""


class Bucket(Struct, frozen=True):
    """One quota's state. It ran dry when `level` came to 0: then it is as good as a new one."""

    level: float
    """What is spoken for, in units of the amounts drawn, …"""
    at: float
    """… at this instant (Unix seconds)."""
    limit: float
    window_s: float
    born: float
    """When it was last empty: nothing drawn before is in it any more."""

    def drained(self, now: float) -> "Bucket":
        """Return it as it stands at an instant; time that runs backwards drains nothing."""
        level, at, born = self.level, self.at, self.born
        elapsed = now - at
        if elapsed > 0:
            level = level - elapsed * self.limit / self.window_s
            at = now
        if level <= 0:
            level, born = 0.0, at
        return Bucket(level, at, self.limit, self.window_s, born)

    def is_dry(self, now: float) -> bool:
        """Return whether it has run dry at an instant: `drained(now).level` is 0."""
        elapsed = now - self.at
        level = self.level
        return (level - elapsed * self.limit / self.window_s if elapsed > 0 else level) <= 0

    def under(self, limit: float, window_s: float) -> "Bucket":
        """Return it under another limit: what is spoken for ends at the same instant."""
        if limit == self.limit and window_s == self.window_s:
            return self
        level = self.level * self.window_s / self.limit * limit / window_s
        return Bucket(level, self.at, limit, window_s, self.born)

    @property
    def remaining(self) -> int:
        """Return how much fits; negative when more was used than reserved."""
        return floor(self.limit - self.level + SLACK)

    def take(self, amount: float) -> "Bucket":
        """Return it once an amount is drawn, whether or not that fits."""
        return Bucket(self.level + amount, self.at, self.limit, self.window_s, self.born)

    def wait_s(self, amount: float, now: float) -> float:
        """Return when an amount will fit; 0 when it fits, or never will."""
        over = self.level + amount - self.limit
        if amount > self.limit or over <= SLACK:
            return 0.0
        return over * self.window_s / self.limit + (self.at - now)

    def give_back(self, taken: "Bucket", amount: float) -> "Bucket":
        """
        Return it once an amount is given back.

        `taken` is what `take` returned for it: what has drained since is back already.
        """
        if taken.at < self.born:
            return self
        spoken = taken.under(self.limit, self.window_s).level
        unspent = spoken - (self.at - taken.at) * self.limit / self.window_s
        level = self.level - max(0.0, min(amount, unspent))
        return Bucket(max(0.0, level), self.at, self.limit, self.window_s, self.born)


def stand(found: Bucket | None, limit: float, window_s: float, now: float) -> Bucket:
    """Return a quota's bucket at an instant, under the limit in force; a new one is empty."""
    if found is None:
        return Bucket(0.0, now, limit, window_s, now)
    return found.drained(now).under(limit, window_s)


def retry_after_s(wait_s: float) -> float:
    """Return a wait rounded up to milliseconds, past what a double of Unix seconds can lose."""
    return 0.0 if wait_s <= 0 else (floor(wait_s * 1000 + 0.001) + 1) / 1000


def actual(draw: Draw, used: Usage, cost_nano_usd: int) -> int:
    """
    Return what a call came to, in the unit of a draw.

    A call is one call, whatever it used; one that has ended is none of those under way.
    """
    if draw.unit == "calls":
        return draw.amount
    if draw.unit == "tokens":
        return used.input_tokens + used.output_tokens
    return 0 if draw.unit == "concurrent" else cost_nano_usd

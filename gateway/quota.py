"""
The arithmetic of quotas and budgets, exact, for every store to share.

A quota is the generic cell rate algorithm (GCRA, ITU-T I.371): its only state is the
theoretical arrival time, up to which it is spoken for. It is kept in nanoseconds times
the limit, so that drawing `amount` moves it by exactly `amount · window`, in integers,
however small the amount. A quota admits its limit at once and at most twice that in any
window of its length. A budget is a sum, exact in its calendar period.

What was reserved and not used is given back, but only as far as time has not given it
back already: a caller who reserves much, waits and uses little gains nothing by it.
"""

from msgspec import Struct

from gateway.values import Draw, Usage

NANO = 10**9
MILLI = 10**6


def instant_ns(now: float) -> int:
    """Return Unix seconds in nanoseconds."""
    return round(now * NANO)


class Quota(Struct, frozen=True):
    """A limit and its window; times spoken for (`spoken`) are nanoseconds times the limit."""

    limit: int
    window_ns: int

    def remaining(self, spoken: int, at: int) -> int:
        """Return how much fits at an instant; negative when more was used than reserved."""
        ahead = max(0, spoken - at * self.limit)
        return (self.window_ns * self.limit - ahead) // self.window_ns

    def take(self, spoken: int, at: int, amount: int) -> int:
        """Return what is spoken for once an amount is drawn, whether or not it fits."""
        return max(spoken, at * self.limit) + amount * self.window_ns

    def wait_ns(self, spoken: int, at: int, amount: int) -> int:
        """Return when an amount will fit; 0 when it fits, or never will."""
        if amount > self.limit:
            return 0
        over = self.take(spoken, at, amount) - (at + self.window_ns) * self.limit
        return max(0, -(-over // self.limit))

    def give_back(self, spoken: int, reserved_to: int, at: int, amount: int) -> int:
        """
        Return what is spoken for once an amount is given back.

        `reserved_to` is what `take` returned for it: what lies before `at` is back already.
        """
        unspent = max(0, reserved_to - at * self.limit)
        return spoken - min(amount * self.window_ns, unspent)


def rescale(spoken: int, limit: int, limit_new: int) -> int:
    """Return what is spoken for under another limit: it ends at the same instant."""
    return spoken if limit == limit_new else -(-spoken // limit) * limit_new


def retry_after_s(wait_ns: int) -> float:
    """Return a wait in seconds, rounded up past what a float of Unix seconds can lose."""
    return 0.0 if wait_ns <= 0 else ((wait_ns + 1_000) // MILLI + 1) / 1_000


def actual(draw: Draw, used: Usage, cost_nano_usd: int) -> int:
    """Return what a call came to, in the unit of a draw; a call is one call, whatever it used."""
    if draw.unit == "calls":
        return draw.amount
    if draw.unit == "tokens":
        return used.input_tokens + used.output_tokens
    return cost_nano_usd

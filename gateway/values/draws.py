"""What is drawn on a quota or a budget, and what it said."""

from typing import Literal, TypeAlias

from msgspec import Struct

DrawUnit: TypeAlias = Literal["calls", "tokens", "cost_usd", "concurrent"]
"""`concurrent`: calls under way at once; each gives its one back when it ends."""
BudgetUnit: TypeAlias = Literal["calls", "tokens", "cost_usd"]
"""What the ledger can count again."""


class Draw(Struct, frozen=True, kw_only=True):
    """A wish to take `amount` from one quota or budget, for one key."""

    rule: str
    """The id of the rule that asks."""
    key: str
    """Which counter: the rule id and the values of its `by` facts."""
    unit: DrawUnit
    amount: int
    """Calls, tokens, or nano-dollars (10⁻⁹ USD, rounded up)."""
    limit: int
    """In the same unit as `amount`."""
    window_s: float
    """A quota's `per`; for a budget the length of its current period; 0 for calls at once."""
    period_start: float | None = None
    """None: a quota (GCRA). Else a budget, and its calendar period began here (Unix seconds)."""
    shadow: bool = False
    """Count, and say what it would have done, but never refuse."""
    meter: bool = False
    """Only counts what `usage.*` facts tell: it never refuses, and is shown nowhere."""
    by_cluster: bool = False
    """Whether the likeness cluster is part of the key: only the store knows it."""


class Reading(Struct, frozen=True, kw_only=True):
    """What a quota or budget said to a draw."""

    draw: Draw
    taken: bool
    retry_after_s: float = 0.0
    """
    When the same draw would fit, if nothing else happened; 0 when it was taken.

    Nobody knows when calls under way will end: for those it is one second.
    """
    remaining: int = 0


class Reservation(Struct, frozen=True, kw_only=True):
    """All of a call's readings, and the handle with which they are settled."""

    id: int
    readings: tuple[Reading, ...] = ()

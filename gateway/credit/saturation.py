"""
How much of a root's value the work asked under it bears out: phi(x) = 1 - e^(-x/S).

Concave and below 1, so that the first new things asked count and the hundredth does not. Worked
out in decimals, not in floats: an auditor's machine must come to the same digits.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final

from gateway.credit.sketch import KEPT_MAX

PLACES: Final = Decimal("1e-12")
EXACT: Final = Context(prec=34, rounding=ROUND_HALF_EVEN)
"""IEEE 754-2008 decimal128: enough for any product here."""


def phi(x: int, saturation: Decimal) -> Decimal:
    """Return phi of `x` units at a saturation S above 0, with 12 places."""
    return _table(saturation)[x]


@lru_cache(maxsize=64)
def _table(saturation: Decimal) -> tuple[Decimal, ...]:
    return tuple(
        EXACT.subtract(Decimal(1), EXACT.exp(EXACT.divide(Decimal(-x), saturation))).quantize(
            PLACES, context=EXACT
        )
        for x in range(KEPT_MAX + 1)
    )

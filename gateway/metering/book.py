"""
The price book: what a model costs, to the last digit.

The rule it keeps: money is `Decimal` from the table to the ledger, never a float, and
never rounded but for nano-dollars, which are rounded up. What is priced nowhere costs
nothing and says so: `price` is None.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Context, Decimal
from hashlib import sha256
from typing import Final

import msgspec

from gateway.metering.prices import PRICES
from gateway.values import Price, Usage

ANY_MODEL: Final = "*"
"""The override for models that are priced nowhere else."""

_SNAPSHOT: Final = re.compile(r"(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-\d{3,4}|-latest)\Z")
_PER_MILLION: Final = Decimal("0.000001")
_PER_NANO: Final = Decimal(1_000_000_000)
_ZERO: Final = Decimal(0)
# Room for 10⁹ tokens at any price that can be written down; set here, so that no other
# setting of the thread's decimal context can round money.
_EXACT: Final = Context(prec=60)
_DIGEST_DIGITS: Final = 16


class PriceBook:
    """The bundled table under the overrides of one deployment."""

    def __init__(self, overrides: Mapping[str, Price]) -> None:
        self._overrides = dict(overrides)
        everything = msgspec.json.encode([PRICES, self._overrides], order="deterministic")
        self._digest = "sha256:" + sha256(everything).hexdigest()[:_DIGEST_DIGITS]

    @property
    def digest(self) -> str:
        """Digest of the table and the overrides: `sha256:` and 16 hex digits."""
        return self._digest

    def price(self, model: str) -> Price | None:
        """
        Return the price of a model, None when it is priced nowhere.

        Looked up as it is written, then without the date of its snapshot, then without the
        `provider/` before it; overrides first, the override `*` last.
        """
        for prices in (self._overrides, PRICES):
            for name in _spellings(model):
                price = prices.get(name)
                if price is not None:
                    return price
        return self._overrides.get(ANY_MODEL)

    def cost_usd(self, model: str, usage: Usage) -> Decimal:
        """Return what a usage costs, exactly; 0 for a model that is priced nowhere."""
        price = self.price(model)
        if price is None:
            return _ZERO
        read = price.input if price.cache_read is None else price.cache_read
        written = price.input if price.cache_write is None else price.cache_write
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        total = _ZERO
        for tokens, rate in (
            (plain, price.input),
            (usage.cache_read_tokens, read),
            (usage.cache_write_tokens, written),
            (usage.output_tokens, price.output),
        ):
            total = _EXACT.add(total, _EXACT.multiply(rate, Decimal(tokens)))
        return _EXACT.multiply(total, _PER_MILLION)


def nano_usd(cost: Decimal) -> int:
    """Return dollars as whole nano-dollars (10⁻⁹ USD), rounded up."""
    return int(_EXACT.multiply(cost, _PER_NANO).to_integral_value(ROUND_CEILING))


def _spellings(model: str) -> Iterator[str]:
    yield model
    yield _SNAPSHOT.sub("", model)
    bare = model.rpartition("/")[2]
    yield bare
    yield _SNAPSHOT.sub("", bare)

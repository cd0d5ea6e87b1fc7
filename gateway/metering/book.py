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
_REMEMBERED_MAX: Final = 4096


class PriceBook:
    """The bundled table under the overrides of one deployment."""

    def __init__(self, overrides: Mapping[str, Price]) -> None:
        self._overrides = dict(overrides)
        everything = msgspec.json.encode([PRICES, self._overrides], order="deterministic")
        self._found: dict[str, Price | None] = {}
        self._digest = "sha256:" + sha256(everything).hexdigest()[:_DIGEST_DIGITS]

    @property
    def digest(self) -> str:
        """Digest of the table and the overrides: `sha256:` and 16 hex digits."""
        return self._digest

    def price(self, model: str) -> Price | None:
        """
        Return the price of a model, None when it is priced nowhere.

        Looked up as it is written, then without the date of its snapshot, then without the
        `provider/` before it; overrides first, the override `*` last. What was looked up is
        remembered, in a bounded table: callers choose the names.
        """
        try:
            return self._found[model]
        except KeyError:
            if len(self._found) >= _REMEMBERED_MAX:
                self._found.clear()
            price = self._found[model] = self._look_up(model)
            return price

    def _look_up(self, model: str) -> Price | None:
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
        total = _EXACT.add(
            _EXACT.multiply(price.input, plain), _EXACT.multiply(price.output, usage.output_tokens)
        )
        if usage.cache_read_tokens or usage.cache_write_tokens:
            cached = _EXACT.multiply(read, usage.cache_read_tokens)
            kept = _EXACT.multiply(written, usage.cache_write_tokens)
            total = _EXACT.add(total, _EXACT.add(cached, kept))
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

"""
What a call may come to, and what it came to.

Two rules. A reservation is never more than the model can really use, so an honest caller
is not held up by a bound nobody can reach. And a usage is never less than what went by:
a provider's own report counts once the reply has ended, and whatever else happens
(nothing reported, a stream cut, a caller gone) is estimated, upwards, and marked so.
"""

from decimal import Decimal
from typing import Final

import msgspec

from gateway.metering.book import PriceBook
from gateway.values import Call, Figures, Price, Reserve, Target, Usage

OUTPUT_TOKENS_DEFAULT: Final = 4096
"""What a reply may come to when neither the caller nor the price book says."""

TEXT_BYTES_PER_TOKEN: Final = 3
"""Fewer than any tokenizer needs for ordinary text: the estimate errs upwards."""

_MANY_PROMPTS: Final = frozenset({"embeddings", "completions"})
"""Routes whose calls carry many prompts, each of them up to the model's limit."""
_NO_OUTPUT: Final = frozenset({"embeddings"})
_CACHES: Final = b'"cache_control"'
"""Without this mark no prompt is written to a cache at Anthropic's dearer rate."""


def reserve(call: Call, target: Target, book: PriceBook) -> Reserve:
    """Return the most a call can come to at its target."""
    if not call.inbound.route.metered:
        return Reserve(input_tokens=0, output_tokens=0, cost_usd=Decimal(0))
    price = book.price(target.model)
    spent = call.input_tokens_estimate
    if price is not None and price.input_tokens_max is not None:
        many = call.inbound.route.name in _MANY_PROMPTS
        spent = spent if many else min(spent, price.input_tokens_max)
    made = _most_output(call, target, price)
    dear = price is not None and (price.cache_write or 0) > price.input
    usage = Usage(
        input_tokens=spent,
        output_tokens=made,
        cache_write_tokens=spent if dear and _CACHES in call.inbound.body else 0,
    )
    return Reserve(
        input_tokens=spent, output_tokens=made, cost_usd=book.cost_usd(target.model, usage)
    )


def _most_output(call: Call, target: Target, price: Price | None) -> int:
    """Return the most tokens all answers of a call can come to."""
    if call.inbound.route.name in _NO_OUTPUT:
        return 0
    most = None if price is None else price.output_tokens_max
    asked, ceiling = call.output_tokens_max, target.output_tokens_max
    if ceiling is not None:
        asked = ceiling if asked is None else min(asked, ceiling)
    if asked is None:
        asked = OUTPUT_TOKENS_DEFAULT if most is None else most
    return call.choices * (asked if most is None else min(asked, most))


def usage(figures: Figures, call: Call) -> Usage:
    """
    Return what a reply used, as far as it is known.

    A report counts as it is when the reply ended well; when it was cut or failed, a report
    may be of its beginning only, so the larger of it and the estimate stands.
    """
    reported = figures.usage
    if not call.inbound.route.metered:
        return reported or Usage()
    final = figures.ended and not figures.failed
    if reported is not None and final and reported.basis == "reported":
        return reported
    made = _estimated_output(figures, call)
    if reported is not None:
        made = max(made, reported.output_tokens)
        read = reported.input_tokens or call.input_tokens_estimate
        return msgspec.structs.replace(
            reported, input_tokens=read, output_tokens=made, basis="estimated"
        )
    if figures.failed and not figures.text_events:
        # Refused or broken before the first word: providers bill nothing.
        return Usage(basis="estimated")
    return Usage(input_tokens=call.input_tokens_estimate, output_tokens=made, basis="estimated")


def _estimated_output(figures: Figures, call: Call) -> int:
    if call.inbound.route.name in _NO_OUTPUT:
        return 0
    return max(figures.text_events, -(-figures.text_bytes // TEXT_BYTES_PER_TOKEN))

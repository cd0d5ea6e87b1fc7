"""Tokens and money: the most a call can come to, what it came to, and what that costs."""

from gateway.metering.book import PriceBook, nano_usd
from gateway.metering.estimates import reserve, usage
from gateway.metering.prices import AS_OF as PRICES_AS_OF

__all__ = ["PRICES_AS_OF", "PriceBook", "nano_usd", "reserve", "usage"]

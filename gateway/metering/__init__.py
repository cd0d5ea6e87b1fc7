"""Tokens and money: the most a call can come to, what it came to, and what that costs."""

from gateway.metering.book import PriceBook, nano_usd
from gateway.metering.estimates import reserve, usage

__all__ = ["PriceBook", "nano_usd", "reserve", "usage"]

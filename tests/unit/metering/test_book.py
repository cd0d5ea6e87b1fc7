"""The price book."""

import re
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.metering import PriceBook, nano_usd
from gateway.metering.prices import AS_OF, PRICES, SOURCES
from gateway.values import Price, Usage

BOOK = PriceBook({})
CHEAP = Price(input=Decimal("0.01"), output=Decimal("0.02"))


def test_the_table_is_dated_and_says_where_it_is_from():
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", AS_OF)
    assert all(source.startswith("https://") for source in SOURCES)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "gpt-4.1",
        "gpt-4o",
        "o3",
        "o4-mini",
        "text-embedding-3-small",
        "claude-opus-4-1",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        "gemini-2.5-pro",
        "mistral-large-latest",
        "sim-small",
        "sim-large",
    ],
)
def test_common_models_are_priced(model):
    price = BOOK.price(model)
    assert price is not None
    assert price.input > 0


def test_every_price_can_be():
    for price in PRICES.values():
        assert 0 < price.input < 1000
        assert 0 <= price.output < 1000
        assert price.cache_read is None or price.cache_read <= price.input
        assert price.cache_write is None or price.cache_write >= price.input


@pytest.mark.parametrize(
    ("model", "same_as"),
    [
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("gpt-4-0613", "gpt-4"),
        ("openai/gpt-5", "gpt-5"),
        ("openrouter/openai/gpt-5-2025-08-07", "gpt-5"),
        ("claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
    ],
)
def test_dates_and_providers_are_looked_past(model, same_as):
    assert BOOK.price(model) is PRICES[same_as]


def test_a_snapshot_with_a_price_of_its_own_keeps_it():
    assert BOOK.price("gpt-4o-2024-05-13") is PRICES["gpt-4o-2024-05-13"]


def test_what_is_priced_nowhere_costs_nothing():
    assert BOOK.price("nobody") is None
    assert BOOK.cost_usd("nobody", Usage(input_tokens=5)) == 0


def test_overrides_win_and_a_star_catches_the_rest():
    book = PriceBook({"gpt-5": CHEAP})
    assert book.price("gpt-5") is CHEAP
    assert book.price("openai/gpt-5-2025-08-07") is CHEAP
    assert book.price("nobody") is None
    rest = PriceBook({"*": CHEAP})
    assert rest.price("nobody") is CHEAP
    assert rest.price("gpt-5") is PRICES["gpt-5"]


def test_the_digest_names_the_prices():
    assert re.fullmatch(r"sha256:[0-9a-f]{16}", BOOK.digest)
    assert PriceBook({}).digest == BOOK.digest
    assert PriceBook({"gpt-5": CHEAP}).digest != BOOK.digest
    one, two = {"a": CHEAP, "b": PRICES["gpt-5"]}, {"b": PRICES["gpt-5"], "a": CHEAP}
    assert PriceBook(one).digest == PriceBook(two).digest


def test_every_kind_of_token_is_billed_at_its_own_rate():
    usage = Usage(
        input_tokens=1_000_000,
        output_tokens=100_000,
        cache_read_tokens=300_000,
        cache_write_tokens=200_000,
        reasoning_tokens=50_000,
    )
    expected = Decimal("0.5") + Decimal("0.03") + Decimal("0.25") + Decimal("0.5")
    assert BOOK.cost_usd("claude-haiku-4-5", usage) == expected


def test_caches_without_a_rate_are_billed_as_input():
    usage = Usage(input_tokens=1_000_000, cache_read_tokens=400_000, cache_write_tokens=100_000)
    assert PriceBook({"x": CHEAP}).cost_usd("x", usage) == Decimal("0.01")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_cost_is_exact_whatever_the_decimal_context(spent, made):
    usage = Usage(input_tokens=spent, output_tokens=made)
    with localcontext(prec=3):
        cost = BOOK.cost_usd("gpt-5-nano", usage)
    # 0.05 and 0.4 USD per million are 50 and 400 nano-dollars a token.
    assert cost * 10**9 == 50 * spent + 400 * made


@given(st.decimals(0, 10**6, places=12))
def test_nano_dollars_are_rounded_up(cost):
    nano = nano_usd(cost)
    assert nano - 1 < cost * 10**9 <= nano


def test_what_is_remembered_of_look_ups_is_bounded() -> None:
    """Callers choose the names: a flood of them must not stay in memory."""
    book = PriceBook({})
    for number in range(5_000):
        assert book.price(f"nobody-{number}x") is None
    assert len(book._found) <= 4_096
    assert book.price("gpt-4o") is not None

"""
What models cost: USD per million tokens, and how much they take and give.

Copied on AS_OF from the price list that the litellm 1.106.2 package bundles, which is
kept from the providers' public price pages (SOURCES). It has the standard rates alone:
batch, flex and priority rates, surcharges for very long prompts and one-hour caches are
not in it. Whoever pays other rates says so under `prices:` in goodgate.yaml.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from gateway.values import Price

AS_OF: Final = "2026-11-23"
SOURCES: Final = (
    "https://platform.openai.com/docs/pricing",
    "https://platform.claude.com/docs/en/about-claude/pricing",
    "https://ai.google.dev/gemini-api/docs/pricing",
    "https://mistral.ai/pricing",
)

Row: TypeAlias = tuple[str, str, str | None, str | None, int | None, int | None]

# model: input, output, cache read, cache write, most input tokens, most output tokens
_ROWS: Final[Mapping[str, Row]] = {
    # The simulated provider: no money, but figures to try budgets with
    "sim-small": ("0.1", "0.4", "0.01", "0.125", 128_000, 16_384),
    "sim-large": ("2", "10", "0.2", "2.5", 1_000_000, 64_000),
    # OpenAI
    "babbage-002": ("0.4", "0.4", None, None, 16_384, 4_096),
    "davinci-002": ("2", "2", None, None, 16_384, 4_096),
    "gpt-3.5-turbo": ("0.5", "1.5", None, None, 16_385, 4_096),
    "gpt-3.5-turbo-1106": ("1", "2", None, None, 16_385, 4_096),
    "gpt-3.5-turbo-16k": ("3", "4", None, None, 16_385, 4_096),
    "gpt-3.5-turbo-instruct": ("1.5", "2", None, None, 8_192, 4_096),
    "gpt-3.5-turbo-instruct-0914": ("1.5", "2", None, None, 8_192, 4_097),
    "gpt-4": ("30", "60", None, None, 8_192, 4_096),
    "gpt-4-1106-preview": ("10", "30", None, None, 128_000, 4_096),
    "gpt-4-turbo": ("10", "30", None, None, 128_000, 4_096),
    "gpt-4.1": ("2", "8", "0.5", None, 1_047_576, 32_768),
    "gpt-4.1-mini": ("0.4", "1.6", "0.1", None, 1_047_576, 32_768),
    "gpt-4.1-nano": ("0.1", "0.4", "0.025", None, 1_047_576, 32_768),
    "gpt-4o": ("2.5", "10", "1.25", None, 128_000, 16_384),
    "gpt-4o-2024-05-13": ("5", "15", None, None, 128_000, 4_096),
    "gpt-4o-mini": ("0.15", "0.6", "0.075", None, 128_000, 16_384),
    "gpt-5": ("1.25", "10", "0.125", None, 272_000, 128_000),
    "gpt-5-chat": ("1.25", "10", "0.125", None, 128_000, 16_384),
    "gpt-5-codex": ("1.25", "10", "0.125", None, 272_000, 128_000),
    "gpt-5-mini": ("0.25", "2", "0.025", None, 272_000, 128_000),
    "gpt-5-nano": ("0.05", "0.4", "0.005", None, 272_000, 128_000),
    "gpt-5-pro": ("15", "120", None, None, 400_000, 272_000),
    "gpt-5.1": ("1.25", "10", "0.125", None, 272_000, 128_000),
    "gpt-5.1-chat-latest": ("1.25", "10", "0.125", None, 128_000, 16_384),
    "gpt-5.1-codex": ("1.25", "10", "0.125", None, 400_000, 128_000),
    "gpt-5.1-codex-max": ("1.25", "10", "0.125", None, 400_000, 128_000),
    "gpt-5.1-codex-mini": ("0.25", "2", "0.025", None, 400_000, 128_000),
    "gpt-5.2": ("1.75", "14", "0.175", None, 272_000, 128_000),
    "gpt-5.2-chat-latest": ("1.75", "14", "0.175", None, 128_000, 16_384),
    "gpt-5.2-codex": ("1.75", "14", "0.175", None, 272_000, 128_000),
    "gpt-5.2-pro": ("21", "168", None, None, 272_000, 128_000),
    "gpt-5.3-chat-latest": ("1.75", "14", "0.175", None, 128_000, 16_384),
    "gpt-5.3-codex": ("1.75", "14", "0.175", None, 272_000, 128_000),
    "gpt-5.4": ("2.5", "15", "0.25", None, 1_050_000, 128_000),
    "gpt-5.4-mini": ("0.75", "4.5", "0.075", None, 272_000, 128_000),
    "gpt-5.4-nano": ("0.2", "1.25", "0.02", None, 272_000, 128_000),
    "gpt-5.4-pro": ("30", "180", None, None, 1_050_000, 128_000),
    "gpt-5.5": ("5", "30", "0.5", None, 1_050_000, 128_000),
    "gpt-5.5-pro": ("30", "180", None, None, 1_050_000, 128_000),
    "gpt-5.6": ("4", "20", "0.4", "5", 922_000, 128_000),
    "gpt-5.6-luna": ("0.2", "1.2", "0.02", "0.25", 922_000, 128_000),
    "gpt-5.6-sol": ("4", "20", "0.4", "5", 922_000, 128_000),
    "gpt-5.6-terra": ("2", "12", "0.2", "2.5", 922_000, 128_000),
    "gpt-6-astra": ("10", "50", "1", "12.5", 922_000, 128_000),
    "gpt-6-luna": ("0.1", "0.5", "0.01", "0.125", 922_000, 128_000),
    "gpt-6-sol": ("2", "10", "0.2", "2.5", 922_000, 128_000),
    "gpt-6.1-sol": ("2", "10", "0.1", "2.5", 922_000, 128_000),
    "o1": ("15", "60", "7.5", None, 200_000, 100_000),
    "o1-pro": ("150", "600", None, None, 200_000, 100_000),
    "o3": ("2", "8", "0.5", None, 200_000, 100_000),
    "o3-mini": ("1.1", "4.4", "0.55", None, 200_000, 100_000),
    "o3-pro": ("20", "80", None, None, 200_000, 100_000),
    "o4-mini": ("1.1", "4.4", "0.275", None, 200_000, 100_000),
    "text-embedding-3-large": ("0.13", "0", None, None, 8_191, 0),
    "text-embedding-3-small": ("0.02", "0", None, None, 8_191, 0),
    "text-embedding-ada-002": ("0.1", "0", None, None, 8_191, 0),
    "text-embedding-ada-002-v2": ("0.1", "0", None, None, 8_191, 0),
    # Anthropic
    "claude-fable-5": ("10", "50", "1", "12.5", 1_000_000, 128_000),
    "claude-fable-5-1": ("10", "50", "0.25", "12.5", 1_000_000, 128_000),
    "claude-haiku-4-5": ("1", "5", "0.1", "1.25", 200_000, 64_000),
    "claude-haiku-5-5": ("0.1", "0.5", "0.01", "0.125", 1_000_000, 128_000),
    "claude-mythos-5": ("10", "50", "1", "12.5", 1_000_000, 128_000),
    "claude-mythos-5-1": ("10", "50", "0.25", "12.5", 1_000_000, 128_000),
    "claude-opus-4-5": ("5", "25", "0.5", "6.25", 200_000, 64_000),
    "claude-opus-4-6": ("5", "25", "0.5", "6.25", 1_000_000, 128_000),
    "claude-opus-4-7": ("5", "25", "0.5", "6.25", 1_000_000, 128_000),
    "claude-opus-4-8": ("5", "25", "0.5", "6.25", 1_000_000, 128_000),
    "claude-opus-5": ("5", "25", "0.5", "6.25", 1_000_000, 128_000),
    "claude-opus-5-5": ("4", "20", "0.2", "5", 1_000_000, 128_000),
    "claude-sonnet-4-5": ("3", "15", "0.3", "3.75", 200_000, 64_000),
    "claude-sonnet-4-6": ("3", "15", "0.3", "3.75", 1_000_000, 128_000),
    "claude-sonnet-5": ("2", "10", "0.2", "2.5", 1_000_000, 128_000),
    "claude-sonnet-5-5": ("2", "10", "0.1", "2.5", 1_000_000, 128_000),
    # Anthropic, retired since and so not in that list any more
    "claude-opus-4": ("15", "75", "1.5", "18.75", 200_000, 32_000),
    "claude-opus-4-0": ("15", "75", "1.5", "18.75", 200_000, 32_000),
    "claude-opus-4-1": ("15", "75", "1.5", "18.75", 200_000, 32_000),
    "claude-sonnet-4": ("3", "15", "0.3", "3.75", 200_000, 64_000),
    "claude-sonnet-4-0": ("3", "15", "0.3", "3.75", 200_000, 64_000),
    # Google
    "gemini-2.5-flash": ("0.3", "2.5", "0.03", None, 1_048_576, 65_536),
    "gemini-2.5-flash-lite": ("0.1", "0.4", "0.01", None, 1_048_576, 65_536),
    "gemini-2.5-pro": ("1.25", "10", "0.125", None, 1_048_576, 65_536),
    "gemini-3-flash-preview": ("0.5", "3", "0.05", None, 1_048_576, 65_536),
    "gemini-3.1-flash-lite": ("0.25", "1.5", "0.025", None, 1_048_576, 65_536),
    "gemini-3.1-flash-lite-preview": ("0.25", "1.5", "0.025", None, 1_048_576, 65_536),
    "gemini-3.1-pro-preview": ("2", "12", "0.2", None, 1_048_576, 65_536),
    "gemini-3.5-flash": ("1.5", "9", "0.15", None, 1_048_576, 65_536),
    "gemini-3.5-flash-lite": ("0.3", "2.5", "0.03", None, 1_048_576, 65_536),
    "gemini-3.6-flash": ("0.75", "3.75", "0.075", None, 1_048_576, 65_536),
    "gemini-3.7-flash": ("0.75", "3.75", "0.075", None, 1_048_576, 65_536),
    "gemini-3.8-flash": ("0.75", "3.75", "0.075", None, 1_048_576, 65_536),
    "gemini-4-argon": ("2", "10", "0.1", None, 1_048_576, 1_048_576),
    "gemini-embedding-001": ("0.15", "0", None, None, 2_048, 0),
    "gemini-embedding-2": ("0.2", "0", None, None, 8_192, 0),
    "gemini-embedding-2-preview": ("0.2", "0", None, None, 8_192, 0),
    "gemini-flash-latest": ("0.75", "3.75", "0.075", None, 1_048_576, 65_536),
    "gemini-flash-lite-latest": ("0.3", "2.5", "0.03", None, 1_048_576, 65_536),
    "gemini-pro-latest": ("2", "12", "0.2", None, 1_048_576, 65_536),
    # Mistral
    "codestral-2508": ("0.3", "0.9", "0.03", None, 128_000, 128_000),
    "codestral-embed": ("0.15", "0", "0.015", None, 8_192, 0),
    "codestral-latest": ("0.3", "0.9", "0.03", None, 128_000, 128_000),
    "codestral-mamba-latest": ("0.25", "0.25", "0.025", None, 256_000, 256_000),
    "devstral-latest": ("0.4", "2", "0.04", None, 256_000, 256_000),
    "devstral-medium-latest": ("0.4", "2", "0.04", None, 256_000, 256_000),
    "devstral-small-latest": ("0.1", "0.3", "0.01", None, 256_000, 256_000),
    "magistral-medium-latest": ("1.5", "7.5", "0.15", None, 262_144, 262_144),
    "magistral-small-latest": ("0.15", "0.6", "0.015", None, 262_144, 262_144),
    "ministral-14b-2512": ("0.2", "0.2", "0.02", None, 262_144, 262_144),
    "ministral-14b-latest": ("0.2", "0.2", "0.02", None, 262_144, 262_144),
    "ministral-3-14b-2512": ("0.2", "0.2", "0.02", None, 262_144, 262_144),
    "ministral-3-3b-2512": ("0.1", "0.1", "0.01", None, 131_072, 131_072),
    "ministral-3-8b-2512": ("0.15", "0.15", "0.015", None, 262_144, 262_144),
    "ministral-3b-2512": ("0.1", "0.1", "0.01", None, 131_072, 131_072),
    "ministral-3b-latest": ("0.1", "0.1", "0.01", None, 131_072, 131_072),
    "ministral-8b-2512": ("0.15", "0.15", "0.015", None, 262_144, 262_144),
    "ministral-8b-latest": ("0.15", "0.15", "0.015", None, 262_144, 262_144),
    "mistral-embed": ("0.1", "0", None, None, 8_192, 0),
    "mistral-large-2512": ("0.5", "1.5", "0.05", None, 262_144, 262_144),
    "mistral-large-3": ("0.5", "1.5", "0.05", None, 262_144, 262_144),
    "mistral-large-4": ("0.68", "2.09", "0.068", None, 1_048_576, None),
    "mistral-large-4-0": ("0.68", "2.09", "0.068", None, 1_048_576, None),
    "mistral-large-latest": ("0.5", "1.5", "0.05", None, 262_144, 262_144),
    "mistral-medium": ("1.5", "7.5", "0.15", None, 262_144, 262_144),
    "mistral-medium-3": ("1.5", "7.5", "0.15", None, 262_144, 262_144),
    "mistral-medium-3-5": ("1.5", "7.5", "0.15", None, 262_144, 262_144),
    "mistral-medium-3.5": ("1.5", "7.5", "0.15", None, 262_144, 262_144),
    "mistral-small": ("0.1", "0.3", "0.01", None, 32_000, 8_191),
    "mistral-small-2603": ("0.15", "0.6", "0.015", None, 262_144, 262_144),
    "mistral-small-latest": ("0.15", "0.6", "0.015", None, 262_144, 262_144),
    "mistral-tiny": ("0.25", "0.25", "0.025", None, 32_000, 8_191),
    "open-mistral-nemo": ("0.3", "0.3", "0.03", None, 128_000, 128_000),
    "pixtral-large-latest": ("2", "6", "0.2", None, 128_000, 128_000),
}


def _price(row: Row) -> Price:
    spent, made, read, written, input_max, output_max = row
    return Price(
        input=Decimal(spent),
        output=Decimal(made),
        cache_read=None if read is None else Decimal(read),
        cache_write=None if written is None else Decimal(written),
        input_tokens_max=input_max,
        output_tokens_max=output_max,
    )


PRICES: Final[Mapping[str, Price]] = {name: _price(row) for name, row in _ROWS.items()}
"""By the provider's name of the model, without dates and without a `provider/` prefix."""

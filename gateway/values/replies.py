"""Who answers, with what, and what it costs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

UsageBasis: TypeAlias = Literal["reported", "estimated"]


class Usage(Struct, frozen=True, kw_only=True):
    """
    Tokens used, named and normalised as OpenTelemetry's GenAI conventions do.

    `input_tokens` includes what was read from and written to a provider's cache,
    and `output_tokens` includes reasoning; the last three are parts of the first two.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    basis: UsageBasis = "reported"


class Target(Struct, frozen=True, kw_only=True):
    """Who will answer a call, and under which name."""

    provider: str
    model: str
    """The provider's name for the model: what `model` is replaced with when it differs."""
    format: str
    """`openai`, `anthropic`, `simulated` or `litellm`."""
    output_tokens_max: int | None = None
    """The most tokens a rule lets an answer have; None: as the caller asked."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers a rule adds to the request, sorted by name; names in lower case."""
    limit_field: str = ""
    """The one field that bounds a chat answer there; empty: whichever the caller uses."""


class Reply(Struct, frozen=True, kw_only=True):
    """What a provider answers: its head now, its body as it arrives."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    """Already through the allow-list; names in lower case."""
    chunks: AsyncIterator[bytes]
    """The body, untouched. Ends early by raising `errors.ProviderCut`."""
    close: Callable[[], Awaitable[None]]
    """Give the connection up at once (needed only when `chunks` was not read to its end)."""
    stream: bool
    """Whether the body is a stream of server-sent events."""
    resumable: bool = False
    """Whether `chunks` can be read on by another job when the job that read it was cancelled."""


class Figures(Struct, frozen=True, kw_only=True):
    """What reading a reply told, whole or cut short."""

    usage: Usage | None = None
    """As the provider reported it, normalised; None when it sent none."""
    text_bytes: int = 0
    """UTF-8 bytes of generated content (text, reasoning, tool arguments) that went by."""
    text_events: int = 0
    """Stream events that carried generated content."""
    ended: bool = False
    """Whether the reply came to its proper end (terminal event, or the whole body)."""
    failed: bool = False
    """Whether the reply is an error: an error status, or an error event in a stream."""


class Price(Struct, frozen=True, kw_only=True):
    """USD per million tokens of one model, and its limits."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    """None: as input."""
    cache_write: Decimal | None = None
    """None: as input."""
    input_tokens_max: int | None = None
    output_tokens_max: int | None = None


class Reserve(Struct, frozen=True, kw_only=True):
    """The most a call can come to: what quotas reserve and orphans settle at."""

    input_tokens: int
    output_tokens: int
    cost_usd: Decimal

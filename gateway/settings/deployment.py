"""What goodgate.yaml comes to: providers, and who serves which model. Plain values."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from gateway.settings.trackers import Tracker
from gateway.tasks import Directory
from gateway.values import Price

Format: TypeAlias = Literal["openai", "anthropic", "simulated", "litellm"]


class Provider(Struct, frozen=True, kw_only=True):
    """One server that answers calls."""

    name: str
    format: Format
    base_url: str = ""
    """Without its last slash."""
    api_key: str = ""
    """Resolved from `${VARIABLE}` or `file:PATH` at load; never shown, see `__repr__`."""
    headers: Mapping[str, str] = {}
    """Sent with every call, over what the caller sent; names in lower case."""
    connect_s: float = 10.0
    first_byte_s: float = 600.0
    idle_s: float = 300.0
    """The longest silence between two chunks of a reply."""
    options: Mapping[str, Any] = {}
    """What only one format knows: `simulated` takes latency_ms, chunk_ms, error_rate, …"""

    def __repr__(self) -> str:
        """Show everything but the key and the headers, which may hold one."""
        return f"Provider(name={self.name!r}, format={self.format!r}, base_url={self.base_url!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show the same when rich prints it (in a traceback, say)."""
        return [("name", self.name), ("format", self.format), ("base_url", self.base_url)]


class ModelEntry(Struct, frozen=True, kw_only=True):
    """What callers ask for -> who serves it, and under which name."""

    provider: str
    model: str = ""
    """The provider's name; empty when it is the same."""


class Deployment(Struct, frozen=True, kw_only=True):
    """All of goodgate.yaml, checked."""

    providers: Mapping[str, Provider]
    models: Mapping[str, ModelEntry]
    """Exact names, and optionally `*`."""
    prices: Mapping[str, Price] = {}
    source: str = ""
    """The file it came from, for messages."""
    pepper: str = ""
    """What keys the digests of credentials, if the file says; never shown."""
    trackers: Mapping[str, Tracker] = {}
    people: Directory = Directory({})
    """Who is who at the trackers."""
    warnings: tuple[str, ...] = ()
    """What should be mended, although it works."""

    def __repr__(self) -> str:
        """Show what it is made of, and no secret."""
        return f"Deployment(providers={list(self.providers)!r}, models={list(self.models)!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show the same when rich prints it."""
        return [("providers", list(self.providers)), ("models", list(self.models))]

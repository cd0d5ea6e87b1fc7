"""
Which headers travel, in both directions.

Towards a provider: what the caller sent, but for what belongs to one connection, what
identifies the caller to the gateway, and what speaks to this or another gateway; then what
goodgate.yaml and a rule add (where both name one, the rule has its way), and the provider's
own credential, which nothing replaces. Towards the caller: an allow-list, because a provider's
headers may name keys, cookies and machines (RFC 9110 section 7.6.1 for hop-by-hop).
"""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from msgspec import Struct

import gateway
from gateway import settings
from gateway.errors import ConfigError

_ONE_CONNECTION = (
    b"connection",
    b"content-length",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
)
_OF_THE_CALLER = (
    b"api-key",
    b"authorization",
    b"cookie",
    b"cookie2",
    b"proxy-authorization",
    b"x-api-key",
    b"x-goog-api-key",
)
_OF_THE_WAY = (
    b"cdn-loop",
    b"forwarded",
    b"true-client-ip",
    b"via",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-original-url",
    b"x-real-ip",
    b"x-rewrite-url",
)
_GATEWAYS = (
    b"cf-",
    b"helicone-",
    b"x-forwarded-",
    b"x-glama-",
    b"x-goodgate-",
    b"x-litellm-",
    b"x-llmgateway-",
    b"x-portkey-",
    b"x-task-",
    b"x-tfy-",
)
_OF_THE_BODY = b"content-"
_NEVER_ADDED = frozenset((*_ONE_CONNECTION, *_OF_THE_CALLER, b"accept-encoding"))
_TASK_IN_BAGGAGE = (b"task.id", b"task_id", b"goodgate.")

_REPLY_NAMES = (
    b"anthropic-organization-id",
    b"content-encoding",
    b"content-type",
    b"openai-processing-ms",
    b"openai-version",
    b"request-id",
    b"retry-after",
    b"retry-after-ms",
    b"x-should-retry",
)
_REPLY_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_PROVIDER_REQUEST_ID = b"x-goodgate-provider-request-id"

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN_CONNECTION = {None, b"keep-alive", b"close", b"Keep-Alive"}
_NAMES_REMEMBERED_MAX = 1_000
_ADDED_REMEMBERED_MAX = 256

Added: TypeAlias = tuple[tuple[str, str], ...]
"""Headers a rule adds: names in lower case, and values."""


class _Own(Struct, frozen=True, kw_only=True):
    """What the gateway sends itself."""

    lines: bytes
    names: frozenset[bytes]
    """Of headers a rule added: a caller's own are left out."""
    defaults: tuple[tuple[bytes, bytes], ...]
    """Lines for names that stand nowhere else."""


class Outward:
    """The headers a provider gets; most of the work is done once per name, not per call."""

    def __init__(self, provider: settings.Provider) -> None:
        self._provider = provider.name
        self._credential = _credential(provider)
        self._headers = {"accept-encoding": "identity", **self._credential, **provider.headers}
        self._names = _Names({name.encode(): None for name in self._headers} | {b"baggage": None})
        self._added: dict[Added, _Own] = {}
        self._own = self._with(())

    def of(self, headers: Mapping[bytes, bytes], added: Added = ()) -> bytes:
        """Return the header lines to send for a call that arrived with these."""
        own = self._own
        if added:
            own = self._added.get(added) or self._with(added)
            headers = {name: value for name, value in headers.items() if name not in own.names}
        if headers.get(b"connection") not in _PLAIN_CONNECTION:
            headers = _without_named(headers)
        names = self._names
        found = [
            prefix + value for raw, value in headers.items() if (prefix := names[raw]) is not None
        ]
        # One look at all of them: hardly ever is there anything to find.
        if not (all_of_them := b"".join(found)).isascii() or not all_of_them.decode().isprintable():
            found = [line for unusual in found for line in _usual(unusual)]
        found.append(b"")
        block = b"\r\n".join(found)
        for raw, default in own.defaults:
            if raw not in headers:
                block += default
        if b"baggage" in headers and (kept := _baggage(headers[b"baggage"])):
            block += b"baggage: " + kept + b"\r\n"
        return block + own.lines

    def _with(self, added: Added) -> _Own:
        """Return what is sent beside the caller's own, with what a rule adds among it."""
        ours = {
            name: value for name, value in addable(added).items() if name not in self._credential
        }
        headers = self._headers | ours
        own = _Own(
            lines=b"".join(_own_line(self._provider, *pair) for pair in headers.items()),
            names=frozenset(name.encode() for name in ours),
            defaults=tuple(
                (name.encode(), f"{name}: {value}\r\n".encode())
                for name, value in _DEFAULTS.items()
                if name not in headers
            ),
        )
        if len(self._added) >= _ADDED_REMEMBERED_MAX:
            self._added.clear()
        self._added[added] = own
        return own


def addable(added: Added) -> dict[str, str]:
    """
    Return what of a rule's headers can be added to any request.

    Policies refuse the others when they are loaded. Here they are left out all the same: a
    rule must never be able to say who is calling, where a request goes or where it ends.
    """
    return {
        name: value
        for name, value in added
        if (raw := name.encode()) not in _NEVER_ADDED
        and not raw.startswith(_OF_THE_BODY)
        and _NAME.fullmatch(raw)
        and value.isascii()
        and value.isprintable()
    }


class Inward:
    """The headers of a reply that its caller gets."""

    def __init__(self) -> None:
        self._names = _ReplyNames()

    def of(self, raw_headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
        """Return those on the allow-list, the provider's request id under a name of its own."""
        names = self._names
        found = [
            (name, value)
            for raw, value in raw_headers
            if (name := names[raw]) is not None and _CONTROL_BYTE.search(value) is None
        ]
        for name, value in found:
            if name == b"request-id":
                found = [pair for pair in found if pair[0] != _PROVIDER_REQUEST_ID]
                found.append((_PROVIDER_REQUEST_ID, value))
                break
        return tuple(found)


class _Names(dict[bytes, bytes | None]):
    """A caller's header name -> how its line begins; None for what stays here."""

    def __missing__(self, raw: bytes) -> bytes | None:
        prefix = None if _stays(raw) else raw + b": "
        if len(self) < _NAMES_REMEMBERED_MAX:  # callers choose names: never without a bound
            self[raw] = prefix
        return prefix


class _ReplyNames(dict[bytes, bytes | None]):
    """A provider's header name, in any case -> the name to answer with; None for the rest."""

    def __missing__(self, raw: bytes) -> bytes | None:
        name = raw.lower()
        answered: bytes | None = None
        if name == b"x-request-id":
            answered = _PROVIDER_REQUEST_ID
        elif (name in _REPLY_NAMES or name.startswith(_REPLY_PREFIXES)) and b"api-key" not in name:
            answered = name
        if len(self) < _NAMES_REMEMBERED_MAX:
            self[raw] = answered
        return answered


def _stays(name: bytes) -> bool:
    return (
        name in _ONE_CONNECTION
        or name in _OF_THE_CALLER
        or name in _OF_THE_WAY
        or name.startswith(_GATEWAYS)
        or _NAME.fullmatch(name) is None
    )


def _usual(line: bytes) -> list[bytes]:
    """Return the lines of a header that was sent twice, without those no header may carry."""
    prefix, colon, value = line.partition(b": ")
    return [prefix + colon + each for each in _values(value)]


def _values(value: bytes) -> list[bytes]:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return []
    return [each for each in value.split(b"\n") if _CONTROL_BYTE.search(each) is None]


def _baggage(value: bytes) -> bytes:
    """Return W3C baggage without the members that name a task."""
    texts = _values(value.replace(b"\n", b","))
    members = [member.strip() for text in texts for member in text.split(b",")]
    kept = (member for member in members if not member.lower().startswith(_TASK_IN_BAGGAGE))
    return b",".join(member for member in kept if member)


def _without_named(headers: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the headers that `connection` does not name (RFC 9110 section 7.6.1)."""
    named = {token.strip() for token in headers[b"connection"].lower().split(b",")}
    return {name: value for name, value in headers.items() if name not in named}


def _own_line(provider: str, name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name.encode()) or not (value.isascii() and value.isprintable()):
        raise ConfigError(
            f"The provider {provider!r} has an API key or a header that no request can carry; "
            "write it in printable ASCII"
        )
    return f"{name}: {value}\r\n".encode()


def _credential(provider: settings.Provider) -> dict[str, str]:
    """Return the header that carries the provider's key, in the provider's own style."""
    if not provider.api_key:
        return {}
    usual = "x-api-key" if provider.format == "anthropic" else "bearer"
    style = provider.options.get("auth", usual)
    if style == "bearer":
        return {"authorization": f"Bearer {provider.api_key}"}
    return {style: provider.api_key}


_DEFAULTS = {
    "accept": "*/*",
    "content-type": "application/json",
    "user-agent": f"goodgate/{gateway.__version__}",
}

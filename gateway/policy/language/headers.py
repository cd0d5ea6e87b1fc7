"""
Which headers a rule may add to what a provider is sent, and to a reply.

Not those that belong to a connection or describe a body (RFC 9110), that carry a
credential, that tell whose call it is, or that the gateway says itself: a rule that sets
one of them would break a call, or let one header mean two things.
"""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

HEADERS_MAX = 20
NAME = "[!#$%&'*+.^_`|~0-9a-z-]{1,64}"
"""RFC 9110 section 5.6.2 (a token), in lower case."""


class Reserved(Struct, frozen=True, kw_only=True):
    """Headers that no rule may set, for one reason."""

    why: str
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Return whether a header is one of them."""
        return name in self.names or name.startswith(self.prefixes)


_BOTH = (
    Reserved(
        why="it belongs to one connection, not to a message",
        names=(
            *("connection", "expect", "host", "http2-settings", "keep-alive", "proxy-connection"),
            *("te", "trailer", "transfer-encoding", "upgrade"),
        ),
    ),
    Reserved(
        why="it describes the body, which is not the rule's to change",
        names=("accept-encoding", "digest", "repr-digest"),
        prefixes=("content-",),
    ),
    Reserved(
        why="it carries a credential: a provider's stands in goodgate.yaml, nobody's in a policy",
        names=(
            *("api-key", "authorization", "cookie", "cookie2", "set-cookie", "set-cookie2"),
            *("proxy-authenticate", "proxy-authorization", "www-authenticate"),
            *("x-api-key", "x-goog-api-key"),
        ),
    ),
    Reserved(
        why="the gateway sets it itself",
        names=("date", "retry-after", "retry-after-ms", "server", "x-request-id", "x-should-retry"),
        prefixes=("ratelimit", "x-goodgate-", "x-ratelimit"),
    ),
    Reserved(
        why="it names a task or a caller, and the gateway keeps those to itself",
        names=(
            *("baggage", "cdn-loop", "forwarded", "true-client-ip", "via", "x-client-ip"),
            *("x-cluster-client-ip", "x-original-url", "x-real-ip", "x-rewrite-url"),
        ),
        prefixes=(
            *("cf-", "helicone-", "x-forwarded-", "x-glama-", "x-litellm-", "x-llmgateway-"),
            *("x-portkey-", "x-task-", "x-tfy-"),
        ),
    ),
)
PROVIDER = _BOTH
"""What `provider_headers` may not set."""
REPLY = (
    *_BOTH,
    Reserved(
        why="it is the provider's to say",
        names=("request-id",),
        prefixes=("anthropic-", "openai-"),
    ),
    Reserved(
        why="a proxy or a client would act on it: it says where to go, or what to send instead",
        names=(
            *("alt-svc", "clear-site-data", "link", "location", "refresh", "x-reproxy-url"),
            *("strict-transport-security", "x-lighttpd-send-file", "x-sendfile", "x-sendfile2"),
        ),
        prefixes=("access-control-", "x-accel-"),
    ),
)
"""What `reply_headers` may not set."""


def why_not(name: str, reserved: Sequence[Reserved]) -> str:
    """Return why a rule may not set a header; empty when it may."""
    if re.fullmatch(NAME, name):
        return next((each.why for each in reserved if each.has(name)), "")
    if re.fullmatch(NAME, name.lower()):
        return f"names are in lower case: write {name.lower()!r}"
    return "a name is 1 to 64 of a-z, 0-9 and !#$%&'*+-.^_`|~"


def pattern(reserved: Sequence[Reserved]) -> str:
    """Return the pattern of the names a rule may set."""
    return f"(?!(?:{'|'.join(_kept(reserved))})$){NAME}"


def _kept(reserved: Sequence[Reserved]) -> Iterator[str]:
    for each in reserved:
        yield from each.names
        yield from (f"{prefix}.*" for prefix in each.prefixes)

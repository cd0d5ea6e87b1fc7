"""
All of a call that its provider will see, in one string of bytes.

Two calls may share a reply only where these are equal. One rule for every format: what a
native provider would get (path, query, the header lines that travel, the body), under the
settings of the provider, so that one that was pointed elsewhere at a reload answers no
more for the one it was. The body is the caller's, from which the outgoing one is made: one
that asked for a usage chunk gets a reply one that did not must not see. What rules make of
it (a ceiling, headers) stands beside it. Only where the body
names a task the outgoing one stands for it, for there the task is cut. Whatever differs
without need (another alias of a model) costs a share and nothing else.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from gateway import settings, wire
from gateway.upstream.headers import Outward
from gateway.values import Call, Target

RETRY_COUNT: Final = b"x-stainless-retry-count"
"""How often an SDK has tried: the one header in which a call and its retry may differ."""


class Fingerprints:
    """One deployment's way of telling calls apart."""

    def __init__(self, providers: Mapping[str, settings.Provider]) -> None:
        # A digest: settings hold credentials, and nothing that leaves here may.
        self._settings = {
            name: sha256(repr(msgspec.structs.asdict(provider)).encode()).digest()
            for name, provider in providers.items()
        }
        self._outward = Outward(settings.Provider(name="", format="simulated"))

    def of(self, call: Call, target: Target) -> bytes:
        """Return the fingerprint of a call: equal only when all of it is."""
        inbound = call.inbound
        headers = inbound.headers
        if RETRY_COUNT in headers:
            headers = {name: value for name, value in headers.items() if name != RETRY_COUNT}
        made = b"asks" if call.include_usage else b""
        if target.output_tokens_max is not None or target.headers:
            made += msgspec.json.encode((target.output_tokens_max, target.headers))
        pieces = (
            self._settings[target.provider],
            made,
            target.model.encode(),
            inbound.route.path.encode(),
            inbound.query,
            self._outward.of(headers),
            wire.outgoing_body(call, target) if call.body_task else inbound.body,
        )
        lengths = b"%d,%d,%d,%d,%d,%d,%d;" % tuple(map(len, pieces))
        return lengths + b"".join(pieces)

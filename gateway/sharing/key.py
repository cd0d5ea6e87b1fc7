"""
Which calls may share a reply: those with the same key.

The rule it keeps: two calls that differ in anything their provider sees, in the policy they
are under, or in whom the policy lets them share with, never have the same key. The task is
not part of it; the tenant and the scope always are.
"""

import hashlib
from typing import Final, Literal, TypeAlias

from gateway.values import Call, Principal

Mode: TypeAlias = Literal["off", "coalesce", "coalesce_sampled", "store"]
Scope: TypeAlias = Literal["principal", "team", "tenant"]

# Personalisation (RFC 7693 section 2.5): no digest made for one purpose serves the other.
_SHARE: Final = b"goodgate share"
_CANONICAL: Final = b"goodgate canon"


def eligible(mode: Mode, call: Call) -> bool:
    """Return whether a call may share at all: cheap, and so to be asked before anything else."""
    if mode == "off" or call.stateful or not call.inbound.route.metered:
        return False
    if call.variety and mode != "coalesce_sampled":
        return False
    wishes = call.inbound.headers.get(b"cache-control")
    return wishes is None or not _asks_for_no_store(wishes)


def key(
    secret: bytes,
    *,
    scope: Scope,
    principal: Principal,
    fingerprint: bytes,
    policy: str,
    provider: str,
    model: str,
) -> bytes:
    """
    Return 32 bytes that two calls have in common only if they may share a reply.

    `secret` is at most 64 bytes. `policy` is the policies' digest, `fingerprint` what
    `ports.Upstream.fingerprint` says of the call; ask only for a call that is `eligible`.
    """
    kind, whom = _sharers(scope, principal)
    digest = hashlib.blake2b(digest_size=32, key=secret, person=_SHARE)
    for part in (principal.tenant, kind, whom, policy, provider, model):
        # Each with its length, so that no two lists of parts are one string of bytes.
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(encoded), encoded))
    digest.update(fingerprint)
    return digest.digest()


def canonical(secret: bytes, fingerprint: bytes) -> bytes:
    """Return 16 bytes that stand for all a retry repeats (`Sighting.canonical`)."""
    return hashlib.blake2b(fingerprint, digest_size=16, key=secret, person=_CANONICAL).digest()


def _sharers(scope: Scope, principal: Principal) -> tuple[str, str]:
    if scope == "tenant":
        return "tenant", ""
    if scope == "team" and principal.team:
        return "team", principal.team
    # Those who are in no team have nothing in common.
    return "principal", principal.id


def _asks_for_no_store(wishes: bytes) -> bool:
    """Return whether a Cache-Control holds `no-store` (RFC 9111 section 5.2.1.5), in any case."""
    for wish in wishes.lower().replace(b"\n", b",").split(b","):
        if wish.partition(b"=")[0].strip() == b"no-store":
            return True
    return False

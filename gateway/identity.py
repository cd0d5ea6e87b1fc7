"""
Who is calling.

A credential is `gg_<id>_<secret>`; the id finds the key, the secret proves it, and a
signed task credential may follow after a `~`. What is kept of a credential is only its
HMAC-SHA-256 under the deployment's pepper: a fast keyed hash is right for a secret of
200 random bits. Whatever is wrong with a credential (unknown, revoked, expired, a wrong
secret), the answer is the same and takes as long.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache

from msgspec import Struct

from gateway.errors import ConfigError, UnknownCredential
from gateway.values import Call, Decision, Key, Principal, Refusal, Role

_HEADERS = (b"authorization", b"x-api-key", b"x-goog-api-key")
_CREDENTIAL = re.compile(rb"(gg_([a-z2-7]{12})_[A-Za-z0-9]{32,128})(?:~([!-~]{1,1024}))?")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,128}")

_REMEDY = (
    "send a Goodgate key as `Authorization: Bearer gg_…` (or in x-api-key or x-goog-api-key);"
    " an admin makes one with `goodgate keys create`"
)
_SEND_ONE = (
    "the request carries more than one credential: send one,"
    " in Authorization, x-api-key or x-goog-api-key"
)
_NO_MATCH = (
    "no live key matches the credential presented: check that it is complete,"
    " or have an admin make a new one with `goodgate keys create`"
)

_BLOCK = 64
"""Bytes SHA-256 takes at once."""

_NO_DIGEST = bytes(32)
"""Compared with when there is no key, so that an unknown id takes as long as a known one."""

_PERMISSIONS: Mapping[str, frozenset[Role]] = {
    "call": frozenset(("developer", "admin", "auditor")),
    "tasks": frozenset(("developer", "admin", "auditor")),
    "keys": frozenset(("admin",)),
    "catalogue": frozenset(("admin",)),
    "reload": frozenset(("admin",)),
    "audit": frozenset(("admin", "auditor")),
    "reveal": frozenset(("auditor",)),
    "erase": frozenset(("auditor",)),
    "retire": frozenset(("admin",)),
}


class Presented(Struct, frozen=True, kw_only=True):
    """A credential as a request carries it: well-formed, not yet believed."""

    key_id: str
    credential: bytes
    """Without the task credential behind the `~`."""
    task_credential: str
    """What followed the `~`; empty when nothing did."""

    def __repr__(self) -> str:
        """Show the id and nothing else."""
        return f"Presented(key_id={self.key_id!r})"


def present(headers: Mapping[bytes, bytes]) -> Presented:
    """
    Return the one credential a request carries.

    Raises:
        UnknownCredential: it carries none, several that differ, or something else.

    """
    shown = b""
    for name in _HEADERS:
        value = headers.get(name)
        if not value:
            continue
        if b"\n" in value:
            raise UnknownCredential(_SEND_ONE)
        if name == b"authorization":
            value = _without_scheme(value)
        if shown and value and value != shown:
            raise UnknownCredential(_SEND_ONE)
        shown = value or shown
    match = _CREDENTIAL.fullmatch(shown)
    if match is None:
        raise UnknownCredential(_REMEDY)
    credential, key_id, suffix = match.groups(b"")
    return Presented(key_id=key_id.decode(), credential=credential, task_credential=suffix.decode())


def _without_scheme(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else value


def authenticate(presented: Presented, key: Key | None, *, pepper: bytes, now: float) -> Principal:
    """
    Return the principal whose live key was presented; `key` is what is filed under its id.

    Raises:
        UnknownCredential: there is no such key, it is not this one, or it lives no more.

    """
    same = hmac.compare_digest(
        digest(presented.credential, pepper=pepper), _NO_DIGEST if key is None else key.digest
    )
    if (
        key is None
        or not same
        or key.revoked_at is not None
        or (key.expires_at is not None and key.expires_at <= now)
    ):
        raise UnknownCredential(_NO_MATCH)
    return key.principal


def digest(credential: bytes, *, pepper: bytes) -> bytes:
    """
    Return the 32 bytes a credential is filed by: its HMAC-SHA-256 under the pepper.

    RFC 2104 from two states kept per pepper: half the time of `hmac.digest`, on every call.
    """
    return _hmac(pepper).digest(credential)


class _Hmac:
    def __init__(self, pepper: bytes) -> None:
        key = pepper if len(pepper) <= _BLOCK else hashlib.sha256(pepper).digest()
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, credential: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(credential)
        outer.update(inner.digest())
        return outer.digest()


_hmac = lru_cache(maxsize=4)(_Hmac)


def mint(
    *,
    pepper: bytes,
    principal_id: str,
    team: str,
    role: Role,
    models: Iterable[str],
    now: float,
    expires_at: float | None = None,
) -> tuple[str, Key]:
    """
    Return a new credential, to be shown once, and the key to file.

    Raises:
        ConfigError: the principal or the team is no name, or the key would be born dead.

    """
    for what, name in (("principal", principal_id), ("team", team)):
        if not _NAME.fullmatch(name):
            raise ConfigError(f"a {what} is 1 to 128 characters without spaces: name one")
    if expires_at is not None and expires_at <= now:
        raise ConfigError("the key would have expired already: give a later time")
    key_id = _random_text(10)[:12]
    credential = f"gg_{key_id}_{_random_text(25)}"
    key = Key(
        id=key_id,
        digest=digest(credential.encode(), pepper=pepper),
        principal=Principal(
            id=principal_id, team=team, key_id=key_id, role=role, models=frozenset(models)
        ),
        created_at=now,
        expires_at=expires_at,
    )
    return credential, key


def _random_text(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode().lower()


def may(role: Role, permission: str) -> bool:
    """Return whether a role has a permission; nobody has one that is not in the table."""
    return role in _PERMISSIONS.get(permission, ())


def within_the_key(decision: Decision, call: Call, principal: Principal) -> Decision:
    """Return the decision, or a refusal when the key may not use the model."""
    if not principal.models or call.model in principal.models or decision.effect == "forbid":
        return decision
    refusal = Refusal(
        code="model_not_allowed",
        message=f"This key may use {', '.join(sorted(principal.models))}, and not the model asked "
        "for. Choose one of them, or ask an admin for a key with more models.",
    )
    return Decision(effect="forbid", refusal=refusal, policy=decision.policy)

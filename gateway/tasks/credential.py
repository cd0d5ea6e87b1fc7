"""
Task credentials: a task named in a way nobody can forge.

`gt1.<payload>.<signature>`, both in base64url without padding; the payload is JSON in
canonical form (RFC 8785), the signature Ed25519 (RFC 8032) over the payload's bytes. It
is bound to one key, one task and a time, so it is worth nothing beside another key.
"""

import base64
import binascii

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.tasks.identifier import EXAMPLE, canonical

PREFIX = "gt1."
TEXT_LENGTH_MAX = 1024
SEED_SIZE = 32
KEPT_MAX = 4096

_REFUSED = (
    "the task credential is expired, damaged or was issued to another key:"
    " get a new one with `goodgate task token TASK`"
)


class _Payload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed; the fields stand in the order of their names."""

    expires_at: int
    key_id: str
    task_id: str


_decoder = msgspec.json.Decoder(_Payload)


class TaskCredentials:
    """Issues and verifies task credentials under one deployment's seed of 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == SEED_SIZE, "an Ed25519 seed has 32 bytes"
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key()
        # A signature takes 100 µs to verify, so those that held are remembered.
        self._verified: dict[str, _Payload] = {}

    def issue(self, *, key_id: str, task_id: str, expires_at: float) -> str:
        """
        Return a credential for one key and one task, until a time in Unix seconds.

        Raises:
            InvalidRequest: the task's name can be no id.

        """
        task = canonical(task_id)
        if not task:
            raise InvalidRequest(f"this names no task: {EXAMPLE}")
        payload = msgspec.json.encode(
            _Payload(expires_at=int(expires_at), key_id=key_id, task_id=task)
        )
        return f"{PREFIX}{_to_text(payload)}.{_to_text(self._private.sign(payload))}"

    def verify(self, text: str, *, key_id: str, now: float) -> str:
        """
        Return the canonical id of the task a credential names for this key.

        Raises:
            InvalidRequest: it is not ours, damaged, another key's, or expired.

        """
        payload = self._verified.get(text)
        if payload is None:
            payload = self._open(text)
            if len(self._verified) >= KEPT_MAX:
                del self._verified[next(iter(self._verified))]
            self._verified[text] = payload
        if payload.key_id != key_id or payload.expires_at <= now:
            raise InvalidRequest(_REFUSED)
        return payload.task_id

    def _open(self, text: str) -> _Payload:
        if len(text) > TEXT_LENGTH_MAX or not text.startswith(PREFIX):
            raise InvalidRequest(_REFUSED)
        payload, _, signature = text[len(PREFIX) :].partition(".")
        try:
            signed = _from_text(payload)
            self._public.verify(_from_text(signature), signed)
            return _decoder.decode(signed)
        except (ValueError, binascii.Error, InvalidSignature, msgspec.DecodeError):
            raise InvalidRequest(_REFUSED) from None


def _to_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    # Strict alphabet: a credential has one spelling, and so one place in the cache.
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)

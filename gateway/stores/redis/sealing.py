"""
What replicas tell one another: sealed, because no reply may lie in the store in clear.

Each flow (one replica following one reply) has keys of its own, derived from the deployment's,
one for each direction: however many messages there are, few share a key (NIST SP 800-38D
section 8.3 allows 2³² random nonces to one). What a message is for, its place in the flow, the
channel and the share are authenticated with it, so that none fits anywhere else.
"""

import hashlib
import hmac
import os
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FLOW_BYTES: Final = 16
_SEQUENCE_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = 1 + FLOW_BYTES + _SEQUENCE_BYTES
_TAG_BYTES: Final = 16


class Way(IntEnum):
    """Which way a message goes within its flow."""

    TO_LEADER = 1
    TO_ASKER = 2


_WAYS: Final = frozenset(Way)


class Kind(IntEnum):
    """What a message says."""

    WANT = 1
    """Asker: send me the reply with this share."""
    HERE = 2
    """Asker: I am still listening."""
    STOP = 3
    """Asker: I am not, any more."""
    PING = 4
    """Leader: I am here, the provider is silent."""
    HEAD = 5
    CHUNK = 6
    END = 7
    FAILED = 8
    GONE = 9
    """Leader: there is no such reply."""


class Unfit(Exception):
    """A message that is none, or not the one that belongs here."""


class Envelope:
    """The outside of a message: all that can be read before it is opened."""

    __slots__ = ("flow", "sealed", "sequence", "way")

    def __init__(self, message: bytes) -> None:
        """Raise Unfit for what is no message."""
        if len(message) < _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES:
            raise Unfit
        if message[0] not in _WAYS:
            raise Unfit
        self.way = Way(message[0])
        self.flow = message[1 : 1 + FLOW_BYTES]
        self.sequence = int.from_bytes(message[1 + FLOW_BYTES : _HEAD_BYTES], "big")
        self.sealed = message


class Seal:
    """One direction of one flow."""

    __slots__ = ("_cipher", "_context", "_head", "_sequence")

    def __init__(self, key: bytes, way: Way, flow: bytes, channel: bytes, share: bytes) -> None:
        """Derive this direction's key; `channel` is where its messages are published."""
        self._head = bytes((way,)) + flow
        self._cipher = AESGCM(hmac.digest(key, b"goodgate relay flow" + self._head, "sha256"))
        self._context = hashlib.sha256(channel + b"\0" + share).digest()
        self._sequence = 0

    def close(self, kind: Kind, content: bytes = b"") -> bytes:
        """Return the next message of the flow."""
        head = self._head + self._sequence.to_bytes(_SEQUENCE_BYTES, "big")
        self._sequence += 1
        nonce = os.urandom(_NONCE_BYTES)
        inside = bytes((kind,)) + content
        return head + nonce + self._cipher.encrypt(nonce, inside, head + self._context)

    def open(self, envelope: Envelope) -> tuple[Kind, bytes]:
        """
        Return what the next message of the flow says.

        Raises:
            Unfit: it is not the next one (some are lost), or was not sealed for us.

        """
        if envelope.sequence != self._sequence:
            raise Unfit
        self._sequence += 1
        message = envelope.sealed
        nonce = message[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            inside = self._cipher.decrypt(
                nonce, message[_HEAD_BYTES + _NONCE_BYTES :], message[:_HEAD_BYTES] + self._context
            )
        except InvalidTag:
            raise Unfit from None
        return Kind(inside[0]), inside[1:]


def flow_id() -> bytes:
    """Return the name of a new flow."""
    return os.urandom(FLOW_BYTES)

"""
Whole replies kept in the store: sealed, because none may lie there in clear.

A reply is sealed for its share (AES-GCM, the share as associated data), under a key derived
from the deployment's secret: put anywhere else, or by anybody else, it does not open.
"""

import hmac
import os
from collections import OrderedDict
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.stores.memory import TENANT
from gateway.values import Sighting

NONCE_BYTES: Final = 12
SHARES_MAX: Final = 8_192
"""Shares whose tenant is remembered, where that is not the usual one."""


class Unfit(Exception):
    """What was kept does not open: another secret's, or tampered with."""


class Seals:
    """Seals and opens replies, and knows whose a share is."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key."""
        self._cipher = AESGCM(hmac.digest(secret, b"goodgate kept replies", "sha256"))
        self._tenants: OrderedDict[bytes, str] = OrderedDict()

    def close(self, share: bytes, reply: bytes) -> bytes:
        """Return a reply, sealed."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, reply, share)

    def open(self, share: bytes, sealed: bytes) -> bytes:
        """
        Return the reply that was sealed for a share.

        Raises:
            Unfit

        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], share)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise Unfit from None

    def note(self, sighting: Sighting) -> None:
        """Remember whose a share is: who keeps its reply names the share alone."""
        if sighting.tenant == TENANT:
            return
        self._tenants[sighting.share] = sighting.tenant
        self._tenants.move_to_end(sighting.share)
        if len(self._tenants) > SHARES_MAX:
            self._tenants.popitem(last=False)

    def tenant(self, share: bytes) -> str:
        """Return whose a share is."""
        return self._tenants.get(share, TENANT)

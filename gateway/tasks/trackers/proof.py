"""
What shows that a message is a tracker's: a keyed hash over its very bytes, and how old it is.

Hashes are compared in a time that says nothing of where they differ. Nothing here is ever shown.
"""

import base64
import hashlib
import hmac


def hmac_hex(secret: bytes, body: bytes) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of some bytes, in lower-case hex."""
    return hmac.digest(secret, body, hashlib.sha256).hex()


def hmac_base64(secret: bytes, body: bytes) -> str:
    """Return the HMAC-SHA256 of some bytes, in base64."""
    return base64.b64encode(hmac.digest(secret, body, hashlib.sha256)).decode()


def equal(one: str, other: str) -> bool:
    """Return whether two texts are the same, in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def fresh(sent_at_s: float, now_s: float, within_s: float) -> bool:
    """Return whether a moment is no further from now than some seconds, either way."""
    return abs(now_s - sent_at_s) <= within_s

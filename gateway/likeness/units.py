"""
What did a turn say that can be counted: keyed hashes of its runs of five words.

The same five words under the same root give the same unit, however often and in whatever
order they come, and under another root an unrelated one. Each run is reduced to 128 bits by
two secret linear combinations of its words' values and encrypted under the root's own key:
an auditor who knows his own prompts can solve for nobody else's.

Words that are there to differ and not to ask are passed over: numbers, ids, times, what looks
random, politeness. So whoever changes nothing but these, wherever they stand, asks nothing new.
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from gateway.likeness.lexicon import RECORD_BYTES, WordClass

WORDS = 5
"""In a run. A text with fewer has no units."""

KEPT_MAX = 64
"""The smallest hashes of a turn are kept, so that a union's smallest can be told from them."""

_ROOTS_REMEMBERED_MAX = 1024
_CLASS_BITS = np.uint64(15)
_PASSED_OVER = frozenset(
    (WordClass.NUMBER, WordClass.MIXED, WordClass.NONCE, WordClass.LONG, WordClass.FILLER)
)
_COUNTS = np.array([each not in _PASSED_OVER for each in range(16)])
"""By the class of a word, which is in the low bits of its value."""
_LAST = b"\xff" * 16
"""Sorts after every hash, so that each has a next one to be told from."""


class Units:
    """Hashes runs of words under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        secret = hmac.digest(key, b"goodgate units: combinations 1", sha256) + hmac.digest(
            key, b"goodgate units: combinations 2", sha256
        )
        secret += hmac.digest(key, b"goodgate units: combinations 3", sha256)
        factors = np.frombuffer(secret, "<u8")[: 2 * WORDS].astype(np.uint64) | np.uint64(1)
        self._factors = np.ascontiguousarray(factors.reshape(2, WORDS).T)
        self._encryptor = lru_cache(_ROOTS_REMEMBERED_MAX)(self._encryptor_of)

    def of(self, texts: Sequence[bytes], root: str) -> tuple[str, ...]:
        """
        Return the smallest units of some texts under a root, 16 hex digits each, sorted.

        A text is the records of its words, as a lexicon has them; no run crosses two texts.
        """
        blocks = b"".join(map(self._blocks, texts))
        if not blocks:
            return ()
        encrypted = self._encryptor(root).update(blocks)
        hashes = np.frombuffer(encrypted + _LAST, ">u8")[::2].astype(np.uint64)
        hashes.sort()
        distinct = hashes[:-1][hashes[1:] != hashes[:-1]]
        return tuple(distinct[:KEPT_MAX].astype(">u8").tobytes().hex(" ", 8).split())

    def _blocks(self, records: bytes) -> bytes:
        """Return 16 bytes for each run of words that count."""
        values = np.frombuffer(records, "<u8")[:: RECORD_BYTES // 8]
        values = values[_COUNTS[values & _CLASS_BITS]]
        if len(values) < WORDS:
            return b""
        runs = np.ndarray((len(values) - WORDS + 1, WORDS), "<u8", values, strides=(8, 8))
        blocks: NDArray[np.uint64] = np.matmul(runs, self._factors)
        return blocks.tobytes()

    def _encryptor_of(self, root: str) -> CipherContext:
        key = hmac.digest(self._key, b"goodgate units: root " + root.encode(), sha256)[:16]
        # A permutation of single blocks is all that is wanted here: nothing is kept secret
        # by chaining, and equal runs must give equal units.
        return Cipher(algorithms.AES128(key), modes.ECB()).encryptor()  # noqa: S305 - as above

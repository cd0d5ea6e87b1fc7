"""
What did a turn say that can be counted: keyed hashes of its runs of five words.

The same five words under the same root give the same unit, however often and in whatever
order they come, and under another root an unrelated one. Each run is reduced to 128 bits by
two secret linear combinations of its words' values and encrypted under the root's own key:
an auditor who knows his own prompts can solve for nobody else's.

Words that are there to differ and not to ask are passed over: ids, times, what looks random,
what introduces these, politeness. A number is one unit with the four words before it, whatever
its digits are: much of what is asked in a calculation is numbers, and a count in the middle of a
sentence must not be five new runs. So whoever changes nothing but these asks nothing new.
"""

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, TypeAlias

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from gateway.likeness.lexicon import RECORD_BYTES, Lexicon, WordClass

WORDS = 5
"""In a run. A text with fewer has no units."""

KEPT_MAX = 64
"""The smallest hashes of a turn are kept, so that a union's smallest can be told from them."""

LABELS: Final = (
    *("id", "ids", "uid", "uuid", "guid", "nonce", "salt", "ref", "timestamp", "ts"),
    *("req", "request", "trace", "attempt", "retry", "iteration", "seed", "run", "session"),
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep"),
    *("sept", "oct", "nov", "dec", "monday", "tuesday", "wednesday", "thursday", "friday"),
    *("saturday", "sunday", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "utc", "gmt"),
)
"""Words that introduce an id or a count, or are part of a date."""

Runs: TypeAlias = NDArray[np.uint64]
"""Two numbers a row, each row a run of words under the secret combinations."""

_NO_RUNS: Final[Runs] = np.empty((0, 2), np.uint64)
_ROOTS_REMEMBERED_MAX = 1024
_CLASS_BITS = np.uint64(15)
_PASSED_OVER = frozenset(
    (WordClass.NUMBER, WordClass.MIXED, WordClass.NONCE, WordClass.LONG, WordClass.FILLER)
)
_COUNTS = np.array([each not in _PASSED_OVER for each in range(16)])
"""By the class of a word, which is in the low bits of its value."""
_NUMBERS = np.array([each == WordClass.NUMBER for each in range(16)])
_ANY_NUMBER = np.uint64(0x9E3779B97F4A7C15)
"""Stands for whatever digits."""
_LAST = b"\xff" * 16
"""Sorts after every hash, so that each has a next one to be told from."""


class Units:
    """Hashes runs of words under one key; words have the values a lexicon gives them."""

    def __init__(self, key: bytes, lexicon: Lexicon) -> None:
        self._key = key
        secret = hmac.digest(key, b"goodgate units: combinations 1", sha256) + hmac.digest(
            key, b"goodgate units: combinations 2", sha256
        )
        secret += hmac.digest(key, b"goodgate units: combinations 3", sha256)
        factors = np.frombuffer(secret, "<u8")[: 2 * WORDS].astype(np.uint64) | np.uint64(1)
        self._factors = np.ascontiguousarray(factors.reshape(2, WORDS).T)
        self._number = self._factors[-1] * _ANY_NUMBER
        self._labels = np.sort(np.array([lexicon.value(each) for each in LABELS], np.uint64))
        self._rootless = _encryptor(hmac.digest(key, b"goodgate units: boilerplate", sha256))
        self._encryptor = lru_cache(_ROOTS_REMEMBERED_MAX)(self._encryptor_of)

    def runs(self, texts: Sequence[bytes]) -> Runs:
        """
        Return the runs of some texts, two numbers each, in their order.

        A text is the records of its words, as a lexicon has them; no run crosses two texts.
        """
        if len(texts) == 1:
            return self._runs(texts[0])
        return np.concatenate([self._runs(each) for each in texts] or [_NO_RUNS])

    def of(self, runs: Runs, root: str) -> tuple[str, ...]:
        """Return the smallest units of some runs under a root, 16 hex digits each, sorted."""
        hashes = _hashes(self._encryptor(root), runs)
        hashes.sort()
        distinct = hashes[:-1][hashes[1:] != hashes[:-1]]
        return tuple(distinct[:KEPT_MAX].astype(">u8").tobytes().hex(" ", 8).split())

    def grams(self, runs: Runs) -> NDArray[np.uint64]:
        """Return a hash of each run that is the same under every root: for boilerplate alone."""
        return _hashes(self._rootless, runs)[:-1]

    def _runs(self, records: bytes) -> Runs:
        """Return each run of words that count, and one for each number behind four."""
        values = np.frombuffer(records, "<u8")[:: RECORD_BYTES // 8]
        classes = values & _CLASS_BITS
        counts = _COUNTS[classes] & ~self._are_labels(values)
        counted = values[counts]
        runs = self._combined(counted, WORDS)
        numbers = _NUMBERS[classes]
        if not numbers.any():
            return runs
        ends = np.cumsum(counts)[numbers]
        before = self._combined(counted, WORDS - 1)[ends[ends >= WORDS - 1] - (WORDS - 1)]
        return np.concatenate([runs, before + self._number])

    def _are_labels(self, values: NDArray[np.uint64]) -> NDArray[np.bool_]:
        places = self._labels.searchsorted(values)
        found: NDArray[np.bool_] = self._labels.take(places, mode="clip") == values
        return found

    def _combined(self, values: NDArray[np.uint64], words: int) -> Runs:
        """Return the two combinations of each run of so many words."""
        if len(values) < words:
            return _NO_RUNS
        runs = np.ndarray((len(values) - words + 1, words), "<u8", values, strides=(8, 8))
        combined: Runs = np.matmul(runs, self._factors[:words])
        return combined

    def _encryptor_of(self, root: str) -> CipherContext:
        return _encryptor(hmac.digest(self._key, b"goodgate units: root " + root.encode(), sha256))


def _encryptor(key: bytes) -> CipherContext:
    # A permutation of single blocks is all that is wanted here: nothing is kept secret
    # by chaining, and equal runs must give equal units.
    return Cipher(algorithms.AES128(key[:16]), modes.ECB()).encryptor()  # noqa: S305 - as above


def _hashes(encryptor: CipherContext, runs: Runs) -> NDArray[np.uint64]:
    """Return the hash of each run, and one more that sorts after all of them."""
    encrypted = encryptor.update(runs.tobytes())
    return np.frombuffer(encrypted + _LAST, ">u8")[::2].astype(np.uint64)

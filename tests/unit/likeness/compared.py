"""Two texts, compared word by word as they stand: no normal form between."""

from functools import cache

import numpy as np

from gateway.likeness import comparison
from gateway.likeness.difference import Values
from gateway.likeness.fillers import short
from gateway.likeness.findings import Finding
from gateway.likeness.lexicon import Lexicon
from gateway.likeness.pairing import Tools

LEXICON = Lexicon(b"k" * 32)


@cache
def tools() -> Tools:
    return Tools(LEXICON)


def value(word: str) -> int:
    return short(LEXICON.value(word))


def values(text: str) -> Values:
    return np.array([value(word) for word in text.split()], np.uint32)


def words(text: str) -> bytes:
    return b"".join(value(word).to_bytes(3, "big") for word in text.split())


def compare(earlier: str, later: str) -> Finding:
    return comparison.compare(tools(), values(earlier), values(later), later.split())

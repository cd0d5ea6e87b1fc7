"""
What is a word worth: its keyed value, and the class that its low bits carry.

A value is 64 bits of keyed BLAKE2b, so that nothing kept or stored can be turned back
into words by whoever lacks the key; the low 4 bits are replaced by the word's class, so
that an earlier text can be judged by its values alone.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from operator import itemgetter

LONG_CHARACTERS = 64
"""A word over this many characters is LONG."""

GROUPS = 12
"""Telling words fall into so many groups; the least of each is in the sketch."""

NO_PLACE = 0xFFFFFFFF
"""The place of words that tell texts apart too badly to be in a sketch."""

RECORD_BYTES = 16

_REMEMBERED_MAX = 100_000
"""About 14 MB."""

_CLASS_MASK = 15


class WordClass(IntEnum):
    """What kind of word a word is: the low 4 bits of its value."""

    WORD = 0
    """In the dictionary."""
    COMMON = 1
    """In the dictionary, and too common to tell texts apart: the, of, is."""
    FILLER = 2
    """Politeness and hedges: please, thanks, kindly."""
    NEGATION = 3
    """Turns a meaning around: not, never, without, except."""
    NUMBER = 4
    """Digits only."""
    UNKNOWN = 5
    """Letters that are in no dictionary: names, identifiers, typos, other languages."""
    MIXED = 6
    """Letters and digits."""
    NONCE = 7
    """Looks random: what a salt looks like."""
    CHARACTER = 8
    """One character of a script that sets no spaces."""
    LONG = 9
    """Over 64 characters, kept as one hash."""
    OPERATOR = 10
    """A sign of code that the normal form keeps: `a < b` is not `a > b`."""


_UNTELLING = frozenset((WordClass.COMMON, WordClass.FILLER))

OPERATORS = frozenset(
    (
        *("<", ">", "<=", ">=", "==", "===", "!=", "!==", "&&", "||", "+", "*"),
        *("+=", "-=", "*=", "/=", "|=", "&="),
    )
)
"""The signs of code that the normal form keeps as tokens."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\U00020000-\U0003ffff]"
)

_NONCE_CHARACTERS_MIN = 6
_RARE_PAIRS_MIN = 0.3
_PART = re.compile(r"[a-z]+")
_TURN = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])")
_TURNS_MIN = 2
_PART_MIN = 3


@lru_cache(maxsize=1)
def dictionary() -> frozenset[str]:
    """Return the words of the dictionary, as the normal form spells them."""
    return frozenset(_lines("words.txt")) | frozenset(_classes())


def is_word(word: str) -> bool:
    """Return whether the dictionary has the word."""
    return word in dictionary()


def is_unspaced(character: str) -> bool:
    """Return whether a character's script sets no spaces between words."""
    return _UNSPACED.match(character) is not None


@lru_cache(maxsize=1)
def _classes() -> Mapping[str, WordClass]:
    """Return the class of each word that has one by hand; where two are given, the later."""
    classes: dict[str, WordClass] = {}
    for line in _lines("classes.txt"):
        name, *words = line.split()
        classes.update(dict.fromkeys(words, WordClass[name]))
    return classes


def _lines(file: str) -> list[str]:
    text = resources.files("gateway.likeness").joinpath(file).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def classify(word: str) -> WordClass:
    """Return the class of a token of the normal form."""
    if len(word) > LONG_CHARACTERS:
        return WordClass.LONG
    if word in dictionary():
        return _classes().get(word, WordClass.WORD)
    if word.isdecimal():
        return WordClass.NUMBER
    if word in OPERATORS:
        return WordClass.OPERATOR
    if len(word) == 1 and is_unspaced(word):
        return WordClass.CHARACTER
    return _classify_letters(word)


def _classify_letters(word: str) -> WordClass:
    if not word.isascii():
        return WordClass.MIXED if any(map(str.isdecimal, word)) else WordClass.UNKNOWN
    if word.isalpha():
        return WordClass.NONCE if _is_improbable(word) else WordClass.UNKNOWN
    return WordClass.NONCE if _is_scrambled(word) else WordClass.MIXED


@lru_cache(maxsize=1)
def _rare_pairs() -> frozenset[str]:
    rows = (line.split() for line in _lines("rare_pairs.txt"))
    return frozenset(first + second for first, seconds in rows for second in seconds)


def _is_improbable(word: str) -> bool:
    """Say whether hardly anyone would write these letters in this order."""
    pairs = len(word) - 1
    if len(word) < _NONCE_CHARACTERS_MIN:
        return False
    rare = sum(word[at : at + 2] in _rare_pairs() for at in range(pairs))
    return rare >= _RARE_PAIRS_MIN * pairs and not _holds_word(word)


def _holds_word(word: str) -> bool:
    """Say whether a good part of it is a word, as in the names that programmers compose."""
    size = len(word)
    least = max(4, size // 3)
    return any(
        word[start:end] in dictionary()
        for start in range(size - least + 1)
        for end in range(start + least, size + 1)
    )


def _is_scrambled(word: str) -> bool:
    """Say whether letters and digits change places as in no name: `k3j9x2`, not `sha256sum`."""
    if len(word) < _NONCE_CHARACTERS_MIN or len(_TURN.findall(word)) < _TURNS_MIN:
        return False
    return not any(len(part) >= _PART_MIN and part in dictionary() for part in _PART.findall(word))


class Lexicon(dict[str, bytes]):
    """
    Remembers the records of words it was asked for, up to a bound; of long ones never.

    A record is all that depends on the word alone, so that a text's are joined and read as
    columns: 8 bytes of value, 4 of its short form, 4 of its place in a sketch, little-endian.
    """

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, word: str) -> bytes:
        encoded = word.encode("utf-8", "surrogatepass")
        digest = blake2b(encoded, key=self._key, digest_size=8).digest()
        record = _record(int.from_bytes(digest, "little"), classify(word))
        if len(word) <= LONG_CHARACTERS:
            if len(self) >= _REMEMBERED_MAX:
                self.clear()
            self[word] = record
        return record

    def value(self, word: str) -> int:
        """Return a word's value: 60 bits of keyed hash above 4 bits of class."""
        return int.from_bytes(self[word][:8], "little")

    def records(self, words: Sequence[str]) -> bytes:
        """Return the records of words, in order, 16 bytes each."""
        if len(words) < 2:  # noqa: PLR2004 - of one, `itemgetter` gives no tuple
            return b"".join(map(self.__getitem__, words))
        return b"".join(itemgetter(*words)(self))

    def hash_bits(self, word: str) -> int:
        """Return the 20 bits of hash in a word's short form; the word is not remembered."""
        encoded = word.encode("utf-8", "surrogatepass")
        digest = blake2b(encoded, key=self._key, digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 44

    def is_word(self, word: str) -> bool:
        """Return whether the dictionary has the word, as the normal form spells it."""
        return word in dictionary()


def _record(digest: int, word_class: WordClass) -> bytes:
    value = digest & ~_CLASS_MASK | word_class
    short = value >> 44 << 4 | word_class
    group = (value >> 32) * GROUPS >> 32
    place = NO_PLACE if word_class in _UNTELLING else group << 20 | value >> 4 & 0xFFFFF
    return struct.pack("<QII", value, short, place)

"""
Is one word another one, mistyped.

Of an earlier word only its keyed value is known. Where that is a dictionary word's, the
word is looked up among the values of the whole dictionary, and the edits between the two
are counted; where it is not, the edits of the later word are tried one by one.
"""

from collections.abc import Iterator, Sequence
from string import ascii_lowercase

import numpy as np

from gateway.likeness import lexicon as words
from gateway.likeness.lexicon import Lexicon

_FAR = 99
_LEET = (
    *(str.maketrans("0123456789", f"o{one}zeasgtbg") for one in "il"),
    str.maketrans("oilzeasgtb", "0112345978"),
    str.maketrans("oilzeasgtb", "0112345678"),
)
_LETTERS_MAX = 24
_REMEMBERED_MAX = 10_000
_SHORT = 3
_MIDDLE = 7
_LONG = 11


class Typos:
    """Looks words of one lexicon up by their values, and tells slips from other words."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._hash_bits = lexicon.hash_bits
        self._words = sorted(words.dictionary())
        hashes = map(lexicon.hash_bits, self._words)
        kinds = map(words.classify, self._words)
        values = np.fromiter(
            (bits << 4 | kind for bits, kind in zip(hashes, kinds, strict=True)), np.uint32
        )
        self._order = values.argsort(kind="stable").astype(np.uint32)
        self._values = values[self._order]
        self._found: dict[int, tuple[str, ...]] = {}

    def words_of(self, value: int) -> tuple[str, ...]:
        """Return the dictionary's words of a value: mostly one, sometimes none or two."""
        found = self._found.get(value)
        if found is None:
            start, end = self._values.searchsorted((value, value + 1)).tolist()
            places: list[int] = self._order[start:end].tolist()
            found = tuple(self._words[at] for at in places)
            if len(self._found) >= _REMEMBERED_MAX:
                self._found.clear()
            self._found[value] = found
        return found

    def edits(self, value: int, word: str, most: int) -> int:
        """Return the fewest edits from a value's word to `word`; 99 when more than `most`."""
        return min((edits(known, word, most) for known in self.words_of(value)), default=_FAR)

    def is_slip_of(self, value: int, word: str) -> bool:
        """
        Return whether one edit of `word` has the value; tries a few hundred.

        Not of its last letter: `users` is no slip of the name `user`.
        """
        wanted = value >> 4
        start, end = word[:-1], word[-1:]
        return any(self._hash_bits(variant + end) == wanted for variant in _edited(start))

    def is_spelt_in_digits(self, value: int, word: str) -> bool:
        """Return whether digits stand for letters in one of the two: `70` for `to`, or `to`."""
        wanted = value >> 4
        return any(self._hash_bits(word.translate(table)) == wanted for table in _LEET)

    def same_letters(self, values: Sequence[int], tokens: Sequence[str]) -> bool:
        """Return whether the tokens, with other spaces, are the words of the values."""
        rest = "".join(tokens)
        for value in values[:-1]:
            for length in range(1, min(len(rest), _LETTERS_MAX)):
                if self._hash_bits(rest[:length]) == value >> 4:
                    rest = rest[length:]
                    break
            else:
                return False
        return self._hash_bits(rest) == values[-1] >> 4


def slips_allowed(known: str, word: str) -> int:
    """
    Return how many edits make `word` a mistyped `known`, and not another word.

    Where three letters are all there is, only letters that changed places or came twice.
    """
    size = len(known)
    if size == _SHORT:
        doubled = (known[:at] + known[at] + known[at:] for at in range(size))
        return int(sorted(known) == sorted(word) or word in doubled)
    return 0 if size < _SHORT else 1 if size < _MIDDLE else 2 if size < _LONG else 3


def edits(left: str, right: str, most: int) -> int:
    """
    Return how many letters came, went, changed, or changed places; 99 when more than `most`.

    Optimal string alignment: no letter is touched twice.
    """
    if abs(len(left) - len(right)) > most:
        return _FAR
    start = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        start += 1
    end = 0
    least = min(len(left), len(right)) - start
    while end < least and left[-1 - end] == right[-1 - end]:
        end += 1
    left, right = left[start : len(left) - end], right[start : len(right) - end]
    if not left or not right or len(left) == len(right) == 1:
        count = max(len(left), len(right))
    else:
        count = _aligned(left, right)
    return count if count <= most else _FAR


def _aligned(left: str, right: str) -> int:
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _edited(word: str) -> Iterator[str]:
    """Yield every word that one edit makes of `word`; those that typing makes most come first."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    for at in range(len(word) + 1):
        for letter in ascii_lowercase:
            yield word[:at] + letter + word[at:]
            yield word[:at] + letter + word[at + 1 :]

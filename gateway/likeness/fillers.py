"""
Would a text ask for the same without these words: politeness, filler sentences, nonces.

The question is the same for words that came and for words that went, so it is asked of
values alone. A filler sentence is known by all its words: one word that carries meaning,
one number that counts something, one negation that excuses nothing, and it is none.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from itertools import takewhile
from typing import NamedTuple

from gateway.likeness.difference import CLASS
from gateway.likeness.findings import FILLER, NONCE, POLITENESS
from gateway.likeness.lexicon import Lexicon, WordClass

_SENTENCE_MIN = 3
_EXCUSED_WITHIN = 3
_SUBJECT_WITHIN = 3
_FRAME_MAX = 3
_STRANGER_PER = 5
_STRAY_MAX = 2
_STAMP_MIN = 3
_DIGITS_MIN = 6
_ROOMY_MIN = 8
_LABELLED_MAX = 2


class Run(NamedTuple):
    """Words that one text has more than the other, and where."""

    values: Sequence[int]
    at_start: bool
    at_end: bool
    before: int = 0
    """The value of the word before it; 0 when there is none."""
    after: int = 0
    tokens_beside: int = 0
    """How many tokens the text has besides."""
    near_edge: bool = False
    """Whether few words stand between it and an end of the text."""
    greets: bool = False
    """Whether nothing but a greeting stands before it."""
    digits: int = 0
    """How many characters its shortest word with a digit has; 0 when that is not known."""

    @property
    def at_edge(self) -> bool:
        """Return whether the text begins or ends with it."""
        return self.at_start or self.at_end


@lru_cache(maxsize=1)
def _sections() -> dict[str, frozenset[str]]:
    sections: dict[str, set[str]] = {}
    words: set[str] = set()
    text = resources.files("gateway.likeness").joinpath("fillers.txt").read_text("utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            words = sections.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            words.update(line.split())
    return {name: frozenset(words) for name, words in sections.items()}


class Fillers:
    """The words that fillers and nonces are made of, as one lexicon values them."""

    def __init__(self, lexicon: Lexicon) -> None:
        found = {
            name: frozenset(short(lexicon.value(word)) for word in words)
            for name, words in _sections().items()
        }
        self.always = found["always"]
        self.light = found["light"]
        self._core = found["core"] | found["excuse"]
        self._padding = found["padding"]
        self._allowed = self._core | found["padding"] | self.always | self.light
        self._persons = found["person"]
        self._subjects = found["subject"]
        self._leading = found["leading"]
        self._frames = found["frame"] | self.always | self.light
        self._excuses = found["excuse"]
        self._labels = found["label"]
        self._strong = found["strong"]
        self._stamps = found["stamp"] | found["label"] | self.always
        self._ticketed = found["ticketed"]
        self._titles = found["titled"] | found["counted"] | found["leading"]
        self._counted = found["counted"]

    def harmless(self, run: Run) -> str:
        """Return why a run changes nothing that is asked; empty when it may."""
        words = [value for value in run.values if value & CLASS != WordClass.NONCE]
        if not words:
            return NONCE
        if all(map(self.is_manners, words)):
            return POLITENESS
        if not run.at_edge:
            return FILLER if self._is_sentence(words) else ""
        if self._is_labelled(words, run) or self._is_stamp(words):
            return NONCE
        rest = self._without_salt(words, run)
        if not rest:
            return NONCE
        if len(rest) <= _FRAME_MAX and self._frames.issuperset(rest):
            return POLITENESS
        return FILLER if self._is_sentence(rest) else ""

    def is_manners(self, value: int) -> bool:
        """Return whether a word changes nothing, wherever it comes or goes."""
        return value & CLASS == WordClass.FILLER or value in self.always or value in self.light

    def is_light(self, value: int) -> bool:
        """Return whether a word is a little one of grammar."""
        return value in self.light

    def is_title(self, value: int) -> bool:
        """Return whether what stands behind the word is a name, however random it looks."""
        return value in self._titles

    def may_close(self, value: int) -> bool:
        """Return whether a text that ends with the word may end with any other such."""
        return value & CLASS == WordClass.NONCE or value in self.always

    def is_greeting(self, value: int) -> bool:
        """Return whether a text may begin with the word before it says anything."""
        return value in self._frames

    def are_nonces(self, values: Iterable[int], before: int) -> bool:
        """Return whether figures that differ stand behind a label of nothing but nonces."""
        return before in self._strong and all(map(_is_figure, values))

    def _is_labelled(self, words: Sequence[int], run: Run) -> bool:
        """Return whether numbers of a run stand behind labels, and the rest of it is nothing."""
        figures = [at for at, value in enumerate(words) if _is_figure(value)]
        labels = [at for at, value in enumerate(words) if value in self._labels]
        others = [v for at, v in enumerate(words) if at not in figures and at not in labels]
        if not labels:
            return False
        if len(labels) == len(words) == 1:
            return run.before not in self._leading and words[0] & CLASS != WordClass.NEGATION
        strong = any(words[at] in self._strong for at in labels)
        unknown = [value for value in others if value & CLASS == WordClass.UNKNOWN]
        if unknown and not (strong and len(unknown) <= _LABELLED_MAX):
            return False
        return (bool(figures) or strong) and all(
            value in self._allowed or value & CLASS in _HARMLESS or value in unknown
            for value in others
        )

    def _is_stamp(self, words: Sequence[int]) -> bool:
        """Return whether a run is a stamp of time: three numbers or more, names of days, months."""
        numbers = sum(value & CLASS == WordClass.NUMBER for value in words)
        return numbers >= _STAMP_MIN and all(
            _is_figure(value) or value in self._stamps for value in words
        )

    def _without_salt(self, words: Sequence[int], run: Run) -> list[int]:
        """Return a run's words without the numbers that count nothing, and words nobody knows."""
        around = (run.before, *words, run.after)
        kept = [
            value
            for at, value in enumerate(words, 1)
            if not self._is_bare_number(value, run, {around[at - 1], around[at + 1]})
        ]
        if run.tokens_beside < _ROOMY_MIN:
            return kept
        outer = kept[::-1] if run.at_end else kept
        strays = len(list(takewhile(lambda value: self._is_stray(value, run), outer)))
        if strays > _STRAY_MAX:
            return kept
        return kept[: len(kept) - strays] if run.at_end else kept[strays:]

    def _is_bare_number(self, value: int, run: Run, beside: set[int]) -> bool:
        """Return whether a word is a number that counts nothing: a long one, or in a long text."""
        if value & CLASS == WordClass.MIXED:
            return run.digits > _DIGITS_MIN and self._ticketed.isdisjoint(beside)
        if value & CLASS != WordClass.NUMBER:
            return False
        if run.digits >= _DIGITS_MIN and run.tokens_beside >= _SENTENCE_MIN:
            return self._ticketed.isdisjoint(beside)
        return (
            self._counted.isdisjoint(beside)
            and run.tokens_beside >= _ROOMY_MIN
            and all(value & CLASS not in _NAMED for value in (run.before, run.after))
        )

    def _is_stray(self, value: int, run: Run) -> bool:
        """Return whether a word, at an end of the text, is one nobody knows and about nothing."""
        return value & CLASS == WordClass.UNKNOWN and all(
            value not in self._leading and value & CLASS not in _NAMED
            for value in (run.before, run.after)
        )

    def is_leading(self, value: int) -> bool:
        """Return whether a text that ends with the word was cut off there."""
        return value in self._leading

    def _is_sentence(self, words: Sequence[int]) -> bool:
        """Return whether the words of a run are those that fillers are made of."""
        if len(words) < _SENTENCE_MIN:
            return False
        if not any(
            value in self._core or value in self._persons or value & CLASS == WordClass.FILLER
            for value in words
        ):
            return False
        odd = [
            at
            for at, value in enumerate(words)
            if not (value in self._allowed or value & CLASS in _HARMLESS)
        ]
        return (not odd or self._are_strangers(words, odd)) and all(
            self._is_excused(words, at)
            for at, value in enumerate(words)
            if value & CLASS == WordClass.NEGATION and value not in self._allowed
        )

    def _are_strangers(self, words: Sequence[int], odd: Sequence[int]) -> bool:
        """
        Return whether a sentence about persons may have the odd words besides.

        One word in six, not at its start, and not where the object of a request stands:
        "I need it in French" is none.
        """
        return (
            len(odd) * _STRANGER_PER <= len(words)
            and not self._persons.isdisjoint(words)
            and all(
                at > 0
                and words[at] & CLASS == WordClass.WORD
                and at - 1 not in odd
                and words[at - 1] not in self._leading
                for at in odd
            )
        )

    def _is_excused(self, words: Sequence[int], at: int) -> bool:
        """Return whether a negation forbids nothing: "no rush", "I am not sure"."""
        if not self._excuses.isdisjoint(words[at + 1 : at + 1 + _EXCUSED_WITHIN]):
            return True
        return not self._subjects.isdisjoint(words[max(0, at - _SUBJECT_WITHIN) : at])


_NAMED = frozenset((WordClass.UNKNOWN, WordClass.MIXED, WordClass.NUMBER))
_HARMLESS = frozenset((WordClass.COMMON, WordClass.FILLER, WordClass.NEGATION))


def _is_figure(value: int) -> bool:
    return value & CLASS in (WordClass.NUMBER, WordClass.MIXED)


def short(value: int) -> int:
    """Return a word's value as a signature keeps it: 20 bits of hash and 4 of class."""
    return value >> 44 << 4 | value & CLASS

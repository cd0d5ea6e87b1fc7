"""
Do words that stand in the same place say the same: one hunk with words on both sides.

Spaces apart, synonyms, typing errors; and what is none of these. A number for a number and
an operator for anything are never forgiven.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from gateway.likeness import synonyms, typos
from gateway.likeness.difference import CLASS
from gateway.likeness.fillers import Fillers
from gateway.likeness.findings import (
    NAME,
    NEGATION,
    NUMBER,
    OPERATOR,
    POLITENESS,
    SPACING,
    SYNONYMS,
    TYPOS,
    WORDS,
    Grade,
    Note,
)
from gateway.likeness.lexicon import Lexicon, WordClass

_IN_DICTIONARY = frozenset((WordClass.WORD, WordClass.COMMON, WordClass.FILLER, WordClass.NEGATION))
_NAMES = frozenset((WordClass.UNKNOWN, WordClass.MIXED, WordClass.NONCE))
_FIGURES = frozenset((WordClass.NUMBER, WordClass.MIXED, WordClass.NONCE))
_JOINED_MAX = 16
"""At most this many earlier tokens are looked for in the letters of the later ones."""
_LETTERS_MAX = 96
_ALIGNED_MAX = 12
"""Words of longer hunks are not paired."""
_ASIDE_MAX = 3
_FEW = 3
_NAMES_PER = 4
_FAR_SHARE = 0.5
_SPACED_STEPS = ((2, 1), (1, 2), (2, 2))
"""So many earlier words may be so many later ones with other spaces."""

_COSTS = {
    Grade.HARMLESS: 0.0,
    Grade.PROVEN: 0.3,
    Grade.SLIP: 1.0,
    Grade.OTHER: 2.2,
    Grade.MEANING: 2.4,
}
_ALONE = 1.3
"""What a way of pairing costs; the cheapest is taken for what happened."""


class Tools:
    """All that comparing needs of one lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.fillers = Fillers(lexicon)
        self.synonyms = synonyms.Synonyms(lexicon)
        self.typos = typos.Typos(lexicon)


class _Way(NamedTuple):
    """A way to pair the first words of both sides."""

    cost: float
    before: tuple[int, int] = (0, 0)
    """How many words its last step left."""
    note: Note | None = None


_COST = itemgetter(0)


class Pairing:
    """Two texts whose hunks are paired: their values, and the later one's tokens."""

    def __init__(
        self, tools: Tools, old: Sequence[int], new: Sequence[int], tokens: Sequence[str]
    ) -> None:
        self._tools = tools
        self._old = old
        self._new = new
        self._tokens = tokens

    def notes(self, old: Sequence[int], new: Sequence[int]) -> list[Note]:
        """Return what differs between the words at some places of both texts; neither is empty."""
        if self._are_synonyms(old, new):
            return [Note(Grade.PROVEN, SYNONYMS, old, new)]
        if self._are_spaced(old, new):
            return [Note(Grade.HARMLESS, SPACING, old, new)]
        if len(old) == len(new) == 1:
            return [self.pair(old[0], new[0])]
        if max(len(old), len(new)) > _ALIGNED_MAX or not self._is_worth_it(old, new):
            return [self._unpaired(old, new)]
        if len(old) == len(new):
            pairs = [self.pair(i, j) for i, j in zip(old, new, strict=True)]
            if max(note.grade for note in pairs) <= Grade.SLIP:
                return pairs
        return self._aligned(old, new)

    def _are_synonyms(self, old: Sequence[int], new: Sequence[int]) -> bool:
        return self._tools.synonyms.same(
            [self._old[at] for at in old], [self._new[at] for at in new]
        )

    def _are_spaced(self, old: Sequence[int], new: Sequence[int]) -> bool:
        """Return whether both are the same letters, with other spaces."""
        if len(old) == len(new) == 1 or len(old) > _JOINED_MAX or not self._may_hide(old, new):
            return False
        tokens = [self._tokens[at] for at in new]
        return sum(map(len, tokens)) <= _LETTERS_MAX and self._tools.typos.same_letters(
            [self._old[at] for at in old], tokens
        )

    def _may_hide(self, old: Sequence[int], new: Sequence[int]) -> bool:
        """Return whether a word may be in pieces: a few words, or some that nobody knows."""
        return min(len(old), len(new)) == 1 or self._names(old, new) > 0

    def _is_worth_it(self, old: Sequence[int], new: Sequence[int]) -> bool:
        """Return whether many words may be mistyped: some of them are none."""
        return min(len(old), len(new)) <= _FEW or self._names(old, new) * _NAMES_PER >= len(new)

    def _names(self, old: Sequence[int], new: Sequence[int]) -> int:
        """Return how many words are in no dictionary."""
        return sum(self._old[at] & CLASS in _NAMES for at in old) + sum(
            self._new[at] & CLASS in _NAMES for at in new
        )

    def _aligned(self, old: Sequence[int], new: Sequence[int]) -> list[Note]:
        """Return what differs, words paired in the cheapest way."""
        ways = {(0, 0): _Way(0.0)}
        aside = abs(len(old) - len(new)) + _ASIDE_MAX
        for i in range(len(old) + 1):
            for j in range(len(new) + 1):
                if (i or j) and abs(i - j) <= aside:
                    steps = self._steps(old[:i], new[:j])
                    ways[i, j] = min(
                        (
                            _Way(ways[before].cost + cost, before, note)
                            for cost, before, note in steps
                            if before in ways
                        ),
                        key=_COST,
                    )
        found: list[Note] = []
        way = ways[len(old), len(new)]
        while way.note is not None:
            found.append(way.note)
            way = ways[way.before]
        return found[::-1]

    def _steps(self, old: Sequence[int], new: Sequence[int]) -> Iterator[_Way]:
        """Yield in which ways the last words may be explained, and how many that leaves."""
        i, j = len(old), len(new)
        if i:
            yield _Way(_ALONE, (i - 1, j), self._alone(self._old[old[-1]], old[-1:], ()))
        if j:
            yield _Way(_ALONE, (i, j - 1), self._alone(self._new[new[-1]], (), new[-1:]))
        if not i or not j:
            return
        pair = self.pair(old[-1], new[-1])
        yield _Way(_COSTS[pair.grade], (i - 1, j - 1), pair)
        for a, b in _SPACED_STEPS:
            if i < a or j < b or (a > 1 and self._new[new[-1]] & CLASS not in _NAMES):
                continue
            if self._are_spaced(old[-a:], new[-b:]):
                spaced = Note(Grade.HARMLESS, SPACING, old[-a:], new[-b:])
                yield _Way(0.0, (i - a, j - b), spaced)

    def _alone(self, value: int, old: Sequence[int], new: Sequence[int]) -> Note:
        """Return what it means that a word of one side has no partner."""
        if self._tools.fillers.is_manners(value):
            return Note(Grade.HARMLESS, POLITENESS, old, new)
        return Note(Grade.GONE if old else Grade.COME, meaning_of((value,)), old, new)

    def _unpaired(self, old: Sequence[int], new: Sequence[int]) -> Note:
        """Return what to say of more words than are paired."""
        classes = {self._old[at] & CLASS for at in old}
        later = {self._new[at] & CLASS for at in new}
        if WordClass.NUMBER in classes and WordClass.NUMBER in later:
            return Note(Grade.MEANING, NUMBER, old, new)
        return Note(
            Grade.MEANING, NEGATION if WordClass.NEGATION in classes | later else WORDS, old, new
        )

    def pair(self, i: int, j: int) -> Note:
        """Return what it means that one word stands in another one's place."""
        old, new = self._old[i], self._new[j]
        places = (i,), (j,)
        if old == new:
            return Note(Grade.HARMLESS, SPACING, *places)
        kinds = old & CLASS, new & CLASS
        if (kinds[0] in _FIGURES) != (kinds[1] in _FIGURES) and self._is_leet(old, j):
            return Note(Grade.HARMLESS, SPACING, *places)
        if kinds == (WordClass.NUMBER, WordClass.NUMBER):
            return Note(Grade.MEANING, NUMBER, *places)
        if WordClass.OPERATOR in kinds:
            return Note(Grade.MEANING, OPERATOR, *places)
        if self._tools.synonyms.same((old,), (new,)):
            return Note(Grade.PROVEN, SYNONYMS, *places)
        return self._from_dictionary(i, j) if kinds[0] in _IN_DICTIONARY else _of_names(i, j, kinds)

    def _is_leet(self, old: int, j: int) -> bool:
        return self._tools.typos.is_spelt_in_digits(old, self._tokens[j])

    def _from_dictionary(self, i: int, j: int) -> Note:
        """Return what it means that something stands in a dictionary word's place."""
        old, word = self._old[i], self._tokens[j]
        kinds = old & CLASS, self._new[j] & CLASS
        places = (i,), (j,)
        if kinds[1] not in _NAMES and kinds[1] not in _IN_DICTIONARY:
            return Note(Grade.MEANING, NUMBER if kinds[1] == WordClass.NUMBER else WORDS, *places)
        apart = self._tools.typos.edits(old, word, max(2, round(len(word) * _FAR_SHARE)))
        if kinds[1] in _NAMES:
            return self._mistyped(places, apart)
        if WordClass.NEGATION in kinds:
            if self._is_contraction(i, j):
                return Note(Grade.PROVEN, SYNONYMS, *places)
            return Note(Grade.SLIP if apart == 1 else Grade.MEANING, NEGATION, *places)
        if any(synonyms.are_forms(known, word) for known in self._tools.typos.words_of(old)):
            return Note(Grade.PROVEN, SYNONYMS, *places)
        if apart == 1 and kinds == (WordClass.COMMON, WordClass.WORD):
            return Note(Grade.PROVEN, TYPOS, *places)
        if apart == 1 and self._tools.fillers.is_light(old):
            return Note(Grade.PROVEN, TYPOS, *places)
        return Note(Grade.SLIP if apart == 1 else Grade.OTHER, WORDS, *places)

    def _is_contraction(self, i: int, j: int) -> bool:
        """Return whether one is two words of the other side, of which one is matched elsewhere."""
        same = self._tools.synonyms.same
        old, new = self._old, self._new
        return (
            same(old[max(0, i - 1) : i + 1], (new[j],))
            or same(old[i : i + 2], (new[j],))
            or same((old[i],), new[max(0, j - 1) : j + 1])
            or same((old[i],), new[j : j + 2])
        )

    def _mistyped(self, places: tuple[tuple[int], tuple[int]], apart: int) -> Note:
        """Return what it means that a word nobody knows stands in a dictionary word's place."""
        ((i,), (j,)) = places
        old = self._old[i]
        known = self._tools.typos.words_of(old)
        allowed = min((typos.slips_allowed(word, self._tokens[j]) for word in known), default=0)
        if apart <= (1 if old & CLASS == WordClass.COMMON else allowed):
            return Note(Grade.PROVEN, TYPOS, *places)
        far = apart > len(self._tokens[j])
        reason = NEGATION if old & CLASS == WordClass.NEGATION else NAME
        return Note(Grade.MEANING if far else Grade.SLIP, reason, *places)


def _of_names(i: int, j: int, kinds: tuple[int, int]) -> Note:
    """Return what it means that something stands in the place of a word nobody knows."""
    if WordClass.NUMBER in kinds:
        mixed = WordClass.MIXED in kinds
        return Note(Grade.SLIP if mixed else Grade.MEANING, NUMBER, (i,), (j,))
    if kinds[0] in _NAMES and (kinds[1] in _NAMES or kinds[1] in _IN_DICTIONARY):
        return Note(Grade.SLIP, NAME, (i,), (j,))
    return Note(Grade.MEANING, WORDS, (i,), (j,))


def meaning_of(values: Iterable[int]) -> str:
    """Return what kind of meaning some words have."""
    kinds = {value & CLASS for value in values}
    for kind, reason in _MEANINGS:
        if kind in kinds:
            return reason
    return WORDS


_MEANINGS = (
    (WordClass.NEGATION, NEGATION),
    (WordClass.NUMBER, NUMBER),
    (WordClass.OPERATOR, OPERATOR),
    (WordClass.UNKNOWN, NAME),
    (WordClass.MIXED, NAME),
)

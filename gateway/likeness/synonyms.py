"""
Do two runs of words say the same: everyday synonyms, spellings, contractions, inflections.

Only expressions whose exchange leaves a request what it is; what differs technically
(list and array, add and remove) is in no group. See synonyms.txt.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

from gateway.likeness.fillers import short
from gateway.likeness.lexicon import Lexicon

_NONE: frozenset[int] = frozenset()
_ENDINGS = ("s", "es", "d", "ed", "ing", "ly", "ies", "ied")
_FORMS = ("s", "ed", "ing")
_STEM_MIN = 3


@lru_cache(maxsize=1)
def _groups() -> list[list[list[str]]]:
    text = resources.files("gateway.likeness").joinpath("synonyms.txt").read_text("utf-8")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [[expression.split("_") for expression in line] for line in lines if line]


class Synonyms:
    """The groups, as one lexicon values their words."""

    def __init__(self, lexicon: Lexicon) -> None:
        groups: dict[tuple[int, ...], set[int]] = {}
        for number, group in enumerate(_groups()):
            for expression in group:
                values = tuple(short(lexicon.value(word)) for word in expression)
                groups.setdefault(values, set()).add(number)
        self._groups = {values: frozenset(numbers) for values, numbers in groups.items()}

    def same(self, old: Sequence[int], new: Sequence[int]) -> bool:
        """Return whether two runs of values stand in one group."""
        found = self._groups.get(tuple(old), _NONE)
        return bool(found) and not found.isdisjoint(self._groups.get(tuple(new), _NONE))


@lru_cache(maxsize=1)
def _groups_of_words() -> Mapping[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for number, group in enumerate(_groups()):
        for expression in group:
            if len(expression) == 1:
                groups.setdefault(expression[0], set()).add(number)
    return {word: frozenset(numbers) for word, numbers in groups.items()}


def are_forms(left: str, right: str) -> bool:
    """Return whether two words are forms of one, or the same form of two synonyms."""
    stems, others = _stems(left), _stems(right)
    if not stems.isdisjoint(others):
        return True
    groups = _groups_of_words()
    return any(left.endswith(form) and right.endswith(form) for form in _FORMS) and not (
        frozenset[int]().union(*(groups.get(stem, _NONE) for stem in stems))
    ).isdisjoint(frozenset[int]().union(*(groups.get(stem, _NONE) for stem in others)))


def _stems(word: str) -> set[str]:
    """Return what a word may be a form of, roughly; itself among them."""
    found = {word}
    for ending in _ENDINGS:
        stem = word[: -len(ending)]
        if word.endswith(ending) and len(stem) >= _STEM_MIN:
            found.add(stem)
            found.add(stem + "e")
            if stem[-1] == stem[-2]:
                found.add(stem[:-1])
            if ending in ("ies", "ied"):
                found.add(stem + "y")
    return found

"""
Does a run of words only say again what the other text says anyway.

Most of it must stand there, three words in a row at least; what does not is paired with
the word that it stands for, and what was left out between is named.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from gateway.likeness.difference import CLASS
from gateway.likeness.lexicon import WordClass

Triples: TypeAlias = Mapping[tuple[int, ...], int]

_REPEATED_MIN = 4
_COVERED_MIN = 0.7
_SKIPPED_MAX = 4
_AROUND = 3
_NEVER_TWICE = frozenset((WordClass.NUMBER, WordClass.NEGATION, WordClass.OPERATOR))


class Repetition(NamedTuple):
    """What a run repeats not quite."""

    strays: Sequence[tuple[int, int]] = ()
    """Places in the run that repeat nothing, and where in the other text their like would be."""
    skipped: Sequence[int] = ()
    """Places in the other text that were left out between two that are repeated."""


def triples(text: Sequence[int]) -> Triples:
    """Return where each three words in a row stand, the last time they do."""
    return {three: at for at, three in enumerate(zip(text, text[1:], text[2:], strict=False))}


def is_stutter(text: Sequence[int], first: int, length: int) -> bool:
    """Return whether a run stands twice in a row: not when it is a number, negation or sign."""
    run = text[first : first + length]
    if run not in (text[max(0, first - length) : first], text[first + length : first + 2 * length]):
        return False
    return length > 1 or run[0] & CLASS not in _NEVER_TWICE


def repeated(text: Sequence[int], first: int, length: int, known: Triples) -> Repetition | None:
    """Return how a run repeats the other text, by its triples; None when it says something else."""
    at_edge = first == 0 or first + length == len(text)
    if length < _REPEATED_MIN - at_edge:
        return None
    run = text[first : first + length]
    sources = _sources(run, known)
    if sum(place is not None for place in sources) < _COVERED_MIN * length:
        return None
    strays = [(at, _beside(at, sources)) for at in range(length) if sources[at] is None]
    # With what stands around it: a word may be left out where the run begins.
    around = text[max(0, first - _AROUND) : first + length + _AROUND]
    return Repetition(strays, _skipped(_sources(around, known)))


def _sources(run: Sequence[int], known: Triples) -> list[int | None]:
    """Return where each word of a run stands in the other text, among three in a row."""
    sources: list[int | None] = [None] * len(run)
    for at, three in enumerate(zip(run, run[1:], run[2:], strict=False)):
        place = known.get(three)
        if place is not None:
            sources[at : at + 3] = (place, place + 1, place + 2)
    return sources


def _beside(at: int, sources: Sequence[int | None]) -> int:
    """Return where a word's like would be, by the nearest word that has one."""
    near = (other for apart in range(1, len(sources)) for other in (at - apart, at + apart))
    known = (other for other in near if 0 <= other < len(sources) and sources[other] is not None)
    other = next(known)
    return (sources[other] or 0) + at - other


def _skipped(sources: Sequence[int | None]) -> list[int]:
    """Return the places between two words that follow each other, but not in the other text."""
    found: list[int] = []
    for place, following in pairwise(sources):
        if place is not None and following is not None and place < following - 1:
            between = range(place + 1, following)
            found += between if len(between) < _SKIPPED_MAX else ()
    return found

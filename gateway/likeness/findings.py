"""
What a comparison finds, hunk by hunk, and the phrases in which a verdict says why.

The phrases are stable (they are counted and read by machines) and hold no word of any prompt.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

SAME = "the same words"
NONCE = "only a nonce differs"
POLITENESS = "only politeness differs"
FILLER = "only filler differs"
SPACING = "only spelling or spacing differs"
SYNONYMS = "only synonyms differ"
TYPOS = "only typing errors differ"
ORDER = "the same words in another order"
REPEATED = "a part is repeated"
CUT = "a part was cut off"
DROPPED = "some words were left out"

NUMBER = "a number differs"
NEGATION = "a negation differs"
OPERATOR = "an operator differs"
NAME = "a name or identifier differs"
WORDS = "words that carry meaning differ"
SWAPPED = "words changed places"
ATTACHMENT = "another attachment or very long word"
LITTLE = "too little in common"
NOTHING = "nothing to compare with"
TOO_LITTLE = "says too little to be compared"

FIGURES = (NUMBER, OPERATOR)
FIRM = (*FIGURES, NEGATION)
"""What typing errors do not make; a negation may drown in many of them."""

REASONS = (
    SAME, NONCE, POLITENESS, FILLER, SPACING, SYNONYMS, TYPOS, ORDER, REPEATED, CUT, DROPPED,
    NUMBER, NEGATION, OPERATOR, NAME, WORDS, SWAPPED, ATTACHMENT, LITTLE, NOTHING, TOO_LITTLE,
)  # fmt: skip
"""Every reason a verdict may give; `near` gives one of the first eleven, `new` one of the rest."""


class Grade(IntEnum):
    """How much a difference weighs."""

    HARMLESS = 0
    """Changes nothing that is asked."""
    PROVEN = 1
    """Looks like another word, and is shown to be the same: a typing error, a synonym."""
    SLIP = 2
    """Might be a typing error: forgiven among enough proven ones."""
    OTHER = 3
    """One word for another: forgiven among enough proven synonyms."""
    GONE = 4
    """Words with a meaning went: forgiven when words went all over the text."""
    COME = 5
    """Words with a meaning came: forgiven when they came all over the text."""
    MOVED = 6
    """Few words moved: forgiven when words moved all over the text."""
    CUT = 7
    """A good part at an end went: forgiven when nothing came and most is left."""
    MEANING = 8
    """Something else is asked."""


class Note(NamedTuple):
    """One difference: what it weighs, why, and where in both texts."""

    grade: Grade
    reason: str
    old: Sequence[int] = ()
    """Places in the earlier text."""
    new: Sequence[int] = ()


class Finding(NamedTuple):
    """What came of comparing with one earlier text."""

    near: bool
    reason: str
    similarity: float
    """Share of tokens in common, of the longer text: 0 to 1."""
    decisive: Note | None = None

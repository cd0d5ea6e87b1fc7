"""
What do the differences come to, taken together.

One change of meaning decides alone. The rest is forgiven by statistics: typing errors where
enough of them are proven, lost words where words are lost all over the text, a cut where
nothing was added and most is left.
"""

from collections import Counter
from collections.abc import Sequence

from gateway.likeness.difference import CLASS
from gateway.likeness.findings import (
    DROPPED,
    FIGURES,
    FIRM,
    ORDER,
    SPACING,
    SYNONYMS,
    TYPOS,
    Finding,
    Grade,
    Note,
)
from gateway.likeness.lexicon import WordClass
from gateway.likeness.typos import Typos

_GONE_HUNKS_MIN = 3
_GONE_SHARE_MIN = 0.08
_COME_HUNKS_MIN = 5
_COME_LENGTH_MAX = 3
_LEFT_MIN = 0.6
"""Of a text that was cut, or lost words all over, at least this share is left."""
_MOVED_HUNKS_MIN = 3
_PROVEN_MIN = 2
_SCRIBBLED_MIN = 3
"""With so many differences proven harmless, and no more others, a text is scribbled."""
_DROWNED_MIN = 6
"""With so many, even a negation that went or came is one of the typing errors."""
_FIGURES_MAX = 12
_SYNONYMS_PER_OTHER = 2
_TRIED_MAX = 2
_TRIED_MIN = 5
_TRIED_LENGTH_MAX = 18

_FORGIVEN_AS = {
    Grade.SLIP: TYPOS,
    Grade.OTHER: SYNONYMS,
    Grade.GONE: DROPPED,
    Grade.COME: DROPPED,
    Grade.MOVED: ORDER,
}


class Weighing:
    """All notes of one comparison."""

    def __init__(
        self,
        notes: Sequence[Note],
        old: Sequence[int],
        new: Sequence[int],
        tokens: Sequence[str],
        typos: Typos,
    ) -> None:
        self._notes = notes
        self._old = old
        self._new = new
        self._tokens = tokens
        self._typos = typos
        self._found: dict[Grade, list[Note]] = {grade: [] for grade in Grade}
        for note in notes:
            self._found[note.grade].append(note)

    def finding(self, similarity: float) -> Finding:
        """Return the judgement that the notes add up to."""
        scribbled = self._is_scribbled()
        refused = self._scribbled() if scribbled else self._refused()
        if refused is not None:
            return Finding(
                near=False, reason=refused.reason, similarity=similarity, decisive=refused
            )
        deciding = self._found[Grade.PROVEN] if scribbled else self._notes
        decisive = max(deciding or self._notes, key=_weight, default=Note(Grade.HARMLESS, ORDER))
        reason = _FORGIVEN_AS.get(decisive.grade, decisive.reason)
        return Finding(near=True, reason=reason, similarity=similarity, decisive=decisive)

    def _is_scribbled(self) -> bool:
        """Return whether a text is so full of proven typing errors that other oddities are too."""
        proven = len(self._found[Grade.PROVEN]) + sum(
            note.reason == SPACING for note in self._found[Grade.HARMLESS]
        )
        others = sum(
            max(len(note.old), len(note.new))
            for grade in (Grade.OTHER, Grade.COME, Grade.GONE, Grade.MOVED, Grade.MEANING)
            for note in self._found[grade]
        )
        slips = self._found[Grade.SLIP]
        # Where the earlier text is mistyped as well, every other slip goes from no word to one.
        back = sum(self._old[note.old[0]] & CLASS == WordClass.UNKNOWN for note in slips)
        doubtful = (len(slips) - back) // 2 + back // 3
        return proven >= _SCRIBBLED_MIN and proven >= others + doubtful

    def _scribbled(self) -> Note | None:
        """Return the first difference that no typing error makes."""
        firm = FIRM if len(self._found[Grade.PROVEN]) < _DROWNED_MIN else FIGURES
        return next(
            (
                note
                for note in self._notes
                if note.grade == Grade.CUT or (note.grade > Grade.SLIP and note.reason in firm)
            ),
            None,
        )

    def _refused(self) -> Note | None:
        """Return the first difference that makes a text another one; None when there is none."""
        found = self._found
        for grade, is_forgiven in (
            (Grade.MEANING, False),
            (Grade.OTHER, self._are_synonyms()),
            (Grade.COME, self._came_everywhere()),
            (Grade.CUT, not found[Grade.COME] and self._share_gone() <= 1 - _LEFT_MIN),
            (Grade.GONE, self._went_everywhere()),
            (Grade.MOVED, len(found[Grade.MOVED]) >= _MOVED_HUNKS_MIN),
        ):
            if found[grade] and not is_forgiven:
                return found[grade][0]
        return self._doubted()

    def _are_synonyms(self) -> bool:
        proven = sum(note.reason == SYNONYMS for note in self._found[Grade.PROVEN])
        return proven >= _SYNONYMS_PER_OTHER * len(self._found[Grade.OTHER])

    def _share_gone(self) -> float:
        gone = (*self._found[Grade.CUT], *self._found[Grade.GONE])
        return sum(len(note.old) for note in gone) / len(self._old)

    def _came_everywhere(self) -> bool:
        """Return whether the earlier text is the one that lost words all over."""
        came = self._found[Grade.COME]
        if self._found[Grade.GONE] or self._found[Grade.CUT]:
            return False
        if self._is_reordered() and _are_figures(came):
            return True
        share = sum(len(note.new) for note in came) / len(self._new)
        grown = (len(self._new) - len(self._old)) / len(self._new)
        return (
            len(came) >= _COME_HUNKS_MIN
            and all(len(note.new) <= _COME_LENGTH_MAX for note in came)
            and share >= _GONE_SHARE_MIN
            and grown <= 1 - _LEFT_MIN
        )

    def _went_everywhere(self) -> bool:
        """Return whether the later text lost words all over."""
        gone = self._found[Grade.GONE]
        if self._found[Grade.COME]:
            return False
        if self._is_reordered() and _are_figures(gone):
            return True
        return (
            len(gone) >= _GONE_HUNKS_MIN and _GONE_SHARE_MIN <= self._share_gone() <= 1 - _LEFT_MIN
        )

    def _is_reordered(self) -> bool:
        return any(note.reason == ORDER for note in self._found[Grade.HARMLESS])

    def _doubted(self) -> Note | None:
        """
        Return a difference that is no typing error; None when they all are.

        Some are tried, and when those are proven the rest is believed, as long as no word is
        another one twice: that is a name, changed.
        """
        slips = self._found[Grade.SLIP]
        if not slips:
            return None
        pairs = Counter((self._old[note.old[0]], self._new[note.new[0]]) for note in slips)
        if max(pairs.values()) > 1:
            return slips[0]
        proven = len(self._found[Grade.PROVEN])
        if proven >= max(_PROVEN_MIN, len(slips)):
            return None
        doubtful = [note for note in slips if self._may_be_tried(note)]
        tried = doubtful[:: max(1, len(doubtful) // _TRIED_MAX)][:_TRIED_MAX]
        good = [note for note in tried if self._is_proven(note)]
        believed = len(slips) if len(good) == _PROVEN_MIN else len(good)
        if believed == len(slips) or believed + proven >= max(_PROVEN_MIN, len(slips) - believed):
            return None
        return next(note for note in slips if note not in good)

    def _may_be_tried(self, note: Note) -> bool:
        """Return whether a word that no dictionary has is long enough to be known by its edits."""
        word = self._tokens[note.new[0]]
        return (
            self._old[note.old[0]] & CLASS == WordClass.UNKNOWN
            and word.isalpha()
            and _TRIED_MIN <= len(word) <= _TRIED_LENGTH_MAX
        )

    def _is_proven(self, note: Note) -> bool:
        return self._typos.is_slip_of(self._old[note.old[0]], self._tokens[note.new[0]])


def _are_figures(notes: Sequence[Note]) -> bool:
    """Return whether a few list numbers and signs were lost where lines moved."""
    return len(notes) <= _FIGURES_MAX and all(
        len(note.old) + len(note.new) == 1 and note.reason in FIGURES for note in notes
    )


def _weight(note: Note) -> tuple[Grade, int]:
    return note.grade, len(note.old) + len(note.new)

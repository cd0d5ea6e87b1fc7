"""
What do the differences come to, taken together.

One change of meaning decides alone. The rest is forgiven by statistics: typing errors where
enough of them are proven, lost words where words are lost all over the text, a cut where
nothing was added and most is left.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from gateway.likeness.fillers import CLASS
from gateway.likeness.findings import (
    CUT,
    DROPPED,
    FIGURES,
    FIRM,
    NUMBER,
    OPERATOR,
    ORDER,
    SPACING,
    SYNONYMS,
    TYPOS,
    Finding,
    Grade,
    Note,
)
from gateway.likeness.lexicon import WordClass
from gateway.likeness.pairing import Tools

Texts: TypeAlias = tuple[Sequence[int], Sequence[int]]
Graded: TypeAlias = dict[Grade, list[Note]]

_SHORT = 6
_GONE_HUNKS_MIN = 3
_GONE_SHARE_MIN = 0.08
_COME_HUNKS_MIN = 5
_COME_LENGTH_MAX = 3
_LEFT_MIN = 0.6
_MOVED_HUNKS_MIN = 3
_PROVEN_MIN = 2
_SCRIBBLED_MIN = 3
_COVERED_MIN = 6
_FIGURES_MAX = 12
_TRIED_MAX = 2
_TRIED_MIN = 5
_TRIED_LENGTH_MAX = 18
_SYNONYMS_PER_OTHER = 2


def weigh(
    notes: Sequence[Note], texts: Texts, tokens: Sequence[str], tools: Tools, similarity: float
) -> Finding:
    """Return the judgement that the notes of one comparison add up to."""
    found: Graded = {grade: [] for grade in Grade}
    for note in notes:
        found[note.grade].append(note)
    refused = _first_refused(found, texts)
    if refused is None and found[Grade.SLIP]:
        refused = _doubted(found, texts, tokens, tools)
    if refused is not None:
        return Finding(near=False, reason=refused.reason, similarity=similarity, decisive=refused)
    decisive = max(notes, key=_weight, default=Note(Grade.HARMLESS, ORDER))
    return Finding(near=True, reason=_reason(decisive), similarity=similarity, decisive=decisive)


def _weight(note: Note) -> tuple[Grade, int]:
    return note.grade, len(note.old) + len(note.new)


def _reason(note: Note) -> str:
    match note.grade:
        case Grade.SLIP:
            return TYPOS
        case Grade.OTHER:
            return SYNONYMS
        case Grade.GONE | Grade.COME:
            return DROPPED
        case Grade.MOVED:
            return ORDER
        case _:
            return note.reason


def _first_refused(found: Graded, texts: Texts) -> Note | None:
    """Return the first difference that makes a text another one, typing errors apart."""
    if _is_scribbled(found):
        firm = FIRM if len(found[Grade.PROVEN]) < _COVERED_MIN else FIGURES
        notes = (note for grade in Grade if grade > Grade.SLIP for note in found[grade])
        return next((n for n in notes if n.reason in firm or n.grade == Grade.CUT), None)
    for grade, forgiven in (
        (Grade.MEANING, _never),
        (Grade.OTHER, _are_synonyms),
        (Grade.COME, _came_everywhere),
        (Grade.CUT, _is_cut),
        (Grade.GONE, _went_everywhere),
        (Grade.MOVED, _moved_everywhere),
    ):
        if found[grade] and not forgiven(found, texts):
            return found[grade][0]
    return None


def _is_scribbled(found: Graded) -> bool:
    """Return whether a text is so full of proven typing errors that other oddities are some too."""
    proven = len(found[Grade.PROVEN]) + sum(
        note.reason == SPACING for note in found[Grade.HARMLESS]
    )
    others = sum(
        max(len(note.old), len(note.new))
        for grade in (Grade.OTHER, Grade.COME, Grade.GONE, Grade.MOVED, Grade.MEANING)
        for note in found[grade]
    )
    return proven >= _SCRIBBLED_MIN and proven >= others + len(found[Grade.SLIP]) // 2


def _never(found: Graded, texts: Texts) -> bool:
    return False


def _came_everywhere(found: Graded, texts: Texts) -> bool:
    """Return whether the earlier text is the one that lost words all over."""
    came = found[Grade.COME]
    if _is_reordered(found) and not found[Grade.GONE] and _are_figures(came):
        return True
    size = sum(len(note.new) for note in came)
    return (
        len(came) >= _COME_HUNKS_MIN
        and not found[Grade.GONE]
        and not found[Grade.CUT]
        and all(len(note.new) <= _COME_LENGTH_MAX for note in came)
        and _GONE_SHARE_MIN <= size / len(texts[1]) <= 1 - _LEFT_MIN
    )


def _is_reordered(found: Graded) -> bool:
    return any(note.reason == ORDER for note in found[Grade.HARMLESS])


def _are_figures(notes: Sequence[Note]) -> bool:
    """Return whether a few list numbers and signs were lost where lines moved."""
    return len(notes) <= _FIGURES_MAX and all(
        len(note.old) + len(note.new) == 1 and note.reason in (NUMBER, OPERATOR) for note in notes
    )


def _is_cut(found: Graded, texts: Texts) -> bool:
    gone = sum(len(note.old) for grade in (Grade.CUT, Grade.GONE) for note in found[grade])
    return not found[Grade.COME] and gone <= (1 - _LEFT_MIN) * len(texts[0])


def _went_everywhere(found: Graded, texts: Texts) -> bool:
    gone = found[Grade.GONE]
    if _is_reordered(found) and not found[Grade.COME] and _are_figures(gone):
        return True
    size = sum(len(note.old) for grade in (Grade.CUT, Grade.GONE) for note in found[grade])
    share = size / len(texts[0])
    return (
        len(gone) >= _GONE_HUNKS_MIN
        and not found[Grade.COME]
        and _GONE_SHARE_MIN <= share <= 1 - _LEFT_MIN
    )


def _moved_everywhere(found: Graded, texts: Texts) -> bool:
    return len(found[Grade.MOVED]) >= _MOVED_HUNKS_MIN


def _are_synonyms(found: Graded, texts: Texts) -> bool:
    proven = sum(note.reason == SYNONYMS for note in found[Grade.PROVEN])
    return proven >= _SYNONYMS_PER_OTHER * len(found[Grade.OTHER])


def _doubted(found: Graded, texts: Texts, tokens: Sequence[str], tools: Tools) -> Note | None:
    """
    Return a difference that is no typing error; None when they all are.

    Some are tried, and when most of those are proven the rest is believed, as long as no
    name is another one twice: that is a name, changed.
    """
    slips = found[Grade.SLIP]
    pairs = Counter((texts[0][note.old[0]], texts[1][note.new[0]]) for note in slips)
    (_, often), *_ = pairs.most_common(1)
    if _is_scribbled(found):
        return None
    if often > 1:
        return slips[0]
    proven = len(found[Grade.PROVEN])
    if proven >= max(_PROVEN_MIN, len(slips)):
        return None
    doubtful = [note for note in slips if _may_be_tried(note, texts, tokens)]
    tried = doubtful[:: max(1, len(doubtful) // _TRIED_MAX)][:_TRIED_MAX]
    good = [
        note for note in tried if tools.typos.is_slip_of(texts[0][note.old[0]], tokens[note.new[0]])
    ]
    believed = len(slips) * len(good) // len(tried) if len(good) >= _PROVEN_MIN else len(good)
    if len(good) == len(slips) or (believed + proven >= max(_PROVEN_MIN, len(slips) - believed)):
        return None
    return next((note for note in slips if note not in good), slips[0])


def _may_be_tried(note: Note, texts: Texts, tokens: Sequence[str]) -> bool:
    """Return whether a word that the dictionary lacked is long enough to be known by its edits."""
    word = tokens[note.new[0]]
    old = texts[0][note.old[0]] & CLASS
    return (
        old == WordClass.UNKNOWN and word.isalpha() and _TRIED_MIN <= len(word) <= _TRIED_LENGTH_MAX
    )

"""
Every kind of disguise: a copy of a prompt that asks for the same thing again.

`disguise(kind, text, seed)` gives the copy. A kind that finds nothing to change in a
text (no contraction in it, say) gives the text back: such pairs prove nothing.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random

import msgspec

from tests.disguises import lettering, wording

COSMETIC = "cosmetic"
SALT = "salt"
Change = Callable[[str, Random], str]


class Kind(msgspec.Struct, frozen=True):
    """One way to disguise a prompt."""

    group: str
    change: Change


def _plain(change: Callable[[str], str]) -> Change:
    return lambda text, _: change(text)


def _three(groups: tuple[str, ...]) -> Change:
    """Three kinds of some groups, one after the other."""

    def change(text: str, random: Random) -> str:
        names = [name for name, kind in KINDS.items() if kind.group in groups]
        for name in random.sample(names, 3):
            text = KINDS[name].change(text, random)
        return text

    return change


_MATH = tuple(
    {"A": start, "a": start + 26}
    for start in (0x1D400, 0x1D468, 0x1D4D0, 0x1D56C, 0x1D5A0, 0x1D5D4, 0x1D63C, 0x1D670)
)
_CIRCLED = ({"A": 0x24B6, "a": 0x24D0}, {"A": 0x1F130, "a": 0x24D0})

_COSMETIC: dict[str, Change] = {
    "case_upper": _plain(str.upper),
    "case_lower": _plain(str.lower),
    "case_title": _plain(str.title),
    "case_random": lettering.random_case,
    "space_double": partial(lettering.spaces, choices=("  ", "   "), share=0.5),
    "space_tabs": partial(lettering.spaces, choices=("\t", " \t"), share=0.5),
    "space_newlines": partial(lettering.spaces, choices=("\n", " \n", "\n\n"), share=0.25),
    "space_trailing": lettering.trailing,
    "space_unicode": partial(lettering.spaces, choices=tuple(lettering.SPACES), share=0.6),
    "zero_width": partial(lettering.invisible, signs=lettering.INVISIBLE, share=0.1),
    "unseen_marks": partial(lettering.invisible, signs=lettering.UNSEEN, share=0.1),
    "homoglyph_some": partial(lettering.letters, table=lettering.COMMON, share=0.2),
    "homoglyph_all": partial(lettering.letters, table=lettering.COMMON, share=1.0),
    "homoglyph_rare": partial(lettering.letters, table=lettering.RARE, share=0.5),
    "homoglyph_math": lambda text, random: lettering.shifted(text, random.choice(_MATH)),
    "homoglyph_circled": lambda text, random: lettering.shifted(text, random.choice(_CIRCLED)),
    "small_capitals": partial(lettering.letters, table=lettering.SMALL_CAPITALS, share=1.0),
    "full_width": _plain(lettering.full_width),
    "leet_some": partial(lettering.leet, table=lettering.LEET, share=0.3),
    "leet_all": partial(lettering.leet, table=lettering.LEET, share=1.0),
    "leet_signs": partial(lettering.leet, table=lettering.LEET_MORE, share=0.7),
    "accents": partial(lettering.accented, share=0.4),
    "marks_added": lettering.marks_added,
    "marks_removed": _plain(lettering.marks_removed),
    "marks_changed": lettering.marks_changed,
    "typographic": lettering.typographic,
    "bold": lettering.bold,
    "bullets": lettering.bullets,
    "heading": lettering.heading,
    "fenced": lettering.fenced,
    "quoted": _plain(lettering.quoted),
    "tagged": lettering.tagged,
    "emoji": lettering.emoji,
}
_SALT: dict[str, Change] = {
    "uuid_front": wording.front(wording.uuid),
    "uuid_back": wording.back(wording.uuid),
    "uuid_both": wording.both(wording.uuid),
    "timestamp_front": wording.front(wording.timestamp),
    "timestamp_back": wording.back(wording.timestamp),
    "date_front": wording.front(wording.date),
    "date_back": wording.back(wording.date),
    "unix_time_back": wording.back(wording.unix_time),
    "integer_front": wording.front(wording.integer),
    "integer_back": wording.back(wording.integer),
    "hex_front": wording.front(wording.hexadecimal),
    "hex_back": wording.back(wording.hexadecimal),
    "characters_front": wording.front(wording.characters),
    "characters_back": wording.back(wording.characters),
    "characters_both": wording.both(wording.characters),
    "lower_back": wording.back(wording.lower_characters),
    "labelled": wording.labelled,
    "between": wording.between,
}
_REST: dict[str, dict[str, Change]] = {
    "manners": {
        "greeting": wording.greeting,
        "politeness": wording.politeness,
        "closing": wording.closing,
        "framed": wording.framed,
        "filler_one": wording.filler,
        "filler_two": wording.fillers,
    },
    "invented": {"gibberish_back": wording.back(wording.gibberish)},
    "slips": {
        "typo_1": wording.slips(0.01),
        "typo_3": wording.slips(0.03),
        "typo_8": wording.slips(0.08),
    },
    "joints": {
        "broken_words": lettering.broken_words,
        "spaced_out": lettering.spaced_out,
        "glued": lettering.glued,
    },
    "order": {
        "words_shuffled": wording.shuffled,
        "sentences_moved": wording.sentences_moved,
        "lines_moved": wording.lines_moved,
        "rotated": wording.rotated,
    },
    "repetition": {
        "twice": wording.repeated(2),
        "thrice": wording.repeated(3),
        "sentence_repeated": wording.sentence_repeated,
    },
    "words": {
        "synonyms_some": wording.synonyms(0.4),
        "synonyms_all": wording.synonyms(1.0),
        "contractions": wording.contractions,
        "spelling": wording.spelling,
    },
    "cuts": {
        "words_dropped": wording.words_dropped,
        "end_dropped": _plain(wording.end_dropped),
        "start_dropped": _plain(wording.start_dropped),
    },
    "combined": {
        "three_light": _three((COSMETIC, SALT, "manners")),
        "three_any": _three((COSMETIC, SALT, "manners", "slips", "order", "repetition", "words")),
    },
}
KINDS: Mapping[str, Kind] = {
    name: Kind(group, change)
    for group, changes in ({COSMETIC: _COSMETIC, SALT: _SALT} | _REST).items()
    for name, change in changes.items()
}


def disguise(kind: str, text: str, seed: int) -> str:
    """Return a copy of a text, disguised; the same for the same seed."""
    return KINDS[kind].change(text, Random(f"{kind} {seed} {text}"))

"""
What does a character look like: letters that pass for others, and signs that pass unseen.

What can be said of one character alone (compatibility forms, accents, typographic signs,
invisible characters, digits of any script) is said at once. Letters of other scripts are
folded to the Latin ones they look like only where they pose as those: in a word that also
holds Latin letters, or in a text that is Latin otherwise. Russian stays Russian.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources

from gateway.likeness import lexicon

_APOSTROPHES = (
    "\u2019\u2018\u02bc\u02b9\u2032\u00b4\uff07\u02bb\u02c8\u055a\u201b\u02bd\u02ca\u02cb\u2035"
)
_UNSEEN = "\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5\u180e"
_SIGNS = {
    **dict.fromkeys(_APOSTROPHES, "'"),
    **dict.fromkeys(_UNSEEN, ""),
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{NOT EQUAL TO}": "!=",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{FEMININE ORDINAL INDICATOR}": "a",
    "\N{MASCULINE ORDINAL INDICATOR}": "o",
    "\N{HYPHEN}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{FRACTION SLASH}": "/",
    "\N{LATIN SMALL LETTER O WITH OGONEK}": "q",  # its looks, as the small capital
    "\N{LATIN SMALL LETTER SHARP S}": "ss",
    "\N{LATIN CAPITAL LETTER SHARP S}": "SS",
    "\N{LATIN SMALL LETTER AE}": "ae",
    "\N{LATIN CAPITAL LETTER AE}": "AE",
    "\N{LATIN SMALL LIGATURE OE}": "oe",
    "\N{LATIN CAPITAL LIGATURE OE}": "OE",
    "\N{LATIN SMALL LETTER THORN}": "th",
    "\N{LATIN CAPITAL LETTER THORN}": "TH",
}
_FEW = 24
"""Up to so many different characters, replacing one after the other is the fastest."""

_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
_MARKS_MAX = 8
"""In a row. Normalising takes the square of it."""

_ASCII = bytes(range(128))
_LATIN = frozenset(string.ascii_letters)
_RUN = re.compile("[\x80-\U0010ffff]+")
_WORD = re.compile("[0-9A-Za-z\x80-\U0010ffff]+")
_WORDS = bytes(code if chr(code).isalnum() else 32 for code in _ASCII) + bytes(range(128, 256))
_FOREIGN_SHARE_MAX = 0.2


@lru_cache(maxsize=1)
def doubles() -> Mapping[str, str]:
    """Return the ASCII letter or digit for each letter that may pass for one, in lower case."""
    return {double: row.lstrip("+")[0] for row in _rows() for double in row.split(" ")[1]}


@lru_cache(maxsize=1)
def _loose_doubles() -> frozenset[str]:
    """Return those that pass only among Latin letters: every Russian text is full of them."""
    return frozenset("".join(row.split(" ")[1] for row in _rows() if row[0] == "+"))


def _rows() -> list[str]:
    text = resources.files("gateway.likeness").joinpath("confusables.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


@lru_cache(maxsize=4096)
def plain(character: str) -> str | None:
    """Return the ASCII a character stands for, `""` and `" "` among it; None for other scripts."""
    if character in _SIGNS:
        return _SIGNS[character]
    category = unicodedata.category(character)
    if category == "Lo":
        return None
    decomposed = unicodedata.normalize("NFKD", character)
    base = "".join(_SIGNS.get(c, c) for c in decomposed if not _MARKS.match(c))
    if base.isascii():
        return base
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category[0] not in "LM":
        return doubles().get(character, "" if category == "Cf" else " ")
    if category[0] == "L" and unicodedata.name(character, "").startswith("LATIN"):
        return doubles().get(character)
    return None


def fold(text: str) -> str:
    """Return `text` with what looks alike made alike; what is left above ASCII is other scripts."""
    stand_ins = {character: plain(character) for character in _unusual(text)}
    if None not in stand_ins.values():
        return _replaced(text, {each: stand_in or "" for each, stand_in in stand_ins.items()})
    text = _normalise(text, stand_ins)
    parts = {character: _part(character) for character in _unusual(text)}
    text = _replaced(text, {each: part for each, part in parts.items() if each != part})
    return text if doubles().keys().isdisjoint(parts) else _fold_words(text)


def _unusual(text: str) -> set[str]:
    """Return the characters beyond ASCII."""
    encoded = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
    return set(encoded.decode("utf-8", "surrogatepass"))


def _normalise(text: str, unusual: Iterable[str]) -> str:
    """Return `text` in form NFKC."""
    marks = "".join(character for character in unusual if unicodedata.combining(character))
    if marks:
        text = re.sub(f"([{marks}]{{{_MARKS_MAX}}})[{marks}]+", r"\1", text)
    return unicodedata.normalize("NFKC", text)


def _replaced(text: str, stand_ins: Mapping[str, str]) -> str:
    """Return `text` with other strings for some characters beyond ASCII."""
    if len(stand_ins) <= _FEW:
        for character, stand_in in stand_ins.items():
            text = text.replace(character, stand_in)
        return text
    return _RUN.sub(lambda run: "".join([stand_ins.get(each, each) for each in run[0]]), text)


@lru_cache(maxsize=4096)
def _part(character: str) -> str:
    """Return what a character becomes in a text of other scripts; a form feed is a mere gap."""
    stand_in = plain(character)
    if stand_in is not None:
        return stand_in
    return f"\f{character}\f" if lexicon.is_unspaced(character) else character


def _fold_words(text: str) -> str:
    """Fold the words whose letters pose as Latin ones."""
    spaced = text.encode().translate(_WORDS).decode()
    words = set(spaced.split())
    posing = _posing({word for word in words if not word.isascii()}, len(words))
    if not posing:
        return text
    letters = {ord(double): letter for double, letter in doubles().items()}
    folded = {word: word.translate(letters) for word in posing}
    if len(folded) > _FEW:
        return _WORD.sub(lambda word: folded.get(word[0], word[0]), text)
    return _with_words(text, f" {spaced} ", folded)


def _with_words(text: str, spaced: str, others: Mapping[str, str]) -> str:
    """Return `text` with other words for some; `spaced` has blanks around and between them."""
    places: list[tuple[int, str]] = []
    for word in others:
        at = spaced.find(f" {word} ")
        while at >= 0:
            places.append((at, word))
            at = spaced.find(f" {word} ", at + 1)
    parts: list[str] = []
    end = 0
    for at, word in sorted(places):
        parts += (text[end:at], others[word])
        end = at + len(word)
    return "".join((*parts, text[end:]))


def _posing(unusual: set[str], words: int) -> set[str]:
    """Return which of the words beyond ASCII, among so many, pose as Latin ones."""
    passing = {word for word in unusual if _passing().issuperset(word)}
    mixing = {word for word in passing if _mixes_scripts(word)}
    close = {word for word in passing if _loose_doubles().isdisjoint(word)}
    posing = mixing | {word for word in unusual if not _LATIN.isdisjoint(word)}
    if len(unusual - mixing - close) <= _FOREIGN_SHARE_MAX * words:
        posing |= close
    if passing == unusual and 2 * len(mixing) >= len(passing):
        posing |= passing
    return posing


@lru_cache(maxsize=1)
def _passing() -> frozenset[str]:
    return frozenset((*_ASCII.decode(), *doubles()))


def _mixes_scripts(word: str) -> bool:
    """Say whether letters of several scripts make one word, as in no language they do."""
    return len({_script(character) for character in word if not character.isdecimal()}) > 1


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ", 1)[0]

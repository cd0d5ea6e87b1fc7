"""
Which digits and signs stand for letters: `pr0mpt`, `h@ck`, `7h15 15 1337`.

A word is folded by itself only where that makes a word of the dictionary and its digits
stand where names do not have theirs; `sha256`, `step3`, `model5` stay. Where several words
of a text are written so, all of it is taken to be.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import product

from gateway.likeness import lexicon

_LETTERS = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "l",
    "+": "t",
}
_SIGNS = "".join(_LETTERS)
_NUMBERED = frozenset(
    (
        *("issue", "issues", "bug", "ticket", "version", "step", "line", "lines", "page", "port"),
        *("number", "case", "task", "section", "chapter", "item", "top", "exit", "code", "level"),
        *("first", "last", "over", "under", "about", "id", "pr", "row", "column", "test", "by"),
    )
)
"""After these a number is a number, even where everything else is disguised."""

_CANDIDATE = re.compile(r"[0-9@$!|+][a-z0-9@$!|+]*")
_SIGNED = re.compile(r"[@$!|+][A-Za-z0-9@$!|+]+")
_OPENING = re.compile(r"[@$!][A-Za-z0-9@$!|+]")
_CANDIDATE_MAX = 64
_KNOWN_MAX = 16_384
_ALONE = {"4": "a", "1": "i"}
_ONES_MAX = 6
_CERTAIN_MIN = 3
_HEXADECIMAL = re.compile(r"[0-9a-f]+\Z")
_PART = re.compile(r"[a-z0-9]+")
_JOINING = re.compile(r"[|+]")
_INNER = re.compile(r"[a-z][0-9@$!|+]+[a-z]")
_AROUND = re.compile(r"[0-9!][a-df-z][0-9@$]+")
_DISGUISED_MIN = 3
_DISGUISED_SHARE_MIN = 0.25
_RIDDLED_MIN = 5
_RIDDLED_SHARE_MIN = 0.3


def may_fold(text: str, odd: Collection[str], words: int) -> bool:
    """Return whether `fold` may change `text`, of whose words `odd` hold digits."""
    return (
        any(map(_KNOWN.__getitem__, odd))
        or _are_riddled(odd, max(_RIDDLED_MIN, _RIDDLED_SHARE_MIN * words))
        or (("$" in text or "@" in text or "!" in text) and _is_signed(text))
    )


def _are_riddled(odd: Collection[str], more_than: float) -> bool:
    return len(odd) > more_than and sum(map(_is_mixed, odd)) > more_than


def _is_signed(text: str) -> bool:
    """Say whether a word with signs inside, none of which joins two words, can only be another."""
    return _OPENING.search(text) is not None and any(
        _KNOWN[text[start:end].lower()]
        for start, end in _spans(text, _SIGNED)
        if not _JOINING.match(text, start)
    )


def fold(text: str) -> str:
    """Return `text`, which is in lower case, with disguised words spelt in letters."""
    spans = list(_spans(text, _CANDIDATE))
    candidates = {word for start, end in spans if _is_mixed(word := text[start:end])}
    certain = {word: read for word in candidates if (read := _certain_parts(word))}
    if _is_disguised(len(certain), len(candidates)) or _is_riddled(text, candidates):
        return _fold_all(text, spans)
    return _replace(text, ((span, certain.get(text[slice(*span)])) for span in spans))


def _spans(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yield where words stand that hold a digit or a sign: what is found, and letters before."""
    for found in pattern.finditer(text):
        start, end = found.span()
        first = max(0, start - _CANDIDATE_MAX)
        while start > first and "a" <= text[start - 1].lower() <= "z":
            start -= 1
        yield start, end


def _replace(text: str, reads: Iterable[tuple[tuple[int, int], str | None]]) -> str:
    parts: list[str] = []
    at = 0
    for (start, end), read in reads:
        if read is not None:
            parts += (text[at:start], read)
            at = end
    return "".join((*parts, text[at:]))


def _is_mixed(word: str) -> bool:
    return len(word) <= _CANDIDATE_MAX and not word.isdecimal() and any(map(str.isalpha, word))


def _is_disguised(certain: int, candidates: int) -> bool:
    return certain >= _DISGUISED_MIN and certain > _DISGUISED_SHARE_MIN * candidates


def _is_riddled(text: str, candidates: Collection[str]) -> bool:
    """Say whether so many words have signs inside that another language must be disguised."""
    if len(candidates) < _RIDDLED_MIN:
        return False
    riddled = sum(1 for word in candidates if _INNER.search(word) and not _HEXADECIMAL.match(word))
    return riddled >= _RIDDLED_MIN and riddled > _RIDDLED_SHARE_MIN * len(set(text.split()))


def _certain(word: str) -> str:
    """Return the word it can only be; empty when it may well mean what it says."""
    core = word.rstrip("!|+")
    if len(core) < _CERTAIN_MIN or _HEXADECIMAL.match(core) or _JOINING.search(core):
        return ""
    read = _in_dictionary(core)
    if not read or not (_INNER.search(core) or _AROUND.fullmatch(core) or _edge_is_letter(core)):
        return ""
    return read + word[len(core) :]


class _Known(dict[str, str]):
    """What words can only be, of those asked for; of long ones nothing."""

    def __missing__(self, word: str) -> str:
        if len(word) > _CANDIDATE_MAX:
            return ""
        if len(self) >= _KNOWN_MAX:
            self.clear()
        self[word] = read = _certain(word)
        return read


_KNOWN = _Known()


def _certain_parts(word: str) -> str:
    """Return the word it can only be, or its parts when one of those is such a word."""
    if read := _KNOWN[word]:
        return read
    parts = _PART.findall(word)
    reads = [_KNOWN[part] or part for part in parts]
    return " ".join(reads) if reads != parts else ""


def _edge_is_letter(core: str) -> bool:
    """Say whether one sign, first or last, is part of the word and no number beside it."""
    letters = core.strip(_SIGNS)
    if len(core) - len(letters) != 1 or len(letters) < _CERTAIN_MIN or core[0] in "@$|+":
        return False
    return core[-1].isalpha() or _is_cut(letters)


def _is_cut(letters: str) -> bool:
    """Say whether a word lacks its end: `tes7` does, `model5`, `col5` and `num3` do not."""
    return len(letters) > _CERTAIN_MIN and not lexicon.is_word(letters)


def _in_dictionary(word: str) -> str:
    return next((read for read in _readings(word) if lexicon.is_word(read)), "")


def _readings(word: str) -> Iterator[str]:
    """Yield what it may spell, likest first; nothing where a digit stands for no letter."""
    options = [_LETTERS.get(character, character) for character in word]
    if any(map(str.isdecimal, options)):
        return
    if word.count("1") > _ONES_MAX:
        options = [option[0] for option in options]
    yield from ("".join(letters) for letters in product(*options))


def _fold_all(text: str, spans: Iterable[tuple[int, int]]) -> str:
    return _replace(text, ((span, _read_in_disguise(text, *span)) for span in spans))


def _read_in_disguise(text: str, start: int, end: int) -> str:
    word = text[start:end]
    if not word.isdecimal():
        return _disguised(word)
    before = text[max(0, start - _CANDIDATE_MAX) : start].split()
    if before and _disguised(before[-1]).strip() in _NUMBERED:
        return word
    return _in_dictionary(word) or _ALONE.get(word, word)


def _disguised(word: str) -> str:
    """Return what a word of a text that is disguised throughout spells."""
    if len(word) > _CANDIDATE_MAX:
        return word
    for core in (word, word.rstrip("!|+")):
        if core and (read := _in_dictionary(core)):
            return read + word[len(core) :]
    core = word.rstrip("!|")
    return next(_readings(core), core) + word[len(core) :] if _is_mixed(core) else word

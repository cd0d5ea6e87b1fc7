"""
What does a text say, whatever it looks like: its words, in one spelling.

Boilerplate goes first; what looks alike is made alike; ids, blobs and stamps of time are
taken out; digits that stand for letters become letters; punctuation, markdown and emoji
are dropped. Plain English in ASCII takes a few passes of `str.translate` and substring
tests; a regular expression runs only where one of those says it may find something.
"""

import math
import re
import string
from functools import lru_cache
from itertools import filterfalse, groupby

from gateway.likeness import boilerplate, confusables, leet, lexicon, masks, operators

CHARACTERS_MAX = 64_000
"""Of a longer text both ends are normalised, and what is between is one LONG token."""

_PLAIN = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)
) + bytes(range(128, 256))
_DIGITS_AS_0 = bytes.maketrans(b"123456789", b"000000000")
_NO_SIGNS = (string.ascii_letters + " \t,;?").encode() + bytes(range(128, 256))
_LIST = re.compile(r"\n[ \t]*[0-9]{1,3}[.)](?=[ \t])")
_TAG = re.compile(
    r"</?(?:b|i|u|p|s|a|br|hr|em|tt|li|ul|ol|td|tr|h[1-6]|del|ins|sub|sup|div|pre|code|font|mark"
    r"|span|small|table|center|strong)(?:\s(?:href=[\"#]{1,3})?)?/?>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```(?:text|txt|plaintext|plain|markdown|md)\b", re.IGNORECASE)
_SPACED = re.compile(
    r"(?<![^\W_])[A-Za-z](?:([._*-])[A-Za-z](?:\1[A-Za-z])*|( )[A-Za-z](?: [A-Za-z])+)(?![^\W_])"
)
_SPACED_WIDE = re.compile(r"(?<![^\W_])[A-Za-z](?:([ ._*-])[A-Za-z](?:\1[A-Za-z])*)(?![^\W_])")
_WIDE_GAP = re.compile(r"[A-Za-z]\s{2,}[A-Za-z]")
_SPACED_SHARE_MIN = 0.5
_AS_A = bytes(ord(" ") if code == ord(" ") else ord("a") for code in range(256))
_CONTINUATIONS = bytes(range(128, 192))
_THREE_ALONE = b" a a a "
_SINGLE_RUN = re.compile(rb"\x01{3,}")
_SINGLES = frozenset("bcdefghjklmnopqrstuvwxyz")
"""One of them at least is in a word that was spaced out: `a` and `i` are words themselves."""

_SPACED_MIN = 3
_DIGITS_FEW = 24
"""Up to so many, looking for each is faster than looking at every token."""

_PERIOD_MIN = 4


def normal_form(text: str) -> list[str]:
    """Return the tokens of `text`, in order."""
    return spell(boilerplate.strip(text))


def spell(text: str, characters_max: int = CHARACTERS_MAX) -> list[str]:
    """Return the tokens of `text`, its boilerplate gone; of a longer one those of both ends."""
    if len(text) <= characters_max:
        return _once(_tokens(text))
    end = characters_max // 2 - lexicon.LONG_CHARACTERS
    return [*_tokens(text[:end]), text[end:-end], *_tokens(text[-end:])]


def _tokens(text: str) -> list[str]:
    text = text.replace("'", "")
    if not text.isascii():
        text = confusables.fold(text).replace("'", "")
    signs = text.encode().translate(_DIGITS_AS_0, _NO_SIGNS)
    text = _unmarked(text, signs)
    tokens = _split(text, signs)
    odd = _odd(text, tokens, signs) if b"0" in signs else []
    if odd and (masked := masks.without(text, odd)) != text:
        text = masked
        tokens = _split(text, signs)
    if leet.may_fold(text, odd, len(tokens)):
        text = leet.fold(text.lower())
        tokens = _split(text, signs)
    if not _SINGLES.isdisjoint(tokens):
        tokens = _spelt_together(text, tokens, signs)
    if text.isascii():
        return tokens
    return [token if token.isascii() else token.casefold() for token in tokens]


def _odd(text: str, tokens: list[str], signs: bytes) -> list[str]:
    """Return the tokens that hold digits, and maybe some that hold no letters."""
    if signs.count(b"0") > _DIGITS_FEW or not text.isascii():
        return list(filterfalse(str.isalpha, tokens))
    words = text.encode().translate(_PLAIN) + b" "
    as_0 = words.translate(_DIGITS_AS_0)
    odd: list[str] = []
    at = as_0.find(b"0")
    while at >= 0:
        end = words.index(b" ", at)
        odd.append(words[words.rfind(b" ", 0, at) + 1 : end].decode())
        at = as_0.find(b"0", end)
    return odd


def _unmarked(text: str, signs: bytes) -> str:
    """Return `text` without formatting tags, list numbers, and the names of plain fences."""
    if b"<" in signs and b">" in signs:
        text = _TAG.sub(" ", text)
    if b"0." in signs or b"0)" in signs:
        text = _LIST.sub("\n", "\n" + text)
    if b"```" in signs:
        text = _FENCE.sub(" ", text)
    return text


def _split(text: str, signs: bytes) -> list[str]:
    """Return the words of `text`, and the signs of code that stand between two of them."""
    encoded = text.encode()
    words = encoded.translate(_PLAIN)
    if operators.may_stand_in(encoded, signs):
        words = operators.keep(encoded, words)
    return words.decode().split()


def _spelt_together(text: str, tokens: list[str], signs: bytes) -> list[str]:
    """Return the tokens with words that were spaced out letter by letter in one piece."""
    shape = f" {' '.join(tokens)} ".encode().translate(_AS_A, _CONTINUATIONS)
    if _THREE_ALONE not in shape:
        return tokens
    try:
        sizes = bytes(map(len, tokens))
    except ValueError:  # some token is longer than a byte can say
        sizes = bytes(min(len(token), 2) for token in tokens)
    is_spaced = sizes.count(1) > _SPACED_SHARE_MIN * len(sizes)
    if is_spaced and (closed := _closed_up(text)) != text:
        return _spelt_together("", _split(closed, signs), signs)
    return _joined(tokens, sizes)


def _closed_up(text: str) -> str:
    """Return `text` with the letters of words closed up, as far as wider gaps end words."""
    return (_SPACED_WIDE if _WIDE_GAP.search(text) else _SPACED).sub(_closed, text)


def _closed(run: re.Match[str]) -> str:
    if _SINGLES.isdisjoint(run[0].lower()):
        return run[0]
    return run[0].replace(run[0][1], "")


def _joined(tokens: list[str], sizes: bytes) -> list[str]:
    """Return the tokens with what is left of single letters in a row in one piece."""
    joined: list[str] = []
    at = 0
    for run in _SINGLE_RUN.finditer(sizes):
        start, end = run.span()
        if not _SINGLES.isdisjoint(tokens[start:end]):
            joined += tokens[at:start]
            joined += _as_one(tokens[start:end])
            at = end
    return joined + tokens[at:] if at else tokens


def _as_one(singles: list[str]) -> list[str]:
    """Return single characters, those in one piece that are letters of a word."""
    return [
        token
        for are_letters, run in groupby(singles, _is_letter)
        for token in _word_of(list(run), are_letters=are_letters)
    ]


def _word_of(singles: list[str], *, are_letters: bool) -> list[str]:
    if are_letters and len(singles) >= _SPACED_MIN and not _SINGLES.isdisjoint(singles):
        return ["".join(singles)]
    return singles


def _is_letter(token: str) -> bool:
    return token.isascii() and token.isalpha()


def _once(tokens: list[str]) -> list[str]:
    """Return the tokens without the repetitions of a text that is one part over and over."""
    size = len(tokens)
    if size < 2 * _PERIOD_MIN:
        return tokens
    for period in _divisors(size):
        if tokens[period] == tokens[0] and tokens[period:] == tokens[:-period]:
            return tokens[: period * -(-_PERIOD_MIN // period)]
    return tokens


@lru_cache(maxsize=4096)
def _divisors(size: int) -> tuple[int, ...]:
    """Return the sizes that parts may have, rising: smaller than the whole."""
    small = [part for part in range(1, math.isqrt(size) + 1) if size % part == 0]
    return tuple(sorted({*small, *(size // part for part in small)} - {size}))

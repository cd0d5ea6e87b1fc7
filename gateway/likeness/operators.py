"""
Which signs of a text compute or compare: those of code, among all that mark up and punctuate.

`a < b` is not `a > b`, and `x = 1` is not `x += 1`. How many blanks stand around a sign says
nothing; the mark of a quotation or of a list, at the start of a line, is no operator.
"""

import re

_SIGN = re.compile(  # it begins with a set: everything else is passed over fast
    rb"[<>=!&|+*](?:(?<=[ \t][<>+*])(?=\s)|(?:(?<=[=!])==?|(?<=[<>+*|&])=|(?<=&)&|(?<=\|)\|"
    rb"|(?<=[-/]=))(?=[\s\w(\[\x80-\xff]))"
)
_ENDS_OPERAND = frozenset(
    b"_)]0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + bytes(range(128, 256))
)
_ANGLES = frozenset((b"<", b">"))
"""One after the other, they are marks of a quotation in a quotation."""

_LONG = re.compile(rb"[-=!<>+*/|&]=")
_NO_SIGNS = bytes(set(range(256)) - set(b"<>=&|+*"))
_SPACED = (b" <", b" >", b" +", b" *", b"\t<", b"\t>", b"\t+", b"\t*")
_GAP_MAX = 80


def may_stand_in(text: bytes, signs: bytes) -> bool:
    """Return whether `text`, whose punctuation is `signs`, may hold an operator."""
    if not signs.translate(None, _NO_SIGNS):
        return False
    if b"&&" in signs or b"||" in signs or (b"=" in signs and _LONG.search(signs)):
        return True
    return any(spaced in text for spaced in _SPACED)


def keep(text: bytes, words: bytes) -> bytes:
    """Return `words`, which is `text` with a blank for each of its signs, with its operators."""
    parts: list[bytes] = []
    at = 0
    for found in _SIGN.finditer(text):
        start, end = found.span()
        if found[0] == b"=":  # the sign before it is too common to be looked for
            start -= 1
        sign = text[start:end]
        if _is_operator(text, start, end):
            operand = words[at:start]
            if operand.strip() or (parts and not {parts[-1], sign} <= _ANGLES):
                parts += (operand, sign)
            at = end
    rest = words[at:]
    while parts and not rest.strip():
        rest, _ = parts[-2:]
        del parts[-2:]
    return b" ".join((*parts, rest))


def _is_operator(text: bytes, start: int, end: int) -> bool:
    """Say whether the sign there compares or computes, rather than marks up."""
    before = text[max(0, start - _GAP_MAX) : start]
    after = text[end : end + _GAP_MAX]
    operand = before.rstrip()
    if not operand or not after.strip() or {operand[-1:], text[start:end]} <= _ANGLES:
        return False
    gaps = before[len(operand) :], after[: len(after) - len(after.lstrip())]
    if all(gaps):
        return b"\n" not in gaps[0] or (b"\n" not in gaps[1] and end - start > 1)
    return not any(gaps) and operand[-1] in _ENDS_OPERAND

"""
What people write in conditions who know another language: found word by word.

Asked only of an expression that is no CEL, whose parser would name the word where it lost
its way, not the one that led it there.
"""

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct


class Mistake(Struct, frozen=True):
    """What is wrong with an expression. Line and column are within it, from 1."""

    line: int
    col: int
    message: str


MISTAKES_MAX = 10
"""Told of one expression: the first lead to the others."""


def place(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of a character."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


class _Token(Struct, frozen=True):
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"""
    (?P<gap>[^\S\xa0]+|//[^\n]*)
  | (?P<text>(?:[rR][bB]?|[bB][rR]?)?(?:
        \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
      | \"(?:\\.|[^\"\\\n])*\" | '(?:\\.|[^'\\\n])*'))
  | (?P<curly>[\u2018-\u201e\u00ab\u00bb`\u00b4][^\u2018-\u201e\u00ab\u00bb`\u00b4\n]*
      [\u2018-\u201e\u00ab\u00bb`\u00b4]?)
  | (?P<open>["'])
  | (?P<template>\$\{?|\{\{|\}\}|@)
  | (?P<number>\d+[,_]\d+|\d{1,2}:\d{2}\b|\d+(?:\.\d+)?\s*%(?=\s*(?:$|[)&|]))
      | (?:0x[0-9a-fA-F]+|\.?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\w*)
  | (?P<word>(?i:is\s+not)\b | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
  | (?P<sign>===|=>|=~|=!|<>|==|!=|<=|>=|&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS: Mapping[str, str] = {
    "and": "&&",
    "or": "||",
    "not": "!, as in !call.stream",
    "is": "==, as in task.id == '' (there is no null: what is absent is empty)",
    "is not": "!=, as in task.id != '' (there is no null: what is absent is empty)",
    "like": "a function, as in call.model.startsWith('gpt-') or call.model.contains('mini')",
    "if": "the condition alone: it is what must be true",
    "then": "the condition alone: the rule's effect is what happens then",
    "else": "the condition alone, or: condition ? this : otherwise",
    "between": "two comparisons, as in x > 1 && x < 5",
}
_SIGNS: Mapping[str, str] = {
    "=": "== to compare",
    "===": "==",
    "=>": ">=",
    "<>": "!=",
    "=!": "!=",
    "=~": "a function, as in call.model.matches('^gpt-5')",
    "~": "a function, as in call.model.matches('^gpt-5')",
    "&": "&&",
    "|": "||",
    "#": "// before a comment",
    "\xa0": "a space (this one is a no-break space, pasted from a page)",
    ";": "one expression, without it",
}
_BINARY = frozenset({"&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "*", "/", "+", "?"})
_OPERANDS = frozenset({"text", "number", "word"})
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_ESCAPE = re.compile(
    r"""\\(?![abfnrtv\\?"'`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})(.)"""
)
_UNFIT = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\U0010ffff]")


def unfit(text: str) -> Iterator[Mistake]:
    """Yield the first character that nobody can see, which the checker would not even take."""
    found = _UNFIT.search(text)
    if found is not None:
        said = f"read the character U+{ord(found[0]):04X}, which nobody sees, expected to see it"
        yield Mistake(*place(text, found.start()), said)


def find(text: str) -> list[Mistake]:
    """Return the slips in an expression, the first few in their order; often there are none."""
    tokens = list(_tokens(text))
    if not tokens:
        said = "read nothing, expected a condition (a rule without 'when' matches always)"
        return [Mistake(1, 1, said)]
    slips = [*_by_word(tokens), *_brackets(tokens)] or list(_neighbours(tokens))
    slips.sort(key=lambda slip: slip[0])
    return [Mistake(*place(text, at), said) for at, said in slips[:MISTAKES_MAX]]


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind != "gap":
            yield _Token(kind, found[0], found.start())
        if kind == "open":  # what comes behind it is a text
            return


_Slip = tuple[int, str]


def _by_word(tokens: list[_Token]) -> Iterator[_Slip]:
    inside = 0
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        kind, text = token.kind, token.text
        inside += (text in ("[", "{")) - (text in ("]", "}"))
        wanted = _wanted(token, after.text if after is not None else "")
        if wanted and not ("," in text and inside):  # in a list, two numbers
            yield token.at, f"read {text.strip(_BLANKS)!r}, expected {wanted}"
        elif kind == "open":
            said = f"read {text} without another, expected it at both ends of a text"
            yield token.at, f"{said} (one that holds it goes in the other quotes)"
        elif kind == "text" and text[0] not in "rR" and (escape := _ESCAPE.search(text)):
            said = f"read \\{escape[1]} in quotes, expected \\\\{escape[1]} (or r before the quote)"
            yield token.at + escape.start(), said


def _wanted(token: _Token, after: str) -> str:
    """Return what should stand in the place of a word; empty when it may be right."""
    kind, text = token.kind, token.text
    if kind == "word":
        if text == "in" and after == "(":
            return "a list in brackets behind it: in ['a', 'b']"
        known = " ".join(text.lower().split())
        return _WORDS.get(known, "") if after != "(" or text in ("not", "if") else ""
    if kind == "curly":
        return f"straight quotes: {text[1:].rstrip(_CURLY)!r}"
    if kind == "template":
        return "a fact's name alone, as in task.id"
    if kind == "number":
        return _number(text)
    return _SIGNS.get(text, "")


_BLANKS = " \t\r\n"
_CURLY = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u00ab\u00bb`\u00b4"
_GOOD_NUMBER = re.compile(r"0x[0-9a-fA-F]+u?|\d+[uU]?|\d*\.?\d+(?:[eE][-+]?\d+)?")


def _number(text: str) -> str:
    if _GOOD_NUMBER.fullmatch(text):
        return ""
    if ":" in text:
        return "hours alone (now.hour) or minutes (now.minute), as whole numbers"
    if "%" in text:
        return "a fraction, as in 0.05"
    return "digits alone, with a point before a fraction: 0.5, 1000"


def _brackets(tokens: list[_Token]) -> Iterator[_Slip]:
    waiting: list[_Token] = []
    for token in tokens:
        if token.kind != "sign":
            continue
        if token.text == "," and not waiting:
            yield token.at, "read ',' outside brackets, expected && or ||"
        elif token.text in _CLOSES:
            waiting.append(token)
        elif token.text in _CLOSES.values():
            if not waiting or _CLOSES[waiting[-1].text] != token.text:
                yield token.at, f"read {token.text!r} that closes nothing, expected it in pairs"
                return
            waiting.pop()
    for token in waiting[:1]:
        yield (
            token.at,
            f"read {token.text!r} that is never closed, expected its '{_CLOSES[token.text]}'",
        )


def _neighbours(tokens: list[_Token]) -> Iterator[_Slip]:
    """Yield what stands beside something it cannot: two values, two signs, a sign at an end."""
    signs = [token for token in tokens if token.kind == "sign"]
    asks = [token for token in signs if token.text == "?"]
    if len(asks) > sum(token.text == ":" for token in signs):
        yield asks[-1].at, "read '?' without ':', expected condition ? this : otherwise"
    before: _Token | None = None
    for token in [*tokens, None]:
        if token is None or _is_binary(token) or token.text in (")", "]", ","):
            if before is not None and _is_binary(before):
                said = (
                    f"read {before.text!r} with nothing behind it, expected what it stands between"
                )
                yield before.at, said
            elif token is not None and _is_binary(token) and _begins(before):
                said = (
                    f"read {token.text!r} with nothing before it, expected what it stands between"
                )
                yield token.at, said
        elif _ends_value(before) and token.kind in _OPERANDS:
            yield token.at, f"read {token.text[:40]!r} behind a value, expected && or || before it"
        before = token


def _is_binary(token: _Token) -> bool:
    return token.text in _BINARY and token.kind in ("sign", "word")


def _begins(before: _Token | None) -> bool:
    return before is None or before.text in ("(", "[", ",")


def _ends_value(before: _Token | None) -> bool:
    if before is None or _is_binary(before):
        return False
    return before.kind in _OPERANDS or before.text in (")", "]")

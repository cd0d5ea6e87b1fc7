r"""
How large the program is that RE2 makes of a pattern: what reading and matching it costs.

RE2 (github.com/google/re2, syntax.txt) takes time in proportion to the program and the
text, and makes it anew at every evaluation; counts such as {1000} and classes such as
\pL make large programs of short patterns.
"""

import re

SIZE_MAX = 1_000
_UNICODE_CLASS = 1_000
_SET = 20
_LETTER = 12
"""One that is not ASCII, in either case: up to three spellings of four bytes."""
_COUNT_MAX = 1_000
"""RE2 refuses a larger count; nested ones it multiplies, and refuses alike."""

_TOKEN = re.compile(
    r"(?P<unicode>\\[pP](?:\{[^}]*\}|.))"
    r"|(?P<escape>\\x\{[^}]*\}|\\.)"
    r"|(?P<set>\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\])"
    r"|(?P<count>\{(?P<least>\d+)(?:,(?P<most>\d*))?\})"
    r"|(?P<open>\()|(?P<close>\))|(?P<letter>.)",
    re.DOTALL,
)


def size(pattern: str) -> int:
    """Return how large a program a pattern makes, about: an estimate from above."""
    groups = [0]
    last = 0
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        if kind == "open":
            groups.append(0)
            last = 0
        elif kind == "close":
            last = groups.pop() if len(groups) > 1 else 0
            groups[-1] += last
        elif token["count"]:
            most = max(_number(token["least"]), _number(token["most"] or ""))
            times = most if token["most"] is None else 2 * most  # each may be left out: a branch
            groups[-1] += last * times
            last *= times + 1
        else:
            last = _atom(kind or "", token[0])
            groups[-1] += last
    return sum(groups)


def _atom(kind: str, text: str) -> int:
    if kind == "unicode":
        return _UNICODE_CLASS
    if kind == "set":
        inner = sum(_LETTER if letter > "\x7f" else 1 for letter in text)
        return _SET + inner + _UNICODE_CLASS * len(_IN_SET.findall(text))
    if kind == "escape" or text == ".":
        return _SET
    return _LETTER if text > "\x7f" else 1


_IN_SET = re.compile(r"\\[pP]")


def _number(digits: str) -> int:
    return min(int(digits[:5] or "0"), _COUNT_MAX)

"""
YAML, read as a stream of events: the one file that knows PyYAML.

libyaml reads twenty times as fast as any reader in Python; where PyYAML was built without
it, its own reader says the same. Nothing is ever constructed. What neither could read is
said in our words: what stands there, what was expected, what is usually behind it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import yaml

from gateway.documents.nodes import short
from gateway.errors import ConfigError

Event: TypeAlias = Any
"""One of PyYAML's, which is not typed."""

ALIAS: Any = yaml.AliasEvent
SCALAR: Any = yaml.ScalarEvent
SEQUENCE: Any = yaml.SequenceStartEvent
SEQUENCE_END: Any = yaml.SequenceEndEvent
MAPPING: Any = yaml.MappingStartEvent
MAPPING_END: Any = yaml.MappingEndEvent
DOCUMENT: Any = yaml.DocumentStartEvent


class Events:
    """The events of a text; lines end with a line feed alone."""

    def __init__(self, name: str, text: str, lines: list[str], *, fast: bool = True) -> None:
        self._name = name
        self._lines = lines
        unfit = _UNFIT.search(text)
        if unfit is not None:
            raise self._unfit(text, unfit)
        kind: Any = yaml.CSafeLoader if fast and yaml.__with_libyaml__ else yaml.SafeLoader
        self._next: Callable[[], Event] = kind(text).get_event

    def next(self) -> Event:
        """
        Return the next event; None after the last.

        Raises:
            ConfigError: `name:line:col: what was read, what was expected`.

        """
        try:
            return self._next()
        except yaml.MarkedYAMLError as error:
            raise self._wrong(error) from None
        except (ValueError, OverflowError):
            # PyYAML's reader in Python lets a number out of an escape as what `chr` says of it.
            raise ConfigError(f"{self._name}:1:1: {_BAD_ESCAPE}") from None

    def _unfit(self, text: str, unfit: re.Match[str]) -> ConfigError:
        line = text.count("\n", 0, unfit.start()) + 1
        col = unfit.start() - text.rfind("\n", 0, unfit.start())
        said = (
            f"read the character U+{ord(unfit[0]):04X}, which nobody sees, expected printable text"
        )
        return ConfigError(f"{self._name}:{line}:{col}: {said}")

    def _wrong(self, error: Any) -> ConfigError:
        """Return what the reader says, in words that lead to the remedy."""
        told = _told(str(error.problem), str(error.context or ""))
        began = self._place(error.context_mark or error.problem_mark)
        line, col = self._place(error.problem_mark or error.context_mark)
        if told in (_NEVER_CLOSED, _NO_COLON):
            line, col = began
        source = self._lines[line - 1]
        if told == _NO_TOKEN and source.startswith("\t", col - 1):
            told = _TABBED
        opened = self._lines[began[0] - 1][began[1] - 1 :][:1]
        at = _sign(source[col - 1 :])
        said = told.format(at=at, line=began[0], col=began[1], opened=opened)
        above = next((each for each in reversed(self._lines[: line - 1]) if each.strip()), "")
        return ConfigError(f"{self._name}:{line}:{col}: {said}{_hint(told, source, col, above)}")

    def _place(self, mark: Any) -> tuple[int, int]:
        line, col = mark.line + 1, mark.column + 1
        if line > len(self._lines):  # libyaml puts the end of a text on a line of its own
            return len(self._lines), len(self._lines[-1]) + 1
        return line, col


# Not printable in YAML 1.2.2 (section 5.1), or a line break to some readers and none to others.
_UNFIT = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

_BAD_ESCAPE = (
    "read a \\ in double quotes that begins no escape, expected \\\\ for the character itself "
    "(or a text in single quotes)"
)
_NEVER_CLOSED = "read a quote {opened} that is never closed, expected it at the end of the text"
_SECOND_COLON = "read ':' where no key can be, expected one 'key: value' on a line"
_NO_COLON = "read {at}, expected 'key: value'"
_NO_TOKEN = "read {at} as the beginning of a value, expected it in quotes"  # noqa: S105  # no secret
_TABBED = "read a tab before a value, expected spaces: YAML indents with spaces alone"
_KEY_EXPECTED = "read {at}, expected a key, indented as line {line} (column {col})"
_ITEM_EXPECTED = "read {at}, expected '- ', indented as line {line} (column {col})"
_TAG = "read a tag, expected a value without one (put a text that begins with ! in quotes)"
_DIRECTIVE = "read a % directive, expected none: files are YAML 1.2"
# What libyaml and PyYAML say (both: a part of it), and what we say instead.
_WORDS: Mapping[str, str] = {
    "mapping values are not allowed": _SECOND_COLON,
    "could not find expected ':'": _NO_COLON,
    "cannot start any token": _NO_TOKEN,
    "tab character": _TABBED,
    "unexpected end of stream": _NEVER_CLOSED,
    "unexpected document": "read {at} within a text in quotes, expected the closing quote before",
    "escape": _BAD_ESCAPE,
    "hexdec": _BAD_ESCAPE,
    "node content": "read {at}, expected a value",
    "undefined tag handle": _TAG,
    "<document start>": "read {at} after the end of the document, expected one document, all of "
    "it indented alike",
    "sequence entries are not allowed": "read '-' behind other text, expected each item of a list "
    "on a line of its own",
    "keys are not allowed": "read '?' where no key can be, expected 'key: value'",
    "YAML document": _DIRECTIVE,
}
_CONTEXTS: Mapping[str, str] = {
    "flow": "read {at}, expected ',' or the bracket that closes the '{opened}' of line {line}",
    "block mapping": _KEY_EXPECTED,
    "block collection": _ITEM_EXPECTED,
    "block scalar": "read {at} behind '|' or '>', expected the text on the lines below",
    "anchor": "read an anchor (&), expected a text that begins with & in quotes",
    "alias": "read an alias (*), expected a text that begins with * in quotes",
    "tag": _TAG,
    "directive": _DIRECTIVE,
}


def _told(problem: str, context: str) -> str:
    """Return what we say for what a reader says."""
    for part, words in _WORDS.items():
        if part in problem:
            return words
    for part, words in _CONTEXTS.items():
        if part in context:
            return words
    return "this is no YAML here, expected YAML 1.2"


def _sign(rest: str) -> str:
    """Return what stands somewhere, for a message."""
    word = rest.split(maxsplit=1)
    return repr(short(word[0])) if word else "the end of the line"


_UNSPACED = re.compile(r"\s*(?:- +)*[\w.-]+:[^\s:]")
_KEY = re.compile(r"\s*[\w.-]+:(?:\s|$)")
_ITEM = re.compile(r"((?: *- +)+)[\w.-]+:")
_ENDS_EARLY = re.compile(r"""\s*(?:- +)*[\w.-]+:\s+(['"\[{])""")


def _first(above: str) -> str:
    """Return the column of an item's first key, when the line above has one."""
    begun = _ITEM.match(above)
    column = len(begun[1]) + 1 if begun else len(above) - len(above.lstrip()) + 1
    return f" (column {column})"


def _hint(told: str, source: str, col: int, above: str) -> str:
    """Return what is usually behind it, from the line it is in and the one above."""
    if told in (_SECOND_COLON, _NO_COLON) and _UNSPACED.match(source):
        return ": put a space after the ':'"
    if told == _ITEM_EXPECTED and _KEY.match(source):
        return (
            f": if it belongs to the item above, indent it as that one's first key{_first(above)}"
        )
    if told == _KEY_EXPECTED and (begun := _ENDS_EARLY.match(source)):
        return f": a value that begins with {begun[1]} ends with it; put all of it in quotes"
    if told != _SECOND_COLON:
        return ""
    if ": " in source[: col - 1]:
        return ": put a text that holds ': ' in quotes"
    if _UNSPACED.match(above):
        return ": put a space after the ':' in the line above"
    return ": indent the line as its neighbours, and see that the one above has its ':'"

"""
The strict reader: a text to a tree of nodes, each with its place.

YAML 1.2 through ruamel.yaml's event stream: nothing is ever constructed by a tag,
`no` stays a string, and duplicate keys, anchors, aliases, merge keys, tags and a
second document are errors. Depth, size and number of values are bounded, so that a
hostile file costs little.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from gateway.errors import ConfigError

Scalar: TypeAlias = "str | int | Decimal | bool | None"
Value: TypeAlias = "dict[str, Node] | list[Node] | Scalar"

VALUES_MAX = 20_000
LINES_MAX = 100_000
WORDS_PER_VALUE_MAX = 5
LINE_LENGTH_MAX = 100_000
DIGITS_MAX = 40
READ_SHOWN_MAX = 40


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document, and where it stands. Lines and columns count from 1."""

    value: Value
    name: str
    """The document's name, as messages show it."""
    line: int
    col: int
    text: str = ""
    """A scalar as it was written, before it was resolved: `007`, not 7."""
    key_places: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """For a mapping: line and column of each key."""

    begins: tuple[int, int] | None = None
    """Where the characters of a text begin, when they stand in the file as they are."""

    def at(self, line: int, col: int) -> tuple[int, int]:
        """Return the place in the file of a place in this text (both counted from 1)."""
        if self.begins is None:
            return self.line, self.col
        return self.begins[0] + line - 1, self.begins[1] + col - 1

    @property
    def place(self) -> str:
        """Return `name:line`, as refusals show it."""
        return f"{self.name}:{self.line}"

    @property
    def kind(self) -> str:
        """Return what the value is, in the words of messages."""
        return _KINDS[type(self.value)]

    @property
    def shown(self) -> str:
        """Return what was read, short enough for a message."""
        if isinstance(self.value, dict | list) or self.value is None:
            return self.kind
        return f"{self.kind} {_short(self.text)!r}"


_KINDS: Mapping[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "the text",
    int: "the number",
    Decimal: "the number",
    bool: "the flag",
    type(None): "nothing",
}


def parse(
    name: str,
    text: str,
    *,
    size_max: int = 1_000_000,
    depth_max: int = 32,
    values_max: int = VALUES_MAX,
) -> Node:
    """
    Return the one document a text holds; an empty text is a node of None.

    Sizes are in characters. With the default bounds no text costs more than about a second.

    Raises:
        ConfigError: `name:line:col: what is wrong, what was expected`.

    """
    _bound(name, text, size_max, values_max)
    return _Composer(name, text, depth_max, values_max).document()


def _bound(name: str, text: str, size_max: int, values_max: int) -> None:
    if len(text) > size_max:
        raise ConfigError(
            f"{name}:1:1: a file of {len(text)} characters, expected at most {size_max}: split it"
        )
    words, words_max = len(text.split()), max(values_max, VALUES_MAX) * WORDS_PER_VALUE_MAX
    if words > words_max:
        raise ConfigError(
            f"{name}:1:1: a file of {words} words, expected at most {words_max}: split it"
        )
    lines = text.splitlines()
    lines_max = max(values_max, LINES_MAX)
    if len(lines) > lines_max:
        raise ConfigError(
            f"{name}:{lines_max + 1}:1: a file of {len(lines)} lines, expected at most {lines_max}"
        )
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LENGTH_MAX:
            raise ConfigError(
                f"{name}:{number}:1: a line of {len(line)} characters, "
                f"expected at most {LINE_LENGTH_MAX}"
            )


class _Composer:
    """Builds nodes from ruamel's events, refusing what a strict document may not hold."""

    def __init__(self, name: str, text: str, depth_max: int, values_max: int) -> None:
        self._name = name
        self._text = text
        self._lines = text.split("\n")
        self._depth_max = depth_max
        self._values_max = values_max
        self._values = 0
        self._events = self._read()

    def document(self) -> Node:
        root = Node(None, self._name, 1, 1)
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._check_start(event, documents)
            elif isinstance(event, NodeEvent):
                root = self._node(event, 1)
        return root

    def _read(self) -> Iterator[Any]:
        """Yield the events of the text, as errors with their place when it is no YAML."""
        reader: Any = YAML(typ="safe", pure=True)  # ruamel.yaml is only half typed
        try:
            yield from reader.parse(self._text)
        except MarkedYAMLError as error:
            told: Any = error
            mark = told.problem_mark or told.context_mark
            line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = _short(str(told.problem or "this is no YAML"), READ_SHOWN_MAX * 4)
            raise ConfigError(f"{self._name}:{line}:{col}: {what}, expected YAML 1.2") from None
        except ReaderError as error:
            told = error
            before = self._text[: told.position]
            line = before.count("\n") + 1
            col = len(before) - (before.rfind("\n") + 1) + 1
            raise ConfigError(
                f"{self._name}:{line}:{col}: a character that may not stand in YAML, "
                "expected printable text"
            ) from None
        except (YAMLError, ValueError, OverflowError, IndexError, AssertionError):
            # ruamel lets a few malformed escapes and directives out as plain Python errors.
            raise ConfigError(f"{self._name}:1:1: this is no YAML, expected YAML 1.2") from None

    def _check_start(self, event: Any, documents: int) -> None:
        if documents > 1:
            raise self._wrong(event, "a second document", "one document in a file")
        if event.version or event.tags:
            raise self._wrong(event, "a % directive", "none: files are YAML 1.2 and have no tags")

    def _node(self, event: Any, depth: int) -> Node:
        self._values += 1
        if self._values > self._values_max:
            raise self._wrong(
                event, f"more than {self._values_max} values", "fewer: split the file"
            )
        if isinstance(event, AliasEvent):
            raise self._wrong(event, "an alias (*)", "the value itself, written out")
        if event.anchor is not None:
            raise self._wrong(event, "an anchor (&)", "a value without an anchor")
        if event.tag is not None:
            raise self._wrong(
                event, "a tag", "a value without one (quote a text that starts with !)"
            )
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if depth > self._depth_max:
            raise self._wrong(event, f"nesting deeper than {self._depth_max}", "a flatter document")
        return (
            self._list(event, depth)
            if isinstance(event, SequenceStartEvent)
            else self._mapping(event, depth)
        )

    def _scalar(self, event: Any) -> Node:
        line, col = _place(event)
        text: str = event.value
        if _SURROGATE.search(text):
            raise self._wrong(event, "half of a surrogate pair", "whole characters")
        value = text if _quoted(event) else self._resolve(event, text)
        begins = _begins(self._lines, event, text)
        return Node(value, self._name, line, col, text, begins=begins)

    def _list(self, start: Any, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Node(items, self._name, *_place(start))

    def _mapping(self, start: Any, depth: int) -> Node:
        items: dict[str, Node] = {}
        places: dict[str, tuple[int, int]] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            if key in items:
                read = f"the key {_short(key)!r} again (first on line {places[key][0]})"
                raise self._wrong(event, read, "each key once")
            places[key] = _place(event)
            items[key] = self._node(next(self._events), depth + 1)
        return Node(items, self._name, *_place(start), key_places=places)

    def _key(self, event: Any) -> str:
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            raise self._wrong(event, "a mapping or list as a key", "a text")
        node = self._node(event, 1)
        if node.value == "<<" and not _quoted(event):
            raise self._wrong(event, "the merge key <<", "the keys themselves, written out")
        if not isinstance(node.value, str):
            raise self._wrong(event, f"{node.shown} as a key", "a text (put it in quotes)")
        return node.value

    def _resolve(self, event: Any, text: str) -> Scalar:
        """Return what a plain scalar means in YAML 1.2's core schema."""
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text
        if number["special"]:
            raise self._wrong(event, f"{text}, which is no number", "a finite number")
        if len(text) > DIGITS_MAX:
            raise self._wrong(event, "a number that long", f"at most {DIGITS_MAX} characters")
        if number["float"]:
            return self._decimal(event, text)
        return int(text, 0) if number["based"] else int(text)

    def _decimal(self, event: Any, text: str) -> Decimal:
        value = Decimal(text)
        if value and abs(value.adjusted()) > DIGITS_MAX:
            raise self._wrong(
                event, f"the number {_short(text)}", f"one within 10 to the ±{DIGITS_MAX}"
            )
        return value

    def _wrong(self, event: Any, read: str, expected: str) -> ConfigError:
        line, col = _place(event)
        return ConfigError(f"{self._name}:{line}:{col}: {read}, expected {expected}")


_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# YAML 1.2.2, section 10.3.2, table 10.2.
_NUMBER = re.compile(
    r"(?P<special>[-+]?\.(inf|Inf|INF)|\.nan|\.NaN|\.NAN)"
    r"|(?P<based>0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<int>[-+]?[0-9]+)"
    r"|(?P<float>[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _short(text: str, length_max: int = READ_SHOWN_MAX) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= length_max else f"{text[:length_max]}…"


def _begins(lines: list[str], event: Any, text: str) -> tuple[int, int] | None:
    """Return where a scalar's characters begin; None when they are folded or escaped."""
    line, col = _place(event)
    if event.style == "|":
        content = lines[line : line + len(text.split("\n"))]
        full = next((each for each in content if each.strip()), "")
        col = len(full) - len(full.lstrip(" ")) + 1
        line += 1
    elif event.style in ("'", '"'):
        col += 1
    wanted = text.rstrip("\n").split("\n")
    found = [each.rstrip("\r")[col - 1 :] for each in lines[line - 1 : line - 1 + len(wanted)]]
    if event.style != "|":
        found = [each[: len(wanted[0])] for each in found]
    return (line, col) if found == wanted else None


def _quoted(event: Any) -> bool:
    return not event.implicit[0]


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1

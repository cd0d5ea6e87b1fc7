"""
The strict reader: a text to a tree of nodes, each with its place.

YAML 1.2: scalars are resolved here, from their text alone, so `no` stays a string;
duplicate keys, anchors, aliases, merge keys, tags and a second document are errors, all of
them told at once. Depth, size and number of values are bounded, so that a hostile file
costs little.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

from gateway.documents import events
from gateway.documents.events import Event, Events
from gateway.documents.nodes import Node, Scalar, Stretch, short
from gateway.documents.problems import Problems
from gateway.errors import ConfigError

VALUES_MAX = 50_000
VALUE_COST = 20
"""What reading a value takes, in the units of `Problems.spend`."""
DIGITS_MAX = 40
STRETCHED_LENGTH_MAX = 10_000


def parse(
    name: str,
    text: str,
    *,
    size_max: int = 1_000_000,
    depth_max: int = 32,
    values_max: int = VALUES_MAX,
    problems: Problems | None = None,
) -> Node:
    """
    Return the one document a text holds; an empty text is a node of None.

    Sizes are in characters. What is YAML and merely not strict goes to `problems` when they
    are given, and the rest of the document comes back.

    Raises:
        ConfigError: a line for each mistake, `name:line:col: what is wrong, what was expected`.

    """
    if len(text) > size_max:
        raise ConfigError(
            f"{name}:1:1: a file of {len(text)} characters, expected at most {size_max}: split it"
        )
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    found = Problems() if problems is None else problems
    composer = _Composer(name, text, lines, found)
    try:
        root = composer.document(depth_max, values_max)
    except ConfigError as error:
        if problems is None:
            found.add_error(error)
            found.raise_if_any()
        raise
    if problems is None:
        found.raise_if_any()
    else:
        problems.spend(root, composer.values * VALUE_COST)
    return root


class _Composer:
    """Builds nodes from events, noting what a strict document may not hold."""

    def __init__(self, name: str, text: str, lines: list[str], problems: Problems) -> None:
        self._name = name
        self._next = Events(name, text, lines).next
        self._lines = lines
        self._problems = problems
        self._depth_max = self._values_max = self.values = 0

    def document(self, depth_max: int, values_max: int) -> Node:
        """Return the root of the one document."""
        self._depth_max, self._values_max = depth_max, values_max
        root = Node(None, self._name, 1, 1)
        documents = 0
        while (event := self._next()) is not None:
            kind = event.__class__
            if kind is events.DOCUMENT:
                documents += 1
                self._check_start(event, documents)
            elif kind in _VALUES:
                root = self._node(event, 1)
        return root

    def _check_start(self, event: Event, documents: int) -> None:
        if documents > 1:
            raise self._fatal(event, "a second document", "one document in a file")
        if event.version or event.tags:
            self._note(event, "a % directive", "none: files are YAML 1.2 and have no tags")

    def _node(self, event: Event, depth: int) -> Node:
        self.values += 1
        if self.values > self._values_max:
            said = f"more than {self._values_max} values"
            raise self._fatal(event, said, "fewer: split the file")
        kind = event.__class__
        if kind is events.ALIAS:
            self._note(event, "an alias (*)", "the value itself, written out")
            return Node(None, self._name, *_place(event))
        if event.anchor is not None:
            self._note(event, "an anchor (&)", "a value without an anchor")
        if event.tag is not None:
            said = "a value without one (put a text that begins with ! in quotes)"
            self._note(event, "a tag", said)
        if kind is events.SCALAR:
            return self._scalar(event)
        if depth > self._depth_max:
            raise self._fatal(event, f"nesting deeper than {self._depth_max}", "a flatter document")
        below = self._list if kind is events.SEQUENCE else self._mapping
        return below(event, depth)

    def _scalar(self, event: Event) -> Node:
        text: str = event.value
        mark = event.start_mark
        line, col = mark.line + 1, mark.column + 1
        if event.implicit[0]:
            value = self._resolve(event, text)
            if not isinstance(value, str):
                return Node(value, self._name, line, col, text, _NO_KEYS)
        elif _SURROGATE.search(text):
            self._note(event, "half of a surrogate pair", "whole characters")
        stretches = _stretches(self._lines, event)
        return Node(text, self._name, line, col, text, _NO_KEYS, stretches)

    def _list(self, start: Event, depth: int) -> Node:
        items: list[Node] = []
        while (event := self._next()).__class__ is not events.SEQUENCE_END:
            items.append(self._node(event, depth + 1))
        return Node(items, self._name, *_place(start))

    def _mapping(self, start: Event, depth: int) -> Node:
        items: dict[str, Node] = {}
        places: dict[str, tuple[int, int]] = {}
        while (event := self._next()).__class__ is not events.MAPPING_END:
            key = self._key(event, depth)
            node = self._node(self._next(), depth + 1)
            if key is None:
                continue
            if key in items:
                read = f"the key {short(key)!r} again (first on line {places[key][0]})"
                self._note(event, read, "each key once")
                continue
            places[key] = _place(event)
            items[key] = node
        return Node(items, self._name, *_place(start), key_places=places)

    def _key(self, event: Event, depth: int) -> str | None:
        """Return a key; None for what can be none."""
        node = self._node(event, depth + 1)
        if isinstance(node.value, dict | list):
            self._note(event, "a mapping or list as a key", "a text")
            return None
        if not isinstance(node.value, str):
            if event.__class__ is not events.ALIAS:  # that is told already
                self._note(event, f"{node.shown} as a key", "a text (put it in quotes)")
            return None
        if node.value == "<<" and event.implicit[0]:
            self._note(event, "the merge key <<", "the keys themselves, written out")
            return None
        return node.value

    def _resolve(self, event: Event, text: str) -> Scalar:
        """Return what a plain scalar means in YAML 1.2's core schema."""
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text) if text[0] in _NUMBER_STARTS else None
        if number is None:
            return text
        if number["special"]:
            self._note(event, f"{text}, which is no number", "a finite number")
        elif len(text) > DIGITS_MAX:
            self._note(event, "a number that long", f"at most {DIGITS_MAX} characters")
        elif number["float"]:
            return self._decimal(event, text)
        else:
            return int(text, 0) if number["based"] else int(text)
        return text

    def _decimal(self, event: Event, text: str) -> Decimal:
        value = Decimal(text)
        if value and abs(value.adjusted()) > DIGITS_MAX:
            self._note(event, f"the number {short(text)}", f"one within 10 to the ±{DIGITS_MAX}")
            return Decimal(0)
        return value

    def _note(self, event: Event, read: str, expected: str) -> None:
        self._problems.add_at(self._name, *_place(event), f"read {read}, expected {expected}")

    def _fatal(self, event: Event, read: str, expected: str) -> ConfigError:
        """Return the mistake after which nothing more is read."""
        line, col = _place(event)
        return ConfigError(f"{self._name}:{line}:{col}: read {read}, expected {expected}")


_NO_KEYS: Mapping[str, tuple[int, int]] = {}
_VALUES = frozenset({events.ALIAS, events.SCALAR, events.SEQUENCE, events.MAPPING})
_WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
# YAML 1.2.2, section 10.3.2, table 10.2.
_NUMBER = re.compile(
    r"(?P<special>[-+]?\.(inf|Inf|INF)|\.nan|\.NaN|\.NAN)"
    r"|(?P<based>0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<int>[-+]?[0-9]+)"
    r"|(?P<float>[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def _stretches(lines: list[str], event: Event) -> tuple[Stretch, ...]:
    """Return where a text's characters stand; nothing when they stand there otherwise."""
    text: str = event.value
    line, col = _place(event)
    if not text or len(text) > STRETCHED_LENGTH_MAX:
        return ()
    if event.style == "|":
        return _literal(lines, text.rstrip("\n"), line + 1)
    if event.style == ">":
        return _folded(lines, text.rstrip("\n"), line + 1, 0)
    col += event.style in _QUOTES
    if lines[line - 1].startswith(text, col - 1):
        return ((0, line, col),)
    return _folded(lines, text, line, col)


_QUOTES = ("'", '"')


def _literal(lines: list[str], text: str, line: int) -> tuple[Stretch, ...]:
    """Return the stretches of a text behind `|`: its lines, all indented alike."""
    parts = text.split("\n")
    sources = lines[line - 1 : line - 1 + len(parts)]
    indent = _indent(next((each for each in sources if each.strip(" ")), ""))
    found: list[Stretch] = []
    at = 0
    for number, (part, source) in enumerate(zip(parts, sources, strict=False), line):
        if source[indent:] != part:  # the first line is indented deeper than the others
            return ()
        found.append((at, number, indent + 1))
        at += len(part) + 1
    return tuple(found)


def _folded(lines: list[str], text: str, line: int, col: int) -> tuple[Stretch, ...]:
    """Return the stretches of a text whose lines were joined by single spaces."""
    found: list[Stretch] = []
    at = 0
    while True:
        source = lines[line - 1]
        start = _indent(source) if found or not col else col - 1
        found.append((at, line, start + 1))
        if len(text) - at <= len(source) - start or line == len(lines):
            return tuple(found) if source.startswith(text[at:], start) else ()
        part = source[start:].rstrip(" \t")
        if not part or not text.startswith(f"{part} ", at):
            return ()
        at += len(part) + 1
        line += 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1

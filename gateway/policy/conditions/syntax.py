"""
The syntax tree of a checked CEL expression, read from its serialised form.

`cel-expr-python` shows no tree, but `serialize()` is a protobuf `google.protobuf.Any`
around `cel.expr.CheckedExpr` (github.com/google/cel-spec, proto/cel/expr/checked.proto
and syntax.proto). This file reads the few fields that bounds, the index and explain
need; field numbers are those of the two files named.
"""

import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Literal, TypeAlias

from msgspec import Struct

Kind: TypeAlias = Literal["constant", "name", "field", "call", "list", "map", "comprehension"]
Constant: TypeAlias = str | int | float | bool | bytes | None
Span: TypeAlias = tuple[int, int]
"""Where something begins, and where it ends."""


class Tree(Struct, frozen=True, kw_only=True):
    """One node, and those below it in the order they are written."""

    id: int
    kind: Kind
    name: str = ""
    """
    A name's dotted name, a call's function, a field's name, a comprehension's variable, a
    message's type; `uint` for a constant without a sign, which looks like any other number.
    """
    value: Constant = None
    """What a constant is."""
    below: tuple["Tree", ...] = ()
    """A call's target (if any) and arguments; a comprehension's range first."""

    def walk(self) -> Iterator["Tree"]:
        """Yield this node and every one below it."""
        waiting: list[Tree] = [self]
        while waiting:
            tree = waiting.pop()
            yield tree
            waiting.extend(reversed(tree.below))


class Syntax:
    """A checked expression, as far as we look at it; what few ask for is read when it is."""

    def __init__(self, root: Tree, checked: bytes) -> None:
        self.root = root
        self._checked = checked

    @cached_property
    def nodes(self) -> tuple[Tree, ...]:
        """Every node, the root first."""
        return tuple(self.root.walk())

    @cached_property
    def overloads(self) -> Mapping[int, tuple[str, ...]]:
        """By id of a call: which overloads the checker chose (`less_string`)."""
        return {
            _number(self._checked, 1, entry): tuple(
                _text(self._checked, each)
                for each in _all(self._checked, 3, _one(self._checked, 2, entry))
            )
            for entry in _all(self._checked, 2, (0, len(self._checked)))
        }

    @cached_property
    def offsets(self) -> Mapping[int, int]:
        """By id of any node: where it stands, in characters from the start of the expression."""
        source = _one(self._checked, 5, (0, len(self._checked)))
        return {
            _number(self._checked, 1, entry): _number(self._checked, 2, entry)
            for entry in _all(self._checked, 4, source)
        }


def read(serialized: bytes) -> Syntax:
    """Return the tree inside a serialised checked expression (CEL itself nests at most 32)."""
    start, end = _one(serialized, 2, (0, len(serialized)))
    checked = serialized[start:end]
    return Syntax(_tree(checked, *_one(checked, 4, (0, len(checked)))), checked)


def _tree(data: bytes, start: int, end: int) -> Tree:
    node_id = number = at = stop = 0
    for field, value, past in _fields(data, start, end):
        if past:
            number, at, stop = field, value, past
        else:
            node_id = value
    kind, name_field, below_fields = _EXPRESSIONS[number]
    if kind == "constant":
        which, constant = _constant(data, at, stop)
        return Tree(id=node_id, kind=kind, name="uint" * (which == _UINT), value=constant)
    name = ""
    below: list[Tree] = []
    for field, value, past in _fields(data, at, stop):
        if field in below_fields:
            below.append(_tree(data, value, past))
        elif field == name_field:
            name = _text(data, (value, past))
        elif number == _MAP:
            entry = _fields(data, value, past)
            below += [_tree(data, *span) for part, *span in entry if part in _KEY_AND_VALUE]
    return Tree(id=node_id, kind=kind, name=name, below=tuple(below))


_MAP = 8
_KEY_AND_VALUE = (3, 4)
"""Of a map's entry, which is field 2 of the map."""
# cel.expr.Expr: number of the alternative -> kind, field of its name, fields of its sub-trees.
_EXPRESSIONS: Mapping[int, tuple[Kind, int, tuple[int, ...]]] = {
    3: ("constant", 0, ()),
    4: ("name", 1, ()),
    5: ("field", 2, (1,)),
    6: ("call", 2, (1, 3)),
    7: ("list", 0, (1,)),
    _MAP: ("map", 1, ()),
    9: ("comprehension", 1, (2, 4, 5, 6, 7)),
}


def _constant(data: bytes, start: int, end: int) -> tuple[int, Constant]:
    """Return which alternative of a cel.expr.Constant there is, and its value."""
    for field, value, past in _fields(data, start, end):
        if field == _STRING:
            return field, _text(data, (value, past))
        if field == _DOUBLE:
            return field, float(struct.unpack("<d", data[value:past])[0])
        if past:
            return field, data[value:past]
        if field == _BOOL:
            return field, bool(value)
        if field != _NULL:
            return field, value - (1 << 64) if field == _INT and value >> 63 else value
    return _NULL, None


_NULL, _BOOL, _INT, _UINT, _DOUBLE, _STRING = 1, 2, 3, 4, 5, 6


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """
    Yield the fields of a protobuf message: number, value, 0; or number, start, end.

    The second for what has a length, or a fixed one (wire types 1 and 5).
    """
    at = start
    while at < end:
        key, at = data[at], at + 1  # no message of ours has more than 15 fields
        wire = key & 7
        value = _FIXED.get(wire, 0)
        if not value:
            value, at = data[at], at + 1
            if value & _GOES_ON:
                value, at = _varint(data, at - 1)
        if wire:
            yield key >> 3, at, at + value
            at += value
        else:
            yield key >> 3, value, 0


_FIXED: Mapping[int, int] = {1: 8, 5: 4}
_GOES_ON = 0x80
"""The bit of a number's byte that says that another byte follows."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < _GOES_ON:
            return value, at
        shift += 7


def _all(data: bytes, number: int, span: Span) -> Iterator[Span]:
    """Yield where the fields of a number stand."""
    for field, start, past in _fields(data, *span):
        if field == number:
            yield start, past


def _one(data: bytes, number: int, span: Span) -> Span:
    """Return where the last field of a number stands; an empty span where there is none."""
    found = (0, 0)
    for each in _all(data, number, span):
        found = each
    return found


def _number(data: bytes, number: int, span: Span) -> int:
    return _one(data, number, span)[0]


def _text(data: bytes, span: Span) -> str:
    return data[span[0] : span[1]].decode("utf-8", "replace")

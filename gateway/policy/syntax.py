"""
The syntax tree of a checked CEL expression, read from its serialised form.

`cel-expr-python` shows no tree, but `serialize()` is a protobuf `google.protobuf.Any`
around `cel.expr.CheckedExpr` (github.com/google/cel-spec, proto/cel/expr/checked.proto
and syntax.proto). This file reads the few fields that bounds, the index and explain
need; field numbers are those of the two files named.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

Kind: TypeAlias = Literal["constant", "name", "field", "call", "list", "map", "comprehension"]
Constant: TypeAlias = str | int | float | bool | bytes | None
Wire: TypeAlias = int | bytes


class Tree(Struct, frozen=True, kw_only=True):
    """One node, and those below it in the order they are written."""

    id: int
    kind: Kind
    name: str = ""
    """A name's dotted name, a call's function, a field's name, a comprehension's variable."""
    value: Constant = None
    """What a constant is."""
    below: tuple["Tree", ...] = ()
    """A call's target (if any) and arguments; a comprehension's range first."""

    def walk(self) -> Iterator["Tree"]:
        """Yield this node and every one below it."""
        yield self
        for tree in self.below:
            yield from tree.walk()


class Syntax(Struct, frozen=True, kw_only=True):
    """A checked expression, as far as we look at it."""

    root: Tree
    overloads: Mapping[int, tuple[str, ...]]
    """By id of a call: which overloads the checker chose (`less_string`)."""
    offsets: Mapping[int, int]
    """By id of any node: where it stands, in characters from the start of the expression."""


def read(serialized: bytes) -> Syntax:
    """Return the tree inside a serialised checked expression (CEL itself nests at most 32)."""
    checked = _last(serialized, 2)
    overloads: dict[int, tuple[str, ...]] = {}
    for entry in _all(checked, 2):
        chosen = tuple(_text(each) for each in _all(_last(entry, 2), 3))
        if chosen:
            overloads[_number(entry, 1)] = chosen
    return Syntax(
        root=_tree(_last(checked, 4)),
        overloads=overloads,
        offsets={_number(entry, 1): _number(entry, 2) for entry in _all(_last(checked, 5), 4)},
    )


def _tree(data: bytes) -> Tree:
    node_id = 0
    number, body = 0, b""
    for field, value in _fields(data):
        if isinstance(value, int):
            node_id = value
        else:
            number, body = field, value
    kind, name_field, below_fields = _EXPRESSIONS[number]
    if kind == "constant":
        return Tree(id=node_id, kind=kind, value=_constant(body))
    below = [
        _tree(part)
        for field, part in _parts(body, number)
        if field in below_fields and isinstance(part, bytes)
    ]
    name = _text(_last(body, name_field)) if name_field else ""
    return Tree(id=node_id, kind=kind, name=name, below=tuple(below))


_MAP = 8
# cel.expr.Expr: number of the alternative -> kind, field of its name, fields of its sub-trees.
_EXPRESSIONS: Mapping[int, tuple[Kind, int, tuple[int, ...]]] = {
    3: ("constant", 0, ()),
    4: ("name", 1, ()),
    5: ("field", 2, (1,)),
    6: ("call", 2, (1, 3)),
    7: ("list", 0, (1,)),
    _MAP: ("map", 1, (3, 4)),
    9: ("comprehension", 1, (2, 4, 5, 6, 7)),
}


def _parts(body: bytes, number: int) -> Iterator[tuple[int, Wire]]:
    """Yield an alternative's fields; those of a map's entries as if they were its own."""
    if number != _MAP:
        yield from _fields(body)
        return
    for entry in _all(body, 2):
        yield from _fields(entry)


def _constant(body: bytes) -> Constant:
    """Return the value of a cel.expr.Constant."""
    for field, value in _fields(body):
        if isinstance(value, bytes):
            return _text(value) if field == _STRING else value
        if field == _BOOL:
            return bool(value)
        if field == _DOUBLE:
            return float(struct.unpack("<d", value.to_bytes(8, "little"))[0])
        if field == _INT:
            return value - (1 << 64) if value >> 63 else value
        if field == _UINT:
            return value
    return None


_BOOL, _INT, _UINT, _DOUBLE, _STRING = 2, 3, 4, 5, 6


def _fields(data: bytes) -> Iterator[tuple[int, Wire]]:
    """Yield field numbers and raw values, as protobuf encodes them."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == _LENGTH_DELIMITED:
            size, at = _varint(data, at)
            yield key >> 3, data[at : at + size]
        else:
            size = _FIXED[wire]
            yield key >> 3, int.from_bytes(data[at : at + size], "little")
        at += size


_LENGTH_DELIMITED = 2
_FIXED: Mapping[int, int] = {1: 8, 5: 4}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  # the continuation bit
            return value, at
        shift += 7


def _all(data: bytes, number: int) -> Iterator[bytes]:
    for field, value in _fields(data):
        if field == number and isinstance(value, bytes):
            yield value


def _last(data: bytes, number: int) -> bytes:
    found = b""
    for value in _all(data, number):
        found = value
    return found


def _number(data: bytes, number: int) -> int:
    return next(
        (value for field, value in _fields(data) if field == number and isinstance(value, int)), 0
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")

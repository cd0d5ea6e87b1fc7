"""
A syntax tree as CEL text: the condition again, or any part of it by itself.

The text compiles to the same tree (ids aside), with no parenthesis that is not needed for it.
Macros leave their expansion in the tree; they are recognised by it and printed as macros.
"""

import math
import re
from collections.abc import Mapping, Sequence

from gateway.policy.conditions.syntax import Constant, Tree

# Levels of the grammar (cel-spec, langdef.md): what is higher binds tighter.
_CHOICE, _OR, _AND, _RELATION, _SUM, _PRODUCT, _UNARY, _MEMBER = range(1, 9)

_BINARY: Mapping[str, tuple[str, int]] = {
    "_||_": ("||", _OR),
    "_&&_": ("&&", _AND),
    **{f"_{sign}_": (sign, _RELATION) for sign in ("==", "!=", "<", "<=", ">", ">=")},
    "@in": ("in", _RELATION),
    "_+_": ("+", _SUM),
    "_-_": ("-", _SUM),
    "_*_": ("*", _PRODUCT),
    "_/_": ("/", _PRODUCT),
    "_%_": ("%", _PRODUCT),
}
_FUNCTIONS = frozenset(
    {
        *("bool", "bytes", "double", "duration", "dyn", "int", "size"),
        *("string", "timestamp", "type", "uint"),
    }
)
"""Written `size(x)`; every other function is written `x.matches(y)`."""
CHAINS = ("_&&_", "_||_")
_PLAIN_FIELD = re.compile(r"(?!(?:true|false|null|in)\Z)[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES: Mapping[str, str] = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SHORT_ESCAPE_MAX = 0xFFFF
_INFINITE = "1e999"
"""A literal too large for a double: CEL has no other for infinity."""


def text(tree: Tree) -> str:
    """Return the text of a tree."""
    return _at(tree, _CHOICE)


def operands(tree: Tree) -> tuple[Tree, ...]:
    """Return what a chain of `&&` or of `||` connects, in order; any other tree by itself."""
    if tree.name not in CHAINS:
        return (tree,)
    return tuple(
        each
        for side in tree.below
        for each in (operands(side) if side.name == tree.name else (side,))
    )


def macro(tree: Tree) -> tuple[str, tuple[Tree, ...]]:
    """Return the macro a comprehension came from, and its arguments behind the variable."""
    _, start, _, step, _ = tree.below
    if start.kind == "list":
        if step.name == "_+_":
            return "map", step.below[1].below
        condition, kept = step.below[0], step.below[1].below[1].below[0]
        if kept.kind == "name" and kept.name == tree.name:
            return "filter", (condition,)
        return "map", (condition, kept)
    if isinstance(start.value, bool):
        return "all" if start.value else "exists", step.below[1:]
    return "exists_one", step.below[:1]


def _at(tree: Tree, least: int) -> str:
    """Return the text of a tree, in parentheses where it binds less tightly than `least`."""
    level, said = _said(tree)
    return said if level >= least else f"({said})"


def _said(tree: Tree) -> tuple[int, str]:
    """Return how tightly a tree binds, and its text."""
    below = tree.below
    if tree.kind == "constant":
        return _constant(tree)
    if tree.kind == "name":
        return _MEMBER, tree.name
    if tree.kind == "field":
        return _MEMBER, f"{_at(below[0], _MEMBER)}.{_field(tree.name)}"
    if tree.kind == "list":
        return _MEMBER, f"[{_listed(below)}]"
    if tree.kind == "map":
        pairs = zip(below[::2], below[1::2], strict=True)
        return _MEMBER, "{" + ", ".join(f"{text(key)}: {text(value)}" for key, value in pairs) + "}"
    if tree.kind == "comprehension":
        name, arguments = macro(tree)
        said = f"{_at(below[0], _MEMBER)}.{name}({tree.name}, {_listed(arguments)})"
        return _MEMBER, said
    return _call(tree)


def _call(tree: Tree) -> tuple[int, str]:
    name, below = tree.name, tree.below
    if name in CHAINS:
        return _chain(tree)
    if name in _BINARY:
        sign, level = _BINARY[name]
        # All of them lean to the left: a - b - c is (a - b) - c.
        return level, f"{_at(below[0], level)} {sign} {_at(below[1], level + 1)}"
    if name == "_?_:_":
        when, then, otherwise = _at(below[0], _OR), _at(below[1], _OR), text(below[2])
        return _CHOICE, f"{when} ? {then} : {otherwise}"
    if name in ("!_", "-_"):
        return _UNARY, name[0] + _negated(below[0])
    if name == "_[_]":
        return _MEMBER, f"{_at(below[0], _MEMBER)}[{text(below[1])}]"
    if name in _FUNCTIONS:
        return _MEMBER, f"{name}({_listed(below)})"
    return _MEMBER, f"{_at(below[0], _MEMBER)}.{name}({_listed(below[1:])})"


def _chain(tree: Tree) -> tuple[int, str]:
    """Return `a && b && c` where that compiles to this tree: the parser balances such a chain."""
    sign, level = _BINARY[tree.name]
    parts = operands(tree) if _is_balanced(tree, tree.name) else tree.below
    return level, f" {sign} ".join(_at(part, level + 1) for part in parts)


def _is_balanced(tree: Tree, name: str) -> bool:
    """Return whether a chain has the shape the parser gives one without parentheses."""
    if tree.name != name:
        return True
    counts = [len(operands(side)) if side.name == name else 1 for side in tree.below]
    return counts[0] - counts[1] in (0, 1) and all(_is_balanced(side, name) for side in tree.below)


def _negated(tree: Tree) -> str:
    """Return what a sign stands before; two signs in a row would be read as none."""
    number = tree.kind == "constant" and not isinstance(tree.value, str | bytes | bool)
    return f"({text(tree)})" if number else _at(tree, _MEMBER)


def _listed(trees: Sequence[Tree]) -> str:
    return ", ".join(text(each) for each in trees)


def _field(name: str) -> str:
    return name if _PLAIN_FIELD.fullmatch(name) else f"`{name}`"


def _constant(tree: Tree) -> tuple[int, str]:
    """Return a literal; a number cannot have a dot behind it, so it binds as a sign does."""
    value: Constant = tree.value
    if value is None:
        return _MEMBER, "null"
    if isinstance(value, bool):
        return _MEMBER, str(value).lower()
    if isinstance(value, str):
        return _MEMBER, quoted(value)
    if isinstance(value, bytes):
        return _MEMBER, "b" + _quoted_bytes(value)
    if isinstance(value, float):
        said = repr(value).replace("inf", _INFINITE) if math.isinf(value) else repr(value)
        return _UNARY, said
    return _UNARY, f"{value}u" if tree.name == "uint" else str(value)


def quoted(value: str) -> str:
    """Return a text as a CEL literal in double quotes, on one line, with nothing unprintable."""
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"  # noqa: PLR2004  # the last \u can say


_PRINTABLE_BYTES = frozenset(range(32, 127)) - frozenset(b'\\"')


def _quoted_bytes(value: bytes) -> str:
    each = (chr(byte) if byte in _PRINTABLE_BYTES else f"\\x{byte:02x}" for byte in value)
    return f'"{"".join(each)}"'

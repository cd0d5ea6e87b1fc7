"""
A mapping read by its shape: every key that is unknown, missing or of another kind is noted.

What could be read comes back by key; what could not is missing, and its mistake is among
the problems.
"""

from typing import Any, TypeVar

from gateway.documents import Fields, Node, Problems, nearest
from gateway.policy.language.bonds import Bond
from gateway.policy.language.kinds import Shape

T = TypeVar("T")


class Form:
    """One mapping, read."""

    def __init__(self, shape: Shape, node: Node, problems: Problems) -> None:
        self.node = node
        self.problems = problems
        self.what = shape.what
        self.values: dict[str, Any] = {}
        """By key, what each kind's `read` returned."""
        self._known = shape.names
        self._fields = Fields(node, problems, shape.what, shape.like)
        self._fields.only(*self._known)
        self._need(shape)
        wrong = self._read(shape)
        if isinstance(node.value, dict):
            for bond in shape.bonds:
                self._check(bond, wrong)

    def __contains__(self, key: str) -> bool:
        """Return whether the mapping has a key, whatever it holds."""
        return key in self._fields.items

    def get(self, key: str, default: T) -> T:
        """Return what a key holds; the default when it is missing or was no such thing."""
        found: T = self.values.get(key, default)
        return found

    def at(self, key: str) -> Node:
        """Return the node a key holds."""
        return self._fields.items[key]

    def nodes(self, key: str) -> list[Node]:
        """Return the items of a list; none when the key is missing."""
        found: list[Node] = self.values.get(key, [])
        return found

    def wrong(self, message: str, *, key: str = "") -> None:
        """Note a mistake at the mapping, or at one of its keys."""
        self.problems.add(self.node, message, key=key)

    def _need(self, shape: Shape) -> None:
        """Note each key that must be there and is not, with how to write it."""
        for key in shape.keys:
            if key.required and key.name not in self and isinstance(self.node.value, dict):
                hint = f": write {key.like}" if key.like else ""
                self.wrong(f"{self.what} needs {key.name!r}, and it is missing{hint}")

    def _read(self, shape: Shape) -> set[str]:
        """Fill in the values, and return the keys whose value is not of its kind."""
        wrong: set[str] = set()
        items = self._fields.items
        for key in shape.keys:
            if key.name not in items:
                continue
            node = items[key.name]
            value = key.kind.read(node)
            if value is None:
                self._fields.expected(key.name, key.kind.wanted(node))
                wrong.add(key.name)
            else:
                self.values[key.name] = value
        return wrong

    def _check(self, bond: Bond, wrong: set[str]) -> None:
        """Note a bond that is broken, unless one of its keys is wrong, or misspelt, already."""
        if bond.must.holds(self._fields.items):
            return
        keys = bond.must.keys
        unknown = [key for key in self._fields.items if key not in self._known]
        if keys & wrong or any(nearest(key, keys) for key in unknown):
            return
        if bond.said:
            self.wrong(bond.said, key=bond.at)
        else:
            self._fields.expected(bond.at, bond.expected)

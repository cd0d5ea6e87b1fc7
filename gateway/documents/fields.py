"""
Reading a document's fields by type, collecting every mistake instead of the first.

Each message says what was read, what was expected, and the nearest valid name.
"""

from collections.abc import Sequence
from decimal import Decimal

from gateway.documents.nodes import Node
from gateway.documents.problems import Problems, nearest


class Fields:
    """
    Reads a mapping's typed fields; what is wrong goes to `problems`, and a default comes back.

    `what` names the mapping in messages: "a rule", "a provider"; `like` is one, for whoever
    wrote something else.
    """

    def __init__(self, node: Node, problems: Problems, what: str, like: str = "") -> None:
        self.node = node
        self.problems = problems
        self.what = what
        self.items: dict[str, Node] = {}
        if isinstance(node.value, dict):
            self.items = node.value
        else:
            such = f" such as {like}" if like else ""
            problems.add(node, f"read {node.shown}, expected {what}: a mapping{such}")

    def __contains__(self, key: str) -> bool:
        """Return whether the mapping has a key."""
        return key in self.items

    def only(self, *names: str) -> None:
        """Note every key that is none of these."""
        for key in self.items:
            if key not in names:
                hint = nearest(key, names) or f"; {self.what} has: {', '.join(names)}"
                self.problems.add(
                    self.node, f"unknown key {key[:40]!r} in {self.what}{hint}", key=key
                )

    def need(self, *names: str) -> bool:
        """Return whether all of these keys are there; note each that is not."""
        missing = [name for name in names if name not in self.items]
        for name in missing:
            if isinstance(self.node.value, dict):
                self.problems.add(self.node, f"{self.what} needs {name!r}, and it is missing")
        return not missing

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        node = self.items.get(key)
        if node is None:
            return default
        if isinstance(node.value, str):
            return node.value
        self.expected(key, "a text (put it in quotes)")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, in the order written."""
        found: list[str] = []
        for item in self.nodes(key):
            if isinstance(item.value, str):
                found.append(item.value)
            else:
                self.problems.add(item, f"read {item.shown} in {key!r}, expected a text")
        return tuple(found)

    def choice(self, key: str, names: Sequence[str], default: str) -> str:
        """Return one of several names."""
        node = self.items.get(key)
        if node is None:
            return default
        if isinstance(node.value, str) and node.value in names:
            return node.value
        self.expected(key, f"one of {', '.join(names)}{nearest(node.text, names)}")
        return default

    def integer(self, key: str, default: int = 0, *, least: int = 0) -> int:
        """Return a whole number, at least `least`."""
        node = self.items.get(key)
        if node is None:
            return default
        if isinstance(node.value, int) and not isinstance(node.value, bool) and node.value >= least:
            return node.value
        self.expected(key, f"a whole number, at least {least}")
        return default

    def decimal(self, key: str, default: Decimal | None = None) -> Decimal | None:
        """Return a number that is not negative, exactly as written."""
        node = self.items.get(key)
        if node is None:
            return default
        if (
            isinstance(node.value, int | Decimal)
            and not isinstance(node.value, bool)
            and node.value >= 0
        ):
            return Decimal(node.value)
        self.expected(key, "a number, at least 0")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        node = self.items.get(key)
        if node is None:
            return default
        if isinstance(node.value, bool):
            return node.value
        self.expected(key, "true or false")
        return default

    def nodes(self, key: str) -> list[Node]:
        """Return the items of a list; none when the key is missing."""
        node = self.items.get(key)
        if node is None:
            return []
        if isinstance(node.value, list):
            return node.value
        self.expected(key, "a list")
        return []

    def expected(self, key: str, what: str) -> None:
        """Note that a key's value is not what was expected."""
        node = self.items[key]
        self.problems.add(node, f"read {node.shown} in {key!r}, expected {what}")

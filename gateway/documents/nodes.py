"""A document's values, each with the place it was read from."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

Scalar: TypeAlias = "str | int | Decimal | bool | None"
Value: TypeAlias = "dict[str, Node] | list[Node] | Scalar"
Stretch: TypeAlias = tuple[int, int, int]
"""From which character of a text on, and the line and column where that one stands."""

READ_SHOWN_MAX = 40


class Node(Struct, frozen=True, gc=False):
    """One value of a document, and where it stands. Lines and columns count from 1."""

    value: Value
    name: str
    """The document's name, as messages show it."""
    line: int
    col: int
    text: str = ""
    """A scalar as it was written, before it was resolved: `007`, not 7."""
    key_places: Mapping[str, tuple[int, int]] = {}
    """For a mapping: line and column of each key."""
    stretches: tuple[Stretch, ...] = ()
    """Where the characters of a text stand in the file; none when they stand there otherwise."""

    def at(self, line: int, col: int) -> tuple[int, int]:
        """Return the place in the file of a place in this text (both counted from 1)."""
        if not self.stretches:
            return self.line, self.col
        lines = self.text.split("\n")
        offset = sum(len(each) + 1 for each in lines[: line - 1]) + col - 1
        start, at_line, at_col = next(
            each for each in reversed(self.stretches) if each[0] <= offset or not each[0]
        )
        return at_line, at_col + offset - start

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
        return f"{self.kind} {short(self.text)!r}"


_KINDS: Mapping[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "the text",
    int: "the number",
    Decimal: "the number",
    bool: "the flag",
    type(None): "nothing",
}


def short(text: str, length_max: int = READ_SHOWN_MAX) -> str:
    """Return a text on one line, cut where it is too long for a message."""
    text = text[: length_max + 1].replace("\n", " ")
    return text if len(text) <= length_max else f"{text[:length_max]}…"

"""
The kinds of value a file an admin writes may hold: what each takes, and says when it does not.

One description serves the reader, its messages and the JSON Schema. A pattern is in the
syntax that Python's `re` and ECMA 262 share, and must match the whole text. No kind takes
nothing at all (YAML's null), so that None says: not of this kind.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from msgspec import Struct

from gateway.documents import Node, nearest
from gateway.policy.language.bonds import Bond

TEXT_LENGTH_MAX = 2_000
SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Text(Struct, frozen=True, kw_only=True):
    """A text, of a pattern or any."""

    pattern: str = ""
    """Empty: any text."""
    said: str = "a text (put it in quotes)"
    length_max: int = TEXT_LENGTH_MAX

    def read(self, node: Node) -> str | None:
        """Return the text, as it is."""
        text = node.value
        if not isinstance(text, str) or len(text) > self.length_max:
            return None
        return text if not self.pattern or re.fullmatch(self.pattern, text) else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        if isinstance(node.value, str) and len(node.value) > self.length_max:
            return f"at most {self.length_max:,} characters, and there are {len(node.value):,}"
        return self.said


class Choice(Struct, frozen=True, kw_only=True):
    """One of a few names."""

    names: Mapping[str, str]
    """Each, and what it means in a line."""
    meant: Mapping[str, str] = {}
    """What other languages call one of them, in lower case, and which it is."""

    def read(self, node: Node) -> str | None:
        """Return the name."""
        return node.value if isinstance(node.value, str) and node.value in self.names else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        meant = self.meant.get(node.text.lower())
        hint = f"; did you mean {meant!r}?" if meant else nearest(node.text, self.names)
        return f"one of {', '.join(self.names)}{hint}"


class Whole(Struct, frozen=True, kw_only=True):
    """A whole number within bounds."""

    least: int
    most: int
    hint: str = ""
    """What to say of 0, which is none at all."""

    def read(self, node: Node) -> int | None:
        """Return the number."""
        value = node.value
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if self.least <= value <= self.most else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return f"a whole number from {self.least:,} to {self.most:,}{_remedy(node, self.hint)}"


class Number(Struct, frozen=True, kw_only=True):
    """A number within bounds, whole or not, exactly as written."""

    least: Decimal
    most: Decimal
    hint: str = ""
    """As of `Whole`."""

    def read(self, node: Node) -> Decimal | None:
        """Return the number, without zeros that say nothing: 1.50 is 1.5."""
        value = node.value
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            return None
        number = Decimal(value)
        if not self.least <= number <= self.most:
            return None
        return Decimal(f"{number.normalize():f}")

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return f"a number from {self.least:f} to {self.most:,f}{_remedy(node, self.hint)}"


def _remedy(node: Node, none: str) -> str:
    """Return the way out for who wrote a number as a text, or 0 (`none` says it)."""
    if isinstance(node.value, str):
        digits = re.sub(r"[$€,_ ]", "", node.text)
        return f"; write {digits}, without quotes" if _DIGITS.fullmatch(digits) else ""
    return none if node.value == 0 and not isinstance(node.value, bool) else ""


_DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Either(Struct, frozen=True, kw_only=True):
    """A name, or a number within bounds."""

    name: str
    number: Number

    def read(self, node: Node) -> str | Decimal | None:
        """Return the name or the number."""
        return self.name if node.value == self.name else self.number.read(node)

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return f"{self.name}, or {self.number.wanted(node)}{nearest(node.text, [self.name])}"


class Time(Struct, frozen=True, kw_only=True):
    """A length of time such as `6h`."""

    days_max: int

    @property
    def pattern(self) -> str:
        """Return what it looks like; times that are too long do not match."""
        most = self.days_max * SECONDS["d"]
        each = [f"(?:{up_to(most // length_s)}){unit}" for unit, length_s in SECONDS.items()]
        return "|".join(each)

    def read(self, node: Node) -> int | None:
        """Return how many seconds it is."""
        found = _TIME.fullmatch(node.value) if isinstance(node.value, str) else None
        if found is None:
            return None
        time_s = int(found[1]) * SECONDS[found[2]]
        return time_s if time_s <= self.days_max * SECONDS["d"] else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return f"a time such as 30s, 1m, 6h or 1d, at most {self.days_max}d"


_TIME = re.compile(r"([1-9][0-9]{0,6})([smhd])")


class Exactly(Struct, frozen=True, kw_only=True):
    """One number, written in the one usual way."""

    value: int

    def read(self, node: Node) -> int | None:
        """Return the number."""
        usual = node.value == self.value and node.text == str(self.value)
        return self.value if usual else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        quoted = node.value == str(self.value)
        return f"{self.value}, without quotes" if quoted else str(self.value)


class Names(Struct, frozen=True, kw_only=True):
    """A list of names out of some, each once; who asks for it reads the items."""

    names: Mapping[str, str]
    """Each, and what it means in a line."""
    meant: Mapping[str, str] = {}
    """As of `Choice`."""

    def read(self, node: Node) -> list[Node] | None:
        """Return the items, still unread."""
        return node.value if isinstance(node.value, list) else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        named = node.text if node.value in self.names else next(iter(self.names))
        return f"a list: [{named}]"


class Entries(Struct, frozen=True, kw_only=True):
    """A mapping of texts whose keys the writer chooses; who asks for it reads the entries."""

    key: Text
    value: Text
    most: int

    def read(self, node: Node) -> dict[str, Node] | None:
        """Return the entries, still unread."""
        value = node.value
        return value if isinstance(value, dict) and 1 <= len(value) <= self.most else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        count = f", and there are {len(node.value)}" if isinstance(node.value, dict) else ""
        return f"a mapping with 1 to {self.most} entries{count}"


class Shape(Struct, frozen=True, kw_only=True):
    """A mapping whose keys are known."""

    what: str
    """As messages name it: `a rule`."""
    about: str
    keys: tuple["Key", ...]
    bonds: tuple[Bond, ...] = ()
    snippets: tuple[Mapping[str, Any], ...] = ()
    """`defaultSnippets` of the JSON Schema, which editors offer to fill in."""
    like: str = ""
    """One of it, for who wrote something else."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the keys there are."""
        return tuple([key.name for key in self.keys])

    @property
    def required(self) -> tuple[str, ...]:
        """Return the keys that must be there."""
        return tuple([key.name for key in self.keys if key.required])

    def read(self, node: Node) -> Node | None:
        """Return the node, still unread: whoever reads it says when it is no mapping."""
        return node

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return (
            f"{self.what}: a mapping such as {self.like}"
            if self.like
            else f"{self.what}: a mapping"
        )


class Items(Struct, frozen=True, kw_only=True):
    """A list of mappings of one shape; who asks for it reads the items."""

    of: Shape

    def read(self, node: Node) -> list[Node] | None:
        """Return the items, still unread."""
        return node.value if isinstance(node.value, list) else None

    def wanted(self, node: Node) -> str:
        """Return what is expected, in words."""
        return "a list: each item begins with '- ', and [] is an empty one"


Kind: TypeAlias = (
    Text | Choice | Whole | Number | Either | Time | Exactly | Names | Entries | Shape | Items
)


class Key(Struct, frozen=True, kw_only=True):
    """One key of a mapping."""

    name: str
    kind: Kind
    about: str
    """One line; editors show it."""
    details: str = ""
    """More, in Markdown."""
    required: bool = False
    default: str | int | float | None = None
    """What it is when it is not there, if that is a value."""
    examples: Sequence[str | int] = ()
    like: str = ""
    """How to write it, for who left out one that is required."""


@lru_cache(maxsize=64)
def up_to(most: int) -> str:
    """Return the pattern of the whole numbers from 1 to `most`, without leading zeros."""
    digits = str(most)
    shorter = [f"[1-9][0-9]{{{length}}}" for length in range(len(digits) - 1)]
    same = [digits]
    for place, digit in enumerate(digits):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            rest = f"[0-9]{{{len(digits) - place - 1}}}"
            same.append(f"{digits[:place]}[{least}-{int(digit) - 1}]{rest}")
    return "|".join(shorter + same)

"""
What the keys of one mapping demand of each other.

A bond is a predicate over which keys there are and which names they hold. The reader
evaluates it, and the JSON Schema states it, so that an editor and the loader agree.
"""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from gateway.documents import Node


class Has(Struct, frozen=True):
    """A key is there."""

    key: str

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys it looks at."""
        return frozenset((self.key,))

    def holds(self, items: Mapping[str, Node]) -> bool:
        """Return whether it is true of a mapping."""
        return self.key in items


class Is(Struct, frozen=True):
    """A key is there, and holds one of these names."""

    key: str
    names: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys it looks at."""
        return frozenset((self.key,))

    def holds(self, items: Mapping[str, Node]) -> bool:
        """Return whether it is true of a mapping."""
        return self.key in items and items[self.key].value in self.names


class Some(Struct, frozen=True):
    """At least one of some predicates."""

    of: tuple["Predicate", ...]

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys it looks at."""
        return frozenset(key for each in self.of for key in each.keys)

    def holds(self, items: Mapping[str, Node]) -> bool:
        """Return whether it is true of a mapping."""
        return any(each.holds(items) for each in self.of)


class One(Struct, frozen=True):
    """Exactly one of some predicates."""

    of: tuple["Predicate", ...]

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys it looks at."""
        return frozenset(key for each in self.of for key in each.keys)

    def holds(self, items: Mapping[str, Node]) -> bool:
        """Return whether it is true of a mapping."""
        return sum(each.holds(items) for each in self.of) == 1


class NotAll(Struct, frozen=True):
    """Not all of some predicates at once."""

    of: tuple["Predicate", ...]

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys it looks at."""
        return frozenset(key for each in self.of for key in each.keys)

    def holds(self, items: Mapping[str, Node]) -> bool:
        """Return whether it is true of a mapping."""
        return not all(each.holds(items) for each in self.of)


Predicate: TypeAlias = Has | Is | Some | One | NotAll


class Bond(Struct, frozen=True, kw_only=True):
    """What must be true of a mapping, and what is said when it is not."""

    must: Predicate
    at: str = ""
    """The key to point at; empty: the mapping."""
    said: str = ""
    """The whole message; empty: what was read at `at`, and then `expected`."""
    expected: str = ""


def has(*keys: str) -> tuple[Has, ...]:
    """Return a predicate for each key: it is there."""
    return tuple([Has(key) for key in keys])


def without(*keys: str) -> NotAll:
    """Return the predicate: none of the keys is there."""
    return NotAll((Some(has(*keys)),))

"""
The mistakes of a document, collected so that all are told at once.

Their number is bounded, and so is the looking for a name that may have been meant: a file
of nothing but mistakes costs little more than one without any.
"""

import difflib
import re
from collections.abc import Iterable

from gateway.documents.nodes import Node
from gateway.errors import ConfigError

MISTAKES_MAX = 1_000
"""Nothing more is read once so many were found."""
MISTAKES_SHOWN_MAX = 100
COST_MAX = 2_500_000
"""Of what is read at once, beyond its values: about a second on a slow machine."""
NAME_LENGTH_MAX = 40
"""No name of ours is longer: neither is a slip of one."""


class Problems:
    """Every mistake found, so that all are told at once."""

    def __init__(self) -> None:
        self._found: set[tuple[str, int, int, str]] = set()
        self._cost = 0

    def __len__(self) -> int:
        """Return how many mistakes were found."""
        return len(self._found)

    def add(self, node: Node, message: str, *, key: str = "") -> None:
        """Note a mistake at a node, or (when it is a mapping) at one of its keys."""
        line, col = node.key_places.get(key, (node.line, node.col))
        self.add_at(node.name, line, col, message)

    def add_at(self, name: str, line: int, col: int, message: str) -> None:
        """Note a mistake at a place that is no node's; stop reading when there are too many."""
        self._found.add((name, line, col, message))
        if self._full:
            self.raise_if_any()

    def spend(self, node: Node, cost: int) -> None:
        """Count what a value took to read; stop reading when everything takes too much."""
        self._cost += cost
        if self._cost > COST_MAX:
            said = "up to here these files take more to read than all of them may, expected less"
            self.add(node, f"{said}: fewer or shorter conditions, lists and patterns")

    @property
    def _full(self) -> bool:
        """Return whether nothing more is to be read."""
        return len(self._found) >= MISTAKES_MAX or self._cost > COST_MAX

    def add_error(self, error: ConfigError) -> None:
        """Note the mistake of a file that could not be parsed."""
        if self._full:  # the error tells of them already
            self.raise_if_any()
        message = str(error)
        place = _PLACE.match(message)
        if place is None:
            self.add_at(message.rsplit(": ", 1)[0], 0, 0, message)
        else:
            line, col = int(place["line"]), int(place["col"])
            self.add_at(place["name"], line, col, message[place.end() :])

    def raise_if_any(self) -> None:
        """Raise one ConfigError with a line for each mistake, in the order of the files."""
        if not self._found:
            return
        ordered = sorted(self._found)
        lines = [f"{name}:{line}:{col}: {said}" for name, line, col, said in ordered]
        more = len(lines) - MISTAKES_SHOWN_MAX
        if more > 0:
            least = "at least " if len(lines) >= MISTAKES_MAX else ""
            lines = [*lines[:MISTAKES_SHOWN_MAX], f"… and {least}{more} more"]
        raise ConfigError("\n".join(lines))


_PLACE = re.compile(r"(?P<name>.*?):(?P<line>\d+):(?P<col>\d+): ")


def nearest(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the name nearest to a word; empty when none is near."""
    if len(word) > NAME_LENGTH_MAX:
        return ""
    folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""

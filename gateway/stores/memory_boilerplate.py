"""What roots were heard to say, and what of it was boilerplate: in memory, the reference."""

from collections.abc import Iterable, Sequence
from typing import Final

ROOT_BYTES_MAX: Final = 2_048
"""Of one root in one period; what is added once it is reached is not kept."""
READ_MAX: Final = 20_000
"""Rows of a period that are read at once, the newest."""


class Boilerplate:
    """Hashes by period and root, and the frozen ones by policy version. No text, no person."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, str, bytes]] = []
        self._frozen: dict[str, bytes] = {}

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def add(self, period: str, seen: Iterable[tuple[str, bytes]]) -> None:
        """Add what roots were heard to say in a period: root, 8 bytes a run."""
        for root, grams in seen:
            held = sum(len(each) for when, who, each in self._seen if (when, who) == (period, root))
            if held < ROOT_BYTES_MAX:
                self._seen.append((period, root, grams))

    def seen(self, period: str) -> Sequence[tuple[str, bytes]]:
        """Return what was added in a period, a root perhaps more than once; the newest first."""
        found = [(root, grams) for when, root, grams in self._seen if when == period]
        return found[::-1][:READ_MAX]

    def forget(self, before: str) -> int:
        """Forget the periods before one; return how much that was."""
        held = len(self._seen)
        self._seen = [each for each in self._seen if each[0] >= before]
        return held - len(self._seen)

    def freeze(self, policy: str, grams: bytes, now: float) -> bytes:
        """Keep what is boilerplate under a policy version; return what was kept for it first."""
        return self._frozen.setdefault(policy, grams)

    def frozen(self, policy: str) -> bytes | None:
        """Return what was kept for a policy version; None: nothing yet."""
        return self._frozen.get(policy)

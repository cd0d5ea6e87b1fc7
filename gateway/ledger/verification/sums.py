"""The rollups of a store, compared with the fold of the entries they are made of."""

from collections.abc import Iterable, Mapping
from decimal import DecimalException
from typing import Any

from gateway.ledger import codec
from gateway.ledger.entry import Adjust, Intent, Refusal, Settle
from gateway.ledger.rollups import RollupKey, Rollups, RollupSum, figures_of, key_of
from gateway.ledger.verification.leaves import UNREADABLE
from gateway.ledger.verification.report import Wrong


class Fold:
    """What the entries read so far come to (`rollups.fold`, one entry at a time)."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found = Rollups()
        self._keys: dict[str, RollupKey] = {}
        self._settled: dict[str, RollupSum] = {}

    def take(self, _index: int, leaf: Intent | Refusal | Settle | Adjust) -> None:
        """Count an entry of a call; a settle or adjust of a call that is not known counts not."""
        if isinstance(leaf, Intent | Refusal):
            self._keys[leaf.attempt_id] = key = key_of(leaf)
            self._found.begin(key, leaf.rules)
            return
        key_there = self._keys.get(leaf.attempt_id)
        if key_there is None:
            return
        under = self._found.at(key_there)
        before = self._settled.get(leaf.attempt_id)
        if before is not None:
            under.add(before, -1)
        try:
            figures = figures_of(leaf)
        except (DecimalException, ValueError, OverflowError):
            raise Wrong("leaf", f"the cost {leaf.cost_usd[:40]!r} is no amount") from None
        self._settled[leaf.attempt_id] = figures
        under.add(figures)

    def take_lines(self, lines: Iterable[bytes]) -> None:
        """Count entries past the checkpoint."""
        for line in lines:
            try:
                leaf = codec.decode(line)
            except UNREADABLE:
                raise Wrong("rollups", "an entry past the checkpoint cannot be read") from None
            if isinstance(leaf, Intent | Refusal | Settle | Adjust):
                self.take(0, leaf)

    def difference(self, stored: Rollups) -> str:
        """Return in words the first sum that a store has otherwise, empty when all are equal."""
        return _first(
            {key: _figures(each) for key, each in self._found.sums.items()},
            {key: _figures(each) for key, each in stored.sums.items()},
        ) or _first(self._found.rules, stored.rules)


def _first(folded: Mapping[Any, object], stored: Mapping[Any, object]) -> str:
    wrong = sorted(
        key for key in folded.keys() | stored.keys() if folded.get(key) != stored.get(key)
    )
    if not wrong:
        return ""
    key = wrong[0]
    place = ", ".join(
        f"{name} {value}" for name, value in zip(key._fields, key, strict=True) if value != ""
    )
    return (
        f"the sums of {place} are {stored.get(key, 'not there')}, and the entries come to"
        f" {folded.get(key, 'nothing')}"
    )


def _figures(sums: RollupSum) -> tuple[int, ...]:
    return tuple(getattr(sums, name) for name in RollupSum.__struct_fields__)

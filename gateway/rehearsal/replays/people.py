"""
Weekly pseudonyms, and the person behind them.

The decision log names nobody: a person has another pseudonym each week. Whoever holds the
deployment's secret and the registry can work out all pseudonyms of a week, and so tell that two
weeks speak of one person. A name found so is looked at by conditions and by counters; it is in
no report.
"""

from collections.abc import Callable, Iterable, Mapping

from gateway.ledger.pseudonyms import week_of

_WEEKS_MAX = 2


class People:
    """Who a pseudonym stands for, as far as that can be known."""

    def __init__(
        self,
        weekly: Callable[[str, int], str] | None = None,
        *,
        principals: Iterable[str] = (),
        keys: Iterable[str] = (),
    ) -> None:
        """Keep the names to look for, and `weekly`, which makes pseudonyms; None: nobody's."""
        self._weekly = weekly
        self._principals = frozenset(principals)
        self._keys = frozenset(keys)
        self._weeks: dict[int, dict[str, str]] = {}

    def names(self, at_us: int) -> Mapping[str, str]:
        """Return the principal or the key behind each known pseudonym of a moment's week."""
        week = week_of(at_us)
        found = self._weeks.get(week)
        if found is None:
            if len(self._weeks) >= _WEEKS_MAX:
                del self._weeks[next(iter(self._weeks))]
            found = self._weeks[week] = self._made(at_us)
        return found

    def _made(self, at_us: int) -> dict[str, str]:
        weekly = self._weekly
        if weekly is None:
            return {}
        people = {weekly(name, at_us): name for name in self._principals}
        return people | {weekly(f"key {key}", at_us): key for key in self._keys}


class Distinct:
    """How many different people there are, at eight bytes each."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: set[int] = set()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._seen)

    def add(self, person: str) -> None:
        """Count a person, by name or pseudonym; neither is kept."""
        self._seen.add(hash(person))

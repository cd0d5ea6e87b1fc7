"""
How many calls a change touches, and at what cost: in all, and by rule, team and task.

The totals are exact. Of teams and tasks only those with the most calls are kept, in bounded
memory (lossy counting: now and then the smaller half goes), so a row may count a little less
than there was; `missed` says how much at most.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway.rehearsal.replays.people import Distinct

ROWS_KEPT: Final = 2_000
EXAMPLES_MAX: Final = 5


class Row(Struct):
    """The calls of one rule, team or task."""

    name: str
    calls: int = 0
    cost_nano_usd: int = 0
    later_nano_usd: int = 0
    """What they would cost; only for calls sent elsewhere."""


class RuleRow(Row):
    """The calls of one rule, and how many people they are of."""

    code: str = ""
    people: int = 0


class Rows:
    """Rows by name, those with the most calls."""

    def __init__(self, most: int = ROWS_KEPT) -> None:
        """Begin with none; `most` is how many are kept at any time."""
        self._most = most
        self._rows: dict[str, Row] = {}
        self.missed = 0
        """The most calls a row can have lost, or a name that is not there can have had."""

    def add(self, name: str) -> Row:
        """Count a call, and return the row it is counted in."""
        row = self._rows.get(name)
        if row is None:
            if len(self._rows) >= self._most:
                self._drop()
            row = self._rows[name] = Row(name)
        row.calls += 1
        return row

    def top(self) -> tuple[Row, ...]:
        """Return the rows, most calls first."""
        return tuple(sorted(self._rows.values(), key=_order))

    def _drop(self) -> None:
        ordered = self.top()
        kept, gone = ordered[: self._most // 2], ordered[self._most // 2 :]
        self.missed += max(row.calls for row in gone)
        self._rows = {row.name: row for row in kept}


class Change(Struct, frozen=True, kw_only=True):
    """One way in which calls would be decided otherwise."""

    calls: int
    people: int
    cost_usd: Decimal
    """What the calls had cost; of newly allowed ones: what they could cost at most."""
    later_usd: Decimal
    """What calls sent elsewhere would cost there, with the same tokens; else 0."""
    unpriced: int
    """Calls whose price elsewhere is not known: they count at what they cost."""
    by_rule: Sequence[RuleRow]
    by_team: Sequence[Row]
    by_task: Sequence[Row]
    missed: int
    """The most calls that a row of a team or task can have lost."""
    examples: Sequence[str]
    """Request ids of the first few."""


class Tally:
    """A change as it is being counted."""

    def __init__(self) -> None:
        """Begin with no calls."""
        self.calls = 0
        self.unpriced = 0
        self._everything = Row("")
        self._people = Distinct()
        self._rules: dict[str, RuleRow] = {}
        self._people_by_rule: dict[str, Distinct] = {}
        self._teams = Rows()
        self._tasks = Rows()
        self._examples: list[str] = []

    def add(
        self,
        request_id: str,
        *,
        rules: Sequence[tuple[str, str]],
        person: str,
        team: str,
        task: str,
    ) -> tuple[Row, ...]:
        """Count a call under rules (and their codes); return the rows its cost belongs to."""
        self.calls += 1
        self._people.add(person)
        if len(self._examples) < EXAMPLES_MAX:
            self._examples.append(request_id)
        touched: list[Row] = [self._everything, self._teams.add(team), self._tasks.add(task)]
        for rule, code in rules:
            row = self._rules.get(rule)
            if row is None:
                row = self._rules[rule] = RuleRow(rule, code=code)
                self._people_by_rule[rule] = Distinct()
            row.calls += 1
            self._people_by_rule[rule].add(person)
            touched.append(row)
        return tuple(touched)

    def found(self) -> Change:
        """Return what was counted so far."""
        for name, row in self._rules.items():
            row.people = len(self._people_by_rule[name])
        return Change(
            calls=self.calls,
            people=len(self._people),
            cost_usd=usd(self._everything.cost_nano_usd),
            later_usd=usd(self._everything.later_nano_usd),
            unpriced=self.unpriced,
            by_rule=tuple(sorted(self._rules.values(), key=_order)),
            by_team=self._teams.top(),
            by_task=self._tasks.top(),
            missed=max(self._teams.missed, self._tasks.missed),
            examples=tuple(self._examples),
        )


def usd(nano_usd: int) -> Decimal:
    """Return nano-dollars as dollars, exactly."""
    return Decimal(nano_usd).scaleb(-9)


def _order(row: Row) -> tuple[int, str]:
    return -row.calls, row.name

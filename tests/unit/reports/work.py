"""A log of calls and outcomes in memory, with a catalogue, for the tests of reports."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway import ledger
from gateway.stores.memory_ledger import MemoryLedger
from gateway.values import Task
from tests.unit.credit.stories import DAY_US, NOW_US, POLICY, call, outcome, valuation

POLICY_FILE = ("default.yaml", "version: 1\nrules: []\n")
AS_OF_US = NOW_US + 20 * DAY_US


def task(name: str, **fields: Any) -> Task:
    return Task(id=name, spelling=name, root_id=name, **fields)


class Log:
    """A ledger that is written leaf by leaf."""

    def __init__(self) -> None:
        self.store = MemoryLedger(clock=lambda: NOW_US / 1e6)
        self.store.keep_policies(POLICY, [POLICY_FILE], NOW_US)
        self._calls = 0

    def add(self, leaf: ledger.Leaf) -> None:
        replica, seq = self.store.stamp()
        self.store.add(msgspec.structs.replace(leaf, replica=replica, replica_seq=seq))

    def calls(self, root: str, people: Iterable[str], each: int = 1, **fields: Any) -> None:
        """Have some people ask something new for a task."""
        for person in people:
            for _ in range(each):
                self._calls += 1
                at_us = fields.get("received_at_us", NOW_US + self._calls)
                units = range(10 * self._calls, 10 * self._calls + 10)
                changes = {
                    "root_id": root,
                    "task_id": root,
                    "principal": self.store.commitment(person, at_us),
                    "received_at_us": at_us,
                } | fields
                for leaf in call(self._calls, units, **changes):
                    self.add(leaf)

    def accepted(self, root: str, *, team: str = "payments", at_us: int = NOW_US + DAY_US) -> None:
        """Have somebody take what was done."""
        self.add(valuation(root_id=root, team=team))
        self.add(
            outcome(
                0, root_id=root, task_id=root, subject=root, at_us=at_us, attempt_id=f"out_{root}"
            )
        )

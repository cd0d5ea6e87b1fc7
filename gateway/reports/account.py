"""
What a log's credit rests on, gathered once: roots with their credit, their tasks and their people.

Use cases, titles and canaries are the catalogue's as it is now; all else is the ledger's.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from gateway import credit, ledger, policy
from gateway.credit import Folded, RootCredit, Statement
from gateway.ledger import notes, tiles
from gateway.policy import CreditParameters
from gateway.reports.blocks import Place
from gateway.reports.store import Store
from gateway.reports.usage import ERASED
from gateway.values import Task


class Line(Struct, frozen=True, kw_only=True):
    """One root."""

    credit: RootCredit
    team: str
    """That owns it: by the ledger, or else by the catalogue."""
    use_case: str
    people: frozenset[str]
    """Who made calls for it: names, where salts are left."""
    task: Task | None
    """What the catalogue knows of it."""

    @property
    def place(self) -> Place:
        """Where it belongs in a report."""
        return Place(self.credit.month, self.team, self.use_case, self.credit.root_id)


class Account(Struct, frozen=True, kw_only=True):
    """All roots of a log, and what shows that they are those."""

    folded: Folded
    statement: Statement
    lines: tuple[Line, ...]
    tasks: Mapping[str, Task]
    """The catalogue, by id."""
    root_hash: str
    """Of the tree the credit is of, in base64."""
    vkey: str


def account(store: Store, catalogue: Iterable[Task], as_of_us: int) -> Account:
    """
    Return the credit of a log as of a moment, and what belongs to it.

    Raises:
        ConfigError: a policy that credit was given under cannot be loaded.

    """
    folded, statement = stated(store, as_of_us)
    tasks = {task.id: task for task in catalogue}
    workers, persons = store.workers(), store.persons()
    lines = [
        Line(
            credit=each,
            team=each.team or _team(tasks.get(each.root_id)),
            use_case=_use_case(tasks.get(each.root_id)),
            # Of those who were erased nobody can say how many they are: they count as one.
            people=frozenset(persons.get(who, ERASED) for who in workers.get(each.root_id, ())),
            task=tasks.get(each.root_id),
        )
        for each in statement.roots
    ]
    return Account(
        folded=folded,
        statement=statement,
        lines=tuple(lines),
        tasks=tasks,
        root_hash=notes.to_base64(tiles.Reader(folded.size, store.tile).root()),
        vkey=store.log().vkey,
    )


def stated(store: Store, as_of_us: int) -> tuple[Folded, Statement]:
    """Return what a store's fold has come to, and the credit of that; raises ConfigError."""
    folded = store.credit()
    return folded, credit.statement(folded.roots, _parameters(store, folded), as_of_us)


def _parameters(store: Store, folded: Folded) -> dict[str, CreditParameters]:
    """Return the parameters of the policies that anything was accepted under, by digest."""
    named = {
        event.policy
        for root in folded.roots.values()
        for events in root.events.values()
        for event in events
    }
    return {
        digest: policy.load(files).settings.credit
        for digest, files in store.policy_texts()
        if digest in named
    }


def _team(task: Task | None) -> str:
    return "" if task is None else task.team


def _use_case(task: Task | None) -> str:
    return "" if task is None else task.use_case


def query(since_us: int | None, until_us: int | None) -> ledger.Query:
    """Return what asks the sums for a span of time, without a limit."""
    return ledger.Query(since_us=since_us, until_us=until_us, limit=2**31)

"""
From what a tracker says of tasks to the catalogue that follows it.

What is older than what is known changes nothing, so late and repeated messages do no harm. A
parent may come long after its children: whoever stands below it has the right root then.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from gateway.tasks.identifier import canonical
from gateway.tasks.record import TEXT_LENGTH_MAX, VALUE_MAX, is_unsafe
from gateway.values import Account, Task, TaskChange

INTERVALS_MAX: Final = 32
"""Of one task; the newest are kept."""
DEPTH_MAX: Final = 1_000
BELOW_MAX: Final = 100_000
"""Tasks whose root is looked at again for one change."""
NOBODY: Final = frozenset(("",))
"""Reviewers who were named, none of whom we know: nobody may take what is done."""


class Known(Struct, frozen=True, kw_only=True):
    """What is there already."""

    find: Callable[[str], Task | None]
    """The task with a canonical id."""
    children: Callable[[str], Iterable[str]]
    """The ids of the tasks right below one, whether or not that one is there."""


def followed(
    known: Known,
    changes: Sequence[TaskChange],
    *,
    tracker: str,
    who: Callable[[Account | None], str],
    team: str = "",
) -> list[Task]:
    """
    Return the tasks that some changes bring or change, as they stand then.

    `who` returns the principal of an account, empty for nobody; `team` owns what has none.
    """
    work = _Work(known, tracker, who, team)
    for change in sorted(changes, key=lambda each: each.at):
        work.take(change)
    return work.finish()


def closed_anew(old: Task, task: Task) -> Task:
    """Return a task that was open before with that span among its intervals."""
    is_reopened = old.status == "closed" and task.status == "open"
    if not is_reopened or old.opened_at is None or old.closed_at is None:
        return task
    spans = (*task.intervals, (old.opened_at, old.closed_at))[-INTERVALS_MAX:]
    return msgspec.structs.replace(task, intervals=spans)


class _Work:
    """Changes that are being taken in."""

    def __init__(
        self, known: Known, tracker: str, who: Callable[[Account | None], str], team: str
    ) -> None:
        self._known = known
        self._tracker = tracker
        self._who = who
        self._team = team
        self._made: dict[str, Task] = {}
        self._children: dict[str, set[str]] = {}

    def take(self, change: TaskChange) -> None:
        task_id = canonical(change.task)
        old = self._find(task_id) if task_id else None
        if not task_id or (old is not None and change.at < old.changed_at):
            return
        first = Task(
            id=task_id,
            spelling=change.task,
            root_id=task_id,
            team=self._team,
            opened_at=change.at if change.opened_at is None else change.opened_at,
        )
        before = first if old is None else old
        task = self._people(self._state(before, change), change)
        self._made[task_id] = closed_anew(before, task)
        if task.parent_id:
            self._children.setdefault(task.parent_id, set()).add(task_id)

    def finish(self) -> list[Task]:
        below = list(self._made)
        seen = set(below)
        for task_id in below:
            task = self._find(task_id)
            if task is None or len(seen) > BELOW_MAX:
                continue
            root_id = self._root(task)
            if task.root_id != root_id:
                self._made[task_id] = msgspec.structs.replace(task, root_id=root_id)
            lower = {*self._known.children(task_id), *self._children.get(task_id, ())} - seen
            seen |= lower
            below += sorted(lower)
        return [task for key, task in self._made.items() if task != self._known.find(key)]

    def _find(self, task_id: str) -> Task | None:
        return self._made.get(task_id) or self._known.find(task_id)

    def _root(self, task: Task) -> str:
        """Return the top above a task; a task in a circle is its own root."""
        at: Task | None = task
        above, seen = task.id, {task.id}
        while at is not None:
            above = at.parent_id
            if not above:
                # What was read by an earlier Goodgate names its root alone.
                return at.root_id or at.id
            if above in seen or len(seen) > DEPTH_MAX:
                return task.id
            seen.add(above)
            at = self._find(above)
        return above  # one that is kept elsewhere is a root all the same

    def _state(self, old: Task, change: TaskChange) -> Task:
        status = old.status if change.status is None else change.status
        opened_at, closed_at = old.opened_at, old.closed_at
        if status == "open":
            opened_at = change.at if old.status == "closed" else opened_at
            closed_at = None
        elif change.closed_at is not None or old.status == "open":
            closed_at = change.at if change.closed_at is None else change.closed_at
        parent_id, root_id = old.parent_id, old.root_id
        if change.parent is not None:
            parent_id = canonical(change.parent)
            parent_id = "" if parent_id == old.id else parent_id
            root_id = parent_id or old.id
        return msgspec.structs.replace(
            old,
            spelling=change.task,
            title=_text(change.title, old.title),
            status=status,
            opened_at=opened_at,
            closed_at=closed_at,
            parent_id=parent_id,
            root_id=root_id,
            url=_address(change.url, old.url),
            team=_text(change.team, old.team) or self._team,
            tracker=self._tracker,
            changed_at=change.at,
        )

    def _people(self, task: Task, change: TaskChange) -> Task:
        changed: dict[str, object] = {}
        if change.creator is not None:
            changed |= {"by_bot": change.creator.is_bot, "creator": self._who(change.creator)}
        if change.owner is not None:
            changed["owner"] = self._who(change.owner)
        if change.members is not None or change.owner is not None:
            given = task.members if change.members is None else self._all(change.members)
            changed["members"] = (given | {self._who(change.owner)}) - {""}
        if change.reviewers is not None:
            allowed = self._all(change.reviewers)
            changed["reviewers"] = allowed or (NOBODY if change.reviewers else allowed)
        value = change.value
        if value is not None and value.is_finite() and 0 <= value <= VALUE_MAX:
            setter = self._who(change.valued_by)
            is_told = change.valued_by is not None or value != task.value
            changed |= {"value": value, "valued_by": setter if is_told else task.valued_by}
        return msgspec.structs.replace(task, **changed)

    def _all(self, accounts: Iterable[Account]) -> frozenset[str]:
        return frozenset(map(self._who, accounts)) - {""}


def _text(told: str | None, before: str) -> str:
    """Return a text fit for tables and terminals; what was there before when nothing is told."""
    if told is None:
        return before
    text = " ".join(told.split())[:TEXT_LENGTH_MAX]
    return "".join(each for each in text if not is_unsafe(each)) if is_unsafe(text) else text


def _address(told: str | None, before: str) -> str:
    if told is None:
        return before
    text = told.strip()
    is_one = text.lower().startswith(("https://", "http://")) and not is_unsafe(text)
    return text if is_one else ""

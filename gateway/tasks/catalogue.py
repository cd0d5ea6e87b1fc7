"""
The catalogue an admin imports: which tasks there are, whose they are, what they are worth.

Tasks form a forest. A `root` may name a parent; it is resolved to the top, and who has
neither members nor a team of its own has its parent's.
"""

from collections.abc import Iterator

import msgspec

from gateway.documents import Problems
from gateway.errors import ConfigError
from gateway.tasks import csv_rows, json_rows, yaml_rows
from gateway.tasks.record import Reader
from gateway.tasks.rows import SIZE_MAX, TASKS_MAX, Row
from gateway.values import Task

WARNINGS_SHOWN_MAX = 20


def read_catalogue(name: str, text: str) -> tuple[list[Task], list[str]]:
    """
    Return the tasks of a catalogue in its order, and warnings for a person to read.

    The ending of `name` says the format: .yaml, .yml, .csv or .json.

    Raises:
        ConfigError: every mistake, one a line, as `name:line:col: message`.

    """
    problems = Problems()
    reader = Reader(name, problems)
    tasks: dict[str, Task] = {}
    places: dict[str, tuple[int, int]] = {}
    for row in _rows(name, text, problems):
        task = reader.task(row)
        if task is None:
            continue
        if task.id in tasks:
            first = places[task.id][0]
            problems.add_at(
                name, *row.place("id"), f"{task.id} is there twice (first on line {first})"
            )
            continue
        tasks[task.id] = task
        places[task.id] = row.place("id")
    forest = _Forest(name, tasks, places, problems)
    grown = [forest.grown(task_id) for task_id in tasks]
    problems.raise_if_any()
    return grown, _warnings(name, grown, places)


def _rows(name: str, text: str, problems: Problems) -> Iterator[Row]:
    if len(text) > SIZE_MAX:
        raise ConfigError(f"{name}:1:1: larger than {SIZE_MAX} characters: split it")
    read = _READERS.get(name.rpartition(".")[2].lower())
    if read is None:
        raise ConfigError(f"{name}:1:1: a catalogue ends in .yaml, .yml, .csv or .json: rename it")
    for number, row in enumerate(read(name, text.removeprefix("\ufeff"), problems), 1):
        if number > TASKS_MAX:
            raise ConfigError(f"{name}:{row.line}:1: more than {TASKS_MAX} tasks: split the file")
        yield row


_READERS = {
    "yaml": yaml_rows.read,
    "yml": yaml_rows.read,
    "csv": csv_rows.read,
    "json": json_rows.read,
}


class _Forest:
    """Resolves every task's root, and what it has from its parent."""

    def __init__(
        self,
        name: str,
        tasks: dict[str, Task],
        places: dict[str, tuple[int, int]],
        problems: Problems,
    ) -> None:
        self._name = name
        self._tasks = tasks
        self._places = places
        self._problems = problems
        self._grown: dict[str, Task] = {}

    def grown(self, task_id: str) -> Task:
        """Return a task with the root at its top, not its parent."""
        branch: dict[str, None] = {}  # from the task upwards; a chain may be long, so no recursion
        at = task_id
        while at not in self._grown:
            branch[at] = None
            parent = self._tasks[at].root_id
            if parent == at:
                break
            if parent not in self._tasks:
                break  # an epic kept elsewhere is a root all the same
            if parent in branch:
                circle = list(branch)[list(branch).index(parent) :]
                self._wrong(min(circle), f"the roots of {', '.join(circle[:5])} go in a circle")
                break
            at = parent
        for below in reversed(branch):
            self._grown[below] = self._under_its_parent(self._tasks[below])
        return self._grown[task_id]

    def _wrong(self, task_id: str, message: str) -> None:
        self._problems.add_at(self._name, *self._places[task_id], message)

    def _under_its_parent(self, task: Task) -> Task:
        parent = self._grown.get(task.root_id)
        if parent is None:
            return task
        orphan = not task.members and not task.team
        return msgspec.structs.replace(
            task,
            root_id=parent.root_id,
            members=parent.members if orphan else task.members,
            team=parent.team if orphan else task.team,
            value=parent.value if task.value is None else task.value,
        )


def _warnings(name: str, tasks: list[Task], places: dict[str, tuple[int, int]]) -> list[str]:
    here = {task.id for task in tasks}
    abroad = sorted({task.root_id for task in tasks if task.root_id not in here})
    told_abroad = (
        [f"{name}: roots that are not in this file: {', '.join(abroad[:WARNINGS_SHOWN_MAX])}"]
        if abroad
        else []
    )
    nobodys = [task.id for task in tasks if not task.members and not task.team]
    told = [
        f"{name}:{places[task_id][0]}: {task_id} has neither members nor team:"
        " nobody is a member of it, and no call for it can be verified"
        for task_id in nobodys[:WARNINGS_SHOWN_MAX]
    ]
    if len(nobodys) > WARNINGS_SHOWN_MAX:
        told.append(f"{name}: … and {len(nobodys) - WARNINGS_SHOWN_MAX} more with nobody")
    return told_abroad + told

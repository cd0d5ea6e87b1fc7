"""
Processes that die at a named step of the ledger's work, and what they leave.

A step is a statement of `ledger.sql`, by its name, or one of SQLite's own (BEGIN, COMMIT, the
checkpoint of its log), and the process dies just before it or just after. The connection the
ledger is given counts the steps: the ledger itself knows nothing of it. Each life begins with
what the last left, so a step of the recovery is a step like any other.

`python -m tests.faults.crash_points FOLDER TIMES SEED [GUARD]` forks a process per life, from
one that has everything imported and no thread, and prints what it found as JSON. GUARD is one of
GUARDS: what the ledger keeps, taken away.
"""

import asyncio
import importlib
import os
import random
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec
from msgspec import Struct

from gateway.stores.sqlite import ledger_file, writer
from gateway.stores.sqlite.ledger_file import SQL
from tests.faults import disk, power, story
from tests.stores.ledgers import open_ledger

CALLS = 12
LOOK_AFTER = 5
"""Deaths. What is lost stays so, and what is there twice, whatever comes after."""
GUARDS = ("transaction", "acknowledge")
"""A slice is one transaction; nobody is told of a record before it is committed."""

WRITTEN_AFTER_S = 0.003
"""How much later than it says a ledger without `acknowledge` writes."""

_NAMES = {text.partition("VALUES")[0].strip(): name for name, text in SQL.items()}
_DIED = 9


class Came(Struct):
    """What the crashes came to."""

    died: dict[str, int] = {}
    """How often a process died at each step."""
    acknowledged: int = 0
    wrong: list[str] = []
    guard: str = ""


class Step(Struct):
    """Where to die: at the n-th time of a step, before it or after."""

    name: str
    after: bool
    left: int


class Dying:
    """A connection that counts its steps, and at one of them ends the process."""

    def __init__(self, under: Any, step: Step, seen: Counter[str], guard: str) -> None:
        self._under = under
        self._step = step
        self._seen = seen
        self._guard = guard

    def execute(self, statement: str, bindings: Any = None) -> Any:
        """Run a statement."""
        return self._do(named(statement), lambda: self._execute(statement, bindings))

    def executemany(self, statement: str, rows: Any) -> Any:
        """Run a statement for some rows."""
        return self._do(named(statement), lambda: self._under.executemany(statement, rows))

    def wal_checkpoint(self, *, mode: int) -> Any:
        """Move SQLite's log into the file."""
        return self._do("wal_checkpoint", lambda: self._under.wal_checkpoint(mode=mode))

    def close(self) -> None:
        """Close."""
        self._do("close", self._under.close)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)

    def _execute(self, statement: str, bindings: Any) -> Any:
        if self._guard == "transaction" and statement in ("BEGIN IMMEDIATE", "COMMIT"):
            return None
        return self._under.execute(statement, bindings)

    def _do(self, name: str, work: Callable[[], Any]) -> Any:
        self._seen[name] += 1
        here = name == self._step.name
        self._step.left -= here
        if here and self._step.left == 0 and not self._step.after:
            os._exit(_DIED)
        came = work()
        if here and self._step.left == 0:
            os._exit(_DIED)
        return came


def named(statement: str) -> str:
    """Return the name of a statement in `ledger.sql`, or its first words."""
    known = _NAMES.get(statement.partition("VALUES")[0].strip())
    return known or " ".join(statement.split()[:2]).rstrip(";")


async def _live(folder: Path, first: int, chance: random.Random, pipe: int) -> None:
    held = open_ledger(folder)
    held.start(asyncio.get_running_loop())

    def note(key: tuple[str, int]) -> None:
        os.write(pipe, msgspec.json.encode(key) + b"\n")

    await story.told(held, range(first, first + CALLS), chance, note)
    held.close()


def _hasty(add: Callable[..., Any]) -> Callable[..., Any]:
    def added(self: Any, batch: Any, also: Any = None) -> Any:
        batch.done(None, [""] * len(batch.lines))
        batch.done = lambda *_: None
        threading.Event().wait(WRITTEN_AFTER_S)
        return add(self, batch, also)

    return added


def _life(folder: Path, first: int, chance: random.Random, pipe: int, dying: Any) -> None:
    """Live, in a process of its own."""
    step, seen, guard = dying
    opened = ledger_file.open_to_write
    ledger_file.open_to_write = lambda where: Dying(  # type: ignore[assignment]  # it wraps one
        opened(where), step, seen, guard
    )
    if guard == "acknowledge":
        writer.Writer.add = _hasty(writer.Writer.add)  # type: ignore[method-assign]  # the fault
    with disk.recording(folder):  # nothing waits for the real disk
        asyncio.run(_live(folder, first, chance, pipe))


class Harness:
    """Lets processes live and die on one folder after another, and looks at what they leave."""

    def __init__(self, where: Path, chance: random.Random, guard: str = "") -> None:
        """Begin with an empty folder."""
        self.came = Came(guard=guard)
        self._where = where
        self._chance = chance
        self._guard = guard
        self._first = 0
        self._folder = where / "none"
        self.fresh()

    def fresh(self) -> None:
        """Go on with an empty folder."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(dir=self._where))
        self._known: set[tuple[str, int]] = set()
        self._seen: set[str] = set()

    def life(self, step: Step) -> tuple[bool, Counter[str]]:
        """Live once; return whether it died at the step, and how often each step was taken."""
        self._first += 10_000
        read, write = os.pipe()
        seed = self._chance.getrandbits(32)
        if not (pid := os.fork()):
            self._child(step, seed, write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = [msgspec.json.decode(line) for line in pipe.read().splitlines()]
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status not in (0, _DIED):
            self.came.wrong.append(f"{step.name}: the process ended with {status}")
        taken = Counter[str]()
        for each in said:
            if isinstance(each, dict):
                taken.update(each)
            else:
                self._known.add((each[0], each[1]))
        return status == _DIED, taken

    def look(self, step: Step) -> None:
        """Open a copy as a restart would, and keep what is wrong with it."""
        self._seen.update(story.checkpoints(self._folder))
        copy = self._where / "copy"
        shutil.copytree(self._folder, copy, ignore=power.BALLAST)
        try:
            wrong = story.faults(copy, self._known, self._seen)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the ledger did not open
            wrong = [f"unreadable: {problem!r}"]
        shutil.rmtree(copy)
        self.came.acknowledged += len(self._known)
        place = "after" if step.after else "before"
        self.came.wrong += [f"{place} {step.name}: {each}" for each in wrong[:3]]

    def _child(self, step: Step, seed: int, pipe: int) -> None:
        status = 1
        try:
            seen = Counter[str]()
            dying = (step, seen, self._guard)
            _life(self._folder, self._first, random.Random(seed), pipe, dying)
            os.write(pipe, msgspec.json.encode(seen) + b"\n")
            status = 0
        except apsw.Error as problem:
            print(f"{step.name}: {problem!r}", file=sys.stderr)
        finally:
            os._exit(status)


def crashes(where: Path, times: int, chance: random.Random, guard: str = "") -> Came:
    """Die `times` times before and after every step a life takes."""
    harness = Harness(where, chance, guard)
    nowhere = Step("", after=False, left=0)
    _, first = harness.life(nowhere)
    _, second = harness.life(nowhere)
    for name in sorted(first | second):
        for after in (False, True):
            harness.fresh()
            died = tries = 0
            most = max(first[name], second[name])
            while died < times and tries < 4 * times:
                tries += 1
                step = Step(name, after=after, left=chance.randint(1, max(1, most)))
                hit, taken = harness.life(step)
                most = taken[name] if taken else most
                died += hit
                if hit and (guard or died % LOOK_AFTER == 0 or died == times):
                    harness.look(step)
                if not hit and tries % 3 == 0:  # perhaps it is taken once in a file's life
                    harness.fresh()
            harness.came.died[f"{'after' if after else 'before'} {name}"] = died
            if len(harness.came.wrong) > 6:
                return harness.came
    return harness.came


def main() -> None:
    """Run the crashes of the command line, and print what they came to."""
    folder, times, seed, *guard = sys.argv[1:]
    power.hurry()
    importlib.import_module("_strptime")  # what each life would have to import for itself
    came = crashes(Path(folder), int(times), random.Random(int(seed)), *guard)
    sys.stdout.buffer.write(msgspec.json.encode(came))


if __name__ == "__main__":
    main()

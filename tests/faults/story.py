"""
What a ledger is given to do under faults, and what must be true of it when it is opened again.

Each call of the story is one number: linked calls, refusals and unlinked calls in turn. A call
that is not linked has a team of its own, so that the hourly sums tell each of them apart.
"""

import asyncio
import base64
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw

from gateway import ledger
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.reading import Reading
from tests.faults import disk
from tests.stores.ledgers import (
    HOUR,
    cost_intent,
    cost_settle,
    decision,
    intent,
    open_ledger,
    refusal,
    settle,
    stamped,
)

AT_ONCE = 6
RESERVED_TOKENS = 1_000_000
LONG_AGO = HOUR - 3 * 3_600
"""An hour that is over, so that its cost becomes leaves."""
CHECKPOINTS = "SELECT note FROM checkpoint ORDER BY size"

Note = Callable[[tuple[str, int]], None]
"""Told of each record that was acknowledged: which (call, settle, cost or cost_settle), whose."""


async def told(held: Ledger, numbers: Iterable[int], chance: random.Random, note: Note) -> None:
    """Make the calls of these numbers, some at once, and note what is acknowledged."""
    left = iter(numbers)

    async def caller() -> None:
        for number in left:
            await _call(held, number, chance, note)
            if chance.random() < 0.1:
                await held.flush()

    await asyncio.gather(*[caller() for _ in range(AT_ONCE)])


async def _call(held: Ledger, number: int, chance: random.Random, note: Note) -> None:
    held.note(decision(number))
    kind = number % 4
    if kind == 0:
        await held.append(stamped(held, refusal(number)))
        note(("call", number))
        return
    if kind == 1:
        begun = cost_intent(
            number,
            hour=HOUR if number % 8 == 1 else LONG_AGO,
            reserved_tokens=RESERVED_TOKENS,
            team=f"t{number}",
        )
        await held.append(stamped(held, begun))
        note(("cost", number))
        await held.append(stamped(held, cost_settle(number, tokens=1)))
        note(("cost_settle", number))
        return
    principal = held.commitment(f"p{chance.randrange(50)}", intent(number).received_at_us)
    await held.append(stamped(held, intent(number, principal=principal)))
    note(("call", number))
    if kind == 2 or chance.random() < 0.7:  # some calls nobody ends
        await held.append(stamped(held, settle(number)), urgent=chance.random() < 0.5)
        note(("settle", number))


def faults(folder: Path, acknowledged: Iterable[object], seen: Iterable[str] = ()) -> list[str]:
    """
    Open what a fault left as a restart does, and return what is wrong with it.

    `seen` are the checkpoints somebody may have read before.
    """
    with disk.recording(folder):  # so that nothing waits for the real disk
        open_ledger(folder).close()
        found = _damage(folder)
    reading = Reading(folder)
    lines = reading.leaves()
    leaves = [json.loads(line) for line in lines]
    found += _of_calls(leaves, {each for each in acknowledged if isinstance(each, tuple)})
    found += _of_costs(reading, {each for each in acknowledged if isinstance(each, tuple)})
    found += _of_hours(reading, leaves)
    found += [f"set aside: {reason}" for reason, _ in reading.clashes()]
    found += of_series(leaves)
    return found + of_checkpoints(folder, lines, seen)


def _damage(folder: Path) -> list[str]:
    opened = apsw.Connection(str(folder / "ledger.sqlite"))
    try:
        said = opened.pragma("integrity_check")
        left = opened.execute("SELECT count(*) FROM intake").get
    finally:
        opened.close()
    found = [] if said == "ok" else [f"integrity: {said}"]
    return found + ([f"{left} rows are still in the intake"] if left else [])


def _of_calls(leaves: list[dict[str, Any]], acknowledged: set[Any]) -> list[str]:
    """Return which calls are lost, twice, or not settled."""
    calls = [each for each in leaves if each["kind"] in ("intent", "refusal", "settle")]
    times = Counter((_kind(each), int(each["attempt_id"][4:], 16)) for each in calls)
    found = [f"{key} is there {count} times" for key, count in times.items() if count != 1]
    wanted = {key for key in acknowledged if key[0] in ("call", "settle")}
    found += [f"{key} was acknowledged and is lost" for key in sorted(wanted - times.keys())]
    unknown = {
        int(each["attempt_id"][4:], 16)
        for each in calls
        if each.get("completion") == "unknown_crash"
    }
    found += [
        f"{key} was acknowledged and counts as an orphan"
        for key in sorted(wanted)
        if key[0] == "settle" and key[1] in unknown
    ]
    for each in calls:
        number = int(each["attempt_id"][4:], 16)
        if each["kind"] == "intent" and ("settle", number) not in times:
            found.append(f"nothing settles {number}")
    return found


def _kind(leaf: dict[str, Any]) -> str:
    return "settle" if leaf["kind"] == "settle" else "call"


def _of_costs(reading: Reading, acknowledged: set[Any]) -> list[str]:
    """Return which unlinked calls are lost, or counted otherwise than once."""
    sums = {int(key.team[1:]): each for key, each in reading.cost_hours(ledger.Query(limit=10**9))}
    found = [
        f"cost of {n} counts {each.calls} times" for n, each in sums.items() if each.calls != 1
    ]
    found += [
        f"cost of {n} came to {each.tokens} tokens"
        for n, each in sums.items()
        if each.tokens not in (1, RESERVED_TOKENS)
    ]
    for kind, number in sorted(acknowledged):
        if kind == "cost" and number not in sums:
            found.append(f"cost of {number} was acknowledged and is lost")
        if kind == "cost_settle" and (number not in sums or sums[number].tokens != 1):
            found.append(f"settle of the cost of {number} was acknowledged and is lost")
    return found


def _of_hours(reading: Reading, leaves: list[dict[str, Any]]) -> list[str]:
    """Return whose cost is in the leaves of an hour that is over otherwise than in the table."""
    sums = Counter[tuple[int, str]]()
    for leaf in leaves:
        if leaf["kind"] == "cost_hour":
            sums.update({(leaf["hour"], row[0]): row[3] for row in leaf["rows"]})
    table = {
        (key.hour, key.team): each.calls
        for key, each in reading.cost_hours(ledger.Query(limit=10**9))
        if key.hour != HOUR
    }
    return (
        [] if sums == table else [f"leaves of hours differ: {dict(sums.items() ^ table.items())}"]
    )


def of_series(leaves: list[dict[str, Any]]) -> list[str]:
    """Return where a replica's leaves are not 1, 2, 3, …"""
    found: list[str] = []
    last: dict[str, int] = {}
    for index, leaf in enumerate(leaves):
        if leaf.get("schema", 1) < 2:
            continue  # of an earlier release: shared with what is no leaf
        replica, seq = leaf["replica"], leaf["replica_seq"]
        if seq != last.get(replica, 0) + 1:
            found.append(f"leaf {index}: {replica} goes from {last.get(replica, 0)} to {seq}")
        last[replica] = seq
    return found


def of_checkpoints(folder: Path, lines: list[bytes], seen: Iterable[str]) -> list[str]:
    """Return which checkpoints are of another tree, and which that were seen are gone."""
    kept = checkpoints(folder)
    found = [f"a checkpoint that was seen is gone: {each!r}" for each in set(seen) - set(kept)]
    sizes = [size_of(note) for note in kept]
    if sizes != sorted(set(sizes)):
        found.append(f"sizes of checkpoints do not grow: {sizes}")
    notes = {*kept, *seen}
    roots = _roots(lines, {size_of(note) for note in notes})
    for note in notes:
        size, root = size_of(note), note.split("\n")[2]
        if size > len(lines):
            found.append(f"a checkpoint of {size} leaves, and there are {len(lines)}")
        elif roots[size] != root:
            found.append(f"the checkpoint of {size} leaves is of another tree")
    return found


def checkpoints(folder: Path) -> list[str]:
    """Return the checkpoints kept, as notes, by their sizes."""
    opened = apsw.Connection(str(folder / "ledger.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [note for (note,) in opened.execute(CHECKPOINTS)] if has_tree(opened) else []
    finally:
        opened.close()


def has_tree(opened: apsw.Connection) -> bool:
    """Whether the file is of a release that keeps checkpoints."""
    asked = "SELECT count(*) FROM sqlite_schema WHERE name = 'checkpoint'"
    return bool(opened.execute(asked).get)


def size_of(note: str) -> int:
    """Return how many leaves a checkpoint is of (C2SP tlog-checkpoint: its second line)."""
    return int(note.split("\n")[1])


def _roots(lines: Sequence[bytes], sizes: Collection[int]) -> dict[int, str]:
    """Return the RFC 6962 roots (2.1) of the first so many lines, in base64."""
    found = {0: base64.b64encode(hashlib.sha256(b"").digest()).decode()}
    whole: list[tuple[int, bytes]] = []
    """Roots of whole subtrees, with how many leaves each has; the largest first."""
    for size, line in enumerate(lines, 1):
        width, node = 1, hashlib.sha256(b"\0" + line).digest()
        while whole and whole[-1][0] == width:
            width, node = 2 * width, hashlib.sha256(b"\1" + whole.pop()[1] + node).digest()
        whole.append((width, node))
        if size in sizes:
            root = node
            for _, left in reversed(whole[:-1]):
                root = hashlib.sha256(b"\1" + left + root).digest()
            found[size] = base64.b64encode(root).decode()
    return found

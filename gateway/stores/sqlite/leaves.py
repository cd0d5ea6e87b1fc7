"""
The bytes of leaves in the ledger's file: runs of up to 256 of them, a JSON line each.

A run of this release never reaches over a multiple of 256, where entry bundles end; one of an
earlier release may.
"""

from collections.abc import Iterable, Iterator, Sequence

from gateway.errors import LedgerCorrupt
from gateway.ledger import tiles
from gateway.stores.sqlite.ledger_file import SQL, Connection


def at(connection: Connection, index: int) -> bytes:
    """Return the bytes of one leaf; raises LedgerCorrupt when it is not there."""
    return some(connection, [index])[index]


def some(connection: Connection, indexes: Iterable[int]) -> dict[int, bytes]:
    """Return the bytes of some leaves by index; raises LedgerCorrupt when one is not there."""
    found: dict[int, bytes] = {}
    run: list[bytes] = []
    first = 0
    for index in sorted(indexes):
        if not first <= index < first + len(run):
            held = connection.execute(SQL["run_at"], (index,)).fetchone()
            if held is None or not held[0] <= index < held[0] + held[1]:
                raise missing(index)
            first, run = held[0], held[2].split(b"\n")
        found[index] = run[index - first]
    return found


def between(connection: Connection, first: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes of the leaves from one index to another; raises LedgerCorrupt."""
    index = first
    rows = connection.execute(SQL["runs_between"], {"first": first, "stop": stop})
    for start, count, lines in rows:
        if start > index:
            raise missing(index)
        if index < start + count:
            run = lines.split(b"\n")[index - start : stop - start]
            yield from run
            index += len(run)
    if index < stop:
        raise missing(index)


def write(connection: Connection, first_index: int, lines: Sequence[bytes]) -> None:
    """Write leaves in runs, none of which reaches over a multiple of 256."""
    at = 0
    while at < len(lines):
        index = first_index + at
        run = lines[at : at + tiles.WIDTH - index % tiles.WIDTH]
        connection.execute(SQL["add_leaves"], (index, len(run), b"\n".join(run)))
        at += len(run)


def missing(index: int) -> LedgerCorrupt:
    """Return the error that says which leaf is not there."""
    return LedgerCorrupt(f"leaf {index} is missing: restore the ledger from a copy")

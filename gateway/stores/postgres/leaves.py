"""Leaves and tiles as they are read back, by index."""

from collections.abc import Iterable

from gateway.errors import LedgerCorrupt
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.standing import SQL


def leaf(session: Connection, index: int) -> bytes:
    """Return the bytes of one leaf; raises LedgerCorrupt when it is not there."""
    return lines(session, index, 1, 0)[0]


def lines(session: Connection, first: int, count: int, retired: int) -> list[bytes]:
    """Return the bytes of leaves in a row; raises LedgerCorrupt when one is not there."""
    if first < retired:
        raise LedgerCorrupt(
            f"leaf {first} was exported and dropped: the ledger here begins at {retired}"
        )
    until = first + count
    found: list[bytes] = []
    for at, held, blob in session.execute(SQL["runs"], {"first": first, "until": until}):
        run = blob.split(b"\n")
        start = max(first, at)
        if len(run) != held or start != first + len(found):
            break
        found += run[start - at : until - at]
    if len(found) < count:
        raise _missing(first + len(found))
    return found


def some(session: Connection, indexes: Iterable[int]) -> dict[int, bytes]:
    """Return the bytes of leaves by index; raises LedgerCorrupt when one is not there."""
    wanted = sorted(set(indexes))
    found: dict[int, bytes] = {}
    for first, held, blob in session.execute(SQL["runs_of"], (wanted,)):
        run: list[bytes] = blob.split(b"\n")
        if len(run) == held:
            found.update(enumerate(run, first))
    for index in wanted:
        if index not in found:
            raise _missing(index)
    return {index: found[index] for index in wanted}


def tile(session: Connection, level: int, number: int) -> bytes:
    """Return a packed tile; raises KeyError when it is not there."""
    row = session.execute(SQL["tile"], (level, number)).fetchone()
    if row is None:
        raise KeyError((level, number))
    return bytes(row[0])


def _missing(index: int) -> LedgerCorrupt:
    return LedgerCorrupt(f"leaf {index} is missing: restore the ledger from a copy")

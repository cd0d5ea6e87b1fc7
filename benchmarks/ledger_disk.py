"""What the disk and the databases do by themselves: what the figures of the ledger stand beside."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import psycopg

_ROW = b"x" * 1_024


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    """Something made durable, one at a time."""

    per_s: float
    p50_ms: float
    p99_ms: float


def fsync(folder: Path, seconds: float) -> Bare:
    """Return how fast 1 kB is appended to a file and synced."""
    opened = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:

        def once() -> None:
            os.write(opened, _ROW)
            os.fdatasync(opened)

        return _repeated(once, seconds)
    finally:
        os.close(opened)


def sqlite(folder: Path, seconds: float) -> Bare:
    """Return how fast 1 kB is inserted and committed in SQLite (WAL, synchronous=FULL)."""
    with closing(apsw.Connection(str(folder / "bare.sqlite"))) as opened:
        opened.pragma("journal_mode", "wal")
        opened.pragma("synchronous", "full")
        opened.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, bytes BLOB)")
        return _repeated(
            lambda: opened.execute("INSERT INTO row (bytes) VALUES (?)", (_ROW,)), seconds
        )


def postgres(url: str, seconds: float) -> Bare:
    """Return how fast 1 kB is inserted and committed in PostgreSQL, by one psycopg session."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=1) as session:
        session.execute("CREATE TABLE bare_row (id bigserial PRIMARY KEY, bytes bytea)")
        found = _repeated(
            lambda: session.execute("INSERT INTO bare_row (bytes) VALUES (%s)", (_ROW,)), seconds
        )
        session.execute("DROP TABLE bare_row")
        return found


def _repeated(once: Callable[[], object], seconds: float) -> Bare:
    once()
    took: list[float] = []
    began = time.perf_counter()
    while (at := time.perf_counter()) - began < seconds:
        once()
        took.append(time.perf_counter() - at)
    whole = time.perf_counter() - began
    took.sort()
    return Bare(
        per_s=len(took) / whole,
        p50_ms=1000 * took[len(took) // 2],
        p99_ms=1000 * took[len(took) * 99 // 100],
    )

"""
Appends to the real ledger, on a loop set up as the gateway's is.

`python -m benchmarks.ledger_appends JSON` with the fields of `Job`; prints one JSON object.
A process of its own, as the settings of a process (switch interval, collector) are part of it.
"""

import asyncio
import gc
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks import programs
from benchmarks.ledger_records import DIGEST, POLICY, Calls
from gateway.stores.postgres.ledger import Ledger as Shared
from gateway.stores.postgres.ledger import Place
from gateway.stores.sqlite.ledger import Ledger as Embedded

SECRET = b"b" * 32
KEY = b"k" * 32


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to append, and where."""

    folder: str
    url: str = ""
    """Of a PostgreSQL database; empty: SQLite, in the folder."""
    in_flight: int
    seconds: float = 3.0
    leaves: int = 0
    """Append until there are so many, however long that takes; 0: for some seconds."""


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    per_s: float
    """Durable, each with its promise when it is an intent."""
    p50_ms: float
    p99_ms: float
    ordered_per_s: float
    """In order and signed: counted until the last one is."""
    records: int
    seconds: float
    behind: int
    """How many were durable and not in order when the appends ended."""
    cpu_s: float


def appended(job: Job) -> Appended:
    """Return what a process of its own found."""
    argv = [
        sys.executable,
        *("-m", "benchmarks.ledger_appends", msgspec.json.encode(job).decode()),
    ]
    within_s = 3 * job.seconds + job.leaves / 1_000 + 120
    return msgspec.json.decode(programs.run(argv, core=None, within_s=within_s), type=Appended)


async def _run(job: Job) -> Appended:
    folder = Path(job.folder)
    store: Embedded | Shared
    if job.url:
        store = Shared.open(Place(url=job.url, folder=folder), secret=SECRET, key=KEY)
    else:
        store = Embedded.open(folder, secret=SECRET, key=KEY)
    store.start(asyncio.get_running_loop())
    try:
        store.policy_in_force(DIGEST, POLICY)
        await store.flush()
        _settle_down()
        return await _load(store, job)
    finally:
        await asyncio.to_thread(store.close)


async def _load(store: Embedded | Shared, job: Job) -> Appended:
    calls, waits, done = Calls(), list[float](), 0
    began, cpu_s = time.perf_counter(), time.process_time()
    until = began + job.seconds

    def go_on() -> bool:
        return done < job.leaves if job.leaves else time.perf_counter() < until

    async def caller() -> None:
        nonlocal done
        while go_on():
            at = time.perf_counter()
            intent = calls.next(store.stamp())
            promise = await store.append(intent)
            between = time.perf_counter()
            assert promise
            await store.append(calls.settled(intent, store.stamp()))
            waits.extend((between - at, time.perf_counter() - between))
            done += 2

    await asyncio.gather(*[caller() for _ in range(job.in_flight)])
    took = time.perf_counter() - began
    in_order = await asyncio.to_thread(store.reading.size)
    await store.flush()
    whole = time.perf_counter() - began
    assert await asyncio.to_thread(store.reading.size) >= done
    waits.sort()
    return Appended(
        per_s=done / took,
        p50_ms=1000 * waits[len(waits) // 2],
        p99_ms=1000 * waits[len(waits) * 99 // 100],
        ordered_per_s=done / whole,
        records=done,
        seconds=took,
        behind=max(0, done - in_order),
        cpu_s=time.process_time() - cpu_s,
    )


def _settle_down() -> None:
    """Set the process up as `goodgate serve` does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    sys.setswitchinterval(0.001)


def main() -> None:
    """Run the job given as JSON."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    print(msgspec.json.encode(uvloop.run(_run(job))).decode())


if __name__ == "__main__":
    main()

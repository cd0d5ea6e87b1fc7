"""
Records and ledgers for the tests of every store.

A backend is a name in `BACKENDS`. `opened` gives a ledger of it that is started on the running
loop and closed at the end; a folder stands for one log: opening it again opens that log again
(but in memory), whatever keeps it. To add a backend: a name in `BACKENDS`, a branch in `opened`
with the same arguments, and in `kept` if a log outlives its ledger there. Tests append through
`append`, which stamps records as the gateway does.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from gateway import ledger
from gateway.stores.memory_ledger import MemoryLedger
from gateway.stores.postgres.ledger import Ledger as PostgresLedger
from gateway.stores.postgres.ledger import Place
from gateway.stores.sqlite.ledger import Ledger
from tests.stores import postgreses

NOW = 1_795_000_000.0
NOW_US = int(NOW * 1_000_000)
HOUR = int(NOW) - int(NOW) % 3_600
SECRET = b"s" * 32
KEY = b"k" * 32


def fixed_clock() -> float:
    return NOW


def open_ledger(folder: Path, clock: Callable[[], float] = fixed_clock) -> Ledger:
    return Ledger.open(folder, secret=SECRET, clock=clock, key=KEY)


Store: TypeAlias = MemoryLedger | Ledger | PostgresLedger
BACKENDS = ("memory", "sqlite", "postgres", "sqlite, not sequenced")
"""The last keeps everything in its intake until `flush`, where readers must see it too."""


def kept(backend: str) -> bool:
    """Return whether a log outlives its ledger."""
    return backend != "memory"


class Clock:
    """A clock that is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def nobody(_team: str) -> bool:
    return False


@functools.cache
def database(folder: Path) -> str:  # noqa: ARG001  # what the cache keeps it by
    """Return the URL of the database that belongs to a folder, empty at first."""
    return postgreses.url()


@contextlib.asynccontextmanager
async def opened(
    backend: str,
    folder: Path,
    *,
    secret: bytes = SECRET,
    key: bytes = KEY,
    previous_key: bytes | None = None,
    clock: Callable[[], float] = fixed_clock,
    small_team: Callable[[str], bool] = nobody,
) -> AsyncIterator[Store]:
    if backend == "memory":
        memory = MemoryLedger(clock=clock, small_team=small_team)
        yield memory
        memory.close()
        return
    # What is wrong with one is raised by either in the same way.
    made: Ledger | PostgresLedger
    if backend == "postgres":
        made = PostgresLedger.open(
            Place(url=database(folder), folder=folder),
            secret=secret,
            key=key,
            previous_key=previous_key,
            clock=clock,
            small_team=small_team,
        )
    else:
        made = Ledger.open(
            folder,
            secret=secret,
            key=key,
            previous_key=previous_key,
            clock=clock,
            small_team=small_team,
        )
    if backend == "sqlite, not sequenced":
        made._writer._put_in_order = lambda: None  # type: ignore[method-assign]  # held back
    made.start(asyncio.get_running_loop())
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


def stamped(store: Store, record: ledger.Record) -> ledger.Record:
    """Return a record with the store's own stamp."""
    unlinked = isinstance(record, ledger.CostIntent | ledger.CostSettle)
    replica, seq = store.stamp(unlinked=unlinked)
    return msgspec.structs.replace(record, replica=replica, replica_seq=seq)


def numbered(*records: ledger.Record, replica: str = "r0", first: int = 1) -> list[ledger.Record]:
    """Return records of one replica with dense numbers, from `first` on in both of its series."""
    seqs = {False: first - 1, True: first - 1}
    made: list[ledger.Record] = []
    for record in records:
        unlinked = isinstance(record, ledger.CostIntent | ledger.CostSettle)
        seqs[unlinked] += 1
        made.append(msgspec.structs.replace(record, replica=replica, replica_seq=seqs[unlinked]))
    return made


async def append(store: Store, *records: ledger.Record) -> list[ledger.Record]:
    """Append records with the store's own stamps, and return them so."""
    made = [stamped(store, record) for record in records]
    await asyncio.gather(*[store.append(record) for record in made])
    return made


def in_order(store: Store, *kinds: type[ledger.Leaf]) -> list[ledger.Leaf]:
    """Return the leaves of some kinds in their order; of none: all but starts and ends."""
    others = (ledger.ReplicaStart, ledger.ReplicaEnd)
    leaves = [ledger.decode(line) for line in store.reading.leaves()]
    if kinds:
        return [leaf for leaf in leaves if isinstance(leaf, kinds)]
    return [leaf for leaf in leaves if not isinstance(leaf, others)]


def rows(store: Store, **query: object) -> Sequence[dict[str, object]]:
    return store.reading.rows(ledger.Query(**query))


def intent(number: int, **changes: object) -> ledger.Intent:
    record = ledger.Intent(
        attempt_id=f"att_{number:032x}",
        catalogue="sha256:0123456789abcdef",
        cluster=None,
        coalesced_into=None,
        decision="forwarded",
        evidence="verified",
        likeness=None,
        model_requested="fast",
        model_served="gpt-5-mini",
        policy="sha256:0123456789abcdef",
        principal="c" * 32,
        prices="sha256:fedcba9876543210",
        provider="local",
        received_at_us=NOW_US + number,
        replica="r0",
        replica_seq=2 * number + 1,
        request_id=f"req_{number:032x}",
        reserved_cost_usd="0.5",
        reserved_input_tokens=100,
        reserved_output_tokens=900,
        retry_count=0,
        root_id="PROJ-1",
        route="chat",
        rules=("require-task",),
        stream=False,
        task_id="PROJ-2",
        task_source="header",
        team="payments",
        tenant="default",
    )
    return msgspec.structs.replace(record, **changes)


def settle(number: int, **changes: object) -> ledger.Settle:
    record = ledger.Settle(
        attempt_id=f"att_{number:032x}",
        cache_read_tokens=0,
        cache_write_tokens=0,
        completion="complete",
        cost_usd="0.0000000015",
        first_token_ms=3,
        input_tokens=10,
        latency_ms=12,
        output_tokens=20,
        prices="sha256:fedcba9876543210",
        reasoning_tokens=0,
        replica="r0",
        replica_seq=2 * number + 2,
        request_id=f"req_{number:032x}",
        settled_at_us=NOW_US + number + 12_000,
        status=200,
        usage_basis="reported",
    )
    return msgspec.structs.replace(record, **changes)


def refusal(number: int, **changes: object) -> ledger.Refusal:
    record = ledger.Refusal(
        attempt_id=f"att_{number:032x}",
        catalogue="sha256:0123456789abcdef",
        code="quota_exceeded",
        evidence="verified",
        model_requested="fast",
        policy="sha256:0123456789abcdef",
        principal="c" * 32,
        received_at_us=NOW_US + number,
        replica="r0",
        replica_seq=2 * number + 1,
        request_id=f"req_{number:032x}",
        root_id="PROJ-1",
        route="chat",
        rules=("team-budget",),
        stream=False,
        task_id="PROJ-2",
        task_source="header",
        team="payments",
        tenant="default",
    )
    return msgspec.structs.replace(record, **changes)


def cost_intent(number: int, **changes: object) -> ledger.CostIntent:
    record = ledger.CostIntent(
        attempt_id=f"att_{number:032x}",
        hour=HOUR,
        model="fast",
        reason="unknown",
        replica="r0",
        replica_seq=2 * number + 1,
        reserved_cost_usd="0.5",
        reserved_tokens=1_000,
        settled=False,
        team="payments",
    )
    return msgspec.structs.replace(record, **changes)


def cost_settle(number: int, **changes: object) -> ledger.CostSettle:
    record = ledger.CostSettle(
        attempt_id=f"att_{number:032x}",
        cost_usd="0.1",
        replica="r0",
        replica_seq=2 * number + 2,
        tokens=30,
    )
    return msgspec.structs.replace(record, **changes)


def reveal(number: int, **changes: object) -> ledger.Reveal:
    record = ledger.Reveal(
        at_us=NOW_US,
        attempt_id=f"att_{number:032x}",
        auditor="key-1",
        filters="{}",
        reason="ticket SEC-42",
        replica="r0",
        replica_seq=2 * number + 1,
    )
    return msgspec.structs.replace(record, **changes)


def decision(number: int, **changes: object) -> ledger.DecisionRecord:
    record = ledger.DecisionRecord(
        at_us=NOW_US + number,
        code="",
        effect="permit",
        facts={"call.model": "fast"},
        policy="sha256:0123456789abcdef",
        principal="weekly",
        reasons=(),
        request_id=f"req_{number:032x}",
        would_have=(),
    )
    return msgspec.structs.replace(record, **changes)


def settled(number: int, **changes: object) -> ledger.SettledRecord:
    record = ledger.SettledRecord(
        at_us=NOW_US + number + 12_000,
        cost_nano_usd=2,
        input_tokens=10,
        output_tokens=20,
        request_id=f"req_{number:032x}",
    )
    return msgspec.structs.replace(record, **changes)

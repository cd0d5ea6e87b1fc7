"""
Replicas of the ledger as processes, to be killed, stopped where they stand, and started again.

A nursery is one process that has imported everything and forks a replica in milliseconds. Each
replica appends calls as fast as it can, and writes down what was acknowledged: with one system
call, so that a kill loses none of it. `faults` says what is wrong with the log they made.
"""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from msgspec import Struct, structs
from msgspec import json as msgspec_json

from gateway import ledger
from gateway.errors import LedgerCorrupt, LedgerUnavailable
from gateway.ledger import verification
from gateway.ledger.verification import Sums, Trust
from gateway.reports.log_files import LogFiles
from gateway.stores.postgres import connection, leading, sequencer, standing
from gateway.stores.postgres.ledger import Ledger, Place
from gateway.stores.postgres.reading import Reading
from tests.stores.ledgers import KEY, SECRET, intent, settle
from tests.stores.postgreses import Server

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
ASK_S = 0.05
AWAY_S = 0.05
"""Between two calls of a caller while the database is away."""


class Order(Struct, frozen=True, kw_only=True):
    """What a replica is to be."""

    number: int
    """Of all there ever are: attempts are named after it."""
    url: str
    folder: str
    acks: str
    callers: int = 2
    lease_s: float = 60.0
    leader_lease_s: float = 60.0
    is_guarded: bool = True
    on_failure: Literal["closed", "spool"] = "closed"

    @property
    def name(self) -> str:
        """What the database knows its sessions by."""
        return f"replica {self.number}"


def place(url: str, folder: Path, **settings: object) -> Place:
    """Return where a replica is."""
    return Place(url=url, folder=folder, **settings)  # type: ignore[arg-type]  # a test's own


def opened(where: Place) -> Ledger:
    """Return a replica's ledger, with the policy in force that the tests' records name."""
    made = Ledger.open(where, secret=SECRET, key=KEY)
    made.policy_in_force(intent(1).policy, [("policies/a.yaml", "version: 1\n")])
    return made


@contextlib.asynccontextmanager
async def started(where: Place) -> AsyncIterator[Ledger]:
    """Give a replica's ledger, started on the running loop."""
    made = opened(where)
    made.start(asyncio.get_running_loop())
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


class Nursery:
    """Where replicas are forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.fleets"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def fork(self, order: Order) -> int:
        """Start a replica; return the id of its process."""
        return self._ask({"fork": structs.asdict(order)})

    def gone(self, process: int) -> int:
        """Return the status of a process once it has ended."""
        return self._ask({"wait": process})

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(DEADLINE_S)
        self._process.stdout.close()

    def _ask(self, question: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


class Fleet:
    """Some replicas on one database, and all that was ever acknowledged to one."""

    def __init__(self, url: str, folder: Path, **settings: object) -> None:
        self.url = url
        self.session = connection.connect(connection.read(url))
        self.running: dict[str, tuple[int, Order]] = {}
        """Process and order, by the name the database knows."""
        self._folder = folder
        self._settings = settings
        self._nursery = Nursery()
        self._started = 0

    def start(self, place: str) -> None:
        """Start a replica in a folder."""
        self._started += 1
        folder = self._folder / place
        folder.mkdir(exist_ok=True)
        order = Order(
            number=self._started,
            url=named(self.url, f"replica {self._started}"),
            folder=str(folder),
            acks=str(self._folder / f"acks-{self._started}"),
            **self._settings,  # type: ignore[arg-type]  # a test's own
        )
        self.running[order.name] = (self._nursery.fork(order), order)

    def leader(self) -> str:
        """Return who sequences; empty: nobody."""
        row = self.session.execute(
            b"SELECT a.application_name FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
            b" WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()"
            b" AND l.objid = %s::bigint & 4294967295",
            (standing.LOCK,),
        ).fetchone()
        return str(row[0]) if row and row[0] in self.running else ""

    def led(self) -> str:
        """Return who sequences, as soon as somebody does."""
        found: list[str] = []
        wait(lambda: found.append(self.leader()) or found[-1])
        return found[-1]

    def is_led_by_another(self, than: str) -> None:
        """Return once another replica sequences."""
        wait(lambda: self.leader() not in {"", than})

    def send(self, name: str, what: signal.Signals) -> None:
        """Send a signal to a replica."""
        os.kill(self.running[name][0], what)

    def end(self, name: str, what: signal.Signals) -> str:
        """End a replica, and return its folder's name."""
        self.send(name, what)
        process, order = self.running.pop(name)
        status = self._nursery.gone(process)
        assert status == (0 if what == signal.SIGTERM else what), f"{name} ended with {status}"
        return Path(order.folder).name

    def stop(self) -> None:
        """Stop all replicas in good order."""
        for name in list(self.running):
            self.end(name, signal.SIGTERM)

    def start_again(self, name: str, server: Server) -> None:
        """Kill a replica while its server is away, and start both."""
        folder = self.end(name, signal.SIGKILL)
        server.start()
        self.reconnect()
        self.start(folder)
        self.has_grown(by=20)

    def reconnect(self) -> None:
        """Have a new session: the server was stopped."""
        self.session.close()
        self.session = connection.connect(connection.read(self.url))

    def size(self) -> int:
        """Return how many leaves are in order."""
        row = self.session.execute(b"SELECT size FROM ledger_log").fetchone()
        return int(row[0]) if row else 0

    def has_grown(self, by: int) -> None:
        """Return once so many leaves more are in order."""
        until = self.size() + by
        wait(lambda: self.size() >= until)

    def has_appended(self, by: int) -> None:
        """Return once so many records more were acknowledged."""
        until = self.acknowledged().total() + by
        wait(lambda: self.acknowledged().total() >= until)

    def acknowledged(self) -> Counter[tuple[str, str]]:
        """Return kind and attempt of each record a replica was told is durable."""
        lines = [
            line
            for path in sorted(self._folder.glob("acks-*"))
            for line in path.read_text("ascii").splitlines()
        ]
        return Counter((kind, attempt) for kind, attempt in (line.split() for line in lines))

    def close(self) -> None:
        """End all replicas."""
        for name in list(self.running):
            self.send(name, signal.SIGCONT)
            self.end(name, signal.SIGKILL)
        self._nursery.close()
        self.session.close()


@contextmanager
def fleet(url: str, folder: Path, replicas: int = 2, **settings: object) -> Iterator[Fleet]:
    """Give a fleet that is at work."""
    opened(Place(url=url, folder=folder / "first")).close()
    made = Fleet(url, folder, **settings)
    try:
        for number in range(replicas):
            made.start(f"r{number}")
        made.has_grown(by=10)
        yield made
    finally:
        made.close()


def named(url: str, name: str) -> str:
    """Return a URL whose sessions the database knows by a name."""
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}application_name={quote(name)}"


def wait(condition: Callable[[], object]) -> None:
    """Ask again and again (each asking is a round trip to a server) until it holds."""
    until_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < until_s, "it never came to be"


def faults(url: str) -> list[str]:
    """Return what is wrong with the log in a database, and with what is kept beside it."""
    reading = Reading(connection.read(url))
    found: list[str] = []
    try:
        found += [f"{reason}: {line[:80]!r}" for reason, line in reading.clashes()]
        files = LogFiles(reading)
        beyond = reading.lines(files.size, reading.size() - files.size)
        sums = Sums(rollups=reading.rollups(), beyond=beyond)
        trust = Trust(vkey=reading.log().vkey)
        report = verification.verify(files, trust, kept=lambda _: sums)
        if report.first is not None:
            found.append(f"{report.first.kind} at {report.first.index}: {report.first.what}")
    except LedgerCorrupt as corrupt:
        found = [str(corrupt)]
    finally:
        reading.close()
    return found


def in_order(url: str) -> Counter[tuple[str, str]]:
    """Return kind and attempt of each leaf that is part of a call."""
    reading = Reading(connection.read(url))
    try:
        leaves = [ledger.decode(line) for line in reading.leaves()]
    finally:
        reading.close()
    return Counter(
        (leaf.kind, leaf.attempt_id)
        for leaf in leaves
        if isinstance(leaf, ledger.Intent | ledger.Settle)
    )


async def settled(url: str, folder: Path) -> None:
    """Put in order all that a fleet's replicas left: each starts once more, and one leads."""
    for number in range(2):
        where = Place(url=url, folder=folder / f"r{number}")
        await asyncio.to_thread(opened(where).close)
    async with started(Place(url=url, folder=folder / "last")) as made:
        with contextlib.closing(connection.connect(connection.read(url))) as session:

            def is_settled() -> bool:
                row = session.execute(
                    b"SELECT NOT EXISTS (SELECT 1 FROM ledger_intake)"
                    b" AND NOT EXISTS (SELECT 1 FROM ledger_open_call)"
                ).fetchone()
                return row == (True,)

            await asyncio.to_thread(wait, is_settled)
        await made.flush()


def _nursery() -> None:
    # A replica that was just forked hears it once it can end in good order.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "wait" in question:
            answer = os.waitpid(question["wait"], 0)[1]
        else:
            answer = os.fork()
            if answer == 0:
                _replica(msgspec_json.decode(json.dumps(question["fork"]), type=Order))
        os.write(1, f"{answer}\n".encode())


def _replica(order: Order) -> None:
    status = 1
    try:
        os.dup2(2, 1)
        leading.ASK_S = ASK_S  # type: ignore[misc]  # it does not wait a second in a test
        if not order.is_guarded:
            _take_guard_off()
        asyncio.run(_append(order))
        status = 0
    finally:
        os._exit(status)


def _take_guard_off() -> None:
    """Let everybody sequence at once."""

    @contextmanager
    def turn(self: sequencer.Sequencer) -> Iterator[None]:
        with self._session.transaction():
            self._session.execute(standing.SQL["fenced"])
            yield

    sequencer.Sequencer.is_led = lambda _: True  # type: ignore[method-assign]  # the guard
    sequencer.Sequencer.turn = turn  # type: ignore[method-assign]  # the guard
    standing.SQL["lead"] = b"SELECT true OR %s = 0"


async def _append(order: Order) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    made = opened(
        Place(
            url=order.url,
            folder=Path(order.folder),
            lease_s=order.lease_s,
            leader_lease_s=order.leader_lease_s,
            on_failure=lambda: order.on_failure,
        )
    )
    made.start(loop)
    acks = os.open(order.acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def call(caller: int) -> None:
        count = 0
        while not stopping.is_set():
            count += 1
            attempt = f"att_{order.number:08x}{caller:08x}{count:016x}"
            for record in (intent(1), settle(1)):
                replica, seq = made.stamp()
                changes = {"attempt_id": attempt, "replica": replica, "replica_seq": seq}
                try:
                    await made.append(structs.replace(record, **changes))
                except LedgerUnavailable:
                    break
                os.write(acks, f"{record.kind} {attempt}\n".encode())
            if made.state.away_since_s is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), AWAY_S)

    await asyncio.gather(*[call(caller) for caller in range(order.callers)])
    await asyncio.to_thread(made.close)


if __name__ == "__main__":
    _nursery()

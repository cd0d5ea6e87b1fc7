"""
The ledger of a fleet: `ports.Ledger` and `ports.Pseudonyms` over PostgreSQL.

Each replica appends (`line`) to the intake of the database (`writer`), and one of them puts in
order what all appended (`leading`, `sequencer`). What the database does not take goes to a spool
in the data folder until it does.
"""

import asyncio
import contextlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, Literal, NoReturn

import msgspec
from msgspec import Struct

from gateway import __version__, ledger
from gateway.errors import ConfigError, GatewayError
from gateway.ledger import decision_log, projection, pseudonyms, series
from gateway.stores.postgres import connection, opening
from gateway.stores.postgres.administering import Administering
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.leading import Leading
from gateway.stores.postgres.line import Line, OnFailure
from gateway.stores.postgres.parcels import PolicyText
from gateway.stores.postgres.reading import Reading
from gateway.stores.postgres.returning import opened
from gateway.stores.postgres.sequencer import check
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import LEADER_LEASE_S, LEASE_S, SQL, Standing
from gateway.stores.postgres.writer import Barrier, Writer
from gateway.values import BudgetUnit

EXIT: Final = 70
"""EX_SOFTWARE of sysexits.h: something a restart may or may not cure, and nothing else does."""
_PSEUDONYMS_US: Final = 31 * 86_400 * 1_000_000
_WEEK_US: Final = 7 * 86_400 * 1_000_000


def never(_team: str) -> bool:
    """Return that no team is small."""
    return False


def closed() -> Literal["closed", "spool"]:
    """Return that no call is made while the database is away."""
    return "closed"


def die(line: str) -> NoReturn:
    """End the process at once, with a last line for people."""
    sys.stderr.write(f"goodgate: error: {line}\n")
    sys.stderr.flush()
    os._exit(EXIT)


class Place(Struct, frozen=True, kw_only=True):
    """Where a replica's ledger is: in a database, and beside it in a folder of its own."""

    url: str
    folder: Path
    """Holds the spool; the same for the next process of this replica, or it cannot end it."""
    role: Literal["gateway", "command"] = "gateway"
    lease_s: float = LEASE_S
    leader_lease_s: float = LEADER_LEASE_S
    on_failure: OnFailure = closed
    """Whether new calls are let through while the database is away, into the spool."""

    def __repr__(self) -> str:
        """Return the folder alone: a URL has a password in it."""
        return f"Place({self.folder})"


class State(Struct, frozen=True, kw_only=True):
    """How a replica stands, for readiness and metrics."""

    away_since_s: float | None
    """Since when (Unix seconds) the database is away; None: it is there."""
    spooled: int
    """Records that wait in the spool."""
    epoch: int | None
    """The term in which this replica sequences; None: it does not."""
    problem: str
    """Why this replica could not sequence, last; empty: it could."""


class Ledger(Line):
    """One replica's ledger. `open` it, `start` it on the loop, `close` it from any thread."""

    def __init__(
        self,
        given: Standing,
        spool: Spool,
        session: Connection,
        begun: opening.Begun,
        on_failure: OnFailure,
        pepper_mark: str,
    ) -> None:
        super().__init__(given, _names(session, given), begun, on_failure)
        self.reading = Reading(given.address)
        self._spool = spool
        self._pepper_mark = pepper_mark
        self._apart = pseudonyms.Weekly(given.secret)
        self._leading = Leading(given)
        self._administering = Administering(given)
        heard = self._heard(self._leading.wake)
        self._writer = Writer(
            given, spool, session, heard, replica=begun.replica, group_seq=begun.group_seq
        )
        self.commitment = self._names.commitment
        self.weekly = self._names.weekly

    @classmethod
    def open(
        cls,
        place: Place,
        *,
        secret: bytes,
        key: bytes,
        previous_key: bytes | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        small_team: Callable[[str], bool] = never,
        die: Callable[[str], None] = die,
    ) -> "Ledger":
        """
        Return a replica's ledger; what the process before it left in the folder is taken over.

        `key` and `previous_key` are Ed25519 seeds, the same on every replica. `small_team` says
        whose unlinked cost is shown with that of others only. `die` is told one line, once, when
        the spool cannot be written any more.

        Raises:
            ConfigError: another process holds the folder, or the database or key is no good.
            LedgerCorrupt: the database does not hold what was signed.

        """
        address = connection.read(place.url)
        spool = Spool(place.folder, die)
        try:
            with connection.told(address, ConfigError), contextlib.ExitStack() as stack:
                session = stack.enter_context(closing(opened(address)))
                log = opening.log_of(session, f"goodgate/{random(8).hex()}", key, secret)
                signs = partial(opening.signer, log.origin)
                given = Standing(
                    address=address,
                    origin=log.origin,
                    signer=signs(key),
                    previous=None if previous_key is None else signs(previous_key),
                    secret=secret,
                    clock=clock,
                    random=random,
                    small_team=small_team,
                    role=place.role,
                    lease_s=place.lease_s,
                    leader_lease_s=place.leader_lease_s,
                    version=__version__,
                )
                given.check_key(log.vkey)
                check(session, log.origin)
                spool.belong(log.origin)
                begun = opening.begin(session, given, spool)
                made = cls(given, spool, session, begun, place.on_failure, log.pepper_mark)
                stack.pop_all()
        except BaseException:
            spool.close()
            raise
        made._writer.start()
        return made

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take records from this loop, and sequence if no other replica does."""
        self._gathering.start(loop)
        self._leading.start()

    @property
    def failed(self) -> bool:
        """Whether no record will be taken until a restart."""
        return self._writer.failed is not None

    @property
    def backlog(self) -> int:
        """Records of this replica that are durable and not yet in order, as last heard."""
        return max(0, self._writer.taken - self._writer.ordered)

    @property
    def clashes(self) -> int:
        """Records set aside by this replica since the start: see `sequencing.plan`."""
        return self._leading.clashes

    @property
    def state(self) -> State:
        """How this replica stands."""
        return State(
            away_since_s=self._writer.away_since_s,
            spooled=self._spool.records,
            epoch=self._leading.epoch,
            problem=self._leading.problem,
        )

    def note(self, record: decision_log.Entry) -> None:
        """Add to the decision log, some time soon."""
        if self._writer.failed is None:
            self._writer.decisions.append((record.at_us, ledger.encode(record)))

    def keep_policies(self, digest: str, files: Sequence[tuple[str, str]], at_us: int) -> None:
        """
        Keep the names and texts of the policy files behind a digest for good, some time soon.

        `at_us` is when they came into force; the first time counts.
        """
        self._texts.append(PolicyText(digest, at_us, zlib.compress(msgspec.json.encode(files))))
        self._put()

    def policy_in_force(self, digest: str, files: Sequence[tuple[str, str]]) -> None:
        """Keep the policy files behind a digest, and say in the log that they are in force."""
        at_us = self._standing.now_us()
        self._texts.append(PolicyText(digest, at_us, zlib.compress(msgspec.json.encode(files))))
        replica, seq = self.stamp()
        self._put(
            ledger.PolicyInForce(
                at_us=at_us,
                attempt_id=f"policy_{replica}_{seq}",
                digest=digest,
                files_sha256=ledger.policy_sha256(files),
                replica=replica,
                replica_seq=seq,
            )
        )

    def pepper_in_use(self, pepper: bytes) -> None:
        """Say in the log when the pepper of credentials is another one than before, soon."""
        mark, before = series.mark("pepper", pepper), self._pepper_mark
        if mark == before:
            return
        self._pepper_mark = mark
        at_us = self._standing.now_us()
        own: list[ledger.Record] = []
        if before:
            own.append(series.rotation("pepper", before, mark, stamp=self.stamp(), at_us=at_us))
        self._put(*own, pepper_mark=mark)

    async def flush(self) -> None:
        """Return when all that was appended is in order and signed. Raises LedgerUnavailable."""
        loop = self._gathering.loop
        waiting: asyncio.Future[tuple[str, int]] = loop.create_future()

        def done(came: tuple[str, int] | GatewayError) -> None:
            """Say so on the loop."""
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, waiting, came)

        self._gathering.leave()
        self._writer.queue.put(Barrier(done))
        replica, group_seq = await waiting
        await asyncio.to_thread(self._administering.ordered, replica, group_seq, self._leading)

    async def erase(self, principal: str, *, auditor: str, reason: str) -> int:
        """
        Delete what ties a person to their commitments and pseudonyms; return how many salts.

        The leaf that says so, and names nobody, is durable first. Other replicas forget the
        person within seconds.
        """
        await self.flush()  # with the salts that are not kept yet
        salts = await asyncio.to_thread(self._administering.salts, principal)
        at_us = self._standing.now_us()
        replica, seq = self.stamp()
        await self.append(
            ledger.Erasure(
                at_us=at_us,
                attempt_id=f"erasure_{replica}_{seq}",
                auditor=auditor,
                reason=reason,
                replica=replica,
                replica_seq=seq,
                salts=salts,
            )
        )
        weeks = range(at_us - _PSEUDONYMS_US, at_us + _WEEK_US, _WEEK_US)
        names = {self._apart.of(principal, each_us) for each_us in weeks}
        self._names.forget(principal)
        since_us = at_us - _PSEUDONYMS_US
        await asyncio.to_thread(self._administering.erase, principal, names, since_us)
        self._names.forget(principal)
        return salts

    async def retire(self, size: int) -> None:
        """
        Drop the leaves below an index and the rows of their calls, which were exported.

        The tree's hashes, checkpoints and sums stay.

        Raises:
            ConfigError: a call or an hour below is open, or no checkpoint covers that many.

        """
        await self.flush()
        root = await asyncio.to_thread(self._administering.root_to_retire, size)
        replica, seq = self.stamp()
        await self.append(
            ledger.Retirement(
                at_us=self._standing.now_us(),
                attempt_id=f"retirement_{replica}_{seq}",
                replica=replica,
                replica_seq=seq,
                root=root,
                size=size,
            )
        )
        await self.flush()
        await asyncio.to_thread(self._administering.retired, size, self._leading)

    async def cosign(self, size: int, line: str) -> None:
        """Keep a witness' cosignature of a checkpoint; raises ConfigError when there is none."""
        await asyncio.to_thread(self._administering.cosign, size, line)

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """Return what budgets have spent since a moment; see `Reading.spent`."""
        return self.reading.spent(since_us=since_us, columns=columns, unit=unit)

    def close(self) -> None:
        """Write what was appended and the end of the series, and give everything back. Blocks."""
        if self._closed:
            return
        self._closed = True
        self._put(series.stopped(self.stamp(), self._cost_seq, self._standing.now_us()))
        try:
            self._writer.stop()
            self._leading.stop()
        finally:
            self._spool.close()
            self.reading.close()


def _names(session: Connection, given: Standing) -> pseudonyms.Names:
    """Return the names that stand for people, with this month's salts."""
    month = pseudonyms.month_of(given.now_us() - 86_400 * 1_000_000)
    known = [
        pseudonyms.Salt(principal=principal, month=month, salt=salt)
        for principal, month, salt in session.execute(SQL["salts_since"], (month,))
    ]
    return pseudonyms.Names(secret=given.secret, random=given.random, known=known)


def _resolve(
    waiting: asyncio.Future[tuple[str, int]], came: tuple[str, int] | GatewayError
) -> None:
    if waiting.done():
        return
    if isinstance(came, GatewayError):
        waiting.set_exception(came)
    else:
        waiting.set_result(came)

"""
The ledger of a fleet: `ports.Ledger` and `ports.Pseudonyms` over PostgreSQL.

Each replica appends to the intake of the database (`writer`); one of them puts in order what all
appended (`leading`, `sequencer`). What the database does not take goes to a spool in the data
folder: always what was answered already; new calls only where the policy lets them through.
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
import psycopg
from msgspec import Struct

from gateway import __version__, ledger
from gateway.errors import ConfigError, GatewayError, InvalidRequest, LedgerUnavailable
from gateway.ledger import decision_log, projection, pseudonyms, series
from gateway.stores.gathering import Gathered, Gathering
from gateway.stores.postgres import connection, opening, parcels, standing
from gateway.stores.postgres.administering import Administering
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.leading import Leading
from gateway.stores.postgres.parcels import Beside, PolicyText, Shift
from gateway.stores.postgres.reading import Reading
from gateway.stores.postgres.returning import opened
from gateway.stores.postgres.sequencer import check
from gateway.stores.postgres.spool import Spool
from gateway.stores.postgres.standing import LEADER_LEASE_S, LEASE_S, SQL, Standing
from gateway.stores.postgres.writer import Barrier, Batch, Heard, Writer, away
from gateway.values import BudgetUnit

EXIT: Final = 70
"""EX_SOFTWARE of sysexits.h: something a restart may or may not cure, and nothing else does."""
_PSEUDONYMS_US: Final = 31 * 86_400 * 1_000_000
_WEEK_US: Final = 7 * 86_400 * 1_000_000
_NEW_CALLS = (ledger.Intent, ledger.Refusal, ledger.CostIntent)
_ANSWERED = (ledger.Settle, ledger.CostSettle, ledger.PolicyInForce, ledger.Rotation)


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
    lease_s: float = LEASE_S
    leader_lease_s: float = LEADER_LEASE_S
    on_failure: Callable[[], Literal["closed", "spool"]] = closed
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


class Ledger:
    """One replica's ledger. `open` it, `start` it on the loop, `close` it from any thread."""

    def __init__(
        self,
        place: Place,
        given: Standing,
        spool: Spool,
        session: Connection,
        begun: opening.Begun,
        pepper_mark: str,
    ) -> None:
        self.reading = Reading(given.address)
        self.replica = begun.replica
        self._place = place
        self._standing = given
        self._spool = spool
        self._seq, self._cost_seq = begun.seq, begun.cost_seq
        self._pepper_mark = pepper_mark
        month = pseudonyms.month_of(given.now_us() - 86_400 * 1_000_000)
        self._names = pseudonyms.Names(
            secret=given.secret,
            random=given.random,
            known=[
                pseudonyms.Salt(principal=principal, month=month, salt=salt)
                for principal, month, salt in session.execute(SQL["salts_since"], (month,))
            ],
        )
        self._apart = pseudonyms.Weekly(given.secret)
        self._beside: list[PolicyText] = []
        self._gathering = Gathering(self._send)
        self._leading = Leading(given)
        self._administering = Administering(given)
        heard = Heard(
            came=self._came,
            renamed=self._renamed,
            appended=self._leading.wake,
            erased=self._erased,
        )
        self._writer = Writer(
            given, spool, session, heard, replica=begun.replica, group_seq=begun.group_seq
        )
        self._closed = False
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
                    lease_s=place.lease_s,
                    leader_lease_s=place.leader_lease_s,
                    version=__version__,
                )
                given.check_key(log.vkey)
                check(session, log.origin)
                spool.belong(log.origin)
                begun = opening.begin(session, given, spool)
                made = cls(place, given, spool, session, begun, log.pepper_mark)
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

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """
        Return this replica's name and its next sequence number; `append` at once what you stamp.

        Records of unlinked calls have a series of numbers of their own: they are no leaves.
        """
        if unlinked:
            self._cost_seq += 1
            return self.replica, self._cost_seq
        self._seq += 1
        return self.replica, self._seq

    def append(self, record: ledger.Record, *, urgent: bool = True) -> asyncio.Future[str]:
        """
        Append a stamped record; done when it is durable, with the promise of its entry.

        One that is not urgent waits some milliseconds at most for others to share an fsync with.
        While the database is away nothing is promised.

        Raises:
            LedgerUnavailable: it cannot be kept.
            InvalidRequest: it is larger than a leaf can be.

        """
        refused = self._refused(record)
        if refused is not None:
            self._give_back(record)
            raise refused
        try:
            return self._gathering.add(record, urgent=urgent)
        except InvalidRequest:
            self._give_back(record)
            raise

    def expedite(self) -> None:
        """Make everything appended so far durable now."""
        self._gathering.expedite()

    def note(self, record: decision_log.Entry) -> None:
        """Add to the decision log, some time soon."""
        if self._writer.failed is None:
            self._writer.decisions.append((record.at_us, ledger.encode(record)))

    def keep_policies(self, digest: str, files: Sequence[tuple[str, str]], at_us: int) -> None:
        """
        Keep the names and texts of the policy files behind a digest for good, some time soon.

        `at_us` is when they came into force; the first time counts.
        """
        self._beside.append(PolicyText(digest, at_us, zlib.compress(msgspec.json.encode(files))))
        self._put()

    def policy_in_force(self, digest: str, files: Sequence[tuple[str, str]]) -> None:
        """Keep the policy files behind a digest, and say in the log that they are in force."""
        at_us = self._standing.now_us()
        self._beside.append(PolicyText(digest, at_us, zlib.compress(msgspec.json.encode(files))))
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
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, waiting, came)

        self._gathering.leave()
        self._writer.queue.put(Barrier(done))
        replica, group_seq = await waiting
        sign = self._leading.sign
        await asyncio.to_thread(self._administering.ordered, replica, group_seq, sign)

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
        await asyncio.to_thread(self._administering.retired, size)

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

    def _refused(self, record: ledger.Record) -> GatewayError | None:
        """Return why a record is not taken now; None: it is."""
        writer = self._writer
        if self._closed or not self._gathering.is_started or writer.failed is not None:
            return writer.failed or away()
        if writer.away_since_s is None or isinstance(record, _ANSWERED):
            return None
        if isinstance(record, _NEW_CALLS) and self._place.on_failure() == "spool":
            return None
        return away()

    def _give_back(self, record: ledger.Record) -> None:
        """Take back the number of a record that is not taken, so that no gap is left."""
        if isinstance(record, ledger.CostIntent | ledger.CostSettle):
            self._cost_seq -= record.replica_seq == self._cost_seq
        else:
            self._seq -= record.replica_seq == self._seq

    def _put(self, *records: ledger.Record, pepper_mark: str = "") -> None:
        """Append stamped records, with nobody who waits, whether or not a loop runs."""
        self._gathering.leave()
        gathered = Gathered([ledger.encode(each) for each in records], list(records), [])
        self._writer.queue.put(Batch(gathered, self._take_beside(pepper_mark)))

    def _send(self, gathered: Gathered) -> None:
        self._writer.queue.put(Batch(gathered, self._take_beside()))

    def _take_beside(self, pepper_mark: str = "") -> Beside:
        salts, texts = self._names.take_fresh(), self._beside
        if not (salts or texts or pepper_mark):
            return parcels.NOTHING
        self._beside = []
        return Beside(self._standing.now_us(), salts, texts, pepper_mark)

    def _came(self, gathered: Gathered, came: list[str] | GatewayError) -> None:
        """Called by the writer: what became of a group."""
        if gathered.waiting:
            self._gathering.told(gathered.waiting, came)

    def _renamed(self, old: str, shift: Shift) -> None:
        """Called by the writer: the series goes on as another."""
        self._soon(self._rename, old, shift)

    def _rename(self, old: str, shift: Shift) -> None:
        if self.replica == old:
            self.replica = shift.replica
            self._seq -= shift.seq
            self._cost_seq -= shift.cost_seq

    def _erased(self, marks: set[bytes]) -> None:
        """Called by the writer: people are to be forgotten."""
        self._soon(self._forget, marks)

    def _forget(self, marks: set[bytes]) -> None:
        for principal in self._names.people():
            if parcels.mark(self._standing.secret, principal) in marks:
                self._names.forget(principal)

    def _soon(self, work: Callable[..., None], *values: object) -> None:
        """Do something on the loop."""
        with contextlib.suppress(RuntimeError):
            if self._gathering.is_started:
                self._gathering.loop.call_soon_threadsafe(work, *values)


def _resolve(
    waiting: asyncio.Future[tuple[str, int]], came: tuple[str, int] | GatewayError
) -> None:
    if waiting.done():
        return
    if isinstance(came, GatewayError):
        waiting.set_exception(came)
    else:
        waiting.set_result(came)

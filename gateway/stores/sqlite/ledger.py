"""
The ledger of the embedded gateway: `ports.Ledger` and `ports.Pseudonyms` over SQLite.

What the event loop appends (`line`) is made durable, put in order and signed by one thread
(`writer`, `sequencer`), the only one that writes.
"""

import asyncio
import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import apsw
import msgspec

from gateway import ledger
from gateway.errors import ConfigError, GatewayError
from gateway.ledger import decision_log, projection, pseudonyms, series
from gateway.stores import secrets
from gateway.stores.sqlite import chores, ledger_file, opening
from gateway.stores.sqlite.ledger_file import SQL, Connection
from gateway.stores.sqlite.line import Line
from gateway.stores.sqlite.reading import Reading
from gateway.stores.sqlite.sequencer import FULL
from gateway.stores.sqlite.writer import Barrier, Job, Writer
from gateway.values import BudgetUnit

EXIT: Final = 70
"""EX_SOFTWARE of sysexits.h: something a restart may or may not cure, and nothing else does."""
_KEY = "ledger_key"
_PSEUDONYMS_US: Final = 31 * 86_400 * 1_000_000
_WEEK_US: Final = 7 * 86_400 * 1_000_000


def never(_team: str) -> bool:
    """Return that no team is small."""
    return False


def die(line: str) -> NoReturn:
    """End the process at once, with a last line for people."""
    sys.stderr.write(f"goodgate: error: {line}\n")
    sys.stderr.flush()
    os._exit(EXIT)


class Ledger(Line):
    """One server's ledger. `open` it, `start` it on the loop, `close` it from any thread."""

    def __init__(
        self,
        folder: Path,
        connection: Connection,
        writer: Writer,
        *,
        names: pseudonyms.Names,
        apart: pseudonyms.Weekly,
        lock: int,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(writer, names)
        self.reading = Reading(folder)
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self._apart = apart
        self.commitment = names.commitment
        self.weekly = names.weekly

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        secret: bytes,
        key: bytes | None = None,
        previous_key: bytes | None = None,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = os.urandom,
        small_team: Callable[[str], bool] = never,
        die: Callable[[str], None] = die,
    ) -> "Ledger":
        """
        Return the ledger of a folder: what a crash left is in order and settled.

        `key` and `previous_key` are Ed25519 seeds; without a key, the folder's own are used.
        `small_team` says whose unlinked cost is shown with that of others only. `die` is told
        one line, once, when the file cannot be written any more.

        Raises:
            ConfigError: another server holds the folder, or the file or key cannot be used.
            LedgerCorrupt: the file does not hold what was signed.

        """
        lock = ledger_file.hold(folder)
        try:
            if key is None:
                key = secrets.load_or_create(folder, _KEY, "")
                previous_key = secrets.find(folder, f"{_KEY}.previous", "")
            means = opening.Means(
                secret=secret,
                key=key,
                previous_key=previous_key,
                clock=clock,
                random=random,
                is_small=small_team,
                die=die,
            )
            return cls._begin(folder, means, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def _begin(cls, folder: Path, means: opening.Means, lock: int) -> "Ledger":
        connection = ledger_file.open_to_write(folder)
        clock, secret = means.clock, means.secret
        try:
            writer = opening.begin(connection, folder, means)
            month = pseudonyms.month_of(int((clock() - 86_400) * 1_000_000))
            known = [
                pseudonyms.Salt(principal=principal, month=month, salt=salt)
                for principal, month, salt in connection.execute(SQL["salts_since"], (month,))
            ]
        except BaseException as error:
            connection.close()
            if not isinstance(error, apsw.Error):
                raise
            raise ConfigError(
                f"{folder / ledger_file.FILE}: the ledger cannot be written: {error}"
            ) from None
        names = pseudonyms.Names(secret=secret, random=means.random, known=known)
        apart = pseudonyms.Weekly(secret)
        made = cls(folder, connection, writer, names=names, apart=apart, lock=lock, clock=clock)
        if writer.sequencer.retired:
            made._do_soon(chores.Retiring(connection, writer, writer.sequencer.retired).step)
        return made

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the writer; appends come from this loop."""
        self._gathering.start(loop)
        self._writer.start()

    @property
    def failed(self) -> bool:
        """Whether no call is taken: the file cannot be written, for good or for now."""
        guard = self._writer.guard
        return guard.failed is not None or bool(guard.stuck)

    @property
    def backlog(self) -> int:
        """Records that are durable and not yet in order."""
        return self._writer.backlog

    @property
    def clashes(self) -> int:
        """Records set aside since the start: same attempt and kind, other bytes."""
        return self._writer.sequencer.clashes

    def note(self, record: decision_log.Entry) -> None:
        """Add to the decision log; it is written with the next slice that is put in order."""
        if self._writer.guard.failed is None:
            self._writer.decisions.append((record.at_us, ledger.encode(record)))

    def keep_policies(self, digest: str, files: Sequence[tuple[str, str]], at_us: int) -> None:
        """
        Keep the names and texts of the policy files behind a digest for good, some time soon.

        `at_us` is when they came into force; the first time counts.
        """
        values = (digest, at_us, zlib.compress(msgspec.json.encode(files)))
        if not self._closed:
            self._do_soon(partial(self._execute, "keep_policies", values))

    def policy_in_force(self, digest: str, files: Sequence[tuple[str, str]]) -> None:
        """Keep the policy files behind a digest, and say in the log that they are in force."""
        at_us = self._now_us()
        self.keep_policies(digest, files, at_us)
        if not self._closed:
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
        sequencer = self._writer.sequencer
        work = partial(chores.use_pepper, self._connection, sequencer, pepper, self._now_us())
        self._do_soon(partial(_once, work))

    async def erase(self, principal: str, *, auditor: str, reason: str) -> int:
        """
        Delete what ties a person to their commitments and pseudonyms; return how many salts.

        The leaf that says so, and names nobody, is durable first.
        """
        self._gathering.leave()  # with the salts that are not kept yet
        self._names.forget(principal)
        found: list[tuple[object, ...]] = []
        await self._do(lambda: found.extend(self._salts_of(principal)))
        replica, seq = self.stamp()
        await self.append(
            ledger.Erasure(
                at_us=self._now_us(),
                attempt_id=f"erasure_{replica}_{seq}",
                auditor=auditor,
                reason=reason,
                replica=replica,
                replica_seq=seq,
                salts=len(found),
            )
        )
        weeks = range(self._now_us() - _PSEUDONYMS_US, self._now_us() + _WEEK_US, _WEEK_US)
        blank = {self._apart.of(principal, at_us) for at_us in weeks}
        chore = chores.Erasing(self._connection, self._writer, principal, blank)
        await self._finished(chore.step)
        self._names.forget(principal)
        return len(found)

    async def retire(self, size: int) -> None:
        """
        Drop the leaves below an index and the rows of their calls, which were exported.

        The tree's hashes, checkpoints and sums stay.

        Raises:
            ConfigError: a call or an hour below is open, or no checkpoint covers that many.

        """
        await self.flush()
        chore = chores.Retiring(self._connection, self._writer, size)
        roots: list[str] = []
        await self._do(lambda: roots.append(chore.check()))
        replica, seq = self.stamp()
        await self.append(
            ledger.Retirement(
                at_us=self._now_us(),
                attempt_id=f"retirement_{replica}_{seq}",
                replica=replica,
                replica_seq=seq,
                root=roots[0],
                size=size,
            )
        )
        await self.flush()
        await self._finished(chore.step)

    async def cosign(self, size: int, line: str) -> None:
        """Keep a witness' cosignature of a checkpoint; raises ConfigError when there is none."""
        await self._do(partial(chores.cosign, self._connection, self._writer, size, line))

    def spent(self, *, since_us: int, columns: Sequence[str], unit: BudgetUnit) -> projection.Spent:
        """Return what budgets have spent since a moment; see `Reading.spent`."""
        return self.reading.spent(since_us=since_us, columns=columns, unit=unit)

    def close(self) -> None:
        """Write what was appended and the end of the series, and give the file back. Blocks."""
        if self._closed:
            return
        self._gathering.leave()
        self._closed = True
        self._put(series.stopped(self.stamp(), self._cost_seq, self._now_us()))
        self._writer.queue.put(Barrier(_ignore, stop=True))
        try:
            self._writer.finish()
            self._connection.close()
        finally:
            os.close(self._lock)

    def _now_us(self) -> int:
        return int(self._clock() * 1_000_000)

    def _salts_of(self, principal: str) -> list[tuple[object, ...]]:
        return list(self._connection.execute(SQL["salts_of"], (principal,)))

    def _execute(self, name: str, values: Sequence[object]) -> bool:
        self._writer.sequencer.sync(FULL)
        self._connection.execute(SQL[name], values)
        return True

    def _do_soon(self, step: Callable[[], bool]) -> None:
        self._writer.queue.put(Job(step, _ignore))

    async def _do(self, work: Callable[[], object]) -> None:
        await self._finished(partial(_once, work))

    async def _finished(self, step: Callable[[], bool]) -> None:
        """Return once the writer's thread has done all steps of a job; raises what they raise."""
        loop = asyncio.get_running_loop()
        if self._closed or not self._gathering.is_started:
            raise self._writer.guard.unavailable()
        waiting: asyncio.Future[str] = loop.create_future()
        self._writer.queue.put(Job(step, partial(self._tell, waiting)))
        await waiting


def _once(work: Callable[[], object]) -> bool:
    work()
    return True


def _ignore(_: GatewayError | None) -> None:
    """Nobody waits."""

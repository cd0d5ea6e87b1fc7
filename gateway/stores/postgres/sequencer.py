"""
A term of the sequencer: one replica puts in order what all of them append, and signs the tree.

One slice is one transaction: leaves, tiles, rows, sums, a checkpoint when it is due, and the
removal from the intake stand or fall together. Each begins by locking the log's row and asking
whether the epoch is still the one of this term. A sequencer that was paused, or lost its session
and does not know it yet, finds another epoch there and writes nothing; so what it remembers of
the tree and of the series is right for as long as it may write at all.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from gateway import credit, ledger
from gateway.errors import LedgerCorrupt
from gateway.ledger import checkpoints, sequencing, series, tiles
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.sequencing import Group, Plan, Series
from gateway.stores.postgres import leaves, slices
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.standing import SQL, Standing

SIGN_EVERY: Final = 1_000
"""Leaves, …"""
SIGN_S: Final = 1.0
"""… or seconds after which there is a new checkpoint, whichever comes first."""
SLICE_RECORDS: Final = 1_024
"""About how many records one transaction puts in order."""
ADOPT_AT_ONCE: Final = 2_048
_GROUPS_MIN, _GROUPS_MAX = 16, 1_024


class _Taken(NamedTuple):
    """The log's row as a sequencer takes it over."""

    epoch: int
    size: int
    retired: int
    origin: str
    vkey: str


class Deposed(Exception):
    """Another sequencer has taken over: this one may write nothing any more."""


class Sequencer:
    """One term. Any error ends it: the next one reads afresh what is there."""

    def __init__(self, session: Connection, standing: Standing) -> None:
        """
        Take over from whoever sequenced before.

        Raises:
            ConfigError: the log is signed with a key that is not known here.
            psycopg.Error: the database cannot be used.

        """
        self._session = session
        self._standing = standing
        self._series: dict[str, Series] = {}
        self._credit = credit.Keeping()
        self._stamped = [0, 0]
        self._signers = [standing.signer]
        self._signed_s = time.monotonic()
        self._groups_max = _GROUPS_MIN
        self.clashes = 0
        """Records set aside in this term."""
        with session.transaction():
            row = session.execute(SQL["take_over"]).fetchone()
            assert row is not None
            taken = _Taken(*row)
            standing.check_key(taken.vkey)
            self.epoch, self.retired = taken.epoch, taken.retired
            self.size: int = taken.size
            self.replica = series.sequencer(self.epoch)
            self._tree = tiles.Tree.restore(self.size, self._tile)
            self.signed_size = check(session, taken.origin)
            self._credit_leaves()
            self._begin(taken.vkey)

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """Return the series of this term and its next number, for a record of its own."""
        self._stamped[unlinked] += 1
        return self.replica, self._stamped[unlinked]

    def slice(self, *, sign: bool = False) -> int:
        """Put some of the intake in order; return how many records, 0 when nothing was there."""
        with self.turn():
            limit = {"limit": self._groups_max}
            rows = self._session.execute(SQL["intake"], limit, binary=True).fetchall()
            groups: list[Group] = []
            done: dict[str, int] = {}
            count = 0
            for replica, group_seq, blob in rows:
                groups.append(sequencing.read((replica, group_seq), blob))
                done[replica] = group_seq
                count += len(groups[-1].lines)
                if count >= SLICE_RECORDS:
                    break
            if groups or sign or self.is_sign_due:
                self.write(groups, done, sign=sign)
        self._adapt(len(groups), count)
        return count

    def _adapt(self, groups: int, records: int) -> None:
        """Fetch as many groups next time as make a slice, and not many more."""
        if groups == self._groups_max and records < SLICE_RECORDS // 2:
            self._groups_max = min(_GROUPS_MAX, 2 * self._groups_max)
        elif records >= SLICE_RECORDS:
            self._groups_max = max(_GROUPS_MIN, min(self._groups_max, 2 * groups))

    @property
    def is_sign_due(self) -> bool:
        """Whether leaves wait for a checkpoint, and for long enough."""
        return self.size > self.signed_size and time.monotonic() - self._signed_s >= SIGN_S

    @contextmanager
    def turn(self) -> Generator[None]:
        """Run a transaction in which nobody else sequences; raises Deposed when others do."""
        with self._session.transaction():
            row = self._session.execute(SQL["fenced"]).fetchone()
            if row is None or row[0] != self.epoch:
                raise Deposed
            yield

    def write(
        self,
        groups: Sequence[Group] = (),
        done: Mapping[str, int] | None = None,
        *,
        own: Sequence[ledger.Record] = (),
        sign: bool = False,
    ) -> None:
        """Put groups and records of its own in order, within a turn; `sign`: with a checkpoint."""
        if own:
            groups = [*groups, Group(None, [ledger.encode(each) for each in own], own)]
        wanted = sequencing.wanted(groups)
        known = slices.known(self._session, wanted, self._series, self.retired)
        plan = sequencing.plan(groups, self.size, known)
        tree = self._tree.copy()
        roots = self._credit.take(plan.leaves, slices.earlier(self._session, known))
        slices.write(self._session, plan, done or {})
        slices.write_roots(self._session, roots)
        slices.write_tiles(self._session, tree.extend(plan.hashes))
        grown = tree.size - self.signed_size
        if grown and (sign or grown >= SIGN_EVERY or self.is_sign_due):
            self._sign(tree)
        if plan.lines:
            self._session.execute(SQL["grow"], {"size": tree.size})
        self._retire(plan)
        self._series.update(plan.series)
        self._tree, self.size = tree, tree.size
        self.clashes += len(plan.set_aside)

    def series_of(self, replica: str) -> Series:
        """Return how far the records of a replica are in order."""
        wanted = sequencing.Wanted([], [], [replica])
        slices.known(self._session, wanted, self._series, self.retired)
        return self._series.get(replica, Series())

    def is_led(self) -> bool:
        """Say that this sequencer is there; return whether it still is the one."""
        return self._session.execute(SQL["led"], (self.epoch,)).rowcount == 1

    def end(self) -> None:
        """End the term in good order: a last leaf, and a checkpoint over all."""
        with self.turn():
            now_us = self._standing.now_us()
            stamp = self.stamp()
            self.write(own=[series.stopped(stamp, self._stamped[True], now_us)], sign=True)

    def _begin(self, vkey: str) -> None:
        """Write the first leaves of the term: its start, the end of the one before, a new key."""
        standing, now_us = self._standing, self._standing.now_us()
        before = series.sequencer(self.epoch - 1) if self.epoch > 1 else ""
        self.stamp()
        own: list[ledger.Record] = [
            series.start(
                self.replica,
                "sequencer",
                at_us=now_us,
                version=standing.version,
                previous=before,
                epoch=self.epoch,
            )
        ]
        far = self.series_of(before)
        if before and not far.ended:
            last = (far.last_seq, far.last_cost_seq)
            own.append(series.ended(before, last, "crashed", stamp=self.stamp(), at_us=now_us))
        if vkey != standing.signer.verifier.vkey:
            own.append(self._rotation(vkey, now_us))
        self.write(own=own, sign=len(self._signers) > 1)

    def _credit_leaves(self) -> None:
        """Fold what an earlier release left unfolded; what was retired stays as it is."""
        row = self._session.execute(SQL["credited"]).fetchone()
        assert row is not None
        if row[0] == self.size:
            return

        def found() -> Iterator[ledger.Leaf]:
            for first in range(self.retired, self.size, ADOPT_AT_ONCE):
                count = min(ADOPT_AT_ONCE, self.size - first)
                for line in leaves.lines(self._session, first, count, self.retired):
                    yield ledger.leaf(line)

        roots = credit.recompute(found).roots
        slices.write_roots(self._session, {name: credit.pack(each) for name, each in roots.items()})
        self._session.execute(SQL["set_credited"], (self.size,))

    def _rotation(self, vkey: str, now_us: int) -> ledger.Rotation:
        standing = self._standing
        assert standing.previous is not None
        self._signers = [standing.signer, standing.previous]
        current = standing.signer.verifier.vkey
        self._session.execute(SQL["sign_with"], (current,))
        return series.rotation("signing_key", vkey, current, stamp=self.stamp(), at_us=now_us)

    def _retire(self, plan: Plan) -> None:
        for (_, kind, _), index in plan.others.items():
            if kind == "retirement":
                found = ledger.decode(plan.lines[index - plan.first_index])
                assert isinstance(found, ledger.Retirement)
                self.retired = max(self.retired, found.size)
                self._session.execute(SQL["retire"], (self.retired,))

    def _sign(self, tree: tiles.Tree) -> None:
        made = Checkpoint(origin=self._standing.origin, size=tree.size, root=tree.root())
        note = checkpoints.sign(made, *self._signers)
        self._session.execute(SQL["put_checkpoint"], (tree.size, note))
        self.signed_size, self._signed_s = tree.size, time.monotonic()
        self._signers = [self._standing.signer]

    def _tile(self, level: int, number: int) -> bytes:
        return leaves.tile(self._session, level, number)


def check(session: Connection, origin: str) -> int:
    """
    Return the size of the newest checkpoint, once its tree is found to be the one that is here.

    Raises:
        LedgerCorrupt: it is another one.

    """
    last = session.execute(SQL["last_checkpoint"]).fetchone()
    if last is None:
        return 0
    size, note = last
    try:
        signed, _ = checkpoints.read(note, origin)
        root = tiles.Reader(size, lambda level, n: leaves.tile(session, level, n)).root()
    except (KeyError, ValueError) as wrong:
        raise _corrupt(f"its tree cannot be read ({wrong})") from None
    if (signed.size, signed.root) != (size, root):
        raise _corrupt(f"its tree of {size} leaves is not the one that was signed")
    return int(size)


def _corrupt(what: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"the ledger was changed by something else: {what}. Restore the database from a copy."
    )

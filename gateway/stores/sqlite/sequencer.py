"""
The sequencer: puts what the intake holds in order, each record once, and signs the tree.

One slice is one transaction: leaves, their tiles, the rows auditors ask for, the sums, and the
removal from the intake stand or fall together, so a crash at any point loses nothing and counts
nothing twice. What is in a slice is worked out before (`gateway.ledger.sequencing`); nothing
else writes these tables, so what was looked up still holds.

Nothing in a slice is new: the intake holds it durably until the same commit removes it. In WAL
mode that commit becomes durable, as a whole and in its place, with the next append's fsync; a
power cut before leaves the intake, and the slice is made again. A checkpoint is new, and can
never be taken back: a slice with one is committed with an fsync, and SQLite shows a commit to
readers after its fsync only.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from gateway import credit, ledger
from gateway.errors import LedgerCorrupt
from gateway.ledger import checkpoints, hours, notes, sequencing, series, tiles
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.sequencing import Group, Known, Plan
from gateway.stores.sqlite import leaves, tables
from gateway.stores.sqlite.ledger_file import SQL, Connection, LogRow

SIGN_EVERY: Final = 1_000
"""Leaves, …"""
SIGN_S: Final = 1.0
"""… or seconds after which there is a new checkpoint, whichever comes first."""
HOURS_AT_ONCE: Final = 24
ADOPT_AT_ONCE: Final = 2_048
FULL, NORMAL = "FULL", "NORMAL"
"""SQLite's `synchronous`: an fsync with each commit, or only when the log is moved."""

Noted: TypeAlias = tuple[int, bytes]
"""A line of the decision log, under its moment (Unix microseconds)."""


def _nothing() -> None:
    """Write nothing else."""


class Sequencer:
    """Moves the intake into the ledger, on the connection that writes."""

    def __init__(
        self,
        connection: Connection,
        log: LogRow,
        *,
        signer: notes.Signer,
        clock: Callable[[], float],
        is_small: Callable[[str], bool],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._is_small = is_small
        self.origin = log.origin
        self.signer = signer
        self.also_signs: list[notes.Signer] = []
        """Those who sign the next checkpoint too."""
        self.size = log.size
        self.retired = log.retired
        self.clashes = 0
        """Records set aside since the start."""
        self.replica = ""
        """The series of its own leaves."""
        self._seq = self._cost_seq = 0
        self._stamped = [0, 0]
        self._tree = tiles.Tree.restore(log.size, self._tile)
        self._credit = credit.Keeping()
        last = connection.execute(SQL["last_checkpoint"]).fetchone()
        self.signed_size: int = last[0] if last else 0
        self._signed_s = time.monotonic()
        self._synchronous = ""

    def sync(self, mode: str) -> None:
        """Have the commits from here on made durable, or left to the next one that is."""
        if mode != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous={mode}")
            self._synchronous = mode

    def begin(self, epoch: int) -> None:
        """Write its own leaves under the series of an epoch from here on."""
        self.replica = series.sequencer(epoch)
        self._seq = self._cost_seq = 0
        self._stamped = [0, 0]

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """Return the series of the sequencer and its next number; the next `move` has to use it."""
        self._stamped[unlinked] += 1
        return self.replica, self._stamped[unlinked]

    @property
    def last_cost_seq(self) -> int:
        """The number of its last record of unlinked cost."""
        return self._stamped[True]

    @property
    def unsigned_s(self) -> float | None:
        """How long until the next checkpoint is due, in seconds; None: the last one covers all."""
        if self.size == self.signed_size:
            return None
        return max(0.0, SIGN_S - (time.monotonic() - self._signed_s))

    def move(
        self,
        groups: Sequence[Group] = (),
        decisions: Sequence[Noted] = (),
        *,
        own: Sequence[ledger.Record] = (),
        also: Callable[[], object] = _nothing,
        sign: bool = False,
    ) -> None:
        """
        Move some rows of the intake, add leaves of its own and lines to the decision log.

        All or nothing; `also` writes what stands or falls with them. `sign`: there is a
        checkpoint with it, unless the last one covers all.

        Raises:
            apsw.Error: the file cannot be written; it is as it was.

        """
        if own:
            groups = [*groups, Group(None, [ledger.encode(each) for each in own], own)]
        try:
            self._move(groups, decisions, also, sign=sign)
        except BaseException:
            self._stamped = [self._seq, self._cost_seq]
            raise
        self._seq, self._cost_seq = self._stamped

    def sign_if_due(self) -> None:
        """Make a checkpoint when it is time."""
        if self.unsigned_s == 0:
            self.move(sign=True)

    def close_hours(self) -> bool:
        """Turn hours of unlinked cost that are over into leaves; False: there are none left."""
        until = int(self._clock()) - 3_600 - hours.GRACE_S
        over = self._connection.execute(SQL["pending_hours"], (until, HOURS_AT_ONCE)).fetchall()
        if not over:
            return False
        made: list[ledger.Record] = []
        for (hour,) in over:
            last_n = self._connection.execute(
                SQL["last_n"], (f"hour_{hour}", "cost_hour")
            ).fetchone()[0]
            made += hours.leaves(
                hour,
                tables.pending(self._connection, hour),
                first_n=0 if last_n is None else last_n + 1,
                stamp=self.stamp,
                is_small=self._is_small,
            )

        def drop() -> None:
            self._connection.executemany(SQL["drop_pending"], over)

        self.move(own=made, also=drop)
        return True

    def adopt_leaves(self) -> None:
        """Put the leaves of an earlier release into the tree, at the indexes they have."""
        found = self._connection.execute(SQL["last_leaf"]).fetchone()
        end: int = found[0] if found else 0
        while self.size < end:
            lines = list(
                leaves.between(self._connection, self.size, min(end, self.size + ADOPT_AT_ONCE))
            )
            group = Group(None, lines, [ledger.decode(line) for line in lines])
            wanted = sequencing.wanted([group])
            known = tables.known(self._connection, wanted, self.retired)
            plan = sequencing.plan([group], self.size, known)
            if plan.lines != lines:
                raise LedgerCorrupt(
                    f"leaves from {self.size} on do not go on from those before them: restore"
                    " the ledger from a copy"
                )
            self._commit(plan, known, _nothing, sign=False)
        self._connection.execute(SQL["set_ready"])

    def _move(
        self,
        groups: Sequence[Group],
        decisions: Sequence[Noted],
        also: Callable[[], object],
        *,
        sign: bool,
    ) -> None:
        known = tables.known(self._connection, sequencing.wanted(groups), self.retired)
        plan = sequencing.plan(groups, self.size, known)

        def write() -> None:
            leaves.write(self._connection, plan.first_index, plan.lines)
            self._note(decisions)
            done = [group.key for group in groups if group.key is not None]
            if done:
                self._connection.execute(SQL["remove_intake"], (json.dumps(done),))
            also()

        self._commit(plan, known, write, sign=sign)

    def credit_leaves(self) -> None:
        """
        Fold what an earlier release left unfolded: all leaves there are, from the first on.

        Roots whose leaves were all retired stay as they are.
        """
        execute = self._connection.execute
        if execute(SQL["credited"]).fetchone()[0] == self.size:
            return

        def found() -> Iterator[ledger.Leaf]:
            for line in leaves.between(self._connection, self.retired, self.size):
                yield ledger.leaf(line)

        roots = credit.recompute(found).roots
        self.sync(NORMAL)
        execute("BEGIN IMMEDIATE")
        rows = [(root_id, credit.pack(root)) for root_id, root in roots.items()]
        tables.put(self._connection, "put_roots", rows)
        execute(SQL["set_credited"], (self.size,))
        execute("COMMIT")

    def _commit(self, plan: Plan, known: Known, write: Callable[[], object], *, sign: bool) -> None:
        tree = self._tree.copy()
        touched = tree.extend(plan.hashes)
        note = self._note_if_due(tree, sign=sign)
        roots = self._credit.take(plan.leaves, tables.earlier(self._connection, known))
        self.sync(FULL if note else NORMAL)
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            write()
            tables.write(self._connection, plan, touched)
            tables.put(self._connection, "put_roots", list(roots.items()))
            if plan.lines:
                execute(SQL["set_size"], (plan.next_index,))
            if note:
                at_us = int(self._clock() * 1_000_000)
                execute(SQL["add_checkpoint"], (plan.next_index, at_us, note))
            execute("COMMIT")
        except BaseException:
            # An I/O error may have rolled back already.
            if self._connection.in_transaction:
                execute("ROLLBACK")
            self._credit.forget()
            raise
        self._tree, self.size = tree, plan.next_index
        self.clashes += len(plan.set_aside)
        if note:
            self.signed_size, self._signed_s = plan.next_index, time.monotonic()
            self.also_signs = []

    def _note_if_due(self, tree: tiles.Tree, *, sign: bool) -> str:
        """Return a checkpoint of a tree, signed; empty when it can wait."""
        grown = tree.size - self.signed_size
        is_due = grown and (sign or grown >= SIGN_EVERY or self.unsigned_s == 0)
        return self._checkpoint(tree) if is_due else ""

    def _checkpoint(self, tree: tiles.Tree) -> str:
        made = Checkpoint(origin=self.origin, size=tree.size, root=tree.root())
        return checkpoints.sign(made, self.signer, *self.also_signs)

    def _note(self, decisions: Sequence[Noted]) -> None:
        if decisions:
            times = [at_us for at_us, _ in decisions]
            lines = b"\n".join([line for _, line in decisions])
            self._connection.execute(SQL["add_decisions"], (min(times), max(times), lines))

    def _tile(self, level: int, number: int) -> bytes:
        return tile(self._connection, level, number)


def tile(connection: Connection, level: int, number: int) -> bytes:
    """Return a packed tile; raises KeyError when it is not there."""
    found = connection.execute(SQL["tile"], (level, number)).fetchone()
    if found is None:
        raise KeyError(f"there is no tile {level}/{number}")
    packed: bytes = found[0]
    return packed


def records(groups: Iterable[Group]) -> int:
    """Return how many records some groups have."""
    return sum(len(group.lines) for group in groups)

"""
Series: each replica's entries carry 1, 2, 3, ... from its start to its end.

A gap is a dropped record and a number used twice a repeated one. A sequencer's series is named
by its epoch, one more with each, and what an earlier one writes shows that there were two.
"""

from msgspec import Struct

from gateway.ledger.codec import Leaf
from gateway.ledger.happenings import ReplicaEnd, ReplicaStart
from gateway.ledger.verification.report import Wrong

SEQUENCER = "sequencer"


class _Series(Struct):
    last_seq: int
    epoch: int = 0
    """A sequencer's; 0 for others, and for one whose start was not read."""
    ended: bool = False


class AllSeries:
    """How far each series has come."""

    def __init__(self) -> None:
        """Begin with none."""
        self._series: dict[str, _Series] = {}
        self._epoch = 0
        self.lenient = False
        """Whether entries before these were not to be had: a series may go on from any number."""
        self.begun = False
        """Whether a gateway or a command has started: from then on every entry has a series."""

    def take(self, leaf: Leaf) -> None:
        """Move a series on by its next entry; raises Wrong."""
        series = self._series.get(leaf.replica)
        if type(leaf) is ReplicaStart:
            self._start(leaf, series)
            return
        if series is None:
            series = self._met(leaf)
        if leaf.replica_seq != series.last_seq + 1 or series.ended:
            raise _out_of_turn(leaf, series)
        if series.epoch < self._epoch and series.epoch:
            raise Wrong(
                "clash",
                f"sequencer {leaf.replica} wrote this after s{self._epoch} had taken over: two"
                " were at work at once",
            )
        series.last_seq += 1
        if type(leaf) is ReplicaEnd:
            self._end(leaf)

    def last_seq(self, replica: str) -> tuple[int, bool]:
        """Return the number of a series' last entry, and whether it has ended."""
        series = self._series.get(replica)
        return (0, False) if series is None else (series.last_seq, series.ended)

    def open(self) -> list[str]:
        """Return the series that have no end, but for those of earlier sequencers."""
        return sorted(
            name
            for name, series in self._series.items()
            if not series.ended and (not series.epoch or series.epoch == self._epoch)
        )

    def _start(self, leaf: ReplicaStart, series: _Series | None) -> None:
        if series is not None:
            raise Wrong("start", f"replica {leaf.replica} starts a second time")
        if leaf.replica_seq != 1:
            raise Wrong(
                "start", f"replica {leaf.replica} starts with number {leaf.replica_seq}, not with 1"
            )
        if leaf.role == SEQUENCER:
            self._take_over(leaf)
        elif leaf.epoch:
            raise Wrong("start", f"replica {leaf.replica} is no sequencer and has an epoch")
        else:
            self.begun = True
        self._series[leaf.replica] = _Series(1, leaf.epoch)

    def _take_over(self, leaf: ReplicaStart) -> None:
        if leaf.epoch < 1 or leaf.replica != f"s{leaf.epoch}":
            raise Wrong(
                "start", f"the sequencer of epoch {leaf.epoch} is named {leaf.replica[:40]!r}"
            )
        # The first of a log is 1; where entries before were not to be had, it may be any.
        if leaf.epoch != self._epoch + 1 and (self._epoch or not self.lenient):
            raise Wrong(
                "clash",
                f"a sequencer of epoch {leaf.epoch} takes over after one of epoch {self._epoch}:"
                " each is one more than the one before",
            )
        self._epoch = leaf.epoch

    def _met(self, leaf: Leaf) -> _Series:
        if not self.lenient:
            raise Wrong(
                "start",
                f"replica {leaf.replica[:80]} never started: its first entry here is number"
                f" {leaf.replica_seq}",
            )
        series = self._series[leaf.replica] = _Series(leaf.replica_seq - 1)
        return series

    def _end(self, leaf: ReplicaEnd) -> None:
        ended = self._series.get(leaf.ended)
        if ended is None:
            if not self.lenient:
                raise Wrong("end", f"the end of {leaf.ended[:80]}, which never started")
            ended = self._series[leaf.ended] = _Series(leaf.last_seq)
        if ended.ended:
            raise Wrong("end", f"replica {leaf.ended} ends a second time")
        if ended.last_seq != leaf.last_seq:
            raise Wrong(
                "end",
                f"replica {leaf.ended} ended with number {leaf.last_seq} by this, and its last"
                f" entry in the log is number {ended.last_seq}",
            )
        ended.ended = True


def _out_of_turn(leaf: Leaf, series: _Series) -> Wrong:
    name, number, last = leaf.replica, leaf.replica_seq, series.last_seq
    if series.ended:
        return Wrong("end", f"number {number} of replica {name} follows its end (number {last})")
    if number <= last:
        return Wrong(
            "repeat",
            f"number {number} of replica {name} stands here after number {last}: an entry is"
            " repeated or out of order",
        )
    missing = f"number {last + 1}" if number == last + 2 else f"numbers {last + 1} to {number - 1}"
    return Wrong(
        "gap",
        f"number {number} of replica {name} follows number {last}: {missing} of it was dropped",
    )

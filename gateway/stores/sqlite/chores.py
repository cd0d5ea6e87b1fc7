"""
Rare work of the writer that is done in steps, so that appends go on between them.

Each step is one transaction or two: when it fails, nothing is lost by doing it again.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway import ledger
from gateway.errors import ConfigError
from gateway.ledger import notes, projection, pseudonyms, series, tiles
from gateway.stores.sqlite import decisions
from gateway.stores.sqlite.ledger_file import SQL, Connection, log_row
from gateway.stores.sqlite.sequencer import FULL, Sequencer, tile
from gateway.stores.sqlite.writer import Writer

ENTRIES_AT_ONCE: Final = 4_096
RUNS_AT_ONCE: Final = 256


class Erasing:
    """
    Deletes a person's salts and blanks their pseudonyms, and leaves no copy in the file.

    SQLite moves rows between pages and does not wipe where they were, so the table is written
    anew; `secure_delete` wipes the old pages, and then the write-ahead log is emptied.
    """

    def __init__(
        self, connection: Connection, writer: Writer, principal: str, blank: Iterable[str]
    ) -> None:
        self._connection = connection
        self._writer = writer
        self._principal = principal
        self._blank = list(blank)
        self._row = 0
        self._salts_gone = False

    def step(self) -> bool:
        """Delete the salts, or blank some of the decision log; return whether that was all."""
        if not self._salts_gone:
            self._writer.drain()  # decisions that are not written yet
        self._writer.sequencer.sync(FULL)
        self._connection.pragma("secure_delete", 1)
        try:
            with self._writer.transaction():
                done = self._blank_some() if self._salts_gone else self._delete_salts()
        finally:
            self._connection.pragma("secure_delete", 0)
        if done:
            self._writer.truncate_wal()
        return done

    def _delete_salts(self) -> bool:
        rest = self._connection.execute(SQL["salts_of_others"], (self._principal,)).fetchall()
        self._connection.execute(SQL["drop_salts"])
        self._connection.executemany(SQL["add_salt"], rest)
        self._salts_gone = True
        return False

    def _blank_some(self) -> bool:
        found = decisions.some_rows(self._connection, self._row)
        for row in found:
            lines = [pseudonyms.blanked(line, self._blank) for line in row.lines]
            if lines != row.lines:
                self._connection.execute(SQL["rewrite_decisions"], (b"\n".join(lines), row.id))
            self._row = row.id + 1
        return not found


class Retiring:
    """Drops the leaves below an index, and the rows of their calls."""

    def __init__(self, connection: Connection, writer: Writer, size: int) -> None:
        self._connection = connection
        self._writer = writer
        self._size = size

    def check(self) -> str:
        """Return the root at the size, in base64; raises ConfigError when it cannot be retired."""
        size, sequencer = self._size, self._writer.sequencer
        if size % tiles.WIDTH or size <= sequencer.retired:
            raise ConfigError(
                f"entries are retired up to a multiple of {tiles.WIDTH} above"
                f" {sequencer.retired}, not up to {size}"
            )
        if size > sequencer.signed_size:
            raise ConfigError(
                f"no checkpoint covers {size} entries yet, but {sequencer.signed_size}: retire"
                " fewer"
            )
        opened = self._connection.execute(SQL["open_entries_below"], (size,)).get
        if opened:
            raise ConfigError(
                f"{opened} calls below entry {size} are under way: wait for them, or retire fewer"
            )
        self._check_hours(sequencer)

        def read(level: int, number: int) -> bytes:
            return tile(self._connection, level, number)

        return notes.to_base64(tiles.Reader(sequencer.signed_size, read).root(size))

    def step(self) -> bool:
        """Drop some leaves or rows; return whether nothing is left below the size."""
        self._writer.sequencer.sync(FULL)
        with self._writer.transaction():
            self._connection.execute(SQL["set_retired"], (self._size,))
            done = not self._drop_entries() and not self._drop_leaves()
        self._writer.sequencer.retired = self._size
        return done

    def _check_hours(self, sequencer: Sequencer) -> None:
        """Refuse while cost of that time is in no leaf."""
        between = (self._size, sequencer.retired)
        last_us = self._connection.execute(SQL["last_received_below"], between).get or 0
        pending = {row[0] for row in self._connection.execute(SQL["all_pending"])}
        for (blob,) in self._connection.execute(SQL["open_costs"]):
            pending.add(msgspec.json.decode(blob, type=ledger.CostIntent).hour)
        early = [hour for hour in pending if hour * 1_000_000 <= last_us]
        if early:
            raise ConfigError(
                f"unlinked cost of the hour from {projection.iso(min(early) * 1_000_000)} is in no"
                " entry yet: wait until two minutes after its end, or retire fewer"
            )

    def _drop_entries(self) -> bool:
        first = self._connection.execute(SQL["first_entry"]).get
        if first is None or first >= self._size:
            return False
        until = min(self._size, first + ENTRIES_AT_ONCE)
        dropped: list[Any] = self._connection.execute(
            SQL["drop_entries"], (first, until)
        ).fetchall()
        of_rules = [
            (rule, received_at_us, index)
            for index, received_at_us, rules in dropped
            for rule in dict.fromkeys(json.loads(rules))
        ]
        self._connection.executemany(SQL["drop_entry_rule"], of_rules)
        return True

    def _drop_leaves(self) -> bool:
        runs: list[Any] = self._connection.execute(
            SQL["runs_below"], (self._size, RUNS_AT_ONCE)
        ).fetchall()
        for first, count, lines in runs:
            self._connection.execute(SQL["drop_run"], (first,))
            if first + count > self._size:  # a run of an earlier release
                rest: Sequence[bytes] = lines.split(b"\n")[self._size - first :]
                values = (self._size, len(rest), b"\n".join(rest))
                self._connection.execute(SQL["add_leaves"], values)
        return bool(runs)


def cosign(connection: Connection, writer: Writer, size: int, line: str) -> None:
    """Keep the cosignature of a checkpoint; raises ConfigError when there is none of its size."""
    if connection.execute(SQL["checkpoint_at"], (size,)).fetchone() is None:
        raise ConfigError(f"there is no checkpoint of {size} entries to cosign: ask for the newest")
    writer.sequencer.sync(FULL)
    connection.execute(SQL["add_cosignature"], (size, line.rstrip("\n")))


def use_pepper(connection: Connection, sequencer: Sequencer, pepper: bytes, at_us: int) -> None:
    """Keep the mark of the pepper; a leaf says so when it is another than before."""
    log = log_row(connection)
    assert log is not None
    mark = series.mark("pepper", pepper)
    if mark == log.pepper_mark:
        return
    own: list[ledger.Record] = []
    if log.pepper_mark:
        stamp = sequencer.stamp()
        own.append(series.rotation("pepper", log.pepper_mark, mark, stamp=stamp, at_us=at_us))

    def also() -> None:
        connection.execute(SQL["set_pepper_mark"], (mark,))

    sequencer.move(own=own, also=also, sign=True)

"""
A ledger's file as a server takes it over: whose log it is, who signs, and what a crash left.

Before the server's own first record there are in the tree, in this order: what an earlier
process left in the intake; the start of this sequencer, one epoch on; the end of each series
that has none, as its process is gone; a settle for each call of theirs that has none.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway import __version__, ledger
from gateway.errors import ConfigError, LedgerCorrupt
from gateway.ledger import checkpoints, hours, notes, projection, series, tiles
from gateway.stores.sqlite import leaves
from gateway.stores.sqlite.ledger_file import SQL, Connection, LogRow, log_row
from gateway.stores.sqlite.sequencer import Sequencer, tile
from gateway.stores.sqlite.writer import Writer

ORPHANS_AT_ONCE: Final = 512
_NAME_BYTES: Final = 4


class Means(Struct, frozen=True, kw_only=True):
    """What a ledger is opened with."""

    secret: bytes
    key: bytes
    """Ed25519 seed of who signs."""
    previous_key: bytes | None
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    is_small: Callable[[str], bool]
    """Whether a team's unlinked cost is shown with that of others only."""
    die: Callable[[str], None]


def begin(connection: Connection, folder: Path, means: Means) -> Writer:
    """
    Return the writer of a file that was taken over; its server's start is durable.

    Raises:
        ConfigError: the key is none, or not the log's.
        LedgerCorrupt: the file does not hold what was signed.

    """
    log = found_log(connection, secret=means.secret, key=means.key, random=means.random)
    signs = signer(log.origin, means.key)
    before = replaced(log, signs, means.previous_key)
    check(connection, log.origin)
    clock = means.clock
    sequencer = Sequencer(connection, log, signer=signs, clock=clock, is_small=means.is_small)
    writer = Writer(connection, sequencer, folder=folder, clock=clock, die=means.die)
    # A process that died may have left commits whose fsync failed: they are written again.
    writer.truncate_wal()
    if not log.ready:
        sequencer.adopt_leaves()
    sequencer.credit_leaves()
    writer.adopt()
    at_us = int(clock() * 1_000_000)
    take_over(connection, sequencer, log, secret=means.secret, before=before, at_us=at_us)
    settle_orphans(connection, sequencer, at_us)
    writer.begin(fresh_name(connection, means.random), log.replica)
    return writer


def found_log(
    connection: Connection, *, secret: bytes, key: bytes, random: Callable[[int], bytes]
) -> LogRow:
    """Return what the file says of its log, which is made when there is none."""
    found = log_row(connection)
    if found is None:
        origin = f"goodgate/{random(8).hex()}"
        vkey = signer(origin, key).verifier.vkey
        connection.execute(SQL["make_log"], (origin, vkey, series.mark("secret", secret)))
        found = log_row(connection)
        assert found is not None
    return found


def signer(origin: str, key: bytes) -> notes.Signer:
    """Return who signs for a log with a key; raises ConfigError when it is none."""
    if len(key) != notes.KEY_BYTES:
        raise ConfigError(
            f"the key of the ledger has {len(key)} bytes, not {notes.KEY_BYTES}: put back the"
            " file ledger_key that was in the data folder, or set GOODGATE_LEDGER_KEY to 64 hex"
            " digits"
        )
    return notes.Signer.from_seed(origin, key)


def replaced(log: LogRow, now: notes.Signer, previous_key: bytes | None) -> notes.Signer | None:
    """
    Return who signed before, when the log's key is another one now; None: it is the same.

    Raises:
        ConfigError: the key of the log was neither given as the key nor as the previous one.

    """
    if now.verifier.vkey == log.vkey:
        return None
    if previous_key is not None:
        before = signer(log.origin, previous_key)
        if before.verifier.vkey == log.vkey:
            return before
    raise ConfigError(
        f"this ledger is signed with another key than the one given ({log.vkey} is the log's):"
        " put that one back as ledger_key (GOODGATE_LEDGER_KEY), or, to replace it, keep it as"
        " ledger_key.previous (GOODGATE_LEDGER_KEY_PREVIOUS) until the gateway has started once"
    )


def check(connection: Connection, origin: str) -> None:
    """Refuse a file whose tree is not the one it signed last; raises LedgerCorrupt."""
    last = connection.execute(SQL["last_checkpoint"]).fetchone()
    if last is None:
        return
    size, note = last

    def read(level: int, number: int) -> bytes:
        return tile(connection, level, number)

    try:
        signed, _ = checkpoints.read(note, origin)
        root = tiles.Reader(size, read).root()
    except (KeyError, ValueError) as wrong:
        raise _corrupt(f"its tree cannot be read ({wrong})") from None
    if (signed.size, signed.root) != (size, root):
        raise _corrupt(f"its tree of {size} leaves is not the one that was signed")


def take_over(
    connection: Connection,
    sequencer: Sequencer,
    log: LogRow,
    *,
    secret: bytes,
    before: notes.Signer | None,
    at_us: int,
) -> None:
    """Begin the next epoch, end what has not ended, and say which secrets are others now."""
    epoch = log.epoch + 1
    sequencer.begin(epoch)
    name, _ = sequencer.stamp()
    previous = series.sequencer(log.epoch) if log.epoch else ""
    own: list[ledger.Record] = [
        series.start(
            name, "sequencer", at_us=at_us, version=__version__, previous=previous, epoch=epoch
        )
    ]
    for gone, last_seq, last_cost_seq in connection.execute(SQL["open_series"], ("",)).fetchall():
        last = (last_seq, last_cost_seq)
        own.append(series.ended(gone, last, "crashed", stamp=sequencer.stamp(), at_us=at_us))
    vkey = sequencer.signer.verifier.vkey
    if before is not None:
        sequencer.also_signs = [before]
        stamp = sequencer.stamp()
        own.append(series.rotation("signing_key", log.vkey, vkey, stamp=stamp, at_us=at_us))
    mark = series.mark("secret", secret)
    if mark != log.secret_mark:
        stamp = sequencer.stamp()
        own.append(series.rotation("secret", log.secret_mark, mark, stamp=stamp, at_us=at_us))

    def also() -> None:
        connection.execute(SQL["set_epoch"], (epoch, vkey, mark))

    sequencer.move(own=own, also=also, sign=True)


def settle_orphans(connection: Connection, sequencer: Sequencer, at_us: int) -> None:
    """Settle what has no settle, as the process it was made in is gone."""
    after = -1
    while opened := _open_intents(connection, after):
        after = opened[-1][0]
        sequencer.move(
            own=[projection.orphan(each, sequencer.stamp(), at_us) for _, each in opened]
        )
    costs = _open_costs(connection)
    for start in range(0, len(costs), ORPHANS_AT_ONCE):
        some = costs[start : start + ORPHANS_AT_ONCE]
        sequencer.move(own=[hours.orphan(each, sequencer.stamp(unlinked=True)) for each in some])


def fresh_name(connection: Connection, random: Callable[[int], bytes]) -> str:
    """Return a name no series has had."""
    taken = {row[0] for row in connection.execute(SQL["all_series"])}
    names = (f"r{random(size).hex()}" for size in count(_NAME_BYTES))
    return next(name for name in names if name not in taken)


def _open_intents(connection: Connection, after: int) -> list[tuple[int, ledger.Intent]]:
    wanted = (after, ORPHANS_AT_ONCE)
    found: list[Any] = connection.execute(SQL["open_entries"], wanted).fetchall()
    intents: list[tuple[int, ledger.Intent]] = []
    for (index,) in found:
        intent = ledger.decode(leaves.at(connection, index))
        assert isinstance(intent, ledger.Intent)
        intents.append((index, intent))
    return intents


def _open_costs(connection: Connection) -> list[ledger.CostIntent]:
    found: list[Any] = connection.execute(SQL["open_costs"]).fetchall()
    intents = [ledger.decode(blob) for (blob,) in found]
    return [intent for intent in intents if isinstance(intent, ledger.CostIntent)]


def _corrupt(what: str) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"the ledger was changed by something else: {what}. Restore it from a copy."
    )

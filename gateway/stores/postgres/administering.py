"""
Rare work beside the line, each in a session of its own: erasing, retiring, cosigning, waiting.

All of it blocks; it is called in threads.
"""

import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Final

from gateway.errors import ConfigError, LedgerUnavailable
from gateway.ledger import notes, projection, pseudonyms, tiles
from gateway.stores.postgres import connection, intake, leaves, parcels
from gateway.stores.postgres.connection import Connection
from gateway.stores.postgres.leading import Leading
from gateway.stores.postgres.standing import SQL, Standing

_ASK_S: Final = 0.005
_STILL_S: Final = 30.0
"""How long putting in order may stand still while it is waited for."""
_LONG_S: Final = 600.0


class Administering:
    """What auditors and administrators do to a ledger."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def ordered(self, replica: str, group_seq: int, leading: Leading) -> None:
        """Return once a replica's groups up to a number are in order, and signed."""
        until_s, size, before = 0.0, -1, -1
        pause = threading.Event()
        with self._session() as session:
            while True:
                far = intake.far(session, replica).group_seq
                if size < 0 and far >= group_seq:
                    size = _one(session, "size_now")
                    leading.ask()
                if 0 <= size <= _one(session, "signed_now") and not leading.is_asked:
                    return
                if far > before:
                    before, until_s = far, time.monotonic() + _STILL_S
                elif time.monotonic() > until_s:
                    break
                pause.wait(_ASK_S)
        raise LedgerUnavailable(
            "what was appended is durable, but no replica puts it in order now: look at the"
            " database, and at the replicas' logs"
        )

    def salts(self, principal: str) -> int:
        """Return how many salts tie a person to commitments."""
        with self._session() as session:
            return len(session.execute(SQL["salts_of"], (principal,)).fetchall())

    def erase(self, principal: str, names: set[str], since_us: int) -> None:
        """Delete a person's salts, tell all replicas, and blank names in the decision log."""
        standing = self._standing
        with self._session() as session:
            with session.transaction():
                mark = parcels.mark(standing.secret, principal)
                session.execute(SQL["add_erased"], (mark, standing.now_us()))
                session.execute(SQL["remove_salts"], (principal,))
            after = 0
            while after >= 0:
                with session.patient(_LONG_S):
                    after = _blank(session, names, after, since_us)

    def root_to_retire(self, size: int) -> str:
        """Return the root at a size, in base64; raises ConfigError when it cannot be retired."""
        with self._session() as session, session.patient(_LONG_S):
            retired, signed = _one(session, "retired_now"), _one(session, "signed_now")
            if size % tiles.WIDTH or size <= retired:
                raise ConfigError(
                    f"entries are retired up to a multiple of {tiles.WIDTH} above {retired},"
                    f" not up to {size}"
                )
            if size > signed:
                raise ConfigError(
                    f"no checkpoint covers {size} entries yet, but {signed}: retire fewer"
                )
            _check_open(session, size)

            def read(level: int, number: int) -> bytes:
                return leaves.tile(session, level, number)

            return notes.to_base64(tiles.Reader(signed, read).root(size))

    def retired(self, size: int, leading: Leading) -> None:
        """Return once everything below an index is dropped."""
        until_s = time.monotonic() + _LONG_S
        pause = threading.Event()
        with self._session() as session:
            while time.monotonic() < until_s:
                row = session.execute(SQL["undropped"], {"size": size}).fetchone()
                if row == (0,):
                    return
                leading.ask()
                pause.wait(10 * _ASK_S)
        raise LedgerUnavailable("entries are being dropped still: look again later")

    def cosign(self, size: int, line: str) -> None:
        """Keep a cosignature; raises ConfigError when there is no checkpoint of its size."""
        with self._session() as session:
            if session.execute(SQL["checkpoint_at"], (size,)).fetchone() is None:
                raise ConfigError(
                    f"there is no checkpoint of {size} entries to cosign: ask for the newest"
                )
            session.execute(SQL["cosign"], (size, line.rstrip("\n")))

    @contextmanager
    def _session(self) -> Generator[Connection]:
        address = self._standing.address
        with (
            connection.told(address, LedgerUnavailable),
            closing(connection.connect(address)) as session,
        ):
            yield session


def _one(session: Connection, name: str) -> int:
    row = session.execute(SQL[name]).fetchone()
    return int(row[0]) if row else 0


def _blank(session: Connection, names: set[str], after: int, since_us: int) -> int:
    """Blank names in some rows of the decision log; return the last of them, -1 when none is."""
    found = session.execute(
        SQL["decisions_to_blank"], {"after": after, "since_us": since_us}
    ).fetchall()
    for row_id, blob in found:
        lines = [pseudonyms.blanked(line, names) for line in blob.split(b"\n")]
        blanked = b"\n".join(lines)
        if blanked != blob:
            session.execute(SQL["rewrite_decisions"], (blanked, row_id))
    return int(found[-1][0]) if found else -1


def _check_open(session: Connection, size: int) -> None:
    """Refuse to retire while a call below is open, or cost of that time is in no leaf."""
    row = session.execute(SQL["open_below"], (size,)).fetchone()
    if row is not None and row[0]:
        raise ConfigError(
            f"{row[0]} calls below entry {size} are under way: wait for them, or retire fewer"
        )
    row = session.execute(SQL["last_received_below"], (size,)).fetchone()
    last_us = row[0] if row else 0
    row = session.execute(SQL["first_pending"]).fetchone()
    if row is not None and row[0] is not None and row[0] * 1_000_000 <= last_us:
        raise ConfigError(
            f"unlinked cost of the hour from {projection.iso(row[0] * 1_000_000)} is in no entry"
            " yet: wait until two minutes after its end, or retire fewer"
        )

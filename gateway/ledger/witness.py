"""
A witness: it remembers the last checkpoint it saw, and signs only one that goes on from it.

Whoever holds a log's key can show each auditor another log. A witness somewhere else makes that
show: it cosigns (C2SP tlog-cosignature) what is proven to begin with all it has seen before, and
keeps both notes when something is not.
"""

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from gateway.ledger import checkpoints, merkle, notes, tiles
from gateway.ledger.checkpoints import Checkpoint

ReadFile: TypeAlias = Callable[[str], bytes | None]
"""Returns the bytes of a file of the log (`verification.Source`)."""


class Unproven(Exception):
    """What the log shows cannot be judged: it is not cosigned, and not called a fork."""


class Refused(Exception):
    """The log signed what does not go on from what it signed before."""


class Next(Struct, frozen=True):
    """A checkpoint that goes on from the last one."""

    note: notes.Note
    checkpoint: Checkpoint
    is_new: bool
    """Whether it has more entries than the last one."""


def follow(known: str, latest: str | bytes, key: notes.Verifier, read: ReadFile) -> Next:
    """
    Return the newest checkpoint of a log, once it is proven to go on from the last one seen.

    Args:
        known: the note of the last one; empty at first: then the newest is taken as it is.
        latest: what the log shows now.
        key: the log's.
        read: fetches the tiles the proof is made of. They need no trust: the roots decide.

    Raises:
        Unproven: it is no checkpoint of this log under this key, or tiles are missing.
        Refused: it has fewer entries, or is of another history.

    """
    try:
        newest, note = checkpoints.read(latest, key.name)
    except ValueError as wrong:
        raise Unproven(f"what the log shows as its checkpoint cannot be used: {wrong}") from None
    if not note.signed_by(key):
        raise Unproven(
            f"the checkpoint of {newest.size:,} entries is not signed by {key.vkey}: if the log"
            " has a new key, run `goodgate audit verify` with the key you have, and when it says"
            " that the log is consistent, watch with the key it names"
        )
    if not known:
        return Next(note, newest, is_new=True)
    try:
        last = checkpoints.read(known, key.name)[0]
    except ValueError as wrong:
        raise Unproven(
            f"the last checkpoint this witness has seen is none of this log: {wrong}; one folder"
            " is for one log"
        ) from None
    if newest.size < last.size:
        raise Refused(
            f"the log has {newest.size:,} entries now, and had {last.size:,}: it was cut or"
            " replaced by an older one"
        )
    if not _goes_on(last, newest, read):
        raise Refused(
            f"the {newest.size:,} entries of the log do not begin with the {last.size:,} it signed"
            " before: this is another history"
        )
    return Next(note, newest, is_new=newest.size > last.size)


def cosign(next_one: Next, signer: notes.Signer, now_s: int) -> tuple[str, str]:
    """Return the note with this witness's cosignature at a Unix time, and the line alone."""
    line = signer.cosign(next_one.note.text, now_s)
    return next_one.note.with_signature(line).encode(), line


def line_of(note: str, witness: notes.Verifier) -> str:
    """Return the cosignature line of a witness under a note, empty when there is none."""
    parsed = notes.Note.parse(note)
    mine = (witness.name, witness.key_id)
    kept = tuple(each for each in parsed.signatures if each[:2] == mine)
    alone = notes.Note(text=parsed.text, signatures=kept[-1:])
    return alone.encode().removeprefix(f"{parsed.text}\n")


def evidence(why: Refused, known: str, latest: str | bytes) -> str:
    """Return what to keep of a log that was refused: the reason and both notes, as they came."""
    shown = latest if isinstance(latest, str) else latest.decode()
    return f"{why}\n\nSeen before:\n\n{known}\nShown now:\n\n{shown}"


def _goes_on(last: Checkpoint, newest: Checkpoint, read: ReadFile) -> bool:
    def tile(level: int, number: int) -> bytes:
        width = min(tiles.WIDTH, (newest.size >> (level * tiles.HEIGHT)) - number * tiles.WIDTH)
        path = tiles.path(level, number, width)
        data = read(path)
        if data is None or len(data) != width * merkle.HASH_BYTES:
            raise Unproven(f"the log does not show the tile {path}, so nothing can be proven")
        return tiles.pack(data)

    proof = tiles.Reader(newest.size, tile).consistency(last.size)
    return merkle.is_consistent(last.size, last.root, newest.size, newest.root, proof)

"""Checkpoints: those the log kept, those an auditor kept, and who signed and cosigned them."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from gateway.ledger import checkpoints, notes
from gateway.ledger.verification.files import Files
from gateway.ledger.verification.keys import Chain
from gateway.ledger.verification.report import Trust, Wrong

CHECKPOINT = "checkpoint"
RETAINED = "checkpoints.jsonl"


class Signed(Struct, frozen=True, kw_only=True):
    """A checkpoint and where it was found."""

    size: int
    root: bytes
    note: notes.Note
    where: str

    @property
    def place(self) -> int | None:
        """The index of the last entry it covers."""
        return self.size - 1 if self.size else None


class Checkpoints:
    """The checkpoints of a log, and those that an auditor holds it to."""

    def __init__(self, files: Files, trust: Trust, origin: str) -> None:
        """Read them all; raises Wrong when that cannot be done."""
        data = files.read(CHECKPOINT)
        if data is None:
            raise Wrong(CHECKPOINT, "there is no checkpoint: is this a log?", where=CHECKPOINT)
        self.newest = _signed(data, origin, CHECKPOINT)
        self.retained = list(_retained(files, origin, self.newest, whole=trust.whole_folder))
        self.held = list(self._held(trust, origin))

    def roots(self) -> dict[int, list[Signed]]:
        """Return the checkpoints by size, in order of size."""
        found: dict[int, list[Signed]] = {}
        for each in sorted((*self.retained, *self.held), key=lambda each: each.size):
            found.setdefault(each.size, []).append(each)
        return found

    def check_signatures(self, chain: Chain, unread: int) -> int:
        """Refuse one that its keys did not sign; return how many could not be judged."""
        before, unvouched = 0, 0
        for each in self.retained:
            for key in chain.signers(each.size, before):
                if each.note.signed_by(key):
                    continue
                if each.size > unread or not _is_by_another(each, chain):
                    raise _unsigned(each, key, unread)
                unvouched += 1
            before = each.size
        for each in (self.newest, *self.held):
            if not each.note.signed_by(chain.in_use(each.size)):
                raise _unsigned(each, chain.in_use(each.size), unread)
        return unvouched

    def witnessed(self, vkeys: Sequence[str]) -> tuple[list[str], int]:
        """Return which of some witnesses cosigned, and the size of the newest they did."""
        names: list[str] = []
        newest = 0
        for vkey in vkeys:
            witness = _witness(vkey)
            sizes = [
                each.size
                for each in (*self.retained, *self.held, self.newest)
                if _is_cosigned(each, witness)
            ]
            if sizes:
                names.append(witness.name)
                newest = max(newest, *sizes)
        return names, newest

    def _held(self, trust: Trust, origin: str) -> Iterator[Signed]:
        for number, note in enumerate(trust.checkpoints, 1):
            yield self.hold(_signed(note, origin, f"the checkpoint given ({number})"))
        for number, archive in enumerate(trust.archives, 1):
            data = archive.read(CHECKPOINT)
            if data is not None:
                yield self.hold(_signed(data, origin, f"the checkpoint of archive {number}"))

    def hold(self, each: Signed) -> Signed:
        """Return a checkpoint the log is held to; refuses one of more entries than it has."""
        if each.size > self.newest.size:
            raise Wrong(
                "truncated",
                f"{each.where} is of {each.size:,} entries, and this log has"
                f" {self.newest.size:,}: some were cut off",
                index=self.newest.size,
            )
        return each


def signed(note: str | bytes, origin: str, where: str) -> Signed:
    """Return a checkpoint of the log of that origin; raises ValueError."""
    checkpoint, parsed = checkpoints.read(note, origin)
    return Signed(size=checkpoint.size, root=checkpoint.root, note=parsed, where=where)


def _signed(note: str | bytes, origin: str, where: str) -> Signed:
    try:
        return signed(note, origin, where)
    except ValueError as wrong:
        raise Wrong(CHECKPOINT, f"{where} cannot be used: {wrong}", where=where) from None


def _retained(files: Files, origin: str, newest: Signed, *, whole: bool) -> Iterator[Signed]:
    before = -1
    text = ""
    data = files.read(RETAINED)
    lines = data.removesuffix(b"\n").split(b"\n") if data else ()
    for number, line in enumerate(lines, 1):
        where = f"{RETAINED}:{number}"
        try:
            note = msgspec.json.decode(line, type=str)
        except (msgspec.MsgspecError, ValueError):
            raise Wrong(CHECKPOINT, "this line is no JSON string", where=where) from None
        each = _signed(note, origin, where)
        if each.size <= before:
            raise Wrong(
                CHECKPOINT, f"the sizes do not grow: {each.size:,} after {before:,}", where=where
            )
        if each.size > newest.size and not whole:
            break  # a log that goes on has come further since its checkpoint was read
        before, text = each.size, each.note.text
        yield each
    if text != newest.note.text:
        raise Wrong(CHECKPOINT, "the last of the checkpoints is not the newest one", where=RETAINED)


def _is_by_another(each: Signed, chain: Chain) -> bool:
    """Whether a checkpoint bears the signature of a key of this log that is not known."""
    known = {key.key_id for key in chain.keys}
    return any(
        name == chain.origin and key_id not in known for name, key_id, _ in each.note.signatures
    )


def _unsigned(each: Signed, key: notes.Verifier, unread: int) -> Wrong:
    hint = "; entries of a retired period may say why: give --archive"
    return Wrong(
        "signature",
        f"the checkpoint of {each.size:,} entries is not signed by {key.vkey}"
        + (hint if each.size <= unread else ""),
        where=each.where,
        index=each.place,
    )


def _witness(vkey: str) -> notes.Verifier:
    try:
        found = notes.Verifier.parse(vkey)
    except ValueError as wrong:
        raise Wrong("witness", f"the key of a witness cannot be used: {wrong}") from None
    if found.kind != notes.COSIGNATURE:
        raise Wrong("witness", f"{vkey[:200]} is the key of a log, not of a witness")
    return found


def _is_cosigned(each: Signed, witness: notes.Verifier) -> bool:
    if each.note.cosigned_at(witness) is not None:
        return True
    named = {(name, key_id) for name, key_id, _ in each.note.signatures}
    if (witness.name, witness.key_id) in named:
        raise Wrong(
            "witness",
            f"the cosignature of {witness.name} under the checkpoint of {each.size:,} entries is"
            " wrong",
            where=each.where,
            index=each.place,
        )
    return False

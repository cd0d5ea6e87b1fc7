"""
Receipts: that an entry stands in the log, checked by anybody and offline (C2SP tlog-proof).

A receipt is the entry's index, its path through the tree and the checkpoint the path ends
in. Ours carry the entry's own bytes as `extra`, so that one can read what was recorded; the
path is what proves them. The text is kept as `<request id>.tlog-proof`.
"""

from msgspec import Struct

from gateway.ledger import checkpoints, merkle, notes

HEADER = "c2sp.org/tlog-proof@v1"
_EXTRA = "extra "
_INDEX = "index "


class Receipt(Struct, frozen=True, kw_only=True):
    """A proof that an entry stands at an index of a log."""

    index: int
    path: tuple[bytes, ...]
    """The hashes beside its way to the root, the leaf's neighbour first."""
    checkpoint: str
    """The whole note, with every signature it had."""
    extra: bytes | None = None
    """The entry's bytes. Nothing vouches for them but `verify`."""

    @classmethod
    def parse(cls, text: str) -> "Receipt":
        """Return the receipt a text is; one written in any other way is refused."""
        head, blank, checkpoint = text.partition("\n\n")
        if not blank:
            raise ValueError("a receipt is a proof, an empty line and a checkpoint")
        lines = head.split("\n")
        if lines.pop(0) != HEADER:
            raise ValueError(f"a receipt begins with {HEADER}")
        try:
            extra = (
                notes.from_base64(lines.pop(0).removeprefix(_EXTRA))
                if lines and lines[0].startswith(_EXTRA)
                else None
            )
            index = _index(lines)
            path = tuple(map(notes.from_base64, lines[1:]))
        except ValueError as wrong:
            raise ValueError(f"a line of the receipt cannot be read: {wrong}") from None
        if not all(len(each) == merkle.HASH_BYTES for each in path):
            raise ValueError(f"a hash of the receipt does not have {merkle.HASH_BYTES} bytes")
        checkpoints.Checkpoint.parse(notes.Note.parse(checkpoint).text)
        return cls(index=index, path=path, checkpoint=checkpoint, extra=extra)

    @property
    def leaf(self) -> bytes:
        """The entry's bytes as the receipt gives them; a receipt without them is refused."""
        if self.extra is None:
            raise ValueError("the receipt does not carry its entry, as one of this log does")
        return self.extra

    def encode(self) -> str:
        """Return the receipt as it is kept; `parse` returns the same receipt."""
        extra = [] if self.extra is None else [_EXTRA + notes.to_base64(self.extra)]
        path = map(notes.to_base64, self.path)
        return "\n".join([HEADER, *extra, f"{_INDEX}{self.index}", *path, "", self.checkpoint])

    def verify(self, leaf: bytes, verifier: notes.Verifier, origin: str) -> None:
        """Refuse the receipt unless the log with this key holds the entry at its index."""
        checkpoint, note = checkpoints.read(self.checkpoint, origin)
        if not note.signed_by(verifier):
            raise ValueError(f"the checkpoint of the receipt is not signed by {verifier.vkey}")
        if self.extra not in {None, leaf}:
            raise ValueError("the receipt carries another entry than the one to be checked")
        if self.index >= checkpoint.size:
            raise ValueError(
                f"the receipt names entry {self.index} of a log of {checkpoint.size} entries"
            )
        hashed = merkle.leaf_hash(leaf)
        if not merkle.is_included(hashed, self.index, checkpoint.size, self.path, checkpoint.root):
            raise ValueError(
                f"the path of the receipt does not lead from this entry, at index {self.index},"
                " to the root of its checkpoint"
            )


def _index(lines: list[str]) -> int:
    if not lines or not lines[0].startswith(_INDEX):
        raise ValueError("there is no index where it belongs")
    return notes.from_decimal(lines[0].removeprefix(_INDEX))

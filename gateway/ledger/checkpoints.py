"""
Checkpoints: what a log signs, and by that can never take back (C2SP tlog-checkpoint).

Three lines: the origin (which log), how many entries it has, the root over them. The
specification allows further lines; this log writes none and refuses them, as nobody could
audit what they say.
"""

from msgspec import Struct

from gateway.ledger import merkle, notes

_LINES = 4
"""Origin, size, root, and nothing behind the last newline."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """A tree at one size."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse what no tree can be."""
        if not self.origin or "\n" in self.origin:
            raise ValueError("the origin of a checkpoint is one line that is not empty")
        if not 0 <= self.size <= merkle.SIZE_MAX:
            raise ValueError(f"a tree has 0 to 2**63 - 1 leaves, not {self.size}")
        if len(self.root) != merkle.HASH_BYTES:
            raise ValueError(f"a root has {merkle.HASH_BYTES} bytes, not {len(self.root)}")
        if not self.size and self.root != merkle.EMPTY:
            raise ValueError("the root of a checkpoint of no leaves is not that of an empty tree")

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint a note's text is; one written in any other way is refused."""
        lines = text.split("\n")
        if len(lines) != _LINES or lines[-1]:
            raise ValueError("a checkpoint is three lines: origin, size and root")
        try:
            size, root = notes.from_decimal(lines[1]), notes.from_base64(lines[2])
        except ValueError as wrong:
            raise ValueError(f"the size or root of a checkpoint is {wrong}") from None
        return cls(origin=lines[0], size=size, root=root)

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{notes.to_base64(self.root)}\n"


def sign(checkpoint: Checkpoint, *signers: notes.Signer) -> str:
    """Return the note of a checkpoint, signed by each."""
    if not signers:
        raise ValueError("a checkpoint nobody signs says nothing")
    text = checkpoint.text
    return f"{text}\n{''.join(each.sign(text) for each in signers)}"


def read(note: str | bytes, origin: str) -> tuple[Checkpoint, notes.Note]:
    """Return what a note of this log says, and the note, whose signatures are not checked here."""
    found = notes.Note.parse(note)
    checkpoint = Checkpoint.parse(found.text)
    if checkpoint.origin != origin:
        raise ValueError(f"the checkpoint is one of {checkpoint.origin}, not of {origin}")
    if len({each[:2] for each in found.signatures}) < len(found.signatures):
        raise ValueError("a key has signed the checkpoint twice")
    return checkpoint, found

"""
Keys: the log has one at a time, and only an entry of the log makes way for the next.

Whoever trusts any one key of the chain can check the others: a checkpoint signed by an old key
covers the entry that names the new one, and the first one that does is signed by both.
"""

from collections.abc import Iterator, Sequence

from gateway.ledger import notes
from gateway.ledger.happenings import Rotation
from gateway.ledger.verification.report import Wrong

SIGNING_KEY = "signing_key"


class Chain:
    """The keys of a log, and from which size on each was in use."""

    def __init__(self, trusted: notes.Verifier) -> None:
        """Begin with the key the auditor has, wherever in the chain it may stand."""
        self._trusted = trusted
        self._keys: list[notes.Verifier] = []
        self._since: list[int] = []

    @property
    def origin(self) -> str:
        """The origin of the log: every key of it has this name."""
        return self._trusted.name

    @property
    def rotations(self) -> int:
        """How often the key was replaced."""
        return max(0, len(self._keys) - 1)

    @property
    def keys(self) -> Sequence[notes.Verifier]:
        """All keys, the first first."""
        return self._keys or [self._trusted]

    def rotate(self, index: int, leaf: Rotation) -> None:
        """Make way for the next key from the entry at an index on; raises Wrong."""
        previous, current = self._read(leaf.previous), self._read(leaf.current)
        if not self._keys:
            self._keys, self._since = [previous], [0]
        if self._keys[-1] != previous:
            raise Wrong(
                "rotation",
                f"this replaces the signing key {leaf.previous}, and the one in use was"
                f" {self._keys[-1].vkey}",
            )
        self._keys.append(current)
        self._since.append(index + 1)

    def vouch(self, *, unread: bool) -> None:
        """Refuse a log whose chain the trusted key is not in."""
        if self._trusted in self.keys:
            return
        hint = "; the entries of a retired period may say more: give --archive" if unread else ""
        raise Wrong(
            "key", f"no rotation of this log vouches for the key {self._trusted.vkey}{hint}"
        )

    def in_use(self, size: int) -> notes.Verifier:
        """Return the key that signs checkpoints of a size."""
        at = sum(since <= size for since in self._since)
        return self.keys[max(0, at - 1)]

    def signers(self, size: int, before: int) -> Iterator[notes.Verifier]:
        """Yield who has to have signed a checkpoint that follows one of a size before."""
        yield self.in_use(size)
        for at, since in enumerate(self._since[1:]):
            if before < since <= size:
                yield self._keys[at]

    def _read(self, vkey: str) -> notes.Verifier:
        try:
            found = notes.Verifier.parse(vkey)
        except ValueError as wrong:
            raise Wrong("rotation", f"this rotation names no key: {wrong}") from None
        if found.kind != notes.ED25519 or found.name != self.origin:
            raise Wrong(
                "rotation", f"the key {found.vkey[:200]} is none that can sign for this log"
            )
        return found

"""
Promises: what a caller holds before its entry is in the tree.

A record is durable before it is sequenced. The header `x-goodgate-receipt` promises that its
leaf will be under a checkpoint within a day; a promise and a log without the leaf are the proof
of a dropped record. A group of records that became durable together costs one signature: the
key of the log signs the root of a small tree over the group (RFC 6962 as well), and each
promise carries its path in it.
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from gateway.ledger import merkle, notes

HEADER_MAX = 8_192
_NAMES = ("v", "request", "replica", "seq", "by", "leaf", "at", "path", "key", "sig")
_WORD = re.compile(r"[!-:<-~]{1,256}")
"""Visible ASCII but the semicolon: what a header's part and a line's word can hold."""


class Promised(Struct, frozen=True, kw_only=True):
    """The record a promise is about."""

    request_id: str
    replica: str
    replica_seq: int
    leaf: bytes
    """Its leaf hash."""

    def __post_init__(self) -> None:
        """Refuse what could not be told from another record."""
        if not (_WORD.fullmatch(self.request_id) and _WORD.fullmatch(self.replica)):
            raise ValueError("a promise names its request and replica in visible ASCII without ;")
        if not 0 < self.replica_seq <= notes.NUMBER_MAX:
            raise ValueError(f"records of a replica are counted from 1, not {self.replica_seq}")
        if len(self.leaf) != merkle.HASH_BYTES:
            raise ValueError(f"a leaf hash has {merkle.HASH_BYTES} bytes, not {len(self.leaf)}")

    @property
    def text(self) -> str:
        """What stands for it in the tree of its group."""
        leaf = notes.to_base64(self.leaf)
        return f"{self.request_id} {self.replica} {self.replica_seq} {leaf}"


class Promise(Struct, frozen=True, kw_only=True):
    """A promise as its header states it; `verify` says whether the log made it."""

    promised: Promised
    by_s: int
    """Unix time, in seconds, by which the leaf is under a checkpoint."""
    index: int
    """Which of its group it is, from 0."""
    size: int
    """How many records the group has."""
    path: tuple[bytes, ...]
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse what no promise can hold."""
        if not all(len(each) == merkle.HASH_BYTES for each in self.path):
            raise ValueError(f"a hash has {merkle.HASH_BYTES} bytes")
        if (len(self.key_id), len(self.signature)) != (notes.KEY_ID_BYTES, notes.SIGNATURE_BYTES):
            raise ValueError("the id of a key has 4 bytes, and its signature 64")

    @classmethod
    def parse(cls, header: str) -> "Promise":
        """Return the promise a header states; one written in any other way is refused."""
        parts = _parts(header)
        try:
            index, _, size = parts["at"].partition("/")
            found = cls(
                promised=Promised(
                    request_id=parts["request"],
                    replica=parts["replica"],
                    replica_seq=notes.from_decimal(parts["seq"]),
                    leaf=notes.from_base64(parts["leaf"]),
                ),
                by_s=notes.from_decimal(parts["by"]),
                index=notes.from_decimal(index),
                size=notes.from_decimal(size),
                path=tuple(map(notes.from_base64, filter(None, parts["path"].split(",")))),
                key_id=bytes.fromhex(parts["key"]),
                signature=notes.from_base64(parts["sig"]),
            )
        except ValueError as wrong:
            raise ValueError(f"a part of the promise cannot be read: {wrong}") from None
        # One promise has one header: no upper case, no comma too many.
        if found.encode() != header:
            raise ValueError("the promise is not written as a gateway writes it")
        return found

    def encode(self) -> str:
        """Return the text of the header."""
        path = ",".join(map(notes.to_base64, self.path))
        return _header(
            self.promised,
            f"{self.index}/{self.size}",
            path,
            (str(self.by_s), self.key_id.hex(), notes.to_base64(self.signature)),
        )

    def verify(self, verifier: notes.Verifier, origin: str) -> bool:
        """Whether the log of this origin made the promise with this key (of kind 0x01)."""
        leaf = merkle.leaf_hash(self.promised.text.encode())
        root = merkle.implied_root(leaf, self.index, self.size, self.path)
        return (
            root is not None
            and verifier.kind == notes.ED25519
            and verifier.key_id == self.key_id
            and verifier.verify_bytes(_signed(origin, self.by_s, self.size, root), self.signature)
        )


def make(signer: notes.Signer, origin: str, by_s: int, promised: Sequence[Promised]) -> list[str]:
    """Return the headers for a group of records, in their order: one signature for them all."""
    if not promised:
        return []
    row = [merkle.leaf_hash(each.text.encode()) for each in promised]
    rows: list[list[str]] = []
    while len(row) > 1:
        rows.append([notes.to_base64(each) for each in row])
        above = merkle.level_above(row)
        row = [*above, row[-1]] if len(row) % 2 else above
    signature = signer.sign_bytes(_signed(origin, by_s, len(promised), row[0]))
    ending = (str(by_s), signer.verifier.key_id.hex(), notes.to_base64(signature))
    return [
        _header(each, f"{index}/{len(promised)}", ",".join(_siblings(index, rows)), ending)
        for index, each in enumerate(promised)
    ]


def _siblings(index: int, rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the path of a leaf; in a row where it has no neighbour it rises as it is."""
    places = [(row, (index >> level) ^ 1) for level, row in enumerate(rows)]
    return [row[beside] for row, beside in places if beside < len(row)]


def _header(promised: Promised, at: str, path: str, ending: tuple[str, str, str]) -> str:
    by, key, signature = ending
    return (
        f"v=1; request={promised.request_id}; replica={promised.replica};"
        f" seq={promised.replica_seq}; by={by}; leaf={notes.to_base64(promised.leaf)};"
        f" at={at}; path={path}; key={key}; sig={signature}"
    )


def _parts(header: str) -> dict[str, str]:
    """Return the parts of a header by name: these names, in this order."""
    if len(header) > HEADER_MAX:
        raise ValueError(f"a promise has up to {HEADER_MAX} characters, not {len(header)}")
    split = [part.partition("=") for part in header.split("; ")]
    if tuple(name for name, _, _ in split) != _NAMES:
        raise ValueError(f"a promise has the parts {', '.join(_NAMES)}, in this order")
    parts = {name: value for name, _, value in split}
    if parts["v"] != "1":
        raise ValueError("the promise is of another version than 1")
    return parts


def _signed(origin: str, by_s: int, size: int, root: bytes) -> bytes:
    """Return what the key of the log signs for a group."""
    return f"goodgate promise v1\n{origin}\n{by_s}\n{size}\n{notes.to_base64(root)}\n".encode()

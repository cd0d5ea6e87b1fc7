"""
The log as files, in the layout of an export (docs/verifier/format.md, section 6).

Nothing is kept as a file: each is made of what a store holds when it is asked for. All of them
are those of one checkpoint, the newest or an earlier one, however far the log has come.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Protocol

import msgspec

from gateway import ledger
from gateway.errors import ConfigError, NotFound
from gateway.ledger import checkpoints, notes, tiles
from gateway.reports.store import Log

FORMAT = 1
CHECKPOINT = "checkpoint"
CHECKPOINTS = "checkpoints.jsonl"
LOG = "log.json"
MANIFEST = "manifest"
_POLICIES = "policies/"
_POLICY = ".json"
_PAGE = 1_000


class Files(Protocol):
    """A log as files."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        ...

    def paths(self) -> Iterable[str]:
        """Return the path of every file there is."""
        ...


class LogFiles:
    """A store's log as files; `manifest` is none of them."""

    def __init__(self, log: Log, *, size: int | None = None) -> None:
        """
        Take the log as its newest checkpoint says, or that of a size.

        Raises:
            NotFound: there is no such checkpoint.

        """
        self._log = log
        self.name = log.log()
        self.note = _newest(log) if size is None else _of_size(log, size)
        self.size = checkpoints.read(self.note, self.name.origin)[0].size
        self.first_bundle = log.retired() // tiles.WIDTH
        """Entries below it were exported and dropped."""

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        if path.startswith("tile/"):
            return self._tile(path)
        if path.startswith(_POLICIES):
            return self._policy(path)
        if path == CHECKPOINT:
            return self.note.encode()
        if path == CHECKPOINTS:
            return b"".join(msgspec.json.encode(note) + b"\n" for note in self._retained())
        return self._about() if path == LOG else None

    def paths(self) -> Iterator[str]:
        """Yield the path of every file there is."""
        yield from (CHECKPOINT, CHECKPOINTS, LOG)
        for digest, _ in self._log.policy_texts():
            yield _policy_path(digest)
        for level, number, width in tiles.hash_tiles(self.size):
            yield tiles.path(level, number, width)
            if level == 0 and number >= self.first_bundle:
                yield tiles.path("entries", number, width)

    def _tile(self, path: str) -> bytes | None:
        try:
            level, number, width = tiles.parse_path(path)
        except ValueError:
            return None
        first = number * tiles.WIDTH
        if level == "entries":
            if number < self.first_bundle or first + width > self.size:
                return None
            return tiles.bundle(self._log.lines(first, width))
        if first + width > self.size >> (tiles.HEIGHT * level):
            return None
        # The store's tile may have grown since the checkpoint.
        return tiles.plain(self._log.tile(level, number))[: width * 32]

    def _policy(self, path: str) -> bytes | None:
        for digest, files in self._log.policy_texts():
            if _policy_path(digest) == path:
                return ledger.policy_document(files)
        return None

    def _retained(self) -> Iterator[str]:
        above = -1
        while page := self._log.checkpoints(above, _PAGE):
            for above, note in page:
                if above >= self.size:
                    break
                yield note
            if above >= self.size:
                break
        yield self.note

    def _about(self) -> bytes:
        return msgspec.json.encode(
            {
                "first_bundle": self.first_bundle,
                "format": FORMAT,
                "origin": self.name.origin,
                "vkey": self.name.vkey,
            }
        )


def manifest(files: Files, size: int, signer: notes.Signer) -> str:
    """Return the signed list of a log's files, their lengths and hashes. Reads each once."""
    lines = [f"goodgate manifest v1\n{signer.verifier.name}\n{size}\n"]
    for path in sorted(files.paths()):
        data = files.read(path)
        if path != MANIFEST and data is not None:
            lines.append(f"{sha256(data).hexdigest()} {len(data)} {path}\n")
    text = "".join(lines)
    # Not `Signer.sign`: a manifest may be longer than a note is allowed to be.
    verifier = signer.verifier
    signature = (verifier.name, verifier.key_id, signer.sign_bytes(text.encode()))
    return notes.Note(text=text, signatures=(signature,)).encode()


def signed_manifest(files: LogFiles, signers: Iterable[notes.Signer]) -> str:
    """
    Return the manifest of a store's log, by the key that was in use at its size.

    Raises:
        ConfigError: that is not among the signers, which are told the newest first.

    """
    note = notes.Note.parse(files.note)
    # A key that was replaced signs no later log, and the next one no earlier.
    signer = next((each for each in signers if note.signed_by(each.verifier)), None)
    if signer is None:
        raise ConfigError(
            "the key that signed this checkpoint is not here, so no manifest can be signed: set"
            " GOODGATE_LEDGER_KEY, or ask a running gateway"
        )
    return manifest(files, files.size, signer)


def note_of(log: Log, size: int) -> str | None:
    """Return the checkpoint of a size with its cosignatures, or None."""
    found = log.checkpoints(size - 1, 1)
    return found[0][1] if found and found[0][0] == size else None


def _newest(log: Log) -> str:
    note = log.checkpoint()
    if not note:
        raise NotFound("the ledger has no checkpoint yet: ask again in a second")
    return note


def _of_size(log: Log, size: int) -> str:
    note = note_of(log, size)
    if note is None:
        raise NotFound(
            f"there is no checkpoint of {size} entries: checkpoints.jsonl holds those there are"
        )
    return note


def _policy_path(digest: str) -> str:
    return f"{_POLICIES}{digest.partition(':')[2]}{_POLICY}"

"""
A log's files, copied into a folder: what `audit export` and `audit retire` have in common.

Only names an export can hold are written, whatever a gateway lists. The manifest comes last:
a folder without one is no export, so half of one is never taken for the whole.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway import reports
from gateway.cli import stores
from gateway.cli.desk import Asked, Desk
from gateway.cli.terminal import Answered, Unreachable, WrongUse
from gateway.errors import NotFound
from gateway.ledger import checkpoints, notes, tiles

if TYPE_CHECKING:
    from rich.progress import Progress

MANIFEST = "manifest"
CHECKPOINT = "checkpoint"
MANIFEST_TIMEOUT_S = 600.0
TIMEOUT_S = 60.0
_TRIES = 3
_NAME = re.compile(r"checkpoint|checkpoints\.jsonl|log\.json|policies/[0-9a-f]{16}\.json")
_LINE = re.compile(r"([0-9a-f]{64}) [0-9]+ (.+)")


class Log(Protocol):
    """A log as files, at one size, with its manifest."""

    @property
    def size(self) -> int:
        """How many entries it has."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        ...

    def paths(self) -> Iterable[str]:
        """Return the path of every file there is."""
        ...

    def manifest(self) -> bytes:
        """Return the signed list of all files."""
        ...


class Served:
    """The log as the API's routes serve it, at the newest checkpoint or one of a size."""

    def __init__(self, asked: Asked, size: int | None = None) -> None:
        self._asked = asked
        self.size = _size_of(asked) if size is None else size
        self._query = {"size": str(self.size)}

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        try:
            return self._asked.document(f"/api/log/{path}", query=self._query, timeout_s=TIMEOUT_S)
        except NotFound:
            return None
        except Answered as answer:
            if answer.code == NotFound.code:
                return None
            raise

    def paths(self) -> Sequence[str]:
        """Return the path of every file there is."""
        found: Sequence[str] = self._asked.ask("GET", "/api/log/files", query=self._query)
        return found

    def manifest(self) -> bytes:
        """Return the signed list of all files."""
        path = "/api/log/manifest"
        return self._asked.document(path, query=self._query, timeout_s=MANIFEST_TIMEOUT_S)


class Stored:
    """The log as the stores of a folder or a database hold it; no server is asked."""

    def __init__(self, desk: Desk, where: stores.Where, size: int | None = None) -> None:
        self._settings = desk.settings
        self._where = where
        self._files = reports.LogFiles(stores.opened(where), size=size)
        self.size = self._files.size

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None when there is none at this path."""
        return self._files.read(path)

    def paths(self) -> Iterator[str]:
        """Yield the path of every file there is."""
        return self._files.paths()

    def manifest(self) -> bytes:
        """Return the signed list of all files; raises ConfigError without the key."""
        signers = stores.signers(self._where, self._settings, self._files.name.origin)
        return reports.signed_manifest(self._files, signers).encode()


def log_of(
    desk: Desk, data: Path | None, database: str, asked: Asked, size: int | None = None
) -> Log:
    """Return the log of the stores that are meant, or else of the gateway that is asked."""
    where = stores.meant(desk.settings, data, database)
    return Served(asked, size) if where is None else Stored(desk, where, size)


def _size_of(asked: Asked) -> int:
    note = asked.document("/api/log/checkpoint")
    try:
        return checkpoints.Checkpoint.parse(notes.Note.parse(note).text).size
    except ValueError as wrong:
        raise Unreachable(f"what answers has no checkpoint of a log: {wrong}") from None


def copy(log: Log, folder: Path, progress: Callable[[int, int], None]) -> int:
    """
    Write a log's files and its manifest into a new or empty folder; return how many.

    What changed while the rest was copied (a cosignature came, a policy was put in force) is
    copied again, until all of it is what the manifest says.

    Raises:
        WrongUse: the folder is not empty, or cannot be written.
        Unreachable: what serves the log names files no log has, or does not come to rest.

    """
    prepare(folder)
    written: dict[str, str] = {}
    wanted = list(log.paths())
    for number, path in enumerate(wanted):
        progress(number, len(wanted))
        _fetch(log, folder, path, written)
    for _ in range(_TRIES):
        manifest = log.manifest()
        listed = _listed(manifest)
        changed = [path for path, digest in listed.items() if written.get(path) != digest]
        for path in changed:
            _fetch(log, folder, path, written)
        if all(written.get(path) == digest for path, digest in listed.items()):
            for path in written.keys() - listed.keys():
                (folder / path).unlink()
            _write(folder / MANIFEST, manifest)
            _settle(folder)
            return len(listed) + 1
    raise Unreachable("the log's files are not what its manifest says, however often one looks")


def prepare(folder: Path) -> None:
    """Make a folder that is to be written; raises WrongUse unless it is new or empty."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise WrongUse(f"{folder} is not empty: name a new folder, so that nothing is mixed")
    except OSError as error:
        raise WrongUse(f"{folder} cannot be made or used: {error.strerror}") from None


def bundles(log: Log, first: int) -> Iterator[list[bytes]]:
    """Yield the entries of a log from a bundle on."""
    for at in range(first * tiles.WIDTH, log.size, tiles.WIDTH):
        width = min(tiles.WIDTH, log.size - at)
        path = tiles.path("entries", at // tiles.WIDTH, width)
        data = log.read(path)
        if data is None:
            raise Unreachable(f"the log has no {path}, which it must have")
        yield tiles.lines(data)


def bar(text: str) -> "AbstractContextManager[Progress | None]":
    """Return a progress bar where somebody looks at it."""
    if not sys.stderr.isatty():
        return nullcontext(None)
    # Imported here: in a pipe nobody should wait for colours.
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415  # as above

    made = Progress(console=Console(stderr=True), transient=True)
    made.add_task(text, total=1.0)
    return made


def on(shown: "Progress | None") -> Callable[[int, int], None]:
    """Return what moves a bar, if there is one: told how much of how much is done."""

    def move(done: int, of: int) -> None:
        if shown is not None:
            shown.update(shown.task_ids[0], completed=done / max(1, of))

    return move


def _fetch(log: Log, folder: Path, path: str, written: dict[str, str]) -> None:
    if not _is_of_a_log(path):
        raise Unreachable(f"what serves the log lists {path[:80]!r}, a file no log has")
    data = log.read(path)
    if data is None:
        written.pop(path, None)
        return
    _write(folder / path, data)
    written[path] = sha256(data).hexdigest()


def _is_of_a_log(path: str) -> bool:
    if _NAME.fullmatch(path):
        return True
    try:
        tiles.parse_path(path)
    except ValueError:
        return False
    return True


def _listed(manifest: bytes) -> Mapping[str, str]:
    """Return the digest of each file a manifest lists; whether it is signed is for verifying."""
    found: dict[str, str] = {}
    for line in manifest.decode(errors="replace").partition("\n\n")[0].split("\n"):
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match[2]] = match[1]
    return found


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}") from None


def _settle(folder: Path) -> None:
    """Make every file and folder durable; by now most of them are, so it costs little."""
    for parent, _, names in os.walk(folder):
        for name in (*names, "."):
            descriptor = os.open(Path(parent) / name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

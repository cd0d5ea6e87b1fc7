"""
A disk whose power can be cut: what was written, in order, and what of it an fsync made sure.

`Recording` stands under SQLite as its VFS and notes each write, truncation, sync, creation and
deletion of the files in one folder, with whatever the test notes in between. `Replay` goes
through those notes and makes, for any moment, the files as a disk might hold them after a cut:
what was synced is there; each write since is there, is not, or is there in part, in sectors of
512 bytes and independent of every other. A file made or deleted since its folder was last
synced (SQLite does so when it first syncs a log) may be there or not, as it was.

Bytes beside those written are left alone, as SQLite too assumes of disks ("powersafe
overwrite", <https://www.sqlite.org/psow.html>).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import apsw
from msgspec import Struct

SECTOR_BYTES = 512


class Write(Struct, frozen=True):
    """Bytes were written."""

    name: str
    offset: int
    data: bytes


class Truncate(Struct, frozen=True):
    """A file was cut to a length."""

    name: str
    size: int


class Sync(Struct, frozen=True):
    """A file was synced; the first time, its folder too, when SQLite made it."""

    name: str
    folder: bool


class Create(Struct, frozen=True):
    """SQLite made an empty file."""

    name: str


class Delete(Struct, frozen=True):
    """A file was deleted."""

    name: str
    folder: bool
    """Whether its folder was synced at once."""


class Noted(Struct, frozen=True):
    """Something the test wants to know the moment of."""

    what: object


Event: TypeAlias = Write | Truncate | Sync | Create | Delete | Noted


class Recording(apsw.VFS):
    """SQLite's files as they are, and what is done to those of one folder."""

    def __init__(
        self,
        folder: Path,
        events: list[Event],
        *,
        before_write: Callable[[], None],
        sync: Callable[[str], None],
    ) -> None:
        """Become what every connection opened from now on uses, until `unregister`."""
        self.below = apsw.vfs_names()[0]
        super().__init__("recording", self.below, makedefault=True)
        self.folder = folder
        self.events = events
        self.before_write = before_write
        self.sync = sync

    def xOpen(  # noqa: N802 - apsw's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        """Open a file; one of the folder is recorded."""
        path = Path((name.filename() if isinstance(name, apsw.URIFilename) else name) or "")
        if path.parent != self.folder:
            return apsw.VFSFile(self.below, name, flags)
        made = not path.exists()
        if made:
            self.events.append(Create(path.name))
        return _RecordedFile(self, name, flags, path.name, made=made)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - apsw's
        """Delete a file."""
        super().xDelete(filename, syncdir)
        if Path(filename).parent == self.folder:
            self.events.append(Delete(Path(filename).name, folder=syncdir))


class _RecordedFile(apsw.VFSFile):
    def __init__(
        self,
        vfs: Recording,
        name: str | apsw.URIFilename | None,
        flags: list[int],
        short: str,
        *,
        made: bool,
    ) -> None:
        super().__init__(vfs.below, name, flags)
        self._vfs, self._name, self._made = vfs, short, made

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._vfs.before_write()
        super().xWrite(data, offset)
        self._vfs.events.append(Write(self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        self._vfs.before_write()
        super().xTruncate(newsize)
        self._vfs.events.append(Truncate(self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        # The disk is this list: nothing is won by making the real one wait.
        self._vfs.sync(self._name)
        self._vfs.events.append(Sync(self._name, folder=self._made))
        self._made = False


@contextmanager
def recording(
    folder: Path,
    *,
    before_write: Callable[[], None] = lambda: None,
    sync: Callable[[str], None] = lambda _: None,
) -> Iterator[list[Event]]:
    """
    Yield what is done to the files of a folder by connections opened from now on.

    `before_write` is called before each write, `sync` with a file's name at each sync; what
    they raise is what SQLite is told.
    """
    events: list[Event] = []
    vfs = Recording(folder, events, before_write=before_write, sync=sync)
    try:
        yield events
    finally:
        vfs.unregister()


class _File:
    """One file: what is sure, and what was done to it since."""

    def __init__(self, sure: bytes = b"") -> None:
        self.sure = bytearray(sure)
        self.loose: list[Write | Truncate] = []

    def sync(self) -> None:
        for each in self.loose:
            _apply(self.sure, each)
        self.loose = []

    def after_cut(self, chance: random.Random, kept: float, torn: float) -> bytes:
        image = bytearray(self.sure)
        for each in self.loose:
            drawn = chance.random()
            if drawn < kept:
                _apply(image, each)
            elif drawn < kept + torn and isinstance(each, Write):
                _tear(image, each, chance)
        return bytes(image)


class Replay:
    """Goes through what was recorded; `cut` says what a cut would leave at this point."""

    def __init__(self, before: Path, events: Sequence[Event]) -> None:
        """Begin with SQLite's files that were in a folder before, all of them sure."""
        self._entries: dict[str, list[_File | None]] = {
            path.name: [_File(path.read_bytes())]
            for path in before.glob("ledger.sqlite*")
            if not path.name.endswith("-shm")
        }
        self._events = events
        self._at = 0

    def forward(self, to: int) -> list[object]:
        """Go to the event of this number, and return what the test noted on the way."""
        noted: list[object] = []
        for event in self._events[self._at : to]:
            if isinstance(event, Noted):
                noted.append(event.what)
            else:
                self._take(event)
        self._at = max(self._at, to)
        return noted

    def cut(self, chance: random.Random, into: Path) -> None:
        """Write the files of a cut at this point into a new folder."""
        into.mkdir(mode=0o700)
        # Some cuts lose nearly all that was not sure, some hardly anything.
        kept = chance.choice([0.0, 0.1, 0.5, 0.9, 0.98, 1.0])
        torn = (1 - kept) * chance.choice([0.0, 0.3, 1.0])
        for name, versions in self._entries.items():
            file = chance.choice(versions)
            if file is not None:
                (into / name).write_bytes(file.after_cut(chance, kept, torn))

    def _take(self, event: Event) -> None:
        if isinstance(event, Create | Delete):
            made = _File() if isinstance(event, Create) else None
            self._entries.setdefault(event.name, [None]).append(made)
        if isinstance(event, Write | Truncate):
            self._newest(event.name).loose.append(event)
        if isinstance(event, Sync):
            self._newest(event.name).sync()
        if isinstance(event, Sync | Delete) and event.folder:
            for versions in self._entries.values():
                del versions[:-1]

    def _newest(self, name: str) -> _File:
        # The database itself is made empty by the gateway, not by SQLite.
        file = self._entries.setdefault(name, [_File()])[-1]
        assert file is not None
        return file


def _apply(image: bytearray, done: Write | Truncate) -> None:
    if isinstance(done, Truncate):
        del image[done.size :]
        return
    end = done.offset + len(done.data)
    if len(image) < done.offset:
        image.extend(bytes(done.offset - len(image)))
    image[done.offset : end] = done.data


def _tear(image: bytearray, done: Write, chance: random.Random) -> None:
    """Apply some sectors of a write."""
    start, end = done.offset, done.offset + len(done.data)
    while start < end:
        upto = min(end, start - start % SECTOR_BYTES + SECTOR_BYTES)
        if chance.random() < 0.5:
            part = done.data[start - done.offset : upto - done.offset]
            _apply(image, Write(done.name, start, part))
        start = upto

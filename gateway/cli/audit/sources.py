"""
Where a log is read from: a folder (an export), or a gateway.

A folder may come from anybody: no link leads out of it, and nothing of it is read that no log
has. A gateway's files are those of one checkpoint, however far the log comes meanwhile.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.audit import copying
from gateway.cli.remote import Remote
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError

FILE_BYTES_MAX = 64 * 1024 * 1024
CHECKPOINTS_BYTES_MAX = 1024 * 1024 * 1024
"""Of checkpoints.jsonl and manifest, which grow with the log."""
_GROWING = ("checkpoints.jsonl", "manifest")


class FolderSource:
    """A folder, as an export lays it out."""

    def __init__(self, folder: Path) -> None:
        """Take a folder; raises WrongUse when it is none."""
        try:
            self._root = folder.resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise WrongUse(f"{folder}: there is no such folder") from None
        if not self._root.is_dir():
            raise WrongUse(f"{folder} is a file: name the folder that holds the export")

    def read(self, path: str) -> bytes | None:
        """
        Return the bytes of a file, or None when there is none at this path.

        Raises:
            ConfigError: it is no plain file inside the folder, is too large, or cannot be read.

        """
        file = self._root / path
        try:
            inside = file.resolve().is_relative_to(self._root)
            if not inside:
                raise ConfigError(f"{file} leads out of its folder, as nothing in an export does")
            opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                _check(file, os.fstat(opened))
                with os.fdopen(opened, "rb", closefd=False) as whole:
                    return whole.read()
            finally:
                os.close(opened)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except (OSError, RuntimeError) as error:
            said = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(f"{file} cannot be read: {said}") from None

    def paths(self) -> Iterator[str]:
        """Yield the path of everything in the folder that is no folder itself."""
        for parent, folders, files in os.walk(self._root):
            here = Path(parent)
            links = [name for name in folders if (here / name).is_symlink()]
            for name in sorted((*files, *links)):
                yield (here / name).relative_to(self._root).as_posix()


def _check(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{file} is no plain file, as all in an export are")
    most = CHECKPOINTS_BYTES_MAX if file.name in _GROWING else FILE_BYTES_MAX
    if found.st_size > most:
        raise ConfigError(f"{file} has {found.st_size:,} bytes: no file of an export has so many")


def gateway(remote: Remote) -> copying.Served:
    """Return the log a gateway serves, at its newest checkpoint; raises GatewayError."""
    return copying.Served(remote)

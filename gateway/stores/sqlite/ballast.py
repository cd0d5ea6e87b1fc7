"""
Room that is kept for the time when the disk is full.

A file that holds nothing. When it is removed, what was under way can still be written, and
the rest refused; it comes back when there is room for it twice over.
"""

import os
from pathlib import Path
from typing import Final

FILE: Final = "ledger.ballast"
BYTES: Final = 4 * 1_048_576


class Ballast:
    """The file, there or not."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def release(self) -> bool:
        """Remove it; return whether it was there."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def restore(self) -> bool:
        """Put it there, if need be; return whether it is there, and room beside it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(descriptor).st_size < BYTES:
                    os.posix_fallocate(descriptor, 0, BYTES)
                room = os.fstatvfs(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return room.f_bavail * room.f_frsize >= BYTES

"""
What happens when the file cannot be written.

An error of the disk ends the process, and nothing is tried again: after a failed fsync nobody
knows what is on it. A full disk, or a file that another process has locked, is another matter,
as nothing was written: what was taken waits until it can be, and no new call is taken.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from gateway.errors import LedgerCorrupt, LedgerUnavailable
from gateway.stores.sqlite.ballast import Ballast

AGAIN_S: Final = 1.0
"""How long what could not be written waits."""
DISK_FULL: Final = "the disk of the data folder is full: make room on it"
LOCKED: Final = "another process has locked the ledger's file: end it"

log = logging.getLogger("goodgate.stores")


class Guard:
    """Runs what writes, and knows whether that is still possible."""

    def __init__(self, folder: Path, die: Callable[[str], None]) -> None:
        self.failed: LedgerUnavailable | None = None
        """What everybody is told once the ledger is given up."""
        self.stuck = ""
        """Why nothing new is taken for the time being; empty: all is well."""
        self._die = die
        self._ballast = Ballast(folder)
        self._again_s = 0.0
        if not self._ballast.restore():
            self._relieve()

    @property
    def wait_s(self) -> float:
        """How long nothing should be tried."""
        return max(0.0, self._again_s - time.monotonic()) if self.stuck else 0.0

    def run(self, work: Callable[[], object]) -> bool:
        """
        Do something that writes; return False when it has to be tried again.

        `work` has to do all or nothing. A ledger that failed before does nothing any more.
        """
        if self.failed is None:
            try:
                self._attempt(work)
            except (apsw.FullError, apsw.BusyError):
                self._again_s = time.monotonic() + AGAIN_S
                return False
            except (apsw.Error, OSError, LedgerCorrupt) as problem:
                self.fail(str(problem))
        return True

    def fail(self, why: str) -> None:
        """End: what is on the disk is not known any more."""
        if self.failed is None:
            self.failed = unavailable(f"{why}; look at the disk, then restart the gateway")
            self._die(
                f"the ledger cannot be written: {why}. Look at the disk of the data folder, then"
                " start the gateway again: it goes on from what is on the disk."
            )

    def look_for_room(self) -> None:
        """Take calls again once a disk that was full has room for what they need."""
        if self.stuck == DISK_FULL and self._ballast.restore():
            self._go_on()

    def unavailable(self) -> LedgerUnavailable:
        """Return the error of a call that cannot be recorded now."""
        return self.failed or unavailable(self.stuck or "it is closed; ask again")

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except apsw.FullError:
            if not self._relieve():
                raise
            work()
        except apsw.BusyError:
            self._get_stuck(LOCKED)
            raise
        if self.stuck == LOCKED:
            self._go_on()

    def _relieve(self) -> bool:
        """Make room on a full disk; return whether there was any to make."""
        self._get_stuck(DISK_FULL)
        return self._ballast.release()

    def _get_stuck(self, why: str) -> None:
        if self.stuck != why:
            self.stuck = why
            log.error("the ledger takes no new call, and settles those under way: %s", why)

    def _go_on(self) -> None:
        log.warning("the ledger takes calls again")
        self.stuck = ""


def unavailable(why: str) -> LedgerUnavailable:
    """Return the error of a call that cannot be recorded."""
    return LedgerUnavailable(f"the ledger cannot be written, so no call is made: {why}")

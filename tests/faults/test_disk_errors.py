"""What the ledger does when the disk says no: nothing is tried again, nothing kept is harmed."""

import asyncio
import contextlib
import random
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from gateway import ledger
from gateway.errors import LedgerUnavailable
from gateway.stores.sqlite import guard
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.reading import Reading
from tests.faults import disk, story
from tests.stores.ledgers import KEY, SECRET, fixed_clock, intent, stamped


def opened(folder: Path, died: list[str]) -> Ledger:
    return Ledger.open(folder, secret=SECRET, key=KEY, clock=fixed_clock, die=died.append)


ROOT = Path(__file__).parents[2]
ENDS = """
import asyncio, sys
from pathlib import Path
import apsw
from gateway.stores.sqlite.ledger import Ledger
from tests.faults import disk
from tests.stores.ledgers import SECRET, fixed_clock, intent, stamped

folder, bad = Path(sys.argv[1]), []

def sync(_):
    if bad:
        raise apsw.IOError("the disk says no")

async def main():
    with disk.recording(folder, sync=sync):
        held = Ledger.open(folder, secret=SECRET, clock=fixed_clock)
        held.start(asyncio.get_running_loop())
        await held.append(stamped(held, intent(1)))
        print("appended", flush=True)
        bad.append(True)
        await held.append(stamped(held, intent(2)))
        print("appended", flush=True)

asyncio.run(main())
"""


class Failing:
    """A disk that keeps what it is given, until it fails for good."""

    def __init__(self, problem: type[apsw.Error]) -> None:
        self.now = False
        self.times = 0
        self.asked = threading.Event()
        self._problem = problem

    def __call__(self, *_: str) -> None:
        if self.now:
            self.times += 1
            if self.times > 1:  # the first time the ledger makes room, and tries again
                self.asked.set()
            raise self._problem("the disk says no")


async def kept_before(held: Ledger) -> set[tuple[str, int]]:
    acknowledged: set[tuple[str, int]] = set()
    await story.told(held, range(20), random.Random(1), acknowledged.add)
    return acknowledged


async def test_an_fsync_that_fails_ends_the_process_and_is_not_tried_again(tmp_path: Path) -> None:
    died: list[str] = []
    sync = Failing(apsw.IOError)
    folder, before, after = (tmp_path / name for name in ("data", "before", "after"))
    folder.mkdir()
    before.mkdir()
    with disk.recording(folder, sync=sync) as events:
        held = opened(folder, died)
        held.start(asyncio.get_running_loop())
        acknowledged = await kept_before(held)
        await held.flush()
        sync.now = True
        waiting = [held.append(stamped(held, intent(number))) for number in (100, 101)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(each) for each in outcomes} == {LedgerUnavailable}
        assert held.failed
        with pytest.raises(LedgerUnavailable):
            held.append(stamped(held, intent(102)))
        assert (len(died), sync.times) == (1, 1)
        assert "\n" not in died[0]
        left = disk.Replay(before, events)
        left.forward(len(events))
        sync.now = False  # here nobody ends the process
        held.close()
    left.cut(random.Random(1), after)
    assert story.faults(after, acknowledged) == []


def test_an_fsync_that_fails_ends_the_process(tmp_path: Path) -> None:
    """As it does when nobody is told: with one line, and the code for it."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 70
    assert done.stderr.startswith("goodgate: error: the ledger cannot be written: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == "appended\n"


async def test_a_full_disk_refuses_what_comes_and_keeps_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[str] = []
    full = Failing(apsw.FullError)
    monkeypatch.setattr(guard, "AGAIN_S", 0.01)
    with disk.recording(tmp_path, before_write=full):
        held = opened(tmp_path, died)
        held.start(asyncio.get_running_loop())
        acknowledged = await kept_before(held)
        await held.flush()
        full.now = True
        waiting = held.append(stamped(held, intent(100)))
        await asyncio.to_thread(full.asked.wait, 10)
        assert held.failed
        assert not waiting.done()
        with pytest.raises(LedgerUnavailable, match="make room"):
            held.append(stamped(held, intent(101)))
        full.now = False
        await waiting
        await held.flush()
        held.close()
    assert died == []
    requests = {row["request_id"] for row in Reading(tmp_path).rows(ledger.Query())}
    assert intent(100).request_id in requests
    assert intent(101).request_id not in requests
    assert story.faults(tmp_path, {*acknowledged, ("call", 100)}) == []


async def test_a_disk_that_stays_full_refuses_what_waits_and_keeps_what_came(
    tmp_path: Path,
) -> None:
    died: list[str] = []
    full = Failing(apsw.FullError)
    with disk.recording(tmp_path, before_write=full):
        held = opened(tmp_path, died)
        held.start(asyncio.get_running_loop())
        acknowledged = await kept_before(held)
        await held.flush()
        full.now = True
        waiting = held.append(stamped(held, intent(100)))
        await asyncio.to_thread(full.asked.wait, 10)
        with contextlib.suppress(apsw.FullError):  # which SQLite keeps to itself at its end
            await asyncio.to_thread(held.close)
        with pytest.raises(LedgerUnavailable):
            await waiting
        full.now = False
    assert died == []
    assert story.faults(tmp_path, acknowledged) == []

"""
Lives of a ledger that end in a power cut, and what is wrong after each of many cuts of each.

A life is recorded once (see `disk`), and its cuts are made from the record: so hundreds of
moments cost no more than the opening of the ledger a restart would do. One of the cuts is what
the next life begins with; the recovery it begins with is cut too.
"""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import pytest
from msgspec import Struct

from gateway.stores.sqlite import ballast, sequencer, writer
from tests.faults import disk, story
from tests.faults.disk import Noted
from tests.stores.ledgers import open_ledger

BALLAST = shutil.ignore_patterns("*ballast*")
"""Megabytes that the ledger makes again."""
CALLS = 60
"""Made in one life."""


class Came(Struct):
    """What many cuts came to."""

    cuts: int = 0
    acknowledged: int = 0
    """Records acknowledged before the cuts, all of them together."""
    bad: Counter[str] = Counter()
    """Cuts after which something was wrong, by what."""
    told: list[str] = []


async def lived(folder: Path, first: int, chance: random.Random) -> list[disk.Event]:
    """Open the ledger, give it calls, close it now and then, and return what the disk was told."""
    eyes = _Reader(folder)
    with disk.recording(folder, before_write=eyes.look) as events:
        eyes.note = lambda checkpoint: events.append(Noted(checkpoint))
        held = open_ledger(folder)
        held.start(asyncio.get_running_loop())
        numbers = range(first, first + CALLS)
        await story.told(held, numbers, chance, lambda key: events.append(Noted(key)))
        held.close()
        eyes.close()
    return events


async def cuts(folder: Path, chance: random.Random, *, lives: int, each: int) -> Came:
    """Cut the power at `each` moments of so many lives, each life after a cut of the last."""
    came = Came(bad=Counter())
    before = folder / "life_0"
    before.mkdir(mode=0o700)
    known: set[object] = set()
    begins = known
    for life in range(lives):
        kept = folder / "before"
        shutil.copytree(before, kept, ignore=BALLAST)
        events = await lived(before, life * 10_000, chance)
        replay = disk.Replay(kept, events)
        moments = sorted(_moment(chance, events) for _ in range(each))
        for number, moment in enumerate(moments):
            known.update(replay.forward(moment))
            after = folder / f"cut_{life}_{number}"
            replay.cut(chance, after)
            if number == len(moments) // 2:  # the next life begins with this one
                shutil.rmtree(before)
                before = Path(shutil.copytree(after, folder / f"life_{life + 1}", ignore=BALLAST))
                begins = set(known)
            _count(came, after, known)
            shutil.rmtree(after)
        shutil.rmtree(kept)
        known = begins
    return came


def _moment(chance: random.Random, events: Sequence[disk.Event]) -> int:
    """Return any moment, or, as often, one at which somebody was told or saw something new."""
    if chance.random() < 0.5:
        return chance.randrange(len(events) + 1)
    noted = [at for at, event in enumerate(events, 1) if isinstance(event, Noted)]
    seen = [at for at in noted if not isinstance(_what(events[at - 1]), tuple)]
    return chance.choice(chance.choice([noted, seen or noted]))


def _what(event: disk.Event) -> object:
    assert isinstance(event, Noted)
    return event.what


def _count(came: Came, after: Path, known: set[object]) -> None:
    came.cuts += 1
    came.acknowledged += sum(1 for each in known if isinstance(each, tuple))
    try:
        wrong = story.faults(after, known, [each for each in known if isinstance(each, str)])
    except Exception as problem:  # noqa: BLE001 - whatever it is, the ledger did not open
        wrong = [f"unreadable: {problem!r}"]
    came.bad.update({_sort(each) for each in wrong})
    came.told = [*came.told, *wrong[:3]][:12]


def _sort(wrong: str) -> str:
    for word in ("is lost", "is gone", "another tree", "times", "integrity", "unreadable"):
        if word in wrong:
            return word
    return "other"


class _Reader:
    """Looks for the newest checkpoint before each write: so it sees all there was to see."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite"
        self._opened: apsw.Connection | None = None
        self.note: Callable[[str], None] = lambda _: None
        self._last = ""

    def look(self) -> None:
        if self._opened is None:
            if not self._file.exists() or self._file.stat().st_size == 0:
                return
            self._opened = apsw.Connection(
                str(self._file), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix"
            )
        try:
            newest = self._opened.execute(f"{story.CHECKPOINTS} DESC LIMIT 1").get
        except apsw.Error:  # not made yet
            return
        if newest is not None and newest != self._last:
            self._last = newest
            self.note(newest)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


HURRIED = (
    *((writer, name, 0.0005) for name in ("SLICE_AGE_S", "FOREIGN_S")),
    *((writer, name, 40) for name in ("CALM_WAL_PAGES", "FULL_WAL_PAGES")),
    (writer, "SLICE_RECORDS", 8),
    (writer, "HOURS_S", 0),
    (sequencer, "SIGN_EVERY", 12),
    (sequencer, "SIGN_S", 0.005),
    (ballast, "BYTES", 4_096),
)
"""What the ledger does now and then, such that it has all of it to do every few commits."""


def hurry(monkeypatch: pytest.MonkeyPatch | None = None) -> None:
    """Make the ledger put in order, sign, and move SQLite's log every few commits."""
    for module, name, value in HURRIED:
        if monkeypatch is None:
            setattr(module, name, value)
        else:
            monkeypatch.setattr(module, name, value)

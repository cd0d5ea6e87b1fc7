"""A folder with a ledger of some calls in it, as a server left it."""

import asyncio
import shutil
from pathlib import Path

from gateway.ledger import notes
from gateway.stores import secrets
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.reading import Reading
from tests.stores.ledgers import NOW, NOW_US, intent, settle

CALLS = 200
POLICY = "sha256:0123456789abcdef"


class Folder:
    """A data folder, and what a test wants to know of it."""

    def __init__(self, path: Path, promise: str) -> None:
        self.path = path
        self.promise = promise
        """Of the first call's intent."""

    def __str__(self) -> str:
        return str(self.path)

    def copy(self, to: Path) -> "Folder":
        """Return another just like it."""
        return Folder(Path(shutil.copytree(self.path, to)), self.promise)

    @property
    def reading(self) -> Reading:
        return Reading(self.path)

    @property
    def vkey(self) -> str:
        return self.reading.log().vkey


def request_id(number: int) -> str:
    return f"req_{number:032x}"


def make(path: Path, calls: int = CALLS) -> Folder:
    """Return a folder with calls of alice and bob, all of them settled."""
    path.mkdir()
    secret = secrets.load_or_create(path, "secret", "")
    key = secrets.load_or_create_key(path, "ledger_key", "")
    ledger = Ledger.open(path, secret=secret, key=key, clock=lambda: NOW)

    async def fill() -> str:
        ledger.start(asyncio.get_running_loop())
        ledger.policy_in_force(POLICY, [("a.yaml", "version: 1\n")])
        waiting = []
        for number in range(calls):
            at_us = NOW_US + number
            person = ledger.commitment("alice" if number % 2 else "bob", at_us)
            replica, seq = ledger.stamp()
            call = intent(number, principal=person, replica=replica, replica_seq=seq)
            waiting.append(ledger.append(call))
            replica, seq = ledger.stamp()
            waiting.append(ledger.append(settle(number, replica=replica, replica_seq=seq)))
        promises = await asyncio.gather(*waiting)
        await ledger.flush()
        return promises[0]

    promise = asyncio.run(fill())
    ledger.close()
    return Folder(path, promise)


def signer(folder: Folder, name: str = "ledger_key") -> notes.Signer:
    """Return who signs with a key of the folder."""
    seed = bytes.fromhex((folder.path / name).read_text())
    return notes.Signer.from_seed(folder.reading.log().origin, seed)

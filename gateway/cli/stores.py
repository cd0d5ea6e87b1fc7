"""
The stores a command means: a folder's, or a database; and what is opened of them.

What was given with the command goes before what the environment says, and a database before a
folder: beside a database, a folder holds secrets and no ledger.
"""

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from gateway import ledger, reports
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError
from gateway.ledger import notes
from gateway.ledger.decision_log import Entry, Page
from gateway.ledger.rollups import Rollups
from gateway.ledger.sequencing import Series
from gateway.settings import Settings
from gateway.stores import secrets

if TYPE_CHECKING:  # no command waits for the event loop before it needs one
    import asyncio

LEDGER_KEY = "ledger_key"
PREVIOUS_KEY = "ledger_key.previous"
RETIRED = ".retired"
"""What the name of a key ends in that was replaced before the previous one."""
_HERE = Path("data")
"""Where `serve` puts its secrets when nothing is said."""


class Reading(reports.Store, Protocol):
    """A ledger as it is read, in a folder or a database."""

    def size(self) -> int:
        """Return how many leaves are in order."""
        ...

    def series(self) -> Mapping[str, Series]:
        """Return how far each replica's records have come."""
        ...

    def rollups(self) -> Rollups:
        """Return all sums."""
        ...

    def decision_log(
        self, since_us: int, until_us: int, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """Yield what was decided in a window and how it was settled, in the order written."""
        ...

    def decision_page(self, *, after: str, since_us: int, until_us: int, limit: int) -> Page:
        """Return lines of the decision log, those that follow where another page ended."""
        ...

    def decision(self, request_id: str) -> ledger.DecisionRecord | None:
        """Return what was decided about a call; None: nothing is known of it."""
        ...

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the names and texts of the policy files behind a digest, if they were kept."""
        ...

    def last_policy(self) -> str:
        """Return the digest of the policies that decided last; empty: nothing was decided."""
        ...


class Ledger(Protocol):
    """A ledger as a command changes it: no gateway of this folder may run meanwhile."""

    def start(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Start writing; it is asked from this loop."""
        ...

    def stamp(self) -> tuple[str, int]:
        """Return the replica's name and its next sequence number."""
        ...

    def append(self, record: ledger.Leaf) -> Awaitable[object]:
        """Append a stamped record; done when it is durable."""
        ...

    def erase(self, principal: str, *, auditor: str, reason: str) -> Awaitable[int]:
        """Forget who a person's commitments stand for; returns how many salts were deleted."""
        ...

    def retire(self, size: int) -> Awaitable[None]:
        """Drop the leaves below an index; raises ConfigError when one is still needed."""
        ...

    def cosign(self, size: int, line: str) -> Awaitable[None]:
        """Keep a witness's signature line of a checkpoint."""
        ...


class Where(Struct, frozen=True, kw_only=True):
    """Which stores are meant."""

    folder: Path | None
    """Of SQLite files and secrets; beside a database of secrets alone."""
    database: str = ""
    """URL of a PostgreSQL database; empty: the stores are in the folder."""


def meant(settings: Settings, data: Path | None, database: str = "") -> Where | None:
    """Return which stores a command means; None: a running gateway is to be asked."""
    if database:
        return Where(folder=data or settings.data, database=database)
    if data is not None:
        return Where(folder=data)
    if settings.database_url:
        return Where(folder=settings.data, database=settings.database_url)
    return None if settings.data is None else Where(folder=settings.data)


def reading(settings: Settings, data: Path | None, database: str = "") -> Reading:
    """
    Return the ledger that is meant, as it is read.

    Raises:
        WrongUse: none is meant.
        ConfigError: there is none, or it cannot be read.

    """
    where = meant(settings, data, database)
    if where is None:
        raise WrongUse("name the stores: --data DIR, or --database URL")
    return opened(where)


def opened(where: Where) -> Reading:
    """Return the ledger of some stores, as it is read; raises ConfigError."""
    if where.database:
        from gateway.stores.postgres import connection, reading  # noqa: PLC0415  # no driver else

        return reading.Reading(connection.read(where.database))
    from gateway.stores.sqlite.reading import Reading as Folder  # noqa: PLC0415  # only where it is opened

    assert where.folder is not None
    return Folder(where.folder)


@contextlib.contextmanager
def to_read(where: Where) -> Generator[Reading]:
    """Yield the ledger of some stores, as it is read; a database's sessions are given back."""
    found = opened(where)
    try:
        yield found
    finally:
        close: Callable[[], None] | None = getattr(found, "close", None)
        if close is not None:
            close()


@contextlib.contextmanager
def to_write(where: Where, settings: Settings, clock: Callable[[], float]) -> Generator[Ledger]:
    """
    Yield the ledger of some stores, to be changed by a command as its server would.

    Raises:
        ConfigError: a server runs on the folder, or a secret is missing.

    """
    # The composition root knows how stores are opened; it is imported where one is.
    from gateway.app import stores  # noqa: PLC0415  # as said

    if not where.database:
        os.close(hold(where.folder or _HERE))
    options = msgspec.structs.replace(
        settings, data=where.folder, database_url=where.database, worker=0
    )
    own = stores.Secrets(
        secret=_needed(where, "secret", settings.secret),
        pepper=b"",
        ledger_key=_needed_key(where, settings),
        previous_key=_key(where, PREVIOUS_KEY, settings.ledger_key_previous),
    )
    with tempfile.TemporaryDirectory(prefix="goodgate-") as mine:
        folders = (where.folder or _HERE, Path(mine))
        held = stores.opened(options, folders, own, clock=clock, on_failure=lambda: "closed")
        try:
            yield held.ledger
        finally:
            held.close()


def signing_key(where: Where, settings: Settings) -> bytes | None:
    """Return the seed of the key that signs the ledger; None when it is not here."""
    return _key(where, LEDGER_KEY, settings.ledger_key)


def signers(where: Where, settings: Settings, origin: str) -> list[notes.Signer]:
    """Return what signs, or signed, in the name of a log, as far as its keys are here."""
    seeds = [signing_key(where, settings), _key(where, PREVIOUS_KEY, settings.ledger_key_previous)]
    folder = where.folder or _HERE
    seeds += [
        secrets.find_key(folder, path.name, "")
        for path in sorted(folder.glob(f"{LEDGER_KEY}.*{RETIRED}"))
    ]
    return [notes.Signer.from_seed(origin, seed) for seed in seeds if seed is not None]


def _key(where: Where, name: str, given: str) -> bytes | None:
    return secrets.find_key(where.folder or _HERE, name, given)


def _needed(where: Where, name: str, given: str) -> bytes:
    folder = where.folder or _HERE
    found = secrets.find(folder, name, given)
    if found is None:
        raise ConfigError(
            f"the deployment's {name} is neither in GOODGATE_{name.upper()} nor in {folder}: this"
            " needs the one the gateways use"
        )
    return found


def _needed_key(where: Where, settings: Settings) -> bytes:
    found = signing_key(where, settings)
    if found is None:
        raise ConfigError(
            "the ledger's signing key is not here: set GOODGATE_LEDGER_KEY to the one the gateways"
            " use, or name the folder it is in (--data)"
        )
    return found


def hold(folder: Path) -> int:
    """Return the lock of a folder, to be closed; raises ConfigError while its server runs."""
    from gateway.stores.sqlite import ledger_file  # noqa: PLC0415  # only where it is opened

    if not (folder / ledger_file.FILE).exists():
        raise ConfigError(f"{folder}: there is no ledger here; name the folder `serve` was given")
    try:
        return ledger_file.hold(folder)
    except ConfigError:
        raise ConfigError(
            f"{folder}: its server is running: stop it first, or (where a command can ask it)"
            " leave out --data"
        ) from None

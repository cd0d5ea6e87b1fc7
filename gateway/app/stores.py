"""
Where the record, the keys and the catalogue are: in the data folder, or in PostgreSQL.

What is one replica's own (its name, what it spools) is in a folder of its own either way.
"""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from gateway import reports, settings
from gateway.errors import ConfigError
from gateway.ledger import notes
from gateway.stores import secrets
from gateway.stores.sqlite.boilerplate import Boilerplate as FileBoilerplate
from gateway.stores.sqlite.ledger import Ledger as FileLedger
from gateway.stores.sqlite.outbox import Outbox as FileOutbox
from gateway.stores.sqlite.registry import Registry as FileRegistry

if TYPE_CHECKING:
    from gateway.stores.postgres.boilerplate import Boilerplate as SharedBoilerplate
    from gateway.stores.postgres.ledger import Ledger as SharedLedger
    from gateway.stores.postgres.outbox import Outbox as SharedOutbox
    from gateway.stores.postgres.registry import Registry as SharedRegistry

__all__ = [
    "Boilerplate",
    "FileLedger",
    "Ledger",
    "Outbox",
    "Registry",
    "Secrets",
    "Stores",
    "opened",
    "own_folder",
    "secrets_of",
]

Boilerplate: TypeAlias = "FileBoilerplate | SharedBoilerplate"
Ledger: TypeAlias = "FileLedger | SharedLedger"
Outbox: TypeAlias = "FileOutbox | SharedOutbox"
Registry: TypeAlias = "FileRegistry | SharedRegistry"


class Stores(Struct, frozen=True, kw_only=True):
    """The registry, the ledger, what it is to be told, and what is boilerplate, open."""

    registry: Registry
    ledger: Ledger
    outbox: Outbox
    boilerplate: Boilerplate

    def close(self) -> None:
        """Give all of them back."""
        self.ledger.close()
        self.boilerplate.close()
        self.outbox.close()
        self.registry.close()


class Secrets(Struct, frozen=True, kw_only=True):
    """The deployment's own, all of them the same on every replica."""

    secret: bytes
    pepper: bytes
    ledger_key: bytes
    previous_key: bytes | None

    def signers(self, origin: str) -> list[notes.Signer]:
        """Return what signs, or signed before it, in the name of a log."""
        seeds = (self.ledger_key, self.previous_key)
        return [notes.Signer.from_seed(origin, seed) for seed in seeds if seed is not None]

    def __repr__(self) -> str:
        """Show nothing."""
        return "Secrets()"


def secrets_of(options: settings.Settings, data: Path, pepper: str) -> Secrets:
    """Return what is given or lies in the data folder; made there at the first start."""
    return Secrets(
        secret=secrets.load_or_create(data, "secret", options.secret),
        pepper=secrets.load_or_create(data, "pepper", options.pepper or pepper),
        ledger_key=secrets.load_or_create_key(data, "ledger_key", options.ledger_key),
        previous_key=secrets.find_key(data, "ledger_key.previous", options.ledger_key_previous),
    )


def own_folder(options: settings.Settings, data: Path) -> Path:
    """Return the folder of what is this replica's alone: each of several workers has one."""
    folder = data / f"worker-{options.worker}" if options.worker else data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made or used as data folder: {error}") from None
    return folder


def opened(
    options: settings.Settings,
    folders: tuple[Path, Path],
    own: Secrets,
    *,
    clock: Callable[[], float],
    on_failure: Callable[[], Literal["closed", "spool"]],
) -> Stores:
    """
    Return the stores the settings name; `folders` are the data folder and this replica's own.

    Raises:
        ConfigError: they cannot be used as they are.

    """
    data, mine = folders
    with ExitStack() as undone:
        if options.database_url:
            made = _shared(options.database_url, mine, own, clock, on_failure, undone)
        else:
            made = _files(data, own, clock, undone)
        undone.pop_all()
    return made


def _files(data: Path, own: Secrets, clock: Callable[[], float], undone: ExitStack) -> Stores:
    registry = FileRegistry.open(data, create=True)
    undone.callback(registry.close)
    outbox = FileOutbox.open(data)
    undone.callback(outbox.close)
    boilerplate = FileBoilerplate.open(data)
    undone.callback(boilerplate.close)
    ledger = FileLedger.open(
        data,
        secret=own.secret,
        key=own.ledger_key,
        previous_key=own.previous_key,
        clock=clock,
        small_team=_small_team(registry, clock),
    )
    return Stores(registry=registry, ledger=ledger, outbox=outbox, boilerplate=boilerplate)


def _shared(
    url: str,
    mine: Path,
    own: Secrets,
    clock: Callable[[], float],
    on_failure: Callable[[], Literal["closed", "spool"]],
    undone: ExitStack,
) -> Stores:
    # Imported when used: the embedded default loads no driver.
    from gateway.stores.postgres.boilerplate import (  # noqa: PLC0415  # above
        Boilerplate as SharedBoilerplate,
    )
    from gateway.stores.postgres.ledger import Ledger as SharedLedger  # noqa: PLC0415
    from gateway.stores.postgres.ledger import Place  # noqa: PLC0415
    from gateway.stores.postgres.outbox import Outbox as SharedOutbox  # noqa: PLC0415
    from gateway.stores.postgres.registry import Registry as SharedRegistry  # noqa: PLC0415

    registry = SharedRegistry.open(url)
    undone.callback(registry.close)
    outbox = SharedOutbox.open(url)
    undone.callback(outbox.close)
    boilerplate = SharedBoilerplate.open(url)
    undone.callback(boilerplate.close)
    ledger = SharedLedger.open(
        Place(url=url, folder=mine, on_failure=on_failure),
        secret=own.secret,
        key=own.ledger_key,
        previous_key=own.previous_key,
        clock=clock,
        small_team=_small_team(registry, clock),
    )
    return Stores(registry=registry, ledger=ledger, outbox=outbox, boilerplate=boilerplate)


def _small_team(registry: Registry, clock: Callable[[], float]) -> Callable[[str], bool]:
    def is_small(team: str) -> bool:
        """Return it as the keys are now."""
        return reports.small(registry.list_keys(), clock())(team)

    return is_small

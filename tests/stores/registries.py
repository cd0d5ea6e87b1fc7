"""The registries, opened and filled the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gateway import identity
from gateway.stores.memory_registry import MemoryRegistry
from gateway.stores.postgres import registry as postgres
from gateway.stores.sqlite import registry as sqlite
from gateway.values import Key, Role
from tests.stores import postgreses

NOW = 1_800_000_000.0
HOUR = 3600.0
PEPPER = b"p" * 32

AnyRegistry: TypeAlias = MemoryRegistry | sqlite.Registry | postgres.Registry


def database(folder: Path) -> str:
    """Return the URL of the database a folder stands for; it is made with the first asking."""
    noted = folder / "database.url"
    if not noted.exists():
        noted.write_text(postgreses.url(), encoding="utf-8")
    return noted.read_text(encoding="utf-8")


BACKENDS: dict[str, Callable[[Path], AnyRegistry]] = {
    "memory": lambda _: MemoryRegistry(),
    "postgres": lambda folder: postgres.Registry.open(database(folder)),
    "sqlite": lambda folder: sqlite.Registry.open(folder, create=True),
}
DURABLE = sorted(BACKENDS.keys() - {"memory"})


def mint(principal: str = "alice", team: str = "payments", role: Role = "developer") -> Key:
    """Return a new key, not yet filed."""
    return identity.mint(
        pepper=PEPPER,
        principal_id=principal,
        team=team,
        role=role,
        models=("gpt-5-mini",) if role == "developer" else (),
        now=NOW,
    )[1]


def filed(registry: AnyRegistry, principal: str = "alice", team: str = "payments") -> Key:
    """Return a new key that has been filed."""
    key = mint(principal, team)
    registry.add_key(key)
    return key

"""The two registries, opened and filled the same way."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from gateway import identity
from gateway.stores.memory_registry import MemoryRegistry
from gateway.stores.sqlite.registry import Registry
from gateway.values import Key, Role

NOW = 1_800_000_000.0
HOUR = 3600.0
PEPPER = b"p" * 32

AnyRegistry: TypeAlias = MemoryRegistry | Registry

BACKENDS: dict[str, Callable[[Path], AnyRegistry]] = {
    "memory": lambda _: MemoryRegistry(),
    "sqlite": lambda folder: Registry.open(folder, create=True),
}


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

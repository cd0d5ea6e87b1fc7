"""
The API's own operations over the stores of a folder: what `--data DIR` means.

No HTTP and no key: whoever can read and write the folder's files holds all that is in
them. What a server running on the same folder would refuse, this refuses in the same words,
because it is the same code.
"""

import asyncio
import os
import pwd
import secrets as random
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway import tasks
from gateway.errors import ConfigError, NotFound
from gateway.settings import Settings
from gateway.stores import secrets
from gateway.stores.memory_registry import MemoryRegistry
from gateway.stores.sqlite.ledger_file import OfflineLedger
from gateway.stores.sqlite.reading import Reading
from gateway.stores.sqlite.registry import Registry
from gateway.values import Principal
from gateway.web import api_table
from gateway.web.api_terms import Api, Ask, Caller


class Local:
    """The stores in a folder, asked as a gateway is."""

    def __init__(self, folder: Path, settings: Settings, clock: Callable[[], float]) -> None:
        """Remember where the stores are; each question opens what it needs."""
        self._folder = folder
        self._settings = settings
        self._clock = clock

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        raw: bytes | None = None,
    ) -> Any:
        """Return what the route answers with, as JSON would hold it; raises GatewayError."""
        route, place = _route(method, path)
        payload = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        ask = Ask(caller=_owner(), place=place, query=query or {}, body=payload)
        with closing(self._registry(route)) as registry:
            value = asyncio.run(api_table.perform(self._api(registry, route), route, ask))
        return msgspec.json.decode(msgspec.json.encode(value))

    def _registry(self, route: tuple[str, str]) -> Registry | MemoryRegistry:
        method, path = route
        if path.startswith(("/api/audit/", "/api/decisions")):
            return MemoryRegistry()  # the ledger alone is asked, and no file is made by asking
        return Registry.open(self._folder, create=method == "POST")

    def _api(self, registry: Registry | MemoryRegistry, route: tuple[str, str]) -> Api:
        makes_keys = route[0] == "POST" and route[1].startswith("/api/keys")
        reading = Reading(self._folder)
        return Api(
            registry=registry,
            ledger=OfflineLedger(self._folder),
            reading=reading,
            decisions=reading,
            weekly=_nobody,
            weekly_apart=_nobody_apart,
            flush=_nothing_to_flush,
            policies=_no_policies,
            credentials=tasks.TaskCredentials(random.token_bytes(32)),
            pepper=self._pepper() if makes_keys else b"",
            clock=self._clock,
            new_id=lambda: random.token_hex(16),
            reload=_no_server,
            status=dict[str, Any],
        )

    def _pepper(self) -> bytes:
        return secrets.load_or_create(self._folder, "pepper", self._settings.pepper)


def _owner() -> Caller:
    """Return the operating-system account this process runs as, which the files answer to."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = str(os.getuid())
    principal = Principal(id=account, team="", key_id="", role="admin")
    return Caller(principal=principal, account=f"os:{account}")


def _nobody(_name: str, _at_us: int) -> str:
    """Stand for nobody: whoever holds the files reads them all as an admin, by pseudonyms."""
    return ""


def _no_policies() -> None:
    """Return no policies: none are in force where there is no server."""


def _nobody_apart() -> None:
    """Return nothing that makes pseudonyms: commands that count people open the folder."""


async def _nothing_to_flush() -> None:
    """Read what is written: what a server has in memory is not here."""


async def _no_server() -> str:
    raise ConfigError("there is no server to reload behind --data: leave it out to ask one")


def _route(method: str, path: str) -> tuple[tuple[str, str], dict[str, str]]:
    """Return the line of the API's table a path belongs to, and the variable part of it."""
    parts = path.split("/")
    for route in api_table.ROUTES:
        shape = route[1].split("/")
        if route[0] != method or len(shape) != len(parts):
            continue
        if all(want in ("{id}", part) for want, part in zip(shape, parts, strict=True)):
            at = shape.index("{id}") if "{id}" in shape else None
            return route, {} if at is None else {"id": unquote(parts[at])}
    raise NotFound("nothing is served at this path")

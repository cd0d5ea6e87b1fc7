"""
The API's own operations over the stores themselves: what `--data DIR` (or `--database`) means.

No HTTP and no key: whoever can read and write the folder's files holds all that is in
them. What a server running on the same folder would refuse, this refuses in the same words,
because it is the same code.
"""

import asyncio
import contextlib
import os
import pwd
import secrets as random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from gateway import tasks
from gateway.cli import stores
from gateway.errors import ConfigError, NotFound
from gateway.settings import Settings
from gateway.stores import secrets
from gateway.stores.memory_registry import MemoryRegistry
from gateway.stores.sqlite import registry as sqlite_registry
from gateway.stores.sqlite.ledger_file import OfflineLedger
from gateway.values import Principal
from gateway.web import api_table
from gateway.web.api_terms import Api, Ask, Caller, Document
from gateway.web.api_terms import Registry as ApiRegistry

_OF_THE_LEDGER = ("/api/audit/", "/api/decisions", "/api/log/", "/api/receipts/")
_OF_BOTH = ("/api/audit/unlinked", "/api/audit/report", "/api/audit/meter", "/api/wins")
"""What has to know teams or tasks too; where a folder has none, nothing is known of them."""
_REVEALS = frozenset((("GET", "/api/audit/entries"), ("GET", "/api/audit/report")))
_CHANGES = frozenset(
    (
        ("POST", "/api/audit/erase"),
        ("POST", "/api/audit/retire"),
        ("POST", "/api/log/cosignatures"),
    )
)
"""Routes that a server takes care of, or a command in its place."""
_REST = "{path:path}"
_VARIABLE = ("{id}", _REST)


class Registry(ApiRegistry, Protocol):
    """A registry that is given back."""

    def close(self) -> None:
        """Close it."""
        ...


class Local:
    """The stores in a folder or a database, asked as a gateway is."""

    def __init__(
        self,
        folder: Path | None,
        settings: Settings,
        clock: Callable[[], float],
        database: str = "",
    ) -> None:
        """Remember where the stores are; each question opens what it needs."""
        self._where = stores.Where(folder=folder, database=database)
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
        payload = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        value = self._perform(method, path, query, payload)
        return msgspec.json.decode(msgspec.json.encode(value))

    def document(
        self, path: str, *, query: Mapping[str, str] | None = None, timeout_s: float = 0.0
    ) -> bytes:
        """Return the bytes a route answers with that answers no JSON; raises GatewayError."""
        value = self._perform("GET", path, query, b"")
        assert isinstance(value, Document), f"{path} answers JSON"
        return value.body

    def _perform(
        self, method: str, path: str, query: Mapping[str, str] | None, payload: bytes
    ) -> Any:
        route, place = _route(method, path)
        ask = Ask(caller=_owner(), place=place, query=query or {}, body=payload)
        with closing(self._registry(route)) as registry:
            return asyncio.run(self._answer(registry, route, ask))

    async def _answer(
        self, registry: Registry, route: tuple[str, str], ask: Ask
    ) -> Any:  # what a route answers with
        with contextlib.ExitStack() as held:
            reading = held.enter_context(stores.to_read(self._where))
            changed: stores.Ledger | None = None
            if self._changes(route, ask):
                opened = stores.to_write(self._where, self._settings, self._clock)
                changed = held.enter_context(opened)
                changed.start(asyncio.get_running_loop())
            api = self._api(registry, reading, route, changed)
            return await api_table.perform(api, route, ask)

    def _changes(self, route: tuple[str, str], ask: Ask) -> bool:
        """Return whether the ledger is written as a server writes it."""
        # Beside a folder's server a reveal has a way of its own into the ledger (`_Offline`).
        reveals = bool(self._where.database) and route in _REVEALS and "reveal" in ask.query
        return reveals or route in _CHANGES

    def _registry(self, route: tuple[str, str]) -> Registry:
        method, path = route
        if path.startswith(_OF_THE_LEDGER) and path not in _OF_BOTH:
            return MemoryRegistry()  # the ledger alone is asked, and no file is made by asking
        if self._where.database:
            from gateway.stores.postgres import registry as database  # noqa: PLC0415  # no driver else

            return database.Registry.open(self._where.database)
        folder = self._folder()
        if path in _OF_BOTH and not (folder / sqlite_registry.FILE).exists():
            return MemoryRegistry()
        return sqlite_registry.Registry.open(folder, create=method == "POST")

    def _folder(self) -> Path:
        return self._where.folder or Path("data")

    def _api(
        self,
        registry: Registry,
        reading: stores.Reading,
        route: tuple[str, str],
        changed: stores.Ledger | None,
    ) -> Api:
        makes_keys = route[0] == "POST" and route[1].startswith("/api/keys")
        return Api(
            registry=registry,
            ledger=changed or _Offline(self._folder()),
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
            signers=lambda: stores.signers(self._where, self._settings, reading.log().origin),
        )

    def _pepper(self) -> bytes:
        return secrets.load_or_create(self._folder(), "pepper", self._settings.pepper)


class _Offline(OfflineLedger):
    """What a command may append beside a running server: a reveal, and nothing else."""

    def erase(self, principal: str, *, auditor: str, reason: str) -> Awaitable[int]:
        """Never asked for: see `_CHANGES`."""
        raise _no_writer()

    def retire(self, size: int) -> Awaitable[None]:
        """Never asked for: as above."""
        raise _no_writer()

    def cosign(self, size: int, line: str) -> Awaitable[None]:
        """Never asked for: as above."""
        raise _no_writer()


def _no_writer() -> ConfigError:
    return ConfigError("the ledger is not open to be written: stop its server, and try again")


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
        given = parts
        if shape[-1] == _REST and len(parts) > len(shape):
            given = [*parts[: len(shape) - 1], "/".join(parts[len(shape) - 1 :])]
        if route[0] == method and len(shape) == len(given) and _fits(shape, given):
            return route, {
                want.strip("{}").partition(":")[0]: unquote(part)
                for want, part in zip(shape, given, strict=True)
                if want in _VARIABLE
            }
    raise NotFound("nothing is served at this path")


def _fits(shape: Sequence[str], parts: Sequence[str]) -> bool:
    return all(want in (*_VARIABLE, part) for want, part in zip(shape, parts, strict=True))

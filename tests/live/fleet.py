"""
Two gateways over one PostgreSQL and one Valkey, as processes: what docker-compose.yml starts.

    with Fleet(tmp_path, provider.url) as fleet:
        fleet.one.ask("/v1/chat/completions", {...}, task="PROJ-1")
        fleet.entries()                       # `goodgate audit query --json`, of the database
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.live import trackers
from tests.live.server import (
    CATALOGUE,
    PEOPLE,
    POLICIES,
    RunningGateway,
    Site,
    command,
    raise_limits,
    until,
)
from tests.live.store import StoreProcess, together
from tests.stores.postgreses import Server

COMMON: Mapping[str, str] = {
    "GOODGATE_SECRET": "s" * 64,
    "GOODGATE_PEPPER": "p" * 64,
    "GOODGATE_LEDGER_KEY": "1f" * 32,
}
"""What is the same on every gateway."""


class Fleet:
    """The whole of it; entering starts everything, leaving ends everything."""

    def __init__(self, folder: Path, provider: str, *, policy: str = "", names: str = "12") -> None:
        self._folder = folder
        self._provider = provider
        self._policy = policy
        self._names = names
        self._stack = ExitStack()
        self.env: dict[str, str] = {}
        self.gateways: list[RunningGateway] = []

    def __enter__(self) -> Self:
        """Start the stores, fill them by the commands, start the gateways."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        self._stack.close()

    @property
    def one(self) -> RunningGateway:
        """The first gateway."""
        return self.gateways[0]

    @property
    def two(self) -> RunningGateway:
        """The second."""
        return self.gateways[1]

    def command(self, *args: str, expect: int = 0) -> str:
        """Return what a command prints that opens the database."""
        return command(*args, expect=expect, **self.env).stdout

    def entries(self, *filters: str) -> list[dict[str, Any]]:
        """Return what `goodgate audit query` prints."""
        asked = ("audit", "query", *filters, "--limit", "100000", "--json")
        found: list[dict[str, Any]] = json.loads(self.command(*asked))
        return found

    def settled(self, count: int, within_s: float = 15.0) -> list[dict[str, Any]]:
        """Return the entries once so many calls are settled and in order."""

        def closed() -> list[dict[str, Any]]:
            return [entry for entry in self.entries() if entry["completion"] is not None]

        until(lambda: len(closed()) >= count, within_s)
        return closed()

    def verify(self, expect: int = 0) -> dict[str, Any]:
        """Return the report of `goodgate audit verify` over the database, its key trusted."""
        vkey = json.loads(self.command("audit", "key", "--json"))["vkey"]
        printed = self.command(
            *("audit", "verify", "--database", self.env["GOODGATE_DATABASE_URL"]),
            *("--key", vkey, "--json"),
            expect=expect,
        )
        report: dict[str, Any] = json.loads(printed)
        return report

    def _start(self) -> None:
        self.postgres = Server()
        self._stack.callback(self.postgres.discard)
        self.postgres.start()
        self.store = self._stack.enter_context(StoreProcess(self._folder))
        self.env = {**COMMON, **trackers.ENV}
        self.env["GOODGATE_DATABASE_URL"] = self.postgres.fresh(tcp=True)
        keys, ids = self._seed()
        for name in self._names:
            site = Site(self._folder / name, dict(keys), dict(ids))
            site.folder.mkdir()
            self._configure(site)
            if self._policy:
                site.policy(self._policy)
            else:
                raise_limits(POLICIES / "default.yaml", site.policies)
            shared = {**self.env, "GOODGATE_REDIS_URL": self.store.url}
            self.gateways.append(self._stack.enter_context(site.running(**shared)))
        together(self.gateways, self.store)

    def _configure(self, site: Site) -> None:
        """Write a gateway's goodgate.yaml."""
        site.providers(self._provider, extra=trackers.TRACKERS)

    def _seed(self) -> tuple[dict[str, str], dict[str, str]]:
        catalogue = self._folder / "tasks.yaml"
        catalogue.write_text(CATALOGUE)
        self.command("task", "import", str(catalogue))
        keys: dict[str, str] = {}
        ids: dict[str, str] = {}
        for name in ("alice", "auditor"):
            made = json.loads(self.command("keys", "create", *PEOPLE[name], "--json"))
            keys[name], ids[name] = made["key"], made["id"]
        return keys, ids

"""What every command is handed: the settings, the clock, and whom to ask."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from msgspec import Struct

from gateway.cli.remote import TIMEOUT_S, Remote
from gateway.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Open the stores in this folder instead of asking GOODGATE_URL.",
    ),
]

Database = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="URL",
        help="Open this PostgreSQL database instead of asking GOODGATE_URL.",
    ),
]


class Asked(Protocol):
    """Whoever answers: a gateway over HTTP, or the same routes over a folder's stores."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        raw: bytes | None = None,
    ) -> Any:  # what JSON holds is for the command to know
        """Return the JSON a route answers with; raises GatewayError when it says no."""
        ...

    def document(
        self, path: str, *, query: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
    ) -> bytes:
        """Return the bytes a route answers with that answers no JSON; raises as `ask` does."""
        ...


class Desk(Struct, frozen=True, kw_only=True):
    """Where a command sits: what it was told from outside, and nothing global."""

    settings: Settings
    environ: Mapping[str, str]
    clock: Callable[[], float] = time.time

    @staticmethod
    def of(context: typer.Context) -> "Desk":
        """Return the desk of a running command."""
        desk = context.obj
        assert isinstance(desk, Desk)
        return desk

    def remote(self) -> Remote:
        """Return the gateway at GOODGATE_URL, asked with GOODGATE_KEY."""
        return Remote(self.settings.url, self.settings.key)

    def asked(self, data: Path | None, database: str = "") -> Asked:
        """Return who answers an admin's command: the stores that are meant, or the gateway."""
        from gateway.cli import stores  # noqa: PLC0415  # stores only where they are opened

        where = stores.meant(self.settings, data, database)
        if where is None:
            return self.remote()
        from gateway.cli.local import Local  # noqa: PLC0415  # as above

        return Local(where.folder, self.settings, self.clock, where.database)

"""
The program itself, as processes: gateways over one PostgreSQL and one Valkey, and its commands.

What is measured goes in over HTTP and comes out of the ledger, worked out again by the command an
auditor has.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.goodhart.model import KEYS, MODELS, OTHERS, PEOPLE, Piece, Scene
from benchmarks.goodhart.sending import Door
from gateway import credit
from tests.live import trackers
from tests.live.fleet import Fleet
from tests.live.server import RunningGateway, Site, environment, until

TRACKER: Final = "tickets"
UNVALUED_BUDGET: Final = 2
OPEN: Final = f"""version: 1
credit: {{unvalued_budget: {UNVALUED_BUDGET}}}
rules:
  - id: known-task
    description: A task that is named is one of the caller's own, and open.
    when: call.metered && task.evidence != "verified"
    effect: forbid
    code: task_unknown
    message: Name an open task of yours.
"""
"""A policy without limits: whatever an attacker may send is answered."""
_OK: Final = 200
_WAITING: Final = """
SELECT (SELECT count(*) FROM outbox_telling WHERE told_at IS NULL)
    + (SELECT count(*) FROM ledger_intake) + (SELECT count(*) FROM ledger_open_call)
"""
_ROOTS: Final = "SELECT packed FROM ledger_credit_root WHERE root_id = ANY(%s)"


class Stage(Fleet):
    """The fleet the tests start, with the benchmark's people, models and policy."""

    def __init__(self, folder: Path, *, policy: str = OPEN) -> None:
        """Prepare it; entering starts everything, leaving ends everything."""
        super().__init__(folder, "", policy=policy)
        self.keys: dict[str, list[str]] = {}

    @property
    def door(self) -> Door:
        """Where to send to."""
        urls = [gateway.url for gateway in self.gateways]
        return Door(urls=urls, keys=self.keys, tracker=TRACKER, secret=trackers.SECRET)

    def bring(self, scenes: Sequence[Scene], weights: Mapping[str, str] | None = None) -> None:
        """Import the tasks of some scenes; `weights` are set for some of them."""
        tasks = [_row(piece) for scene in scenes for piece in scene.pieces]
        for task in tasks:
            if task["id"] in (weights or {}):
                task["weight"] = (weights or {})[task["id"]]
        file = self._folder / "tasks.json"
        file.write_text(json.dumps({"tasks": tasks}))
        self.command("task", "import", str(file))
        for gateway in self.gateways:
            _wait_for(gateway, tasks[-1]["id"])

    def settle(self) -> None:
        """Return when all that was sent, and that trackers told, is in order in the ledger."""
        with self._session() as session:

            def is_told() -> bool:
                row = session.execute(_WAITING).fetchone()
                return row is not None and row[0] == 0

            until(is_told, 120)

    def units(self, roots: Collection[str]) -> int:
        """Return how much new was counted under some roots, as the sequencer has it."""
        self.settle()
        with self._session() as session:
            found = session.execute(_ROOTS, (list(roots),)).fetchall()
        return sum(len(credit.unpack(bytes(packed)).units) for (packed,) in found)

    def _session(self) -> psycopg.Connection:
        return psycopg.connect(self.env["GOODGATE_DATABASE_URL"], autocommit=True)

    def credit(self) -> Mapping[str, Decimal]:
        """Return the credit of each root, by the command an auditor has, over the whole ledger."""
        vkey = json.loads(self.command("audit", "key", "--json"))["vkey"]
        database = ("--database", self.env["GOODGATE_DATABASE_URL"])
        printed = self.command("credit", "recompute", *database, "--key", vkey, "--json")
        roots = json.loads(printed)["roots"]
        return {
            each["root_id"]: Decimal(each["provisional"]) + Decimal(each["settled"])
            for each in roots
        }

    def reported(self) -> Mapping[str, Decimal]:
        """Return the credit of each root, as the gateway's own report has it."""
        path = "/api/audit/report?by=root&reveal=benchmark"
        found = self.gateways[0].ask(path, key="auditor", method="GET").json
        return {
            row["root_id"]: Decimal(row["provisional"]) + Decimal(row["settled"])
            for row in found["rows"]
        }

    def command(self, *args: str, expect: int = 0) -> str:
        """Return what a command prints; over so large a ledger it may take minutes."""
        done = subprocess.run(  # its own program
            [sys.executable, "-m", "gateway", *args],
            env=environment(**self.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode != expect:
            raise RuntimeError(f"goodgate {' '.join(args[:2])}: {done.stderr[-500:]}")
        return done.stdout

    def _configure(self, site: Site) -> None:
        site.config.write_text(_config())

    def _seed(self) -> tuple[dict[str, str], dict[str, str]]:
        self.command("task", "import", str(self._empty()))
        for person, team in PEOPLE.items():
            self.keys[person] = [self._key(person, team) for _ in range(KEYS)]
        return {"auditor": self._key("vera", "audit", "--role", "auditor")}, {}

    def _empty(self) -> Path:
        file = self._folder / "first.json"
        file.write_text(json.dumps({"tasks": [{"id": "FIRST-1", "title": "The first"}]}))
        return file

    def _key(self, person: str, team: str, *options: str) -> str:
        named = ("--principal", person, "--team", team, *options)
        made: dict[str, Any] = json.loads(self.command("keys", "create", *named, "--json"))
        return str(made["key"])


def _wait_for(gateway: RunningGateway, task: str) -> None:
    """Return when a gateway knows a task that another process imported."""
    until(lambda: gateway.ask(f"/api/tasks/{task}", key="auditor", method="GET").status == _OK, 30)


def _config() -> str:
    models = "".join(f"  {name}: {{provider: local}}\n" for name in (*MODELS, "embed"))
    people = "".join(f"  {name}: {{{TRACKER}: {name}}}\n" for name in (*PEOPLE, *OTHERS))
    secret = "${TICKETS_SECRET}"
    return (
        f"providers:\n  local: {{format: simulated}}\nmodels:\n{models}"
        f'trackers:\n  {TRACKER}: {{kind: standard, secret: "{secret}"}}\npeople:\n{people}'
    )


def _row(piece: Piece) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": piece.id,
        "title": piece.id,
        "status": "closed" if piece.is_closed else "open",
        "team": piece.team,
        "creator": piece.creator,
        "members": list(piece.members),
        "canary": piece.canary,
    }
    if piece.is_closed:
        row["closed_at"] = "2026-01-05T09:00:00Z"
    if piece.root:
        row["root"] = piece.root
    elif piece.value:
        row |= {"value": piece.value, "valued_by": piece.valued_by}
    return row

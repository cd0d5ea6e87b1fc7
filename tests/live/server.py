"""
A gateway as its users meet it: a process, started by its command, spoken to over HTTP.

    site = Site.seed(tmp_path)                  # keys and a catalogue, made by the commands
    with site.running() as gateway:
        gateway.ask("/v1/chat/completions", {...}, task="PROJ-1")
        gateway.entries()                       # `goodgate audit query --json`

Nothing here sleeps: it waits for a line, for a process, or asks again until a deadline.
"""

import http.client
import json
import os
import re
import selectors
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from benchmarks.contenders import raise_limits

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "policies"
PROVIDER_CREDENTIAL = "sk-provider-canary-7f1d"
"""Sent to providers; must never be seen anywhere else."""

CATALOGUE = """\
tasks:
  - {id: PROJ-100, title: Payments never fail, status: open, team: payments, value: 1.0}
  - {id: PROJ-1, title: Login times out, status: open, root: PROJ-100, members: [alice, bob],
     team: payments, value: 1.0, creator: pm}
  - {id: PROJ-2, title: Slow search, status: open, team: payments}
  - {id: PROJ-9, title: Long gone, status: closed, closed_at: "2026-01-05T09:00:00Z",
     members: [alice]}
  - {id: OPS-7, title: Another team's, status: open, members: [carol], team: ops}
  - {id: "acme/shop#12", title: Basket, status: open, members: [alice]}
"""

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "alice": ("--principal", "alice", "--team", "payments"),
    "bob": ("--principal", "bob", "--team", "search"),
    "mini": ("--principal", "alice", "--team", "payments", "--models", "gpt-5-mini"),
    "admin": ("--principal", "root", "--team", "ops", "--role", "admin"),
    "auditor": ("--principal", "vera", "--team", "audit", "--role", "auditor"),
}
"""Whose keys a seeded site has: name -> options of `keys create`."""


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without a word for Goodgate, then `extra`."""
    inherited = os.environ  # noqa: TID251 - a test starts programs, and they need a PATH
    return {k: v for k, v in inherited.items() if not k.startswith(("GOODGATE_", "COV_"))} | extra


def command(*args: str, expect: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `goodgate …` to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *args],
        cwd=ROOT,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, f"goodgate {' '.join(args)}: {done.stdout}{done.stderr}"
    return done


def until(holds: Callable[[], object], within_s: float = 10.0) -> None:
    """Ask again and again whether something holds; fail when it does not in time."""
    deadline, pause = time.monotonic() + within_s, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {within_s} s"
        pause.wait(0.01)


@dataclass(frozen=True)
class Answer:
    """A reply, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        """What the gateway calls this call."""
        return self.headers["x-request-id"]


@dataclass
class Site:
    """A gateway's files: goodgate.yaml, policies and data; with the keys made for it."""

    folder: Path
    keys: dict[str, str] = field(default_factory=dict)
    key_ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def seed(cls, folder: Path, *, catalogue: str = CATALOGUE) -> "Site":
        """Make a site with the shipped policy, its limits raised."""
        site = cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tasks.yaml").write_text(catalogue)
        command("task", "import", str(folder / "tasks.yaml"), "--data", str(site.data))
        for name, options in PEOPLE.items():
            made = json.loads(
                command("keys", "create", *options, "--data", str(site.data), "--json").stdout
            )
            site.keys[name], site.key_ids[name] = made["key"], made["id"]
        raise_limits(POLICIES / "default.yaml", site.policies)
        return site

    def copy(self, folder: Path) -> "Site":
        """Return a site alike in another folder, as fresh as this one was when seeded."""
        shutil.copytree(self.folder, folder)
        return Site(folder, dict(self.keys), dict(self.key_ids))

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def policies(self) -> Path:
        """The folder of policies."""
        return self.folder / "policies"

    @property
    def config(self) -> Path:
        """goodgate.yaml."""
        return self.folder / "goodgate.yaml"

    def policy(self, text: str) -> "Site":
        """Replace every policy by one file, in one step."""
        self.policies.mkdir(exist_ok=True)
        for path in self.policies.iterdir():
            path.unlink()
        (self.policies / "rules.yaml").write_text(text)
        return self

    def providers(self, url: str, *, extra: str = "") -> "Site":
        """Write goodgate.yaml: a scripted provider at `url`, and the simulated one."""
        variable = "${PROVIDER_KEY}"
        draft = self.config.with_suffix(".draft")
        draft.write_text(
            "providers:\n"
            f'  openai: {{format: openai, base_url: "{url}/v1", api_key: "{variable}"}}\n'
            f'  anthropic: {{format: anthropic, base_url: "{url}/v1",'
            f' api_key: "{variable}"}}\n'
            "  local: {format: simulated}\n"
            "models:\n"
            "  gpt-5-mini: {provider: openai}\n"
            "  gpt-5: {provider: openai}\n"
            "  text-embedding-3-small: {provider: openai}\n"
            "  claude-haiku-4-5: {provider: anthropic}\n"
            "  fast: {provider: openai, model: gpt-5-mini}\n"
            "  sim: {provider: local}\n" + extra
        )
        draft.replace(self.config)
        return self

    @contextmanager
    def running(self, **env: str) -> "Iterator[RunningGateway]":
        """Run the gateway on these files."""
        gateway = RunningGateway(self, env)
        gateway.start()
        try:
            yield gateway
        finally:
            gateway.kill()

    def entries(self, *filters: str) -> list[dict[str, Any]]:
        """Return what `goodgate audit query` prints."""
        printed = command(
            *("audit", "query", *filters, "--data", str(self.data), "--limit", "100000", "--json")
        ).stdout
        found: list[dict[str, Any]] = json.loads(printed)
        return found

    def unlinked(self) -> list[dict[str, Any]]:
        """Return what `goodgate audit query --unlinked` prints."""
        printed = command("audit", "query", "--unlinked", "--data", str(self.data), "--json").stdout
        found: list[dict[str, Any]] = json.loads(printed)
        return found

    def leaves(self) -> list[dict[str, Any]]:
        """Return the ledger's leaves, straight from its file."""
        database = sqlite3.connect(f"file:{self.data / 'ledger.sqlite'}?mode=ro", uri=True)
        try:
            assert database.execute("SELECT count(*) FROM clash").fetchone() == (0,)
            assert database.execute("SELECT count(*) FROM intake").fetchone() == (0,)
            runs = database.execute("SELECT lines FROM leaf_run ORDER BY first_index").fetchall()
        finally:
            database.close()
        return [json.loads(line) for (lines,) in runs for line in lines.splitlines()]

    def entry(self, request_id: str) -> dict[str, Any]:
        """Return the one entry of a call."""
        (entry,) = [e for e in self.entries() if e["request_id"] == request_id]
        return entry


class RunningGateway:
    """`goodgate serve`, as a process."""

    def __init__(self, site: Site, env: Mapping[str, str]) -> None:
        """Prepare; `start` starts."""
        self.site = site
        self.port = 0
        self._env = {"PROVIDER_KEY": PROVIDER_CREDENTIAL} | dict(env)
        self._log = site.folder / "stderr.log"
        self._stderr: TextIO | None = None
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def said(self) -> str:
        """Everything it wrote to standard error so far."""
        return self._log.read_text(errors="replace")

    def start(self, within_s: float = 30.0) -> None:
        """Start it and wait for its ready line."""
        self._stderr = self._log.open("a")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gateway", "serve", "--config", str(self.site.config)),
                *("--policies", str(self.site.policies), "--data", str(self.site.data)),
                *("--host", "127.0.0.1", "--port", "0"),
            ],
            cwd=ROOT,
            env=environment(**self._env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        line = self._first_line(within_s)
        found = re.fullmatch(r"goodgate: listening on http://127\.0\.0\.1:(\d+)\n", line)
        if found is None:
            self.kill()
        assert found is not None, f"no ready line but {line!r}; {self.said}"
        self.port = int(found.group(1))

    def stop(self, within_s: float = 30.0) -> int:
        """End it as an operator would, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(within_s)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, within_s: float = 30.0) -> int:
        """Wait for its end and return its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(within_s)
        finally:
            self._close()

    def kill(self) -> None:
        """End it at once, as a crash would; nothing happens when it is over already."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        if self._stderr is not None:
            self._stderr.close()

    def _first_line(self, within_s: float) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(within_s):
                return ""
        return self.process.stdout.readline()

    def ask(
        self,
        path: str,
        body: object = None,
        *,
        key: str = "alice",
        task: str | None = None,
        method: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its reply whole."""
        sent = {"content-type": "application/json"} | dict(headers or {})
        if key:
            sent["authorization"] = f"Bearer {self.site.keys.get(key, key)}"
        if task is not None:
            sent["x-task-id"] = task
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method or ("GET" if body is None else "POST"),
                path,
                content,
                {name: value.encode() for name, value in sent.items()},
            )
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, found, reply.read())
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """Return a metric without labels."""
        page = self.ask("/metrics", key="").body.decode()
        (value,) = re.findall(rf"^{name} (\S+)$", page, re.MULTILINE)
        return float(value)

    def quiet(self, within_s: float = 10.0) -> None:
        """Wait until no call is open."""
        until(lambda: self.metric("goodgate_open_calls") == 0, within_s)

    def resident_kib(self) -> int:
        """Return its resident memory in KiB (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (value,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return int(value)


def chat(text: str = "Why does the login time out?", **extra: object) -> dict[str, Any]:
    """Return the body of a chat call."""
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-5-mini", "messages": messages, "max_tokens": 64} | extra


def message(text: str = "Why does the login time out?", **extra: object) -> dict[str, Any]:
    """Return the body of a messages call."""
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-haiku-4-5", "messages": messages, "max_tokens": 64} | extra

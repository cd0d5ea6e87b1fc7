"""`goodgate serve --workers 2`: gateways behind one port, and a parent that keeps them alive."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.fleet import Fleet
from tests.live.scripted import ProviderThread
from tests.live.server import ROOT, RunningGateway, chat, command, environment, until

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, scripted: ProviderThread) -> Iterator[Fleet]:
    """The stores, and a site to start workers on."""
    with Fleet(tmp_path_factory.mktemp("workers"), scripted.url, names="1") as running:
        running.one.stop()
        yield running


@contextmanager
def workers(fleet: Fleet, count: int) -> Iterator[tuple[subprocess.Popen[str], RunningGateway]]:
    """Run some workers, and give the parent and a way to ask them."""
    site = fleet.one.site
    shared = {"GOODGATE_REDIS_URL": fleet.store.url, "PROVIDER_KEY": "x", **fleet.env}
    parent = subprocess.Popen(
        [
            *(sys.executable, "-m", "gateway", "serve", "--config", str(site.config)),
            *("--policies", str(site.policies), "--data", str(site.data)),
            *("--port", "0", "--workers", str(count)),
        ],
        cwd=ROOT,
        env=environment(**shared),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert parent.stdout is not None
        line = parent.stdout.readline()
        found = re.fullmatch(rf"goodgate: listening on \S+:(\d+) \({count} workers\)\n", line)
        assert found is not None, line
        asked = RunningGateway(site, {})
        asked.port = int(found[1])
        yield parent, asked
    finally:
        parent.terminate()
        parent.communicate(timeout=30)


def children(parent: subprocess.Popen[str]) -> list[int]:
    """Return the pids of a process's children."""
    listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one nobody waits for any more does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_share_a_port_and_a_ledger(fleet: Fleet) -> None:
    before = {entry["request_id"] for entry in fleet.entries()}
    with workers(fleet, 2) as (parent, asked):
        made = [asked.ask(CHAT, chat(f"Question {n}, please"), task="PROJ-1") for n in range(8)]
        assert [answer.status for answer in made] == [200] * 8
        started = children(parent)
        parent.terminate()
        assert parent.wait(30) == 0

    assert len(started) == 2
    assert not any(is_alive(pid) for pid in started)
    entries = {entry["request_id"] for entry in fleet.entries()} - before
    assert {answer.request_id for answer in made} == entries


def test_a_worker_that_dies_is_started_again(fleet: Fleet) -> None:
    with workers(fleet, 2) as (parent, asked):
        first, second = children(parent)

        os.kill(first, signal.SIGKILL)

        until(lambda: len(children(parent)) == 2 and first not in children(parent), 20)
        assert second in children(parent)
        assert asked.ask(CHAT, chat("Is one of you there?"), task="PROJ-1").status == 200


def test_workers_end_with_their_parent(fleet: Fleet) -> None:
    with workers(fleet, 2) as (parent, _):
        started = children(parent)
        parent.kill()
        until(lambda: not any(is_alive(pid) for pid in started), 20)
        assert parent.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("missing", ["GOODGATE_REDIS_URL", "GOODGATE_DATABASE_URL"])
def test_workers_need_both_stores(tmp_path: Path, missing: str) -> None:
    env = {
        "GOODGATE_REDIS_URL": "redis://127.0.0.1:1",
        "GOODGATE_DATABASE_URL": "postgresql://127.0.0.1:1/x",
    }
    del env[missing]
    done = command("serve", "--workers", "2", "--data", str(tmp_path), expect=1, **env)
    assert "--workers 2 needs GOODGATE_REDIS_URL and GOODGATE_DATABASE_URL" in done.stderr

"""Starting, reloading, revoking and stopping a server that is in use."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import ROOT, RunningGateway, Site, chat, command, environment, until
from tests.live.store import StoreProcess, is_shared

CHAT = "/v1/chat/completions"
RULES = """\
version: 1
rules:
  - id: require-task
    when: task.evidence in ["none", "inferred"] && call.metered
    effect: forbid
    message: {message}
"""
BROKEN = """\
version: 1
rules:
  - id: require-task
    when: task.evidnce == "none"
    effect: forbid
    message: x
"""


def caller_headers(gateway: RunningGateway) -> dict[str, str]:
    """Return what a caller named alice sends with each call."""
    return {
        "authorization": f"Bearer {gateway.site.keys['alice']}",
        "x-task-id": "PROJ-1",
        "connection": "close",
    }


def policy_of(gateway: RunningGateway) -> str:
    """Return the digest of the policies in force."""
    digest: str = gateway.ask("/health/ready", key="").json["policy"]
    return digest


def test_a_revoked_key_is_dead_within_five_seconds(site: Site) -> None:
    with site.running() as gateway:
        assert gateway.ask("/v1/models", key="bob").status == 200
        data = ("--data", str(site.data))
        command("keys", "revoke", site.key_ids["bob"], *data)
        revoked = time.monotonic()

        until(lambda: gateway.ask("/v1/models", key="bob").status == 401, within_s=5)

        assert time.monotonic() - revoked < 5
        assert gateway.ask("/v1/models", key="alice").status == 200


def test_a_key_made_while_the_server_runs_works(site: Site) -> None:
    with site.running() as gateway:
        made = gateway.ask("/api/keys", {"principal": "dora", "team": "payments"}, key="admin")
        assert made.status == 200, made.body
        local = json.loads(
            command(
                *("keys", "create", "--principal", "eve", "--team", "payments"),
                *("--data", str(site.data), "--json"),
            ).stdout
        )

        until(lambda: gateway.ask("/v1/models", key=local["key"]).status == 200, within_s=5)
        assert gateway.ask("/v1/models", key=made.json["key"]).status == 200


def test_sigterm_lets_a_stream_finish_and_loses_nothing(
    site: Site, provider: ProviderThread
) -> None:
    provider.script.append("stall:2")
    with site.running() as gateway:
        received = asyncio.run(_stop_in_mid_stream(gateway, provider))
        # uvicorn ends by the signal it was sent, once everything is done.
        assert gateway.wait() in {0, -signal.SIGTERM}
        assert "Traceback" not in gateway.said

    assert statuses(received) == [200]
    assert b"word4" in received
    assert received.endswith(b"0\r\n\r\n")
    (entry,) = site.entries()
    assert (entry["completion"], entry["output_tokens"]) == ("complete", 5)


async def _stop_in_mid_stream(gateway: RunningGateway, provider: ProviderThread) -> bytes:
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, chat(stream=True), caller_headers(gateway))
        await caller.read_until(b"word1")
        gateway.signal(signal.SIGTERM)
        await asyncio.to_thread(until, lambda: _refuses(gateway))
        provider.go()
        return await caller.read_all()


def _refuses(gateway: RunningGateway) -> bool:
    """Return whether new connections are turned away, or answered with 503."""
    try:
        return gateway.ask("/health/ready", key="").status == 503
    except OSError:
        return True


def test_a_stream_that_does_not_end_in_time_is_settled_all_the_same(
    site: Site, provider: ProviderThread
) -> None:
    provider.script.append("stall:2")
    with site.running(GOODGATE_DRAIN_S="1") as gateway:
        asyncio.run(_stop_and_wait(gateway))
        gateway.wait()

    (entry,) = site.entries()
    assert entry["completion"] in {"cancelled", "truncated"}
    assert entry["output_tokens"] >= 2


async def _stop_and_wait(gateway: RunningGateway) -> None:
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, chat(stream=True), caller_headers(gateway))
        await caller.read_until(b"word1")
        gateway.signal(signal.SIGTERM)
        await caller.read_all(20)


@pytest.mark.parametrize("how", ["file", "signal", "request"])
def test_a_reload_takes_the_new_policy_and_fails_no_call(
    site: Site, provider: ProviderThread, how: str
) -> None:
    provider.script.append("stall:2")
    with site.running() as gateway:
        received = asyncio.run(_reload_in_mid_stream(gateway, provider, how))
        refused = gateway.ask(CHAT, chat(model="sim"))
        served = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")

    assert statuses(received) == [200]
    assert b"word4" in received
    assert refused.status == 400
    assert "The new words." in refused.json["error"]["message"]
    assert served.status == 200
    in_flight, later = sorted(site.entries("--task", "PROJ-1"), key=lambda e: e["received_at"])
    assert in_flight["policy"] != later["policy"]
    assert in_flight["completion"] == later["completion"] == "complete"


async def _reload_in_mid_stream(
    gateway: RunningGateway, provider: ProviderThread, how: str
) -> bytes:
    before = policy_of(gateway)
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, chat(stream=True), caller_headers(gateway))
        await caller.read_until(b"word1")
        gateway.site.policy(RULES.format(message="The new words."))
        if how == "signal":
            gateway.signal(signal.SIGHUP)
        elif how == "request":
            answer = await asyncio.to_thread(
                gateway.ask, "/-/reload", b"", key="admin", method="POST"
            )
            assert answer.status == 200, answer.body
            assert policy_of(gateway) == answer.json["policy"] != before
        await asyncio.to_thread(until, lambda: policy_of(gateway) != before)
        provider.go()
        return await caller.read_all()


def test_providers_are_reloaded_too(site: Site, provider: ProviderThread) -> None:
    with site.running() as gateway:
        unknown = gateway.ask(CHAT, chat(model="brand-new"), task="PROJ-1")
        site.providers(provider.url, extra="  brand-new: {provider: local}\n")
        assert gateway.ask("/-/reload", b"", key="admin", method="POST").status == 200
        served = gateway.ask(CHAT, chat(model="brand-new"), task="PROJ-1")

    assert unknown.status == 404
    assert served.status == 200


@pytest.mark.parametrize("broken", ["policy", "config"])
def test_a_broken_file_keeps_the_last_good_one_and_is_told(site: Site, broken: str) -> None:
    with site.running() as gateway:
        before = policy_of(gateway)
        assert gateway.metric("goodgate_policy_reload_success") == 1
        if broken == "policy":
            site.policy(BROKEN)
        else:
            site.config.write_text("providers:\n  openai: {format: opnai}\n")
        answer = gateway.ask("/-/reload", b"", key="admin", method="POST")
        gateway.signal(signal.SIGHUP)
        until(lambda: "reload refused" in gateway.said)
        ready = gateway.ask("/health/ready", key="")
        admins = gateway.ask("/api/whoami", key="admin").json
        served = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")
        success = gateway.metric("goodgate_policy_reload_success")

    assert answer.status == 400
    place = "rules.yaml:4:" if broken == "policy" else "goodgate.yaml:2:"
    assert place in answer.body.decode()
    assert ready.status == 200
    assert ready.json["policy"] == before
    assert place in admins["reload_error"]
    assert place.partition(":")[0] in ready.json["reload"]["error"]
    assert success == 0
    assert served.status == 200
    assert served.headers["x-goodgate-policy"] == before


def test_a_hundred_reloads_under_load_fail_no_call(site: Site) -> None:
    """Half of them broken."""
    with site.running() as gateway:
        failed, served = asyncio.run(_reload_under_load(gateway, 100))

    assert failed == []
    assert served > 100


async def _reload_under_load(gateway: RunningGateway, times: int) -> tuple[list[int], int]:
    over, seen = asyncio.Event(), list[int]()

    async def load() -> None:
        while not over.is_set():
            async with RawCaller(gateway.port) as caller:
                await caller.post(CHAT, chat(model="sim"), caller_headers(gateway))
                seen.extend(statuses(await caller.read_all()))

    callers = [asyncio.ensure_future(load()) for _ in range(4)]
    number = 0
    while number < times or len(seen) <= times:
        good = RULES.format(message=f"Words {number}.")
        gateway.site.policy(BROKEN if number % 2 else good)
        answer = await asyncio.to_thread(gateway.ask, "/-/reload", b"", key="admin", method="POST")
        # The watcher may have read the folder while the file was being replaced.
        assert answer.status == (400 if number % 2 else 200), answer.body
        number += 1
    over.set()
    await asyncio.gather(*callers)
    return [status for status in seen if status != 200], len(seen)


def start_refused(site: Site, *options: str, **env: str) -> str:
    """Run `serve` where it must refuse to start; return what it says."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gateway", "serve", "--config", str(site.config)),
            *("--policies", str(site.policies), "--data", str(site.data), "--port", "0"),
            *options,
        ],
        cwd=ROOT,
        env=environment(PROVIDER_KEY="k", **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "listening" not in done.stdout
    return done.stderr


def test_more_workers_need_shared_stores(site: Site) -> None:
    said = start_refused(site, "--workers", "2")

    assert "GOODGATE_REDIS_URL" in said
    assert "GOODGATE_DATABASE_URL" in said


def test_shared_quotas_alone_are_not_enough_for_more_workers(site: Site) -> None:
    said = start_refused(site, "--workers", "2", GOODGATE_REDIS_URL="redis://127.0.0.1:1")

    assert "GOODGATE_DATABASE_URL" in said
    assert "leave out --workers" in said


def test_a_database_that_cannot_be_reached_is_named_without_its_password(site: Site) -> None:
    url = "postgresql://goodgate:hunter2@127.0.0.1:1/goodgate"

    said = start_refused(site, GOODGATE_DATABASE_URL=url)

    assert "127.0.0.1" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@127.0.0.1:6379",
        "redis://:hunter2@127.0.0.1:port",
        "redis://:hunter2@",
        "redis://:hunter2@127.0.0.1:6379/first",
        "redis://:hunter2@127.0.0.1:6379/0?ssl=maybe",
        "127.0.0.1:6379",
    ],
)
def test_a_store_that_cannot_be_addressed_is_told_without_its_password(
    site: Site, url: str
) -> None:
    said = start_refused(site, GOODGATE_REDIS_URL=url)

    assert "GOODGATE_REDIS_URL" in said
    assert "redis://" in said
    assert "hunter2" not in said
    assert said.count("\n") == 1


def test_a_store_that_is_away_at_start_hinders_nobody(site: Site, tmp_path: Path) -> None:
    """It is shared as soon as it is there."""
    store = StoreProcess(tmp_path)
    with store, site.running(GOODGATE_REDIS_URL=store.url) as before:
        assert is_shared(before)
        store.kill()
        before.stop()
        with site.running(GOODGATE_REDIS_URL=store.url) as gateway:
            alone = gateway.ask("/health/ready", key="")
            served = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")
            store.start()
            until(lambda: is_shared(gateway))
            again = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")

    assert alone.status == 200
    assert alone.json["store"]["is_shared"] is False
    assert (served.status, again.status) == (200, 200)


def test_a_replica_with_another_secret_does_not_start(
    site: Site, seeded: Site, tmp_path: Path
) -> None:
    other = seeded.copy(tmp_path / "other").providers("http://127.0.0.1:9")
    with (
        StoreProcess(tmp_path) as store,
        site.running(GOODGATE_REDIS_URL=store.url, GOODGATE_SECRET="a" * 64) as gateway,
    ):
        until(lambda: store.listeners() == 1)
        said = start_refused(other, GOODGATE_REDIS_URL=store.url, GOODGATE_SECRET="b" * 64)
        with other.running(GOODGATE_REDIS_URL=store.url, GOODGATE_SECRET="a" * 64) as second:
            until(lambda: second.metric("goodgate_store_replicas") == 2)
        assert is_shared(gateway)

    assert "GOODGATE_SECRET" in said
    assert "a" * 64 not in said
    assert "b" * 64 not in said


def test_a_second_server_on_the_same_data_is_refused(site: Site) -> None:
    with site.running() as gateway:
        said = start_refused(site)
        assert gateway.ask("/health/ready", key="").status == 200

    assert str(site.data) in said


def test_a_policy_with_a_mistake_is_told_with_its_place(site: Site) -> None:
    site.policy(BROKEN)

    said = start_refused(site)

    assert "rules.yaml:4:" in said
    assert "evidnce" in said


def test_a_variable_that_is_not_set_is_told(site: Site) -> None:
    site.config.write_text(
        "providers:\n  openai: {format: openai, base_url: 'http://127.0.0.1:9/v1',"
        ' api_key: "${NO_SUCH_VARIABLE}"}\nmodels:\n  "*": {provider: openai}\n'
    )

    assert "NO_SUCH_VARIABLE" in start_refused(site)


def test_the_manuals_catalogue_is_imported_though_its_root_is_elsewhere(
    site: Site, tmp_path: Path
) -> None:
    """Exact form of design section 4: scripts written against it must keep working."""
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(
        "tasks:\n  - {id: PROJ-123, title: Login times out, status: open, root: PROJ-99,"
        ' members: [alice, bob], team: payments, value: 1.0, creator: pm, url: "https://x.test/1"}\n'
    )

    command("task", "import", str(catalogue), "--data", str(site.data))

    with site.running() as gateway:
        answer = gateway.ask(CHAT, chat(model="sim"), task="PROJ-123")
    assert answer.status == 200
    assert site.entry(answer.request_id)["root_id"] == "PROJ-99"


def test_health_is_told_without_a_key(gateway: RunningGateway) -> None:
    assert gateway.ask("/health/live", key="").status == 200
    ready = gateway.ask("/health/ready", key="")
    assert ready.status == 200
    assert ready.json["ready"] is True
    assert "goodgate_open_calls" in gateway.ask("/metrics", key="").body.decode()


def test_what_a_crash_left_open_is_settled_at_the_next_start(
    site: Site, provider: ProviderThread
) -> None:
    provider.script.append("stall:2")
    with site.running() as gateway:
        asyncio.run(_begin(gateway))
        gateway.kill()
    with site.running() as again:
        again.stop()

    (entry,) = site.entries()
    assert entry["completion"] == "unknown_crash"
    assert entry["output_tokens"] >= 2


async def _begin(gateway: RunningGateway) -> None:
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, chat(stream=True), caller_headers(gateway))
        await caller.read_until(b"word1")


def test_serving_imports_only_what_it_uses(tmp_path: Path) -> None:
    """On the embedded default: no litellm, no driver of a store that is not used, no terminal."""
    program = "import sys, gateway.app, gateway.cli.serve; print(*sys.modules, sep='\\n')"
    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    loaded = {name.partition(".")[0] for name in printed.split()}

    unwanted = {
        *("litellm", "openai", "anthropic", "httpx", "httpx2", "redis", "psycopg"),
        *("joserfc", "typer", "rich", "pydantic", "tiktoken", "requests"),
    }
    assert not loaded & unwanted

"""
The store of quotas is killed, emptied, frozen and lost under load: no call fails because of it.

What may pass meanwhile is stated in gateway/stores/redis/fallback.py. One gateway is its only
replica here, so its share of a limit is the whole of it.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, Site, chat, command, until
from tests.live.store import StoreProcess, is_shared, running

CHAT = "/v1/chat/completions"
CALLERS = 6
FROZEN_S = 5.0
LONGEST_S = 2.5
"""A command of the store is given 1 s; then it is away, and nobody waits for it any more."""
QUOTA, BUDGET = 5, 12
MODELS = "  few: {provider: local}\n  counted: {provider: local}\n"
RULES = """\
version: 1
reuse: {exact: coalesce, share: principal}
on_store_failure: {quotas: MODE, ledger: closed}
rules:
  - id: near-identical
    when: likeness.kind in ["near", "exact"]
    quota: {calls: 100000, per: 1m, by: [principal, task, likeness.cluster]}
  - {id: few, when: call.model == "few", quota: {calls: 5, per: 1h, by: [principal]}}
  - {id: counted, when: call.model == "counted", budget: {calls: 12, period: month, by: [task]}}
  - {id: cost, budget: {cost_usd: 200, period: month, by: [task]}}
"""


@dataclass
class Load:
    """Callers that ask without end, one connection each, and what they met."""

    gateway: RunningGateway
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest_s: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def served(self) -> int:
        """How many calls without a limit were answered."""
        return self.statuses["gpt-5-mini", 200]

    def more(self, calls: int = 50) -> None:
        """Wait until so many more are answered."""
        wanted = self.served + calls
        until(lambda: self.served >= wanted or self.failures, 20)
        assert self.failures == []

    def run(self, name: int) -> None:
        """Call until it is over: mostly something new, at times what was asked before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=30)
        number = 0
        while not self._over.is_set():
            number += 1
            model = {7: "few", 9: "counted"}.get(number % 10, "gpt-5-mini")
            about = number % 10 if number % 3 else number
            self._one(connection, model, f"Question {about} of caller {name}: why is it slow?")
        connection.close()

    def stop(self) -> None:
        """Let every caller have its last reply."""
        self._over.set()

    def _one(self, connection: http.client.HTTPConnection, model: str, text: str) -> None:
        began = time.monotonic()
        try:
            key = self.gateway.site.keys["alice"]
            headers = {"authorization": f"Bearer {key}", "x-task-id": "PROJ-1"}
            body = json.dumps(chat(text, model=model))
            connection.request("POST", CHAT, body, headers | {"content-type": "application/json"})
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
            return
        self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.statuses[model, reply.status] += 1
        if reply.status != 200 and model == "gpt-5-mini":
            self.failures.append(content.decode())


@contextmanager
def under_load(gateway: RunningGateway) -> Iterator[Load]:
    """Load a gateway as long as the block runs."""
    load = Load(gateway)
    callers = [threading.Thread(target=load.run, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield load
    finally:
        load.stop()
        for caller in callers:
            caller.join(30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    """A Valkey of the test's own."""
    with StoreProcess(tmp_path) as process:
        yield process


@pytest.fixture
def replica(site: Site, provider: ProviderThread) -> Site:
    """A site with limits to be kept; not running."""
    return site.providers(provider.url, extra=MODELS).policy(RULES.replace("MODE", "share"))


def restarted(store: StoreProcess, gateway: RunningGateway, load: Load) -> None:
    """It crashes, and comes back with nothing."""
    store.kill()
    until(lambda: not is_shared(gateway))
    load.more()
    store.start()


def frozen(store: StoreProcess, gateway: RunningGateway, load: Load) -> None:
    """It holds its connections and says nothing, then goes on with what it had."""
    store.freeze()
    began = time.monotonic()
    until(lambda: not is_shared(gateway))
    load.more()
    until(lambda: time.monotonic() - began >= FROZEN_S)
    store.thaw()


def emptied(store: StoreProcess, gateway: RunningGateway, load: Load) -> None:
    """It forgets everything and goes on: nobody sees it go."""
    assert is_shared(gateway)
    store.empty()
    load.more()


Fault = Callable[[StoreProcess, RunningGateway, Load], None]


@pytest.mark.parametrize("fault", [restarted, frozen, emptied])
def test_a_fault_fails_no_call_and_the_budget_is_what_the_ledger_says(
    replica: Site, store: StoreProcess, fault: Fault
) -> None:
    with running([replica], store) as (gateway,), under_load(gateway) as load:
        load.more()
        fault(store, gateway, load)
        until(lambda: is_shared(gateway), 15)
        load.more()
        load.stop()
        gateway.quiet()
        assert load.failures == []
        entries = replica.entries()
        until(lambda: store.used() == spent(entries), 15)
        fallbacks = gateway.metric("goodgate_store_fallbacks")
        outages = gateway.metric("goodgate_store_outages")

    assert load.longest_s < LONGEST_S
    # A life of the store may admit its limit and what leaks, and this replica as much by itself.
    lives = 1 if fault is frozen else 2
    assert load.statuses["few", 200] <= 2 * QUOTA * lives + 2 * QUOTA
    # That it forgot is seen at the next draw; by then others may be on their way.
    unseen = CALLERS if fault is emptied else 0
    assert BUDGET <= load.statuses["counted", 200] <= BUDGET + unseen
    assert (fallbacks > 0, outages) == ((False, 0) if fault is emptied else (True, 1))


def spent(entries: list[dict[str, Any]]) -> int:
    """Return what all budgets should hold: nano-dollars, and calls to the model that has one."""
    cost = sum(Decimal(entry["cost_usd"] or 0) for entry in entries)
    counted = sum(
        entry["model_requested"] == "counted" and entry["decision"] != "refused"
        for entry in entries
    )
    return int(cost * 1_000_000_000) + counted


def test_a_store_that_is_lost_for_good_is_seen_by_whoever_looks(
    replica: Site, store: StoreProcess
) -> None:
    with running([replica], store) as (gateway,):
        well = looked_at(gateway)
        with under_load(gateway) as load:
            load.more()
            store.kill()
            until(lambda: not is_shared(gateway))
            load.more(200)
        ill = looked_at(gateway)
        gateway.stop()
        said = gateway.said

    assert load.failures == []
    assert load.longest_s < LONGEST_S
    assert load.statuses["counted", 200] <= BUDGET
    assert well[0] == {"kind": "redis", "is_shared": True, "reason": "", "outages": 0}
    assert "ok    store      Redis, used by this gateway alone\n" in well[1]
    assert ill[0] == {"kind": "redis", "is_shared": False, "outages": 1} | {
        "reason": ill[0]["reason"]
    }
    assert ill[0]["reason"] not in {"", "not started"}
    assert "warn  store      Redis is away (" in ill[1]
    assert said.count("the store of quotas is away") == 1
    assert "Traceback" not in said


def looked_at(gateway: RunningGateway) -> tuple[dict[str, Any], str]:
    """Return what `/health/ready` and `goodgate doctor` say of the store."""
    ready = gateway.ask("/health/ready", key="")
    assert ready.status == 200
    store = ready.json["store"]
    assert (store["fallbacks"] > 0) is not store["is_shared"]
    shown = {name: store[name] for name in ("kind", "is_shared", "reason", "outages")}
    env = {"GOODGATE_URL": gateway.url, "GOODGATE_KEY": gateway.site.keys["alice"]}
    return shown, command("doctor", **env).stdout


def test_closed_lets_nothing_through_that_draws_until_the_store_is_back(
    replica: Site, store: StoreProcess
) -> None:
    rules = RULES.replace("MODE", "closed").replace("{id: cost,", "{id: cost, when: call.metered,")
    replica.policy(rules)
    with running([replica], store) as (gateway,):
        before = gateway.ask(CHAT, chat(), task="PROJ-1")
        store.kill()
        until(lambda: not is_shared(gateway))
        refused = gateway.ask(CHAT, chat(), task="PROJ-1")
        models = gateway.ask("/v1/models")
        store.start()
        until(lambda: is_shared(gateway), 15)
        after = gateway.ask(CHAT, chat(), task="PROJ-1")
        gateway.quiet()
        entries = replica.entries()
        until(lambda: store.used() == spent(entries), 15)

    assert (before.status, models.status, after.status) == (200, 200, 200)
    assert refused.status == 503
    error = refused.json["error"]
    assert error["code"] == "store_unavailable"
    assert "on_store_failure" in error["message"]
    assert "x-should-retry" not in refused.headers  # SDKs try again by themselves

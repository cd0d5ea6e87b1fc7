"""
Every route, every way a call can end: one intent, one settle, no token lost, nothing reserved.

Each case names a task of its own, so the ledger says which call was whose even where
the caller left before it learnt a request id.
"""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, Site, chat, message, until

TOKENS = 5
"""What the scripted provider answers with."""

ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", chat()),
    "completions": ("/v1/completions", {"model": "gpt-5-mini", "prompt": "x", "max_tokens": 64}),
    "responses": ("/v1/responses", {"model": "gpt-5-mini", "input": "x"}),
    "messages": ("/v1/messages", message()),
    "embeddings": ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "x"}),
    "count_tokens": ("/v1/messages/count_tokens", message()),
}
STREAMED = ("chat", "completions", "responses", "messages")
LAST_WORDS = {
    "chat": b'"usage": {"prompt',
    "completions": b'"usage": {"prompt',
    "responses": b"response.completed",
    "messages": b'"usage": {"output_tokens"',
}
"""What of a stream says its usage."""

POLICY = """\
version: 1
rules:
  - id: require-task
    when: task.evidence in ["none", "inferred"] && call.metered
    effect: forbid
    message: Say which task this is for. Run `goodgate task start PROJ-123`, or send X-Task-Id.
  - id: allowance
    budget: {tokens: 100000000, period: month, by: [principal]}
"""


@dataclass(frozen=True)
class Case:
    """One way a call can go."""

    route: str
    kind: str
    """`plain` or `stream`."""
    ending: str
    """What the caller does: `waits`, or hangs up at a named point."""
    script: str = "normal"
    """What the provider does."""

    def __str__(self) -> str:
        """Name the case."""
        return f"{self.route}-{self.kind}-{self.ending}-{self.script}".replace(":", "")


PLAIN = [
    ("waits", "normal"),
    ("waits", "429:1"),
    ("waits", "500"),
    ("waits", "html"),
    ("waits", "cut:1"),
    ("waits", "no_usage"),
    ("before head", "slow"),
    ("after end", "normal"),
]
STREAM = [
    *PLAIN,
    ("waits", "cut:0"),
    ("waits", "cut:3"),
    ("waits", "reset:3"),
    ("waits", "no_end"),
    ("waits", "garbage+comments+crlf+bytewise"),
    ("after 2 chunks", "stall:2"),
    ("before usage", f"stall:{TOKENS}"),
    ("after usage", "normal"),
]
CASES = [
    *(Case(route, "plain", *rest) for route, rest in product(ROUTES, PLAIN)),
    *(Case(route, "stream", *rest) for route, rest in product(STREAMED, STREAM)),
]


@dataclass
class Outcome:
    """What the caller saw of a case, and the entries it left."""

    status: int
    delivered: int
    entries: list[dict[str, Any]]


@dataclass
class Run:
    """All of them, and what the gateway looked like afterwards."""

    outcomes: dict[str, Outcome]
    leaves: Counter[tuple[str, str]]
    """(attempt, kind) -> how many leaves of the ledger."""
    open_calls: float
    spent_by_quota: int
    spent_by_ledger: int
    complaints: str


@pytest.fixture(scope="module")
def run(seeded: Site, scripted: ProviderThread, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Drive every case against one gateway, then read its ledger once."""
    scripted.reset()
    folder = tmp_path_factory.mktemp("matrix") / "site"
    site = seeded.copy(folder).providers(scripted.url).policy(POLICY)
    # One more for the calls that only ask how much is left of the allowance.
    rows = [f"  - {{id: M-{n}, status: open, members: [alice]}}" for n in range(len(CASES) + 1)]
    catalogue = folder / "matrix.yaml"
    catalogue.write_text("tasks:\n" + "\n".join(rows) + "\n")
    with site.running() as gateway:
        imported = gateway.ask(
            "/api/tasks/import?name=matrix.yaml", catalogue.read_bytes(), key="admin"
        )
        assert imported.status == 200, imported.body
        left_before = _left(gateway)
        seen = [_drive(gateway, scripted, n, case) for n, case in enumerate(CASES)]
        gateway.quiet()
        spent_by_quota = left_before - _left(gateway)
        open_calls = gateway.metric("goodgate_open_calls")
        complaints = gateway.said
        gateway.stop()
    entries = site.entries()
    asking = f"M-{len(CASES)}"
    outcomes = {
        str(case): Outcome(status, delivered, [e for e in entries if e["task_id"] == f"M-{n}"])
        for n, (case, (status, delivered)) in enumerate(zip(CASES, seen, strict=True))
    }
    used = sum(e["input_tokens"] + e["output_tokens"] for e in entries if e["task_id"] != asking)
    # The first question had been answered, and so spent, when the second was asked.
    used += (
        sum(e["input_tokens"] + e["output_tokens"] for e in entries if e["task_id"] == asking) // 2
    )
    return Run(
        outcomes=outcomes,
        leaves=Counter(
            (leaf["attempt_id"], leaf["kind"]) for leaf in site.leaves() if "attempt_id" in leaf
        ),
        open_calls=open_calls,
        spent_by_quota=spent_by_quota,
        spent_by_ledger=used,
        complaints=complaints,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_call_is_one_entry_with_every_token_the_caller_got(run: Run, case: Case) -> None:
    outcome = run.outcomes[str(case)]

    (entry,) = outcome.entries
    assert entry["output_tokens"] >= outcome.delivered
    assert entry["route"] == case.route
    assert entry["stream"] is (case.kind == "stream")
    assert entry["completion"] in _completions(case)
    if case.script in {"429:1", "500", "html"}:
        assert outcome.status == {"429:1": 429, "500": 500, "html": 502}[case.script]
        assert (entry["input_tokens"], entry["output_tokens"]) == (0, 0)
    elif case.ending != "waits" and _reports(case):
        # Drained to its end: the provider's own figures, though nobody was there to read them.
        expected = 0 if case.route in {"embeddings", "count_tokens"} else TOKENS
        assert (entry["output_tokens"], entry["usage_basis"]) == (expected, "reported")


def test_every_call_has_one_intent_and_one_settle(run: Run) -> None:
    attempts = {attempt for attempt, _ in run.leaves if attempt.startswith("att_")}

    assert len(attempts) >= len(CASES)
    assert set(run.leaves.values()) == {1}
    for attempt in attempts:
        assert {kind for owner, kind in run.leaves if owner == attempt} == {"intent", "settle"}


def test_nothing_is_left_open_or_reserved(run: Run) -> None:
    """What the budget gave out is what the ledger says was used."""
    assert run.open_calls == 0
    assert run.spent_by_quota == run.spent_by_ledger


def test_no_way_to_end_a_call_leaves_a_stack_trace(run: Run) -> None:
    assert "Traceback" not in run.complaints


def test_a_cancelling_policy_ends_the_providers_work(site: Site, provider: ProviderThread) -> None:
    site.policy(POLICY + "disconnect: cancel\n")
    provider.script.append("stall:2")
    # Gateways of other tests may still keep idle connections open.
    idle = provider.open_connections
    with site.running() as gateway:
        delivered = asyncio.run(_hang_up(gateway, "PROJ-1", "chat", stream=True, after=2))
        until(lambda: provider.open_connections <= idle)
        gateway.quiet()
        gateway.stop()

    (entry,) = site.entries()
    assert entry["completion"] == "cancelled"
    assert entry["usage_basis"] == "estimated"
    assert entry["output_tokens"] >= delivered == 2
    assert float(entry["cost_usd"]) > 0


def _completions(case: Case) -> set[str]:
    """Return what may be recorded of how a case ended."""
    if case.script in {"429:1", "500", "html"}:
        return {"failed"}
    if case.script in {"cut:0", "cut:1", "cut:3", "reset:3"}:
        return {"truncated"}
    if case.script == "no_end":
        return {"complete", "truncated"}
    if case.ending in {"before head", "after 2 chunks", "before usage"}:
        return {"cancelled"}
    if case.ending == "after usage":
        return {"complete", "cancelled"}
    return {"complete"}


def _reports(case: Case) -> bool:
    return case.script.partition(":")[0] in {"normal", "slow", "stall"}


def _drive(
    gateway: RunningGateway, provider: ProviderThread, number: int, case: Case
) -> tuple[int, int]:
    """Drive one case; return the status the caller saw (0: none) and the tokens it got."""
    provider.reset()
    provider.script.append(case.script)
    seen = asyncio.run(_call(gateway, provider, f"M-{number}", case))
    if case.ending != "waits":
        # The gateway's loop sees the hang-up before it answers what is asked after it.
        for _ in range(3):
            gateway.ask("/health/live", key="")
        provider.go()
        gateway.quiet()
    return seen


async def _call(
    gateway: RunningGateway, provider: ProviderThread, task: str, case: Case
) -> tuple[int, int]:
    path, body = ROUTES[case.route]
    if case.kind == "stream":
        body = body | {"stream": True}
        if case.route in {"chat", "completions"}:
            body |= {"stream_options": {"include_usage": True}}
    async with RawCaller(gateway.port) as caller:
        headers = _headers(gateway, task)
        if case.ending in {"waits", "after end"}:
            headers["connection"] = "close"
        await caller.post(path, body, headers)
        if case.ending == "before head":
            await asyncio.to_thread(until, lambda: provider.requests)
        elif case.ending == "after 2 chunks":
            await caller.read_until(b"word1")
        elif case.ending == "before usage":
            await caller.read_until(b"word4")
        elif case.ending == "after usage":
            await caller.read_until(LAST_WORDS[case.route])
        else:
            await caller.read_all()
        seen = statuses(caller.received)
        return (seen[0] if seen else 0), _tokens(caller.received)


async def _hang_up(
    gateway: RunningGateway, task: str, route: str, *, stream: bool, after: int
) -> int:
    path, body = ROUTES[route]
    async with RawCaller(gateway.port) as caller:
        await caller.post(path, body | {"stream": stream}, _headers(gateway, task))
        await caller.read_until(f"word{after - 1}".encode())
        return _tokens(caller.received)


def _headers(gateway: RunningGateway, task: str) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.site.keys['alice']}", "x-task-id": task}


def _tokens(received: bytes) -> int:
    """Return how many different words arrived: each is one token."""
    return len(set(re.findall(r"w(?:o|ö|\\u00f6)rt?d?(\d+) ", received.decode(errors="replace"))))


def _left(gateway: RunningGateway) -> int:
    """Ask for what is left of the allowance, by a call that reserves the same each time."""
    answer = gateway.ask("/v1/chat/completions", chat(), task=f"M-{len(CASES)}")
    assert answer.status == 200, answer.body
    (left,) = re.findall(r'"allowance";r=(\d+)', answer.headers["ratelimit"])
    return int(left)

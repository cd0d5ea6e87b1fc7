"""The whole program: two gateways, PostgreSQL and Valkey, driven by real clients."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.live.fleet import Fleet
from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, chat, until
from tests.live.trackers import accepted, tell

CHAT = "/v1/chat/completions"
SPOOL = """\
version: 1
on_store_failure: {quotas: share, ledger: spool}
rules:
  - {id: require-task, when: 'task.evidence == "none"', effect: forbid, code: task_required}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, scripted: ProviderThread) -> Iterator[Fleet]:
    """One fleet for the tests that leave it as they found it."""
    with Fleet(tmp_path_factory.mktemp("fleet"), scripted.url) as running:
        yield running


def asks(gateway: RunningGateway, text: str) -> str:
    """Make a call with OpenAI's SDK, and return its request id."""
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key=gateway.site.keys["alice"], max_retries=0
    ) as client:
        reply = client.chat.completions.with_raw_response.create(
            model="gpt-5-mini",
            messages=[{"role": "user", "content": text}],
            extra_headers={"X-Task-Id": "PROJ-1"},
        )
    return str(reply.headers["x-request-id"])


def test_the_line_through_either_gateway_ends_in_one_ledger(fleet: Fleet) -> None:
    made = [asks(gateway, f"Why does step {n} fail?") for n, gateway in enumerate(fleet.gateways)]
    with anthropic.Anthropic(
        base_url=fleet.two.url, api_key=fleet.two.site.keys["alice"], max_retries=0
    ) as client:
        reply = client.messages.with_raw_response.create(
            model="claude-haiku-4-5",
            max_tokens=64,
            messages=[{"role": "user", "content": "And why does the third step fail?"}],
            extra_headers={"X-Task-Id": "PROJ-1"},
        )
    made.append(reply.headers["x-request-id"])

    entries = {entry["request_id"]: entry for entry in fleet.settled(3)}

    assert set(made) <= set(entries)
    assert {entries[name]["completion"] for name in made} == {"complete"}
    assert {entries[name]["evidence"] for name in made} == {"verified"}


def test_the_ledger_of_both_verifies(fleet: Fleet) -> None:
    asks(fleet.one, "What does the importer do with empty lines?")
    fleet.settled(1)

    report = fleet.verify()

    assert report["verdict"] == "consistent, unwitnessed"
    assert report["size"] > 4


def test_an_outcome_told_to_either_gateway_is_one_entry_and_credit(fleet: Fleet) -> None:
    asks(fleet.one, "Why does the login form time out when the session store is slow to answer?")
    told = accepted("PROJ-1")
    assert tell(fleet.two, told, id="one").json == {"status": "taken"}
    assert tell(fleet.one, told, id="one").json == {"status": "seen before"}
    assert tell(fleet.one, told, id="two").json == {"status": "taken"}

    def credit() -> float:
        """Return that of the task's root, worked out from the database's entries alone."""
        key = json.loads(fleet.command("audit", "key", "--json"))["vkey"]
        found = fleet.command(
            *("credit", "recompute", "--database", fleet.env["GOODGATE_DATABASE_URL"]),
            *("--key", key, "--json"),
        )
        roots = {each["root_id"]: each for each in json.loads(found)["roots"]}
        return float(roots["PROJ-100"]["provisional"])

    until(lambda: credit() > 0, 20.0)
    assert fleet.verify()["verdict"] == "consistent, unwitnessed"


def test_a_promise_of_one_gateway_is_redeemed_at_the_other(fleet: Fleet) -> None:
    answer = fleet.one.ask(CHAT, chat("Which of the readers is the slow one?"), task="PROJ-1")
    promise = answer.headers["x-goodgate-receipt"]

    def receipt() -> bool:
        return fleet.two.ask(f"/api/receipts/{answer.request_id}", key="alice").status == 200

    until(receipt)

    printed = fleet.command(
        *("audit", "receipt", answer.request_id, "--promise", promise, "--leaf", "intent"),
        *("--json",),
    )
    assert json.loads(printed)["promise"] == "kept"


def test_a_key_works_and_stops_working_on_every_gateway(fleet: Fleet) -> None:
    made = json.loads(
        fleet.command("keys", "create", "--principal", "dora", "--team", "payments", "--json")
    )
    for gateway in fleet.gateways:
        until(lambda to=gateway: to.ask("/v1/models", key=made["key"]).status == 200, within_s=5)

    fleet.command("keys", "revoke", made["id"])

    for gateway in fleet.gateways:
        until(lambda to=gateway: to.ask("/v1/models", key=made["key"]).status == 401, within_s=5)


def test_a_reply_under_way_survives_the_database(tmp_path: Path, provider: ProviderThread) -> None:
    """It is finished and recorded here; new calls are refused until PostgreSQL is back."""
    provider.script.append("stall:2")
    with Fleet(tmp_path, provider.url, names="1") as fleet:
        received = asyncio.run(_cut_in_mid_stream(fleet, provider))
        assert statuses(received) == [200]
        assert received.endswith(b"0\r\n\r\n")

        fleet.postgres.start()
        until(lambda: fleet.one.ask(CHAT, chat("Once more?"), task="PROJ-1").status == 200, 30)

        first, *_ = sorted(fleet.settled(2, 30), key=lambda entry: entry["received_at"])
        assert (first["completion"], first["output_tokens"]) == ("complete", 5)
        assert fleet.verify()["verdict"] == "consistent, unwitnessed"


async def _cut_in_mid_stream(fleet: Fleet, provider: ProviderThread) -> bytes:
    headers = {
        "authorization": f"Bearer {fleet.one.site.keys['alice']}",
        "x-task-id": "PROJ-1",
        "connection": "close",
    }
    async with RawCaller(fleet.one.port) as caller:
        await caller.post(CHAT, chat(stream=True), headers)
        await caller.read_until(b"word1")
        await asyncio.to_thread(fleet.postgres.kill)
        await asyncio.to_thread(until, lambda: _refused(fleet.one), 15)
        provider.go()
        return await caller.read_all(30)


def _refused(gateway: RunningGateway) -> bool:
    answer = gateway.ask(CHAT, chat("Is anybody there?"), task="PROJ-1")
    return answer.status == 503 and b"ledger_unavailable" in answer.body


def test_calls_are_let_through_and_recorded_where_the_policy_says_so(
    tmp_path: Path, provider: ProviderThread
) -> None:
    with Fleet(tmp_path, provider.url, policy=SPOOL) as fleet:
        fleet.postgres.kill()
        made = [
            gateway.ask(CHAT, chat(f"Question {number} of the outage"), task="PROJ-1")
            for number in range(3)
            for gateway in fleet.gateways
        ]
        assert [answer.status for answer in made] == [200] * 6

        fleet.postgres.start()

        found = {entry["request_id"] for entry in fleet.settled(6, 40)}
        assert {answer.request_id for answer in made} <= found
        assert fleet.verify()["verdict"] == "consistent, unwitnessed"


def test_when_the_leader_dies_the_other_goes_on(tmp_path: Path, provider: ProviderThread) -> None:
    with Fleet(tmp_path, provider.url) as fleet:
        asks(fleet.one, "Who of you two puts this in order?")
        fleet.settled(1)
        leader, other = fleet.gateways
        if other.metric("goodgate_ledger_leads"):
            leader, other = other, leader
        assert leader.metric("goodgate_ledger_leads") == 1

        leader.kill()
        until(lambda: other.metric("goodgate_ledger_leads") == 1, 20)
        asks(other, "And now that it is gone?")

        fleet.settled(2, 20)
        assert fleet.verify()["verdict"] == "consistent, unwitnessed"

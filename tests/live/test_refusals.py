"""What is refused, in which words, and what is left of it afterwards."""

import json
from typing import Any

import pytest

from tests.live.scripted import ProviderThread
from tests.live.server import (
    PROVIDER_CREDENTIAL,
    Answer,
    RunningGateway,
    Site,
    chat,
    message,
)

CHAT = "/v1/chat/completions"
CANARY = "zanzibar-quokka-prompt"
RULES = """\
version: 1
rules:
  - id: require-task
    when: task.evidence in ["none", "inferred"] && call.metered
    effect: forbid
    message: Say which task this is for. Run `goodgate task start PROJ-123`, or send X-Task-Id.
"""


def code_of(answer: Answer) -> str:
    """Return the stable code of an error, in either shape."""
    error: dict[str, Any] = answer.json["error"]
    code: str = error["details"]["error_code"] if "details" in error else error["code"]
    return code


def test_an_unlinked_call_is_told_how_to_link_in_openais_shape(
    gateway: RunningGateway, provider: ProviderThread
) -> None:
    answer = gateway.ask(CHAT, chat())

    assert answer.status == 400
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["type"]) == ("task_required", "invalid_request_error")
    assert "goodgate task start" in error["message"]
    assert "require-task" in error["message"]
    assert "default.yaml:" in error["message"]
    assert provider.requests == []


def test_an_unlinked_call_is_told_how_to_link_in_anthropics_shape(
    gateway: RunningGateway, provider: ProviderThread
) -> None:
    answer = gateway.ask("/v1/messages", message())

    assert answer.status == 400
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json["type"] == "error"
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert code_of(answer) == "task_required"
    assert answer.json["request_id"] == answer.request_id
    assert provider.requests == []


@pytest.mark.parametrize(
    ("task", "key", "code", "problem"),
    [
        ("NOPE-1", "alice", "task_unknown", "unknown"),
        ("PROJ-9", "alice", "task_closed", "closed"),
        ("OPS-7", "alice", "task_not_yours", "not_yours"),
        ("PROJ-2", "bob", "task_not_yours", "not_yours"),
    ],
)
def test_a_task_that_does_not_hold_is_refused_with_its_own_code(
    gateway: RunningGateway,
    provider: ProviderThread,
    task: str,
    key: str,
    code: str,
    problem: str,
) -> None:
    answer = gateway.ask(CHAT, chat(), task=task, key=key)

    assert answer.status == 400, answer.body
    assert code_of(answer) == code
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-goodgate-evidence"] == "claimed"
    assert answer.headers["x-goodgate-decision"] == "refused"
    assert answer.headers["x-goodgate-task-problem"] == problem
    assert provider.requests == []


def test_two_different_tasks_are_a_conflict(gateway: RunningGateway) -> None:
    answer = gateway.ask("/t/PROJ-1" + CHAT, chat(), task="PROJ-2")

    assert answer.status == 400
    assert code_of(answer) == "task_conflict"


def test_one_task_named_twice_is_no_conflict(
    gateway: RunningGateway, provider: ProviderThread
) -> None:
    answer = gateway.ask(
        "/t/proj-1" + CHAT, chat(metadata={"task_id": "PROJ\u20111"}), task="Proj-1"
    )

    assert answer.status == 200, answer.body
    assert answer.headers["x-goodgate-task"] == "PROJ-1"
    assert "metadata" in provider.requests[0].json


def test_a_model_outside_the_key_is_refused(gateway: RunningGateway) -> None:
    answer = gateway.ask(CHAT, chat(model="gpt-5"), key="mini", task="PROJ-1")

    assert answer.status == 400
    assert code_of(answer) == "model_not_allowed"
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("key", ["", "gg_nonsense", "gg_" + "a" * 12 + "_" + "b" * 40])
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/api/whoami", "/-/reload"])
def test_no_route_is_served_without_a_good_key(
    gateway: RunningGateway, key: str, path: str
) -> None:
    body = None if path in {"/v1/models", "/api/whoami"} else chat()

    answer = gateway.ask(path, body, key=key, task="PROJ-1")

    assert answer.status == 401
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("spelling", ["proj-1", "PROJ\u20111", "PROJ-1", "PROJ\u22121", " PROJ-1 "])
def test_every_spelling_of_an_id_is_one_task(
    gateway: RunningGateway, provider: ProviderThread, spelling: str
) -> None:
    answer = gateway.ask(CHAT, chat(metadata={"task_id": spelling}))

    assert answer.status == 200, answer.body
    assert answer.headers["x-goodgate-task"] == "PROJ-1"
    assert len(provider.requests) == 1


def test_an_issue_of_a_repository_is_a_task(gateway: RunningGateway) -> None:
    answer = gateway.ask(CHAT, chat(model="sim"), task="acme/shop#12")

    assert answer.status == 200, answer.body
    assert answer.headers["x-goodgate-task"] == "ACME.SHOP-12"


def test_the_bodys_task_is_cut_towards_anthropic(
    gateway: RunningGateway, provider: ProviderThread
) -> None:
    """Anthropic's metadata has no such field; OpenAI's takes any."""
    body = message(metadata={"user_id": "u-1", "task_id": "PROJ-1"})

    answer = gateway.ask("/v1/messages", body)

    assert answer.status == 200, answer.body
    assert provider.requests[0].json["metadata"] == {"user_id": "u-1"}


FOREIGN = {
    "x-litellm-tags": "team:x,task:PROJ-1",
    "x-litellm-spend-logs-metadata": '{"task_id": "PROJ-1"}',
    "x-portkey-metadata": '{"task_id": "PROJ-1", "_user": "a"}',
    "helicone-property-task": "PROJ-1",
    "cf-aig-metadata": '{"task_id": "PROJ-1"}',
    "baggage": "a=b,task.id=PROJ-1",  # the rest of it is not the gateway's to cut
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_gateways_spellings_name_a_task_and_never_travel_on(
    gateway: RunningGateway, provider: ProviderThread, name: str
) -> None:
    answer = gateway.ask(CHAT, chat(), headers={name: FOREIGN[name]})

    assert answer.status == 200, answer.body
    assert answer.headers["x-goodgate-task"] == "PROJ-1"
    assert "PROJ-1" not in str(provider.requests[0].headers)


def test_a_session_remembers_the_task_named_in_it(gateway: RunningGateway) -> None:
    session = {"x-claude-code-session-id": "0b6a3c0e-session-one"}
    other = {"x-claude-code-session-id": "0b6a3c0e-session-two"}
    named = gateway.ask(CHAT, chat(model="sim"), task="PROJ-2", headers=session)

    later = gateway.ask(CHAT, chat(model="sim"), headers=session)
    elsewhere = gateway.ask(CHAT, chat(model="sim"), headers=other)
    someone_else = gateway.ask(CHAT, chat(model="sim"), headers=session, key="bob")

    assert (named.status, later.status) == (200, 200)
    assert later.headers["x-goodgate-task"] == "PROJ-2"
    assert elsewhere.status == someone_else.status == 400
    entry = gateway.site.entry(later.request_id)
    assert (entry["task_source"], entry["evidence"]) == ("session", "verified")


def test_a_task_started_is_what_calls_are_for_until_it_is_stopped(site: Site) -> None:
    with site.running() as gateway:
        assert gateway.ask("/api/tasks/start", {"task": "proj-1"}).status == 200
        during = gateway.ask(CHAT, chat(model="sim"))
        assert gateway.ask("/api/tasks/stop", {}).status == 200
        after = gateway.ask(CHAT, chat(model="sim"))

    assert during.status == 200, during.body
    assert during.headers["x-goodgate-task"] == "PROJ-1"
    assert code_of(after) == "task_required"
    assert site.entry(during.request_id)["task_source"] == "active"


@pytest.mark.parametrize("where", ["key", "path", "header"])
def test_a_signed_task_credential_names_its_task(gateway: RunningGateway, where: str) -> None:
    made = gateway.ask("/api/tasks/token", {"task": "PROJ-1"})
    assert made.status == 200, made.body
    credential, key = made.json["credential"], gateway.site.keys["alice"]

    if where == "key":
        answer = gateway.ask(CHAT, chat(model="sim"), key=f"{key}~{credential}")
        stolen = gateway.ask(
            CHAT, chat(model="sim"), key=f"{gateway.site.keys['bob']}~{credential}"
        )
    elif where == "path":
        answer = gateway.ask(f"/t/{credential}{CHAT}", chat(model="sim"))
        stolen = gateway.ask(f"/t/{credential}{CHAT}", chat(model="sim"), key="bob")
    else:
        answer = gateway.ask(CHAT, chat(model="sim"), task=credential)
        stolen = gateway.ask(CHAT, chat(model="sim"), task=credential, key="bob")

    assert answer.status == 200, answer.body
    entry = gateway.site.entry(answer.request_id)
    assert (entry["task_id"], entry["task_source"]) == ("PROJ-1", "credential")
    assert stolen.status == 400
    assert credential.encode() not in stolen.body


def test_a_branch_is_a_guess_and_no_link(gateway: RunningGateway) -> None:
    system = "Environment\ngitStatus: \nCurrent branch: feature/PROJ-1-login\n\nMain branch: main"

    answer = gateway.ask("/v1/messages", message(system=system))

    assert answer.status == 400
    assert code_of(answer) == "task_required"
    assert answer.headers["x-goodgate-evidence"] == "inferred"


def test_an_explicit_name_is_stronger_than_what_was_started(site: Site) -> None:
    with site.running() as gateway:
        gateway.ask("/api/tasks/start", {"task": "PROJ-1"})
        answer = gateway.ask(CHAT, chat(model="sim"), task="PROJ-2")

    assert answer.headers["x-goodgate-task"] == "PROJ-2"


def test_a_short_wait_is_a_429_that_names_it(site: Site) -> None:
    site.policy(RULES + "  - id: slow-down\n    quota: {calls: 2, per: 10s, by: [principal]}\n")
    with site.running() as gateway:
        first, second, third = (
            gateway.ask(CHAT, chat(model="sim"), task="PROJ-1") for _ in range(3)
        )
        other = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1", key="bob")

    assert (first.status, second.status, other.status) == (200, 200, 200)
    assert first.headers["ratelimit"].startswith('"slow-down";r=1')
    assert first.headers["ratelimit-policy"] == '"slow-down";q=2;w=10'
    assert third.status == 429
    assert 1 <= int(third.headers["retry-after"]) <= 20
    assert code_of(third) == "quota_exceeded"
    assert "slow-down" in third.json["error"]["message"]
    (refused,) = site.entries("--decision", "refused")
    assert refused["request_id"] == third.request_id
    assert refused["rules"] == ["slow-down"]
    assert float(refused["cost_usd"]) == 0


def test_a_long_wait_is_a_400_that_names_the_time(site: Site) -> None:
    site.policy(RULES + "  - id: hourly\n    quota: {calls: 1, per: 1h, by: [task]}\n")
    with site.running() as gateway:
        gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")
        answer = gateway.ask(CHAT, chat(model="sim"), task="PROJ-1")

    assert answer.status == 400
    assert code_of(answer) == "quota_exceeded"
    assert "retry-after" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"
    assert any(unit in answer.json["error"]["message"] for unit in ("minute", "hour", " min", ":"))


def test_a_shadow_rule_refuses_nobody(site: Site) -> None:
    site.policy(
        RULES
        + "  - id: some-day\n    quota: {calls: 1, per: 1h, by: [principal]}\n    mode: shadow\n"
    )
    with site.running() as gateway:
        answers = [gateway.ask(CHAT, chat(model="sim"), task="PROJ-1") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("stream", [False, True])
def test_every_reply_says_what_was_decided(gateway: RunningGateway, *, stream: bool) -> None:
    answer = gateway.ask(CHAT, chat(model="sim", stream=stream), task="PROJ-1")

    assert answer.status == 200
    assert answer.request_id.startswith("req_")
    assert answer.headers["x-goodgate-task"] == "PROJ-1"
    assert answer.headers["x-goodgate-evidence"] == "verified"
    assert answer.headers["x-goodgate-decision"] == "forwarded"
    assert answer.headers["x-goodgate-policy"].startswith("sha256:")
    assert ";r=" in answer.headers["ratelimit"]
    assert ";w=" in answer.headers["ratelimit-policy"]


def test_what_names_nobody_a_provider_sends_passes_and_the_rest_does_not(
    gateway: RunningGateway, provider: ProviderThread
) -> None:
    provider.script.append("echo_headers")

    answer = gateway.ask(CHAT, chat(), task="PROJ-1")

    assert answer.status == 200
    assert answer.headers["x-ratelimit-remaining-tokens"] == "99"
    assert answer.request_id.startswith("req_")
    for name in ("set-cookie", "x-api-key", "x-goog-api-key", "x-internal"):
        assert name not in answer.headers
    assert "secret/1.0" not in answer.headers.values()


def test_head_answers_at_once(gateway: RunningGateway) -> None:
    answer = gateway.ask("/", method="HEAD", key="")

    assert answer.status == 200
    assert answer.body == b""


def test_an_unlinked_call_leaves_its_cost_and_no_name(site: Site) -> None:
    """Where the policy lets them pass, and where it does not."""
    site.policy("version: 1\nrules: []\n")
    with site.running() as gateway:
        for _ in range(3):
            answer = gateway.ask(CHAT, chat(CANARY), headers={"x-who": "alice"})
            assert answer.status == 200, answer.body
            assert answer.headers["x-goodgate-evidence"] == "none"
        refused = gateway.ask(CHAT, chat(CANARY, model="gpt-5"), key="mini")
        assert refused.status == 400
        gateway.stop()

    assert site.entries() == []
    rows = site.unlinked()
    spent = [row for row in rows if float(row["cost_usd"]) > 0]
    assert sum(row["calls"] for row in spent) == 3
    # Fewer than five people have a key of this team's.
    assert {row["team"] for row in spent} == {"(small teams)"}
    assert "principal" not in rows[0]
    for path in site.data.glob("ledger.sqlite*"):
        assert b"alice" not in path.read_bytes()


def test_neither_prompts_nor_secrets_are_anywhere_in_the_files(
    site: Site, provider: ProviderThread
) -> None:
    with site.running() as gateway:
        gateway.ask(CHAT, chat(CANARY), task="PROJ-1")
        gateway.ask(CHAT, chat(CANARY), task=CANARY)
        gateway.ask(CHAT, chat(CANARY, stream=True), task="PROJ-1")
        gateway.ask(CHAT, b'{"' + CANARY.encode(), task="PROJ-1")
        gateway.ask(CHAT, chat(CANARY))
        provider.script.append("500")
        gateway.ask("/v1/messages", message(CANARY), task="PROJ-1")
        metrics = gateway.ask("/metrics", key="").body
        files = {path: path.read_bytes() for path in site.data.rglob("*") if path.is_file()}
        said = gateway.said.encode()
        gateway.stop()

    secrets = [site.keys["alice"].rsplit("_", 1)[1], PROVIDER_CREDENTIAL, CANARY]
    assert files
    for name, content in [*files.items(), ("metrics", metrics), ("standard error", said)]:
        for secret in secrets:
            assert secret.encode() not in content, name
    leaves = json.dumps(site.leaves())
    assert "PROJ-1" in leaves
    assert "alice" not in leaves

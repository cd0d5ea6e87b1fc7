"""
An admin's day: rules are tried, compared and replayed before they bind anybody, then they do.

Every step is what the guide (docs/policies.md) tells an admin or a developer to type, against a
real gateway in front of the scripted provider.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.live.scripted import ProviderThread
from tests.live.server import Answer, RunningGateway, Site, chat, command, until

CHAT = "/v1/chat/completions"
MORNING = """\
version: 1
rules:
  - id: require-task
    when: call.metered && task.evidence_rank == 0
    effect: forbid
    code: task_required
    message: Say which task this is for.
  - id: no-gpt-5
    when: call.model == "gpt-5"
    effect: forbid
    mode: shadow
"""
ROUTES = """\
version: 1
rules:
  - id: cheap
    when: call.model == "gpt-5"
    route: {model: gpt-5-mini}
  - id: cap
    obligations:
      max_output_tokens: 20
      provider_headers: {x-cost-center: research}
      reply_headers: {x-policy-contact: "#ai-help"}
      note: Answers end after 20 tokens here.
"""
TEAM = """\
version: 1
team: payments
rules:
  - id: payments-no-mini
    when: call.model == "gpt-5-mini"
    effect: forbid
    message: The team payments does not use gpt-5-mini.
"""
ONE_AT_A_TIME = """\
version: 1
rules:
  - id: one-at-a-time
    quota: {concurrent: 1, by: [principal]}
"""


def as_user(gateway: RunningGateway, name: str, *args: str, expect: int = 0) -> str:
    """Run `goodgate policy …` over HTTP with somebody's key and return what it printed."""
    env = {"GOODGATE_URL": gateway.url, "GOODGATE_KEY": gateway.site.keys[name]}
    return command("policy", *args, expect=expect, **env).stdout


def ask(gateway: RunningGateway, model: str = "gpt-5-mini", key: str = "alice") -> Answer:
    """Call for a task of theirs."""
    return gateway.ask(CHAT, chat(model=model), key=key, task="PROJ-1")


def test_a_refused_call_is_explained_to_its_developer_and_to_nobody_else(site: Site) -> None:
    site.policy(MORNING)
    with site.running() as gateway:
        refused = gateway.ask(CHAT, chat())
        message = refused.json["error"]["message"]
        said = as_user(gateway, "alice", "explain", message, expect=1)
        by_id = as_user(gateway, "alice", "explain", refused.request_id, expect=1)
        other = gateway.ask(f"/api/decisions/{refused.request_id}", key="bob").status
        served = ask(gateway)
        allowed = as_user(gateway, "alice", "explain", served.request_id)

    assert refused.status == 400
    assert said == by_id
    first, whose, _, rule, *parts = said.splitlines()
    assert first == ("refused by require-task (policies/rules.yaml:3): Say which task this is for.")
    assert whose.startswith("alice of payments · gpt-5-mini by chat · no task · ")
    assert rule == "require-task (policies/rules.yaml:3) refuses the call"
    assert [" ".join(part.split()) for part in parts[:2]] == [
        "> call.metered true",
        "> task.evidence_rank == 0 true task.evidence_rank = 0",
    ]
    assert other == 404
    assert allowed.startswith("permitted")


def test_what_a_rule_would_do_is_known_before_it_does(site: Site) -> None:
    """In shadow, in words, and over the calls of the day; then a limit guards the merge."""
    site.policy(MORNING)
    with site.running() as gateway:
        statuses = [ask(gateway, model).status for model in ("gpt-5", "gpt-5-mini") * 3]
        refused = gateway.ask(CHAT, chat()).status
        gateway.quiet()
        shadow = as_user(gateway, "admin", "shadow", "--since", "1h")
        same, stricter = str(site.policies), site.folder / "stricter"
        stricter.mkdir()
        (stricter / "rules.yaml").write_text(MORNING.replace("    mode: shadow\n", ""))
        limit = ("--max-newly-refused", "10%")
        unchanged = json.loads(
            as_user(gateway, "admin", "replay", same, "--verify", "--json", *limit)
        )
        caught = json.loads(
            as_user(gateway, "admin", "replay", str(stricter), "--json", *limit, expect=1)
        )
        printed = as_user(gateway, "admin", "replay", str(stricter), *limit, expect=1)
        words = command("policy", "diff", same, str(stricter), expect=1).stdout
        nothing = command("policy", "diff", same, same).stdout

    assert (statuses, refused) == ([200] * 6, 400)
    assert shadow.startswith("no-gpt-5 would have refused 3 calls of 1 person in the last hour (")
    assert (unchanged["calls"], unchanged["unchanged"], unchanged["passed"]) == (7, 7, [])
    assert unchanged["verified"] == {"calls": 7, "same": 7, "unknown": 0, "differing": []}
    newly = caught["changes"]["newly_refused"]
    assert (caught["calls"], newly["calls"], newly["people"]) == (7, 3, 1)
    assert [(each["name"], each["calls"]) for each in newly["by_rule"]] == [("no-gpt-5", 3)]
    assert [(each["name"], each["calls"]) for each in newly["by_task"]] == [("PROJ-1", 3)]
    assert caught["passed"] == ["--max-newly-refused 10% is passed: 42.86% (3 calls)"]
    assert "newly refused   3      42.9" in printed
    assert words == "no-gpt-5: now enforced (was in shadow) (stricter)\n"
    assert nothing == "no difference\n"


def test_the_provider_and_the_caller_see_what_a_route_and_a_cap_say(
    site: Site, provider: ProviderThread
) -> None:
    site.policy(ROUTES)
    with site.running() as gateway:
        answer = ask(gateway, "gpt-5")
        gateway.quiet()

    (sent,) = provider.requests
    assert answer.status == 200
    body: dict[str, Any] = json.loads(sent.body)
    assert (body["model"], body["max_tokens"]) == ("gpt-5-mini", 20)
    assert ("x-cost-center", "research") in sent.headers
    assert answer.headers["x-goodgate-routed"] == "gpt-5-mini; cheap"
    assert answer.headers["x-goodgate-note"] == "Answers end after 20 tokens here."
    assert answer.headers["x-policy-contact"] == "#ai-help"
    assert "x-cost-center" not in answer.headers
    entry = site.entry(answer.request_id)
    assert (entry["model_requested"], entry["model_served"]) == ("gpt-5", "gpt-5-mini")


def test_a_file_dropped_into_teams_binds_that_team_by_itself(site: Site) -> None:
    """Also where the gateway started without such a folder; a broken one changes nothing."""
    site.policy("version: 1\nrules: []\n")
    with site.running() as gateway:
        before = ask(gateway).status
        teams = site.policies / "teams"
        teams.mkdir()
        (teams / "payments.yaml").write_text(TEAM.replace("team: payments", "team: payment"))
        until(lambda: not gateway.ask("/health/ready", key="").json["reload"]["succeeded"])
        error = gateway.ask("/api/whoami", key="admin").json["reload_error"]
        still = ask(gateway).status
        (teams / "payments.yaml").write_text(TEAM)
        until(lambda: ask(gateway).status == 400)
        bound = ask(gateway).json["error"]
        free = gateway.ask(CHAT, chat(), key="bob", task="PROJ-1").status
        ready = gateway.ask("/health/ready", key="").json["reload"]

    assert (before, still, free) == (200, 200, 200)
    assert error == (
        "policies/teams/payments.yaml:2:1: read 'team: payment', expected 'team: payments': "
        "a file in teams/ is the team's it is named for"
    )
    assert bound["message"].startswith(
        "The team payments does not use gpt-5-mini. "
        "Policy: payments-no-mini (policies/teams/payments.yaml:4). Ref req_"
    )
    assert (ready["succeeded"], ready["error"]) == (True, "")


def test_a_second_call_at_once_is_one_too_many_and_the_next_is_not(
    site: Site, provider: ProviderThread
) -> None:
    site.policy(ONE_AT_A_TIME)
    provider.script.append("slow")
    with site.running() as gateway, ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, gateway)
        until(lambda: len(provider.requests) == 1)
        second = gateway.ask(CHAT, chat("Another question"), task="PROJ-1")
        other = gateway.ask(CHAT, chat("A question of mine"), key="bob", task="PROJ-1")
        provider.go()
        served = first.result(30)
        gateway.quiet()
        third = gateway.ask(CHAT, chat("Another question"), task="PROJ-1")

    assert (served.status, other.status, third.status) == (200, 200, 200)
    assert (second.status, second.headers["retry-after"]) == (429, "1")
    assert second.json["error"]["message"].startswith(
        "At most 1 call for each principal may be under way at once. "
        "Try again when one of them has ended. "
        "Policy: one-at-a-time (policies/rules.yaml:3). Ref req_"
    )

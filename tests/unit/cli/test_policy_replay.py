"""`goodgate policy replay` and `shadow`: over a folder, over HTTP, over files."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import identity, ledger, policy
from gateway.app import folders
from gateway.cli.policy import replaying, shadowing
from gateway.cli.terminal import WrongUse
from gateway.ledger.decision_log import Entry
from gateway.ledger.pseudonyms import Weekly
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.registry import Registry
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.rehearsal.records import AT_US, decision, settled

OLD = """\
version: 1
rules:
  - {id: quiet, mode: shadow, when: call.stream, effect: forbid}
  - {id: away, mode: shadow, when: call.choices == 2, route: {model: o3}}
"""
NEW = """\
version: 1
rules:
  - {id: no-streams, when: call.stream, effect: forbid, code: task_closed}
  - {id: not-alice, when: 'principal.id == "alice"', obligations: {note: Hello.}}
"""
WINDOW = ("--since", "2026-03-01", "--until", "2026-03-20")
SECRET = b"s" * 32
DIGEST = policy.load([("policies/a.yaml", OLD)]).digest
WHO = Weekly(SECRET).of


def calls() -> list[Entry]:
    """Return four calls of two people in two weeks, one of them streamed."""
    log: list[Entry] = []
    for number, (name, days) in enumerate((("alice", 0), ("alice", 8), ("bob", 8), ("bob", 9))):
        at_us = AT_US + days * 86_400_000_000
        pseudonym = WHO(name, at_us)
        one = decision(
            number,
            seconds=days * 86_400.0,
            policy=DIGEST,
            principal=pseudonym,
            facts={"principal.id": pseudonym, "call.stream": number == 0},
            would_have=("quiet",) if number == 0 else (),
        )
        log += [one, settled(one)]
    return log


@pytest.fixture
def new(tmp_path: Path) -> str:
    """Return a file with new policies."""
    file = tmp_path / "new.yaml"
    file.write_text(NEW)
    return str(file)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Return a server's folder with the calls in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    asyncio.run(_fill(folder))
    return str(folder)


async def _fill(folder: Path) -> None:
    store = Ledger.open(folder, secret=SECRET, clock=lambda: AT_US / 1e6)
    store.start(asyncio.get_running_loop())
    store.keep_policies(DIGEST, [("policies/a.yaml", OLD)], AT_US)
    for record in calls():
        store.note(record)
    await store.flush()
    store.close()
    (folder / "secret").write_text(SECRET.hex())
    (folder / "secret").chmod(0o600)
    registry = Registry.open(folder, create=True)
    for name in ("alice", "bob"):
        _, key = identity.mint(
            pepper=SECRET, principal_id=name, team="t", role="developer", models=(), now=0.0
        )
        registry.add_key(key)
    registry.close()


def filed(tmp_path: Path, records: Sequence[Entry], name: str = "log.jsonl") -> str:
    """Return a file with a log in it."""
    file = tmp_path / name
    file.write_bytes(b"\n".join(ledger.encode(record) for record in records) + b"\n\n")
    return str(file)


def test_a_folder_is_replayed_with_people_joined_and_unnamed(
    run: Command, new: str, data: str
) -> None:
    code, out, err = run("policy", "replay", new, *WINDOW, "--data", data, "--verify")
    assert (code, err) == (0, "")
    assert out.startswith("4 calls of 2 people from 2026-03-02 10:00 to 2026-03-11 10:00, ")
    assert "The policies that were in force give back 4 of 4 decisions\n" in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "newly refused 1 25.0 1 0.002000 -" in lines
    assert "other obligations 1 25.0 1 0.002000 -" in lines
    assert "no-streams task_closed 1 1 0.002000" in lines
    assert "What this replay cannot know:" in lines
    assert "alice" not in out.replace("not-alice", "")


def test_over_http_the_policies_that_are_named_may_be_those_in_force(
    run: Command, new: str, scripted: Scripted
) -> None:
    """They are the only copy a machine without the gateway's data may have."""
    digest = policy.load(folders.policy_files(Path(new))).digest
    records = [{**msgspec.to_builtins(each), "policy": digest} for each in calls()]
    scripted.says("GET /api/whoami", {"policy": digest})
    scripted.says("GET /api/decisions", {"records": records, "after": ""})
    where = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_key"}
    code, out, _ = run("policy", "replay", new, *WINDOW, "--verify", "--json", **where)
    verified = json.loads(out)["verified"]
    assert (code, verified["calls"], verified["unknown"]) == (0, 4, 0)


def test_over_http_conditions_on_names_are_said_not_to_be_known(
    run: Command, new: str, scripted: Scripted
) -> None:
    records = [msgspec.to_builtins(each) for each in calls()]
    scripted.says("GET /api/whoami", {"policy": DIGEST})
    scripted.says("GET /api/decisions", {"records": records, "after": ""})
    where = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_key"}
    code, out, err = run("policy", "replay", new, *WINDOW, **where)
    assert (code, err) == (0, "")
    assert out.startswith("4 calls of up to 3 people")
    assert "conditions that read principal.id or principal.key_id may be wrong" in out
    assert "not-alice." in out
    asked = scripted.asked[-1][0]
    assert "since=2026-03-01T00%3A00%3A00%2B00%3A00" in asked
    assert "limit=2000" in asked


def test_over_http_the_log_is_read_page_by_page(
    run: Command, new: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.cli.remote import Answer, Remote  # noqa: PLC0415  # patched here alone

    pages = [{"records": [calls()[0]], "after": "7.1"}, {"records": calls()[2:4], "after": ""}]
    asked: list[str] = []

    def fetch(_: Remote, _method: str, path: str, **_options: object) -> Answer:
        asked.append(path)
        return Answer(status=200, headers={}, body=msgspec.json.encode(pages[len(asked) - 1]))

    scripted.says("GET /api/whoami", {"policy": DIGEST})
    monkeypatch.setattr(Remote, "fetch", fetch)
    monkeypatch.setattr(Remote, "ask", lambda *_: {"policy": DIGEST})
    code, out, _ = run("policy", "replay", new, *WINDOW, GOODGATE_KEY="gg_key")
    assert (code, out[:7]) == (0, "2 calls")
    assert "after=7.1" in asked[1]


@pytest.mark.parametrize(
    ("value", "status", "said"),
    [
        ({"error": {"code": "not_allowed", "message": "ask an auditor"}}, 403, "ask an auditor"),
        ({"records": [{"kind": "settled"}], "after": ""}, 200, "of another version"),
        (b"<html>", 200, "of another version"),
    ],
)
def test_what_a_gateway_answers_instead_is_told(
    run: Command, new: str, scripted: Scripted, value: object, status: int, said: str
) -> None:
    scripted.says("GET /api/whoami", {"policy": DIGEST})
    scripted.says("GET /api/decisions", value, status)
    where = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_key"}
    code, out, err = run("policy", "replay", new, *WINDOW, **where)
    assert (code, out) == (1, "")
    assert said in err


def test_files_of_several_replicas_are_read_in_the_order_of_time(
    run: Command, new: str, tmp_path: Path
) -> None:
    log = calls()
    one, two = filed(tmp_path, log[::2], "a.jsonl"), filed(tmp_path, log[1::2], "b.jsonl")
    code, out, _ = run("policy", "replay", new, *WINDOW, "--from", one, "--from", two, "--json")
    found = json.loads(out)
    assert (code, found["calls"], found["cost_usd"]) == (0, 4, "0.008000000")
    assert found["changes"]["newly_refused"]["calls"] == 1
    assert found["changes"]["newly_refused"]["by_rule"][0]["name"] == "no-streams"
    assert (found["verified"], found["passed"]) == (None, [])


def test_files_may_be_read_beside_a_folder_that_knows_the_people(
    run: Command, new: str, data: str, tmp_path: Path
) -> None:
    file = filed(tmp_path, calls()[:4])
    code, out, _ = run("policy", "replay", new, *WINDOW, "--from", file, "--data", data)
    assert (code, out[:20]) == (0, "2 calls of 1 person ")


@pytest.mark.parametrize("text", ["{}", "not json", '{"kind": "settled"}', "\xff"])
def test_a_line_that_is_none_is_named(run: Command, new: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(ledger.encode(calls()[0]) + b"\n" + text.encode("latin-1") + b"\n")
    code, out, err = run("policy", "replay", new, *WINDOW, "--from", str(file))
    assert (code, out) == (2, "")
    assert "log.jsonl:2: this is no line of a decision log" in err
    code, _, err = run("policy", "replay", new, *WINDOW, "--from", str(tmp_path / "gone"))
    assert (code, "cannot be read" in err) == (2, True)


@pytest.mark.parametrize(
    ("limits", "code", "said"),
    [
        (["--max-newly-refused", "1"], 0, ""),
        (["--max-newly-refused", "25%"], 0, ""),
        (["--max-newly-refused", "24.9%"], 1, "24.9% is passed: 25.00% (1 calls)"),
        (["--max-newly-refused", "0"], 1, "--max-newly-refused 0 is passed by 1: 1 calls"),
        (["--max-newly-allowed", "0", "--max-rerouted", "0%"], 0, ""),
    ],
)
def test_a_limit_that_is_passed_is_exit_code_1(
    run: Command, new: str, tmp_path: Path, limits: list[str], code: int, said: str
) -> None:
    file = filed(tmp_path, calls())
    found, out, err = run("policy", "replay", new, *WINDOW, "--from", file, *limits)
    assert (found, said in err, out != "") == (code, True, True)
    _, out, _ = run("policy", "replay", new, *WINDOW, "--from", file, *limits, "--json")
    assert bool(json.loads(out)["passed"]) == bool(code)


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "0.5", "1e3", "5 %", "\u0661%"])
def test_a_limit_is_a_number_of_calls_or_a_share(text: str) -> None:
    with pytest.raises(WrongUse, match=r"12 or 0\.5%"):
        replaying.limit_of("newly_refused", text)


@pytest.mark.parametrize(
    "options",
    [
        ["--json", "--markdown"],
        ["--since", "1d", "--until", "2d"],
        ["--max-rerouted", "many"],
        ["--by", "person"],
    ],
)
def test_wrong_use_is_exit_code_2(
    run: Command, new: str, tmp_path: Path, options: list[str]
) -> None:
    file = filed(tmp_path, calls())
    assert run("policy", "replay", new, "--from", file, *options)[0] == 2


def test_new_policies_that_cannot_be_used_are_told(run: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nrules: 3\n")
    file = filed(tmp_path, calls())
    code, out, err = run("policy", "replay", str(tmp_path / "bad.yaml"), "--from", file)
    assert (code, out) == (1, "")
    assert "bad.yaml:2:" in err


def test_a_report_can_be_pasted_into_a_merge_request(
    run: Command, new: str, tmp_path: Path
) -> None:
    log = calls()
    assert isinstance(log[0], ledger.DecisionRecord)
    log[0].facts["principal.team"] = "a|b<c>`\x1b[2J"
    file = filed(tmp_path, log)
    options = ["--from", file, "--markdown", "--by", "team", "--verify"]
    code, out, _ = run("policy", "replay", new, *WINDOW, *options)
    assert code == 0
    assert out.startswith("### Policy replay\n")
    assert "**newly refused, by team**" in out
    assert "| a\\|b\\<c\\>\\`\N{REPLACEMENT CHARACTER}\\[2J | 1 | 0.002000 |" in out
    assert "(4 more were made by policies that are not known any more)" in out
    assert "<summary>What this replay cannot know</summary>" in out


def test_changes_by_task_name_the_calls_without_one(run: Command, new: str, tmp_path: Path) -> None:
    one = decision(1, facts={"call.stream": True, "task.id": ""})
    many = [decision(n, facts={"call.stream": True, "task.id": f"T-{n}"}) for n in range(2, 14)]
    file = filed(tmp_path, [one, *many])
    _, out, _ = run("policy", "replay", new, *WINDOW, "--from", file, "--by", "task")
    assert "newly refused, by task (the 10 with the most calls of 13)" in out
    assert "(none)" in out


def test_somebody_who_looks_is_shown_how_far_it_is(
    run: Command, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = filed(tmp_path, calls())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    code, out, err = run("policy", "replay", new, *WINDOW, "--from", file, "--verify", "--json")
    assert (code, json.loads(out)["calls"]) == (0, 4)
    assert "Replaying" in err
    assert "Verifying" in err


def test_a_time_without_calls_says_so(run: Command, new: str, data: str) -> None:
    code, out, _ = run("policy", "replay", new, "--since", "1d", "--data", data)
    assert (code, out) == (0, "No call is recorded in this time.\n")


def test_the_policies_in_force_that_differ_are_named(
    run: Command, new: str, data: str, tmp_path: Path
) -> None:
    other = [decision(9, policy=DIGEST, reasons=("nonsense",))]
    file = filed(tmp_path, other)
    options = ["--from", file, "--data", data, "--verify", "--json"]
    _, out, _ = run("policy", "replay", new, *WINDOW, *options)
    assert json.loads(out)["verified"] == {
        "calls": 1,
        "same": 0,
        "unknown": 0,
        "differing": [other[0].request_id],
    }
    _, out, _ = run("policy", "replay", new, *WINDOW, *options[:-1])
    assert f"give back 0 of 1 decisions; otherwise came out {other[0].request_id}" in out


def test_routes_are_priced_by_goodgate_yaml(run: Command, data: str, tmp_path: Path) -> None:
    new = tmp_path / "route.yaml"
    new.write_text("version: 1\nrules:\n  - {id: all, route: {model: fast}}\n")
    config = tmp_path / "goodgate.yaml"
    config.write_text(
        "providers:\n  openai: {format: simulated}\n"
        "models:\n  fast: {provider: openai, model: gpt-5-mini}\n"
        "prices:\n  gpt-5-mini: {input: 10, output: 0}\n"
    )
    code, out, err = run(
        "policy",
        "replay",
        str(new),
        *WINDOW,
        "--data",
        data,
        "--json",
        GOODGATE_CONFIG=str(config),
    )
    assert (code, err) == (0, "")
    rerouted = json.loads(out)["changes"]["rerouted"]
    assert (rerouted["cost_usd"], rerouted["later_usd"]) == ("0.008000000", "0.004000000")
    config.write_text("providers: 3\n")
    options = ["--data", data, "--json"]
    code, out, err = run(
        "policy", "replay", str(new), *WINDOW, *options, GOODGATE_CONFIG=str(config)
    )
    assert (code, "goodgate.yaml cannot be used here" in err) == (0, True)
    assert json.loads(out)["changes"]["rerouted"]["unpriced"] == 4


def test_shared_quotas_are_a_doubt_unless_several_logs_are_given(
    run: Command, new: str, tmp_path: Path
) -> None:
    file = filed(tmp_path, calls())
    redis = {"GOODGATE_REDIS_URL": "redis://localhost"}
    _, out, _ = run("policy", "replay", new, *WINDOW, "--from", file, **redis)
    assert "Quotas are shared with other replicas" in out
    files = ["--from", file, "--from", filed(tmp_path, [], "b")]
    assert "other replicas" not in run("policy", "replay", new, *WINDOW, *files, **redis)[1]


def test_what_shadow_rules_would_have_done_is_told_from_a_folder(run: Command, data: str) -> None:
    code, out, err = run("policy", "shadow", "--since", "2026-03-01", "--data", data)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "away would have sent elsewhere nothing since 2026-03-01",
        "quiet would have refused 1 call of 1 person since 2026-03-01 (0.002000 USD, 1 team)",
    ]
    _, out, _ = run("policy", "shadow", "--since", "2026-03-01", "--json", GOODGATE_DATA=data)
    found = json.loads(out)
    assert found["policy"] == DIGEST
    assert [rule["calls"] for rule in found["rules"]] == [0, 1]


def test_shadow_rules_are_asked_of_the_gateway(run: Command, scripted: Scripted) -> None:
    rule: dict[str, Any] = {
        "rule": "away",
        "place": "policies/a.yaml:4",
        "does": "send elsewhere",
        "calls": 1_320,
        "people": 9,
        "teams": 4,
        "cost_usd": "28.10",
    }
    scripted.says("GET /api/policy/shadow", {"policy": DIGEST, "rules": [rule]})
    where = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_key"}
    code, out, _ = run("policy", "shadow", **where)
    assert code == 0
    assert out == (
        "away would have sent 1,320 calls of 9 people elsewhere in the last 7 days "
        "(28.10 USD, 4 teams)\n"
    )
    assert scripted.asked[-1][0] == "GET /api/policy/shadow?since=7d"
    scripted.says("GET /api/policy/shadow", {"policy": DIGEST, "rules": []})
    assert run("policy", "shadow", **where)[1] == f"no shadow rule is in force ({DIGEST})\n"
    scripted.says("GET /api/policy/shadow", {"rules": 3})
    code, _, err = run("policy", "shadow", **where)
    assert (code, "of another version" in err) == (1, True)


def test_shadow_rules_nobody_knows_cannot_be_told(run: Command, data: str) -> None:
    from gateway.stores.sqlite import ledger_file  # noqa: PLC0415  # used here alone

    held = ledger_file.open_to_write(Path(data))
    held.execute("DELETE FROM policy_text")
    held.close()
    code, _, err = run("policy", "shadow", "--data", data)
    assert (code, "name them with GOODGATE_POLICIES" in err) == (1, True)


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("7d", "in the last 7 days"),
        ("1d", "in the last day"),
        ("2w", "in the last 2 weeks"),
        ("30m", "in the last 30 minutes"),
        ("2026-03-01", "since 2026-03-01"),
    ],
)
def test_a_time_is_told_in_words(since: str, said: str) -> None:
    assert shadowing.period(since) == said

"""`goodgate policy explain`: the answer first, then what decided it."""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import policy
from gateway.cli.policy import explained
from gateway.ledger import DecisionRecord, Level
from gateway.rehearsal.explanations import explanation
from gateway.rehearsal.trials import situations
from gateway.stores.sqlite.ledger import Ledger
from tests.unit.cli.conftest import Command, Scripted

AT = 1_772_445_600.0
"""Monday, 2026-03-02, 10:00 UTC."""
ID = f"req_{int(AT * 1_000):012x}7000a000000000000000"
REFUSAL = f"Error code: 400 - No. Policy: no-task (policies/a.yaml:3). Ref {ID}."
RULES = """\
version: 1
rules:
  - {id: no-task, when: 'task.evidence == "none" && call.metered', effect: forbid, message: No.}
  - {id: rate, when: call.metered, quota: {calls: 10, per: 1m, by: [principal]}}
  - {id: cheap, when: task.value < 0.2, route: {model: gpt-5-mini, provider: local}}
  - {id: cap, obligations: {max_output_tokens: 9}}
  - id: quiet
    when: '!(now.hour > 8 && call.metered) || (call.stream && call.choices > 1)'
    effect: forbid
    mode: shadow
  - {id: odd, when: 1 / call.choices > 5, effect: permit}
  - {id: other, when: call.model == "gpt-4", effect: forbid}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of policies."""
    made = tmp_path / "policies"
    made.mkdir()
    (made / "a.yaml").write_text(RULES)
    return made


def call(tmp_path: Path, facts: str) -> str:
    file = tmp_path / "call.yaml"
    file.write_text(f"at: 2026-03-02T10:00:00Z\nfacts: {{{facts}}}\n")
    return str(file)


def fed(monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode()), encoding="utf-8"))


def test_a_refusal_is_told_in_its_first_line_and_what_decided_below(
    run: Command, tmp_path: Path, folder: Path
) -> None:
    code, out, err = run(
        *("policy", "explain", call(tmp_path, "task.evidence: none"), "--policies", str(folder))
    )

    digest = policy.load([("policies/a.yaml", RULES)]).digest
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "refused by no-task (policies/a.yaml:3): No.",
        "alice of payments · gpt-5 by chat · no task · 2026-03-02 10:00:00 UTC",
        "",
        "no-task (policies/a.yaml:3) refuses the call",
        '  > task.evidence == "none"  true   task.evidence = "none"',
        "  > call.metered             true",
        "",
        "Of the other rules 3 do not match and 3 match without effect; --all shows them.",
        f"policy {digest}",
    ]


def test_a_permit_says_where_the_call_goes_and_what_was_not_asked(
    run: Command, tmp_path: Path, folder: Path
) -> None:
    file = call(tmp_path, "task.value: 0.1, now.hour: 10")

    code, out, _ = run("policy", "explain", file, GOODGATE_POLICIES=str(folder))

    assert code == 0
    assert out.splitlines()[0] == (
        "permitted; sent to gpt-5-mini at local by cheap (policies/a.yaml:5); "
        "at most 9 output tokens; if there is room in rate"
    )
    assert "cheap (policies/a.yaml:5) sends the call to gpt-5-mini at local" in out
    assert "Quotas and budgets\n    rate  10 calls per 1m for each principal; this call" in out


def test_all_shows_every_rule_with_every_part(run: Command, tmp_path: Path, folder: Path) -> None:
    file = call(tmp_path, "call.choices: 0, call.stream: true")

    _, out, _ = run("policy", "explain", file, "--all", "--policies", str(folder))

    assert "other (policies/a.yaml:12) does not match" in out
    assert "  > 1 / call.choices > 5  error: divide by zero  call.choices = 0" in out
    assert out[out.index("quiet (") :].splitlines()[1:7] == [
        "    !(now.hour > 8 && call.metered)  false",
        "      now.hour > 8 && call.metered   true",
        "  >     now.hour > 8                 true   now.hour = 10",
        "  >     call.metered                 true",
        "    call.stream && call.choices > 1  false",
        "      call.stream                    true",
    ]
    assert "--all" not in out


def test_a_shadow_rule_says_what_it_would_have_done(
    run: Command, tmp_path: Path, folder: Path
) -> None:
    code, out, _ = run(
        *("policy", "explain", call(tmp_path, ""), "--policies", str(folder)),
        *("--at", "2026-03-02T07:00:00Z"),
    )

    assert code == 0
    assert "otherwise if quiet were enforced" in out.splitlines()[0]
    assert "quiet (policies/a.yaml:7, in shadow) would have refused the call" in out


def test_the_body_an_sdk_sends_is_explained_for_who_and_what_is_given(
    run: Command, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    fed(monkeypatch, '{"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}')

    code, out, err = run(
        *("policy", "explain", "-", "--task", "PROJ-9", "--evidence", "claimed", "--value", "0.1"),
        *("--principal", "bob", "--team", "web", "--role", "admin", "--likeness", "near"),
        *("--route", "chat", "--policies", str(folder), "--json"),
    )

    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["conclusion"]["terms"]["model"] == "gpt-5-mini"
    wanted = {
        "principal.id": "bob",
        "principal.team": "web",
        "principal.role": "admin",
        "task.id": "PROJ-9",
        "task.evidence": "claimed",
        "task.value": 0.1,
        "likeness.kind": "near",
        "call.route": "chat",
    }
    assert {name: found["facts"][name] for name in wanted} == wanted
    assert "bob of web" in found["notes"][0]


def test_a_pasted_refusal_asks_the_gateway_for_its_request(
    run: Command, scripted: Scripted
) -> None:
    policies = policy.load([("policies/a.yaml", RULES)])
    facts = situations.whole({"task.evidence": "none"}, AT)
    found = explanation.explain(policies, facts, now=AT)
    scripted.says(f"GET /api/decisions/{ID}", json.loads(msgspec.json.encode(found)))

    code, out, _ = run("policy", "explain", REFUSAL, GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x")

    assert code == 1
    assert out.startswith("refused by no-task (policies/a.yaml:3): No.\n")
    assert [line for line, *_ in scripted.asked] == [f"GET /api/decisions/{ID}"]


def test_a_reply_kept_in_a_file_does_as_well(
    run: Command, scripted: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "reply.json").write_text(json.dumps({"error": {"message": REFUSAL}}))

    code, _, err = run(
        *("policy", "explain", str(tmp_path / "reply.json")),
        GOODGATE_URL=scripted.url,
        GOODGATE_KEY="gg_x",
    )

    assert (code, err) == (1, "goodgate: error: nothing here\n")
    assert [line for line, *_ in scripted.asked] == [f"GET /api/decisions/{ID}"]


def test_an_answer_of_another_version_is_no_crash(run: Command, scripted: Scripted) -> None:
    scripted.says(f"GET /api/decisions/{ID}", {"conclusion": 1})

    code, _, err = run("policy", "explain", ID, GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x")

    assert code == 1
    assert "of another version" in err


async def test_a_recorded_call_is_explained_from_its_folder(run: Command, tmp_path: Path) -> None:
    policies = policy.load([("policies/a.yaml", RULES)])
    facts = situations.whole({"principal.id": "pseudonym"}, AT)
    kept = Ledger.open(tmp_path, secret=b"s" * 32, clock=lambda: AT)
    kept.start(asyncio.get_running_loop())
    kept.keep_policies(policies.digest, [("policies/a.yaml", RULES)], int(AT * 1e6))
    kept.note(
        DecisionRecord(
            at_us=int(AT * 1e6),
            code="quota_exceeded",
            effect="throttle",
            facts=facts,
            levels=(Level("rate", 1, 0, taken_not(), 6.0),),
            policy=policies.digest,
            principal="pseudonym",
            reasons=("rate",),
            request_id=ID,
            would_have=(),
        )
    )
    await kept.flush()
    await asyncio.to_thread(kept.close)

    code, out, err = await asyncio.to_thread(run, "policy", "explain", ID, "--data", str(tmp_path))

    assert (code, err) == (1, "")
    first, second, *_ = out.splitlines()
    assert first.startswith("slowed by rate (policies/a.yaml:4): The quota of 10 calls per 1m")
    assert second.startswith("pseudonym of payments · gpt-5 by chat · PROJ-123 (verified) · ")
    assert "    10 of 10 calls used; this call would need 1 more; free for it again at " in out


def taken_not() -> bool:
    """Return what a level says that was refused."""
    return False


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["req_1"], "'req_1' is neither a request id (req_ and 32 hex digits)"),
        (["x" * 5_000], "is neither a request id"),
        ([ID, "--task", "PROJ-1"], "is a recorded call"),
        ([ID], "no key to ask with"),
    ],
)
def test_what_cannot_be_explained_is_told(run: Command, argv: list[str], said: str) -> None:
    code, out, err = run("policy", "explain", *argv)

    assert (code, out) == (2, "")
    assert said in err


def test_files_that_cannot_be_read_are_told(run: Command, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"facts: {task.id: '\xe9'}")

    assert "cannot be read: Is a directory" in run("policy", "explain", str(tmp_path))[2]
    assert "is not UTF-8" in run("policy", "explain", str(tmp_path / "latin"))[2]


def test_a_file_beyond_any_call_is_not_read(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.cli.policy.explaining.FILE_BYTES_MAX", 5)

    assert "is longer than 5 bytes" in run("policy", "explain", call(tmp_path, ""))[2]


def test_a_broken_goodgate_yaml_is_told_and_bundled_prices_count(
    run: Command, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "goodgate.yaml").write_text("nonsense: 1\n")

    code, out, err = run(
        *("policy", "explain", call(tmp_path, ""), "--policies", str(folder)),
        GOODGATE_CONFIG=str(tmp_path / "goodgate.yaml"),
    )

    assert (code, out.split(";")[0]) == (0, "permitted")
    assert "goodgate.yaml cannot be used here" in err


def test_a_terminal_gets_the_same_words_and_long_conditions_are_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = ", ".join(f'"model-{number}"' for number in range(50))
    text = f"version: 1\nrules:\n  - {{id: x, when: 'call.model in [{long}]', effect: forbid}}\n"
    facts: dict[str, Any] = situations.whole({"call.model": "m" * 100 + "\x1b[2J"}, AT)
    found = explanation.explain(policy.load([("a.yaml", text)]), facts, now=AT)
    explained.show(found, every=True)
    plain = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "400")

    explained.show(found, every=True)

    drawn = capsys.readouterr().out
    assert "\x1b[2J" not in drawn
    assert [line.rstrip() for line in drawn.splitlines()] == plain.splitlines()
    assert "…" in plain
    assert len(max(plain.splitlines()[4:], key=len)) < 250


def test_what_was_alike_and_what_holds_now_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    policies = policy.load([("policies/a.yaml", RULES)])
    found = explanation.explain(policies, situations.whole({"likeness.kind": "near"}, AT), now=AT)
    refused = explanation.explain(policies, situations.whole({"task.evidence": "none"}, AT), now=AT)

    later = msgspec.structs.replace(
        found,
        alike=ID,
        now_in_force=refused.conclusion,
        notes=("Mind this.",),
        rules=found.rules[-2:],
    )
    explained.show(later, every=False)

    out = capsys.readouterr().out
    assert f"near of {ID}" in out
    assert "Mind this." in out
    assert "Under the policy in force now: refused by no-task (policies/a.yaml:3): No." in out
    assert "Of the other rules 2 do not match; --all" in out


def test_a_refusal_without_its_rule_says_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    found = explanation.explain(policy.load([("a.yaml", RULES)]), situations.whole({}, AT), now=AT)
    lost = msgspec.structs.replace(
        found.conclusion, effect="forbid", code="task_required", rule="gone", place="", message=""
    )

    explained.show(msgspec.structs.replace(found, conclusion=lost, rules=()), every=False)

    assert capsys.readouterr().out.startswith("refused by gone: task_required\n")

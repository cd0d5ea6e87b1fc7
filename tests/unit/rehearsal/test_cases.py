"""Test files, read: what a case says, and every mistake with its place."""

import pytest

from gateway.rehearsal.trials import cases, situations
from gateway.values import Usage
from tests.unit.rehearsal import files

POLICIES = files.policies(
    '{id: no-drafts, when: call.model == "draft", effect: forbid}',
    "{id: rate, quota: {calls: 2, per: 1m, by: [principal]}}",
)
MONDAY = situations.AT


def test_a_case_of_one_call_has_one_step_with_every_fact() -> None:
    (case,) = files.read(
        POLICIES,
        "{name: One, facts: {call.model: draft, task.value: 2}, expect: {effect: forbid}}",
    )

    (step,) = case.steps
    assert (case.name, case.file, case.line, case.calls) == ("One", "tests/a.yaml", 3, 1)
    assert (step.now, step.times, step.used, step.served) == (MONDAY, 1, None, "forwarded")
    assert step.facts == {
        **situations.whole({}, MONDAY),
        "call.model": "draft",
        "task.value": 2.0,
    }
    assert isinstance(step.facts["task.value"], float)


def test_steps_go_on_from_the_defaults_and_from_the_case() -> None:
    (case,) = files.read(
        POLICIES,
        "{name: Some, facts: {call.model: b, principal.id: bob}, steps: ["
        "{facts: {call.model: c}, times: 3,"
        " used: {input_tokens: 1, output_tokens: 2, cost_usd: 0.5}},"
        "{after: 1500ms, open: x, expect: {effect: permit}},"
        "{at: '2026-03-02T12:00:02+01:00', close: x, shared: reused},"
        "{shared: coalesced, times: 0}]}",
        extra="defaults: {at: 2026-03-02T11:00:00Z, facts: {call.model: a, call.stream: true}}\n",
    )

    first, second, third, fourth = case.steps
    at = MONDAY + 3600
    assert [step.now for step in case.steps] == [at, at + 1.5, at + 2, at + 2]
    assert [step.facts["call.model"] for step in case.steps] == ["c", "b", "b", "b"]
    assert {step.facts["call.stream"] for step in case.steps} == {True}
    assert {step.facts["principal.id"] for step in case.steps} == {"bob"}
    assert first.used == cases.Used(
        usage=Usage(input_tokens=1, output_tokens=2), cost_nano_usd=500_000_000
    )
    assert (first.times, second.opens, third.closes, case.calls) == (3, "x", "x", 5)
    assert (third.served, fourth.served) == ("reused", "coalesced")


def test_a_case_knows_which_rules_it_is_about() -> None:
    (case,) = files.read(
        POLICIES,
        "{name: One, expect: {reasons: [rate], rule: no-drafts, remaining: {rate: 1}}}",
    )

    assert case.rules == {"rate", "no-drafts"}


def test_usage_that_is_given_is_not_counted() -> None:
    (case,) = files.read(
        POLICIES, "{name: One, facts: {usage.task.day.cost_usd: 4}, expect: {effect: permit}}"
    )

    assert case.steps[0].given == {"usage.task.day.cost_usd"}
    assert case.steps[0].facts["usage.task.day.cost_usd"] == 4.0
    assert case.steps[0].facts["usage.team.month.calls"] == 0


def test_a_file_says_which_policies_it_is_about() -> None:
    problems = files.Problems()
    text = "version: 1\npolicies: [../a.yaml, ../b]\ncases: []\n"

    found = cases.outline("t.yaml", text, problems)

    assert found is not None
    assert (found.policies, len(problems)) == (("../a.yaml", "../b"), 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{name: A, fcats: {}, expect: {effect: permit}}", "unknown key 'fcats' in a case; did"),
        ("{name: A, facts: {cal.model: x}, expect: {effect: permit}}", "did you mean 'call.model'"),
        ("{name: A, facts: {zzz: x}, expect: {effect: permit}}", "README.md lists the facts"),
        ("{name: A, facts: {call.model: 1}, expect: {effect: permit}}", "expected a text (put it"),
        ("{name: A, facts: {call.choices: x}, expect: {effect: permit}}", "a whole number from 0"),
        (
            "{name: A, facts: {call.choices: 1.5}, expect: {effect: permit}}",
            "a whole number from 0",
        ),
        ("{name: A, facts: {call.choices: true}, expect: {effect: permit}}", "a whole number from"),
        ("{name: A, facts: {call.choices: -1}, expect: {effect: permit}}", "a whole number from"),
        ("{name: A, facts: {task.value: x}, expect: {effect: permit}}", "a number, at least 0"),
        ("{name: A, facts: {task.value: -0.1}, expect: {effect: permit}}", "a number, at least 0"),
        ("{name: A, facts: {call.stream: 1}, expect: {effect: permit}}", "expected true or false"),
        (
            "{name: A, facts: {task.evidence: verifed}, expect: {effect: permit}}",
            "did you mean 'verified'?",
        ),
        (
            "{name: A, facts: {task.evidence: none, task.evidence_rank: 2}, steps: [{}]}",
            "task.evidence_rank contradicts task.evidence, expected 0 or neither",
        ),
        (
            "{name: A, facts: {now.hour: 9}, expect: {effect: permit}}",
            "now.hour is given as 9, and is 10 at 2026-03-02T10:00:00Z: set 'at'",
        ),
        ("{name: A, at: 2026-03-02T10:00, expect: {effect: permit}}", "a time with its zone"),
        ("{name: A, at: 2026-13-02T10:00:00Z, expect: {effect: permit}}", "a time with its zone"),
        ("{name: A, at: 1999-12-31T23:59:59Z, expect: {effect: permit}}", "a time with its zone"),
        ("{name: A}", "a case has 'expect', or 'steps' with one in some of them"),
        ("{name: A, expect: {effect: permit}, steps: []}", "a case has 'expect', or 'steps'"),
        ("{name: A, steps: [{}]}", "no step expects anything"),
        ("{name: A, steps: []}", "no step expects anything"),
        ("{name: A, expect: {}}", "expected at least one of effect, reasons"),
        ("{name: A, expect: x}", "expected expect: a mapping"),
        ("{expect: {effect: permit}}", "a case needs 'name'"),
        ("{name: ' ', expect: {effect: permit}}", "expected a name"),
        ("{name: A, steps: [{tims: 1}]}", "unknown key 'tims' in a step; did you mean 'times'?"),
        (
            "{name: A, steps: [{times: 10001, expect: {effect: permit}}]}",
            "expected at most 10000",
        ),
        ("{name: A, steps: [{times: 0, expect: {effect: permit}}]}", "expected at least 1 in"),
        ("{name: A, steps: [{after: soon}]}", "a time such as 500ms, 6s"),
        ("{name: A, steps: [{after: 999999999d}]}", "expected a time before the year 3000"),
        (
            "{name: A, steps: [{after: 1s, at: 2026-03-02T10:00:00Z}]}",
            "a step has 'at' or 'after', and not both",
        ),
        ("{name: A, steps: [{at: 2026-03-02T09:00:00Z}]}", "cases go forward"),
        (
            "{name: A, steps: [{open: first}, {close: frist}]}",
            "a call under way; did you mean 'first'?",
        ),
        ("{name: A, steps: [{close: x}]}", "name what an earlier step has in 'open'"),
        ("{name: A, steps: [{open: x}, {open: x}]}", "another name: 'x' is under way"),
        (
            "{name: A, steps: [{shared: reused, failed: true}]}",
            "fails with the call it shares with: remove 'failed'",
        ),
        ("{name: A, steps: [{shared: yes}]}", "expected one of coalesced, reused"),
        ("{name: A, steps: [{used: {tokens: 1}}]}", "unknown key 'tokens' in used"),
    ],
)
def test_a_mistake_is_told_with_its_place(line: str, said: str) -> None:
    found = files.mistakes(POLICIES, files.case_file(line))

    assert any(said in each for each in found), found
    assert all(each.startswith("t.yaml:3:") for each in found)


def test_all_mistakes_are_told_at_once() -> None:
    found = files.mistakes(
        POLICIES,
        "version: 2\n"
        "defaults: {when: now, facts: {call.modle: x}}\n"
        "cases:\n"
        "  - {name: A, expect: {reasons: [no-draft]}}\n"
        "  - {name: A, expect: {effect: deny}}\n",
    )

    assert [each.split(": ", 1)[0] for each in found] == [
        "t.yaml:1:10",
        "t.yaml:2:12",
        "t.yaml:2:31",
        "t.yaml:4:34",
        "t.yaml:5:12",
        "t.yaml:5:32",
    ]
    assert "did you mean 'no-drafts'?" in found[3]
    assert "another name: the case on line 4 has it" in found[4]


def test_what_is_no_yaml_has_no_outline() -> None:
    found = files.mistakes(POLICIES, "version: 1\ncases: [\n")

    assert len(found) == 1
    assert found[0].startswith("t.yaml:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\n", "a test file needs 'cases'"),
        ("cases: [{name: A, expect: {effect: permit}}]\n", "a test file needs 'version'"),
        ("version: 1\ncases: []\n", "expected at least one case"),
        ("version: 1\nrules: []\n", "t.yaml:2:1: this is a policy file, expected a test file"),
        ("version: 1\ncasess: []\n", "unknown key 'casess' in a test file; did you mean 'cases'?"),
        ("- version: 1\n", "expected a test file: a mapping"),
    ],
)
def test_a_file_needs_a_version_and_cases(text: str, said: str) -> None:
    assert any(said in each for each in files.mistakes(POLICIES, text))


def test_a_file_of_too_many_calls_is_refused() -> None:
    line = "{{name: A{}, steps: [{{times: 10000}}, {{expect: {{effect: permit}}}}]}}"

    found = files.mistakes(POLICIES, files.case_file(*map(line.format, range(10))))

    assert found == [
        "t.yaml:2:1: 100010 calls in all cases, expected at most 100000: lower `times`"
    ]

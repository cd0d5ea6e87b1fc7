"""`goodgate policy test`: what is printed, what is written, and the exit code."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from tests.unit.cli.conftest import Command

POLICY = """\
version: 1
rules:
  - {id: no-drafts, when: call.model == "draft", effect: forbid, message: Use another model.}
  - {id: rate, quota: {calls: 2, per: 1m, by: []}}
"""
GOOD = """\
version: 1
cases:
  - {name: A draft is refused, facts: {call.model: draft}, expect: {reasons: [no-drafts]}}
  - name: Two at once, then one in thirty seconds
    steps:
      - {times: 2, expect: {effect: permit}}
      - {expect: {effect: throttle, reasons: [rate], retry_after_s: 30}}
"""
BAD = """\
version: 1
cases:
  - {name: A draft is served, facts: {call.model: draft}, expect: {effect: permit}}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of policies with tests that pass, below the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules" / "tests").mkdir(parents=True)
    (tmp_path / "rules" / "a.yaml").write_text(POLICY)
    (tmp_path / "rules" / "tests" / "a.yaml").write_text(GOOD)
    return tmp_path / "rules"


PLACE = "(rules/a.yaml:3)"
SUMMARY = "rules/: 2 cases passed, 2 of 2 rules covered, both sides of 1 of 1 condition"


def test_one_line_says_that_all_is_well(run: Command, folder: Path) -> None:
    assert run("policy", "test", "rules") == (0, SUMMARY + "\n", "")
    assert run("policy", "test", "rules/tests/a.yaml") == (0, SUMMARY + "\n", "")
    assert run("policy", "test", "rules/tests") == (0, SUMMARY + "\n", "")
    assert run("policy", "test", GOODGATE_POLICIES=str(folder)) == (0, SUMMARY + "\n", "")


def test_the_shipped_set_is_tested_when_nothing_else_is_named(run: Command) -> None:
    code, out, err = run("policy", "test")

    assert (code, err) == (0, "")
    assert "policies/: " in out
    assert "7 of 7 rules covered" in out


def test_a_failure_says_what_was_expected_what_came_and_which_rule(
    run: Command, folder: Path
) -> None:
    (folder / "tests" / "b.yaml").write_text(BAD)

    code, out, err = run("policy", "test", "rules")

    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "rules/tests/b.yaml:3: FAILED: A draft is served",
        "    effect: expected permit, came forbid",
        f"    decided by no-drafts {PLACE}: Use another model. Policy: no-drafts {PLACE}.",
        "rules/: 1 of 3 cases failed, 2 of 2 rules covered, both sides of 1 of 1 condition",
    ]


def test_the_failing_call_is_named(run: Command, folder: Path) -> None:
    (folder / "tests" / "a.yaml").write_text(GOOD.replace("times: 2", "times: 3"))

    code, out, _ = run("policy", "test", "rules")

    assert code == 1
    assert out.startswith(
        "rules/tests/a.yaml:6: FAILED: Two at once, then one in thirty seconds "
        "(step 1, call 3 of 3)\n"
    )


def test_only_some_cases_are_run(run: Command, folder: Path) -> None:
    (folder / "tests" / "b.yaml").write_text(BAD)

    assert run("policy", "test", "rules", "-k", "THIRTY") == (0, "rules/: 1 case passed\n", "")
    code, _, err = run("policy", "test", "rules", "-k", "thirteen")
    assert (code, err) == (2, "goodgate: error: no case has 'thirteen' in its name\n")
    for option in (["--mutate"], ["--min-coverage", "1"]):
        code, _, err = run("policy", "test", "rules", "-k", "thirty", *option)
        assert (code, "leave -k out" in err) == (2, True)


def test_a_suite_none_of_whose_cases_are_meant_is_not_spoken_of(run: Command, folder: Path) -> None:
    other = folder / "tests" / "other.yaml"
    other.write_text(BAD.replace("cases:", "policies: [../../other.yaml]\ncases:"))
    (folder.parent / "other.yaml").write_text(POLICY)

    code, out, _ = run("policy", "test", "rules", "-k", "thirty")

    assert (code, out) == (0, "rules/: 1 case passed\n")


def test_what_no_case_looked_at_is_shown(run: Command, folder: Path) -> None:
    (folder / "tests" / "a.yaml").write_text(
        "version: 1\ncases:\n  - {name: A, expect: {effect: permit}}\n"
    )

    code, out, _ = run("policy", "test", "rules", "--coverage")

    assert code == 0
    assert out.splitlines()[:-1] == [
        "where           rule       what no case looked at",
        "rules/a.yaml:3  no-drafts  never had a say",
        'rules/a.yaml:3  no-drafts  call.model == "draft" was never true',
        "rules/a.yaml:4  rate       the quota of 2 calls was never refused",
    ]
    assert out.splitlines()[-1] == (
        "rules/: 1 case passed, 1 of 2 rules covered, both sides of 0 of 1 condition, "
        "0 of 1 limit reached"
    )
    assert run("policy", "test", "rules", "--min-coverage", "50")[0] == 0
    code, out, _ = run("policy", "test", "rules", "--min-coverage", "51")
    assert code == 1
    assert out.splitlines()[0].startswith("where ")
    assert out.splitlines()[-1] == "  50.0 % is covered, less than 51 %"


def test_changes_that_no_case_notices_fail(run: Command, folder: Path) -> None:
    code, out, _ = run("policy", "test", "rules", "--mutate")

    assert code == 1
    assert out.splitlines() == [
        "where           rule       a change no case notices",
        "rules/a.yaml:3  no-drafts  forbid becomes permit",
        f"{SUMMARY}, 1 of 11 mutants survived",
    ]
    (folder / "tests" / "a.yaml").write_text(
        GOOD.replace("expect: {rea", "expect: {effect: forbid, rea")
    )
    code, out, _ = run("policy", "test", "rules", "--mutate")
    assert (code, out) == (0, f"{SUMMARY}, none of 11 mutants survived\n")


def test_nothing_is_changed_while_a_case_fails(run: Command, folder: Path) -> None:
    (folder / "tests" / "b.yaml").write_text(BAD)

    code, out, _ = run("policy", "test", "rules", "--mutate")

    assert code == 1
    assert "mutant" not in out


def test_results_are_written_for_ci(run: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "tests" / "b.yaml").write_text(BAD)

    code, _, err = run("policy", "test", "rules", "--junit", "results.xml")

    assert (code, err) == (1, "")
    root = Xml.fromstring((tmp_path / "results.xml").read_text("utf-8"))
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    code, _, err = run("policy", "test", "rules", "--junit", "no/such/folder.xml")
    assert (code, "cannot be written" in err) == (2, True)


def test_all_of_it_as_json(run: Command, folder: Path) -> None:
    code, out, err = run("policy", "test", "rules", "--mutate", "--json")

    found = json.loads(out)
    (suite,) = found["suites"]
    assert (code, err, found["passed"]) == (1, "", False)
    assert (suite["policies"], suite["policy"][:7]) == ("rules/", "sha256:")
    assert [case["passed"] for case in suite["cases"]] == [True, True]
    assert suite["coverage"] == {
        "percent": 100.0,
        "rules": [2, 2],
        "conditions": [1, 1],
        "limits": [1, 1],
        "missed": [],
    }
    assert suite["mutants"] == 11
    assert {"place", "rule", "what"} == set(suite["survivors"][0])
    (folder / "tests" / "b.yaml").write_text(BAD)
    code, out, _ = run("policy", "test", "rules", "--json", "-k", "draft is")
    (suite,) = json.loads(out)["suites"]
    assert code == 1
    assert "coverage" not in suite
    assert suite["cases"][1]["failure"]["differences"] == [
        {"what": "effect", "expected": "permit", "came": "forbid"}
    ]


def test_every_mistake_in_policies_and_tests_is_told_at_once(run: Command, folder: Path) -> None:
    (folder / "tests" / "b.yaml").write_text(BAD.replace("call.model", "cal.model"))
    (folder / "tests" / "c.yaml").write_text("version: 1\ncases: [\n")
    (folder / "tests" / "d.yaml").write_text(
        BAD.replace("cases:", "policies: [../../other.yaml]\ncases:")
    )
    (folder.parent / "other.yaml").write_text(POLICY.replace("effect", "efect"))

    code, out, err = run("policy", "test", "rules")

    assert (code, out) == (2, "")
    lines = [line.removeprefix("goodgate: error: ") for line in err.splitlines()]
    assert any(line.startswith("other.yaml:3:") for line in lines)
    assert any(line.startswith("rules/tests/b.yaml:3:") for line in lines)
    assert any(line.startswith("rules/tests/c.yaml:") for line in lines)
    code, out, _ = run("policy", "test", "rules", "--json")
    assert (code, json.loads(out)["passed"]) == (2, False)
    assert json.loads(out)["mistakes"] == lines


def test_what_is_not_there_is_told(run: Command, folder: Path) -> None:
    (folder / "tests" / "a.yaml").unlink()
    code, _, err = run("policy", "test", "rules")
    assert (code, "rules: there are no tests: write some in rules/tests/NAME.yaml" in err) == (
        2,
        True,
    )
    assert run("policy", "test", "nowhere")[0] == 2
    (folder / "tests" / "a.yaml").write_bytes(b"version: \xff")
    code, _, err = run("policy", "test", "rules")
    assert (code, "cannot be read as UTF-8 text" in err) == (2, True)
    (folder / "tests" / "a.yaml").write_text(
        BAD.replace("cases:", "policies: [../../none.yaml]\ncases:")
    )
    code, _, err = run("policy", "test", "rules")
    assert (code, err) == (2, "goodgate: error: none.yaml: there is no such folder of policies\n")
    code, _, err = run("policy", "test", "rules/a.yaml")
    assert (code, err.count("\n"), "this is a policy file" in err) == (2, 1, True)


def test_policies_named_twice_are_read_once(run: Command, folder: Path) -> None:
    twice = GOOD.replace("cases:", "policies: [../a.yaml, ../../rules/a.yaml]\ncases:")
    (folder / "tests" / "a.yaml").write_text(twice)

    assert run("policy", "test", "rules") == (0, SUMMARY.replace("/:", "/a.yaml:") + "\n", "")


def test_the_schema_of_test_files_is_printed(run: Command) -> None:
    code, out, err = run("policy", "schema", "--tests")

    assert (code, err) == (0, "")
    assert json.loads(out)["title"] == "A test file of Goodgate policies"

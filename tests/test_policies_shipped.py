"""
Every shipped policy does what its tests say, and no small slip in one goes unnoticed.

Each test file beside a policy is run, and again with every operator, amount and effect of its
rules changed in turn: a change that no case notices fails here.
"""

from pathlib import Path

import pytest

from gateway import policy
from gateway.cli.policy import suites
from gateway.cli.policy.suites import Suite
from gateway.rehearsal.trials import mutation, testing
from gateway.rehearsal.trials.coverage import Coverage

POLICIES = Path(__file__).parents[1] / "policies"
FOLDERS = sorted({path.parent.parent for path in POLICIES.rglob("tests/*.yaml")})
SUITES = [suite for folder in FOLDERS for suite in suites.load([folder], None)]
RECIPES = sorted((POLICIES / "recipes").glob("*.yaml"))


def label(suite: Suite) -> str:
    return suite.label.removeprefix("policies/") or "default"


@pytest.mark.parametrize("suite", SUITES, ids=label)
def test_a_shipped_policy_does_what_its_tests_say(suite: Suite) -> None:
    coverage = Coverage(suite.policies)

    results = [testing.run(case, suite.policies, coverage.watch) for case in suite.cases]

    failed = [(each.case.name, each.failure.lines) for each in results if each.failure is not None]
    assert failed == []
    assert coverage.report().lines == ()
    assert suite.policies.notes == ()


@pytest.mark.parametrize("suite", SUITES, ids=label)
def test_no_slip_in_a_shipped_policy_goes_unnoticed(suite: Suite) -> None:
    survey = mutation.survey(suite.policies, suite.cases)

    assert survey.mutants > 0
    assert [(each.place, each.rule.id, each.words) for each in survey.survivors] == []


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_is_a_whole_policy_with_tests_of_its_own(path: Path) -> None:
    assert policy.load([(str(path), path.read_text("utf-8"))]).rules
    assert (path.parent / "tests" / path.name).is_file()


def test_every_policy_file_is_tested() -> None:
    tested = {
        rule.refusal.place.partition(":")[0] for suite in SUITES for rule in suite.policies.rules
    }
    files = {path for path in POLICIES.rglob("*.yaml") if "tests" not in path.parts}

    assert len(files) >= 14
    assert {path.name for path in files} == {Path(name).name for name in tested}


def test_the_default_set_is_what_its_folder_holds_and_no_recipe() -> None:
    (suite,) = suites.load([POLICIES], None)

    assert {rule.refusal.place.partition(":")[0] for rule in suite.policies.rules} == {
        "policies/default.yaml"
    }

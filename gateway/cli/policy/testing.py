"""`goodgate policy test`: do policies do what their tests say? Answered here, with no gateway."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Desk
from gateway.cli.policy import suites
from gateway.cli.policy.suites import Suite
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.rehearsal.trials.coverage import Report
    from gateway.rehearsal.trials.mutation import Survey
    from gateway.rehearsal.trials.testing import Result

_WRONG = 2


class _Answer(Struct, frozen=True, kw_only=True):
    """What came of one suite."""

    suite: Suite
    results: "Sequence[Result]"
    report: "Report | None"
    """None when only some cases were run."""
    survey: "Survey | None"
    """None when no mutants were asked for, or a case fails without any."""

    @property
    def failed(self) -> int:
        """Return how many cases failed."""
        return sum(not result.passed for result in self.results)


def run_tests(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATHS",
            help="Folders of policies with `tests/` in them, and test files; "
            "else GOODGATE_POLICIES.",
        ),
    ] = None,
    *,
    only: Annotated[
        str, typer.Option("-k", metavar="TEXT", help="Only the cases with TEXT in their name.")
    ] = "",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show what of the rules no case looked at.")
    ] = False,
    min_coverage: Annotated[
        float, typer.Option(metavar="PERCENT", min=0, max=100, help="Fail below this.")
    ] = 0.0,
    mutate: Annotated[
        bool,
        typer.Option("--mutate", help="Change each rule in each small way; fail if none notices."),
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit XML.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """
    Run the test cases beside policies: calls, and what each should come to.

    \b
    goodgate policy test policies/
    goodgate policy test policies/ --mutate --min-coverage 100 --junit results.xml
    goodgate policy test policies/tests/rates.yaml -k "six seconds"

    Exit code 0: all as expected. 1: not. 2: a policy or a test cannot be used.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    if only and (mutate or min_coverage):
        raise WrongUse("--mutate and --min-coverage look at all cases: leave -k out")
    try:
        found = suites.load(paths or [], Desk.of(context).settings.policies)
    except ConfigError as error:
        if as_json:
            terminal.as_json({"passed": False, "mistakes": str(error).splitlines()})
        else:
            terminal.say_error(error)
        return _WRONG
    answers = [_answered(suite, only, mutate=mutate) for suite in found]
    if not any(answer.results for answer in answers):
        raise WrongUse(f"no case has {only!r} in its name")
    if junit is not None:
        _write(junit, answers)
    passed = all(_is_good(answer, min_coverage) for answer in answers)
    if as_json:
        terminal.as_json({"passed": passed, "suites": [_plain(answer) for answer in answers]})
    else:
        for answer in answers:
            _show(answer, min_coverage, coverage=coverage)
    return 0 if passed else 1


def _answered(suite: Suite, only: str, *, mutate: bool) -> _Answer:
    # Imported here: no other command needs the compiler of conditions they bring.
    from gateway.rehearsal.trials import mutation, testing  # noqa: PLC0415  # as above
    from gateway.rehearsal.trials.coverage import Coverage  # noqa: PLC0415  # as above

    cases = [case for case in suite.cases if only.casefold() in case.name.casefold()]
    seen = Coverage(suite.policies)
    results = [testing.run(case, suite.policies, seen.watch) for case in cases]
    passed = all(result.passed for result in results)
    return _Answer(
        suite=suite,
        results=results,
        report=None if only else seen.report(),
        survey=mutation.survey(suite.policies, cases) if mutate and cases and passed else None,
    )


def _is_good(answer: _Answer, min_coverage: float) -> bool:
    covered = answer.report is None or answer.report.percent >= min_coverage
    survived = answer.survey is not None and bool(answer.survey.survivors)
    return not answer.failed and covered and not survived


def _write(junit: Path, answers: Sequence[_Answer]) -> None:
    from gateway.rehearsal.trials import junit as document  # noqa: PLC0415  # only who asks needs it

    results = [result for answer in answers for result in answer.results]
    try:
        junit.write_text(document.xml(results), encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{junit} cannot be written: {error.strerror}") from None


def _show(answer: _Answer, min_coverage: float, *, coverage: bool) -> None:
    """Print what failed, what was missed, what survived, and one line for all of it."""
    for result in answer.results:
        if result.failure is not None:
            _show_failure(result)
    if not answer.results:
        return
    report, survey = answer.report, answer.survey
    below = report is not None and report.percent < min_coverage
    if report is not None and report.missed and (coverage or below):
        terminal.table(["where", "rule", "what no case looked at"], report.lines)
    if survey is not None and survey.survivors:
        rows = [[each.place, each.rule.id, each.words] for each in survey.survivors]
        terminal.table(["where", "rule", "a change no case notices"], rows)
    print(f"{terminal.plain(answer.suite.label)}: {', '.join(_summary(answer))}")
    if below and report is not None:
        print(f"  {report.percent:.1f} % is covered, less than {min_coverage:g} %")


def _show_failure(result: "Result") -> None:
    failure = result.failure
    assert failure is not None
    case = result.case
    where = f" ({failure.where})" if failure.where else ""
    print(f"{case.file}:{failure.line}: FAILED: {terminal.plain(case.name)}{where}")
    for line in failure.lines:
        print(f"    {terminal.plain(line)}")


def _summary(answer: _Answer) -> list[str]:
    count, failed = len(answer.results), answer.failed
    said = [f"{failed} of {_many(count, 'case')} failed"]
    if not failed:
        said = [f"{_many(count, 'case')} passed"]
    report = answer.report
    if report is not None:
        said.append(f"{report.rules_seen} of {_many(report.rules, 'rule')} covered")
        if report.conditions:
            conditions = _many(report.conditions, "condition")
            said.append(f"both sides of {report.conditions_seen} of {conditions}")
        if report.limits_seen < report.limits:
            said.append(f"{report.limits_seen} of {_many(report.limits, 'limit')} reached")
    if answer.survey is not None:
        survivors = len(answer.survey.survivors)
        said.append(f"{survivors or 'none'} of {_many(answer.survey.mutants, 'mutant')} survived")
    return said


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _plain(answer: _Answer) -> dict[str, Any]:
    report, survey = answer.report, answer.survey
    said: dict[str, Any] = {
        "policies": answer.suite.label,
        "policy": answer.suite.policies.digest,
        "cases": [_plain_result(result) for result in answer.results],
    }
    if report is not None:
        said["coverage"] = {
            "percent": round(report.percent, 1),
            "rules": [report.rules_seen, report.rules],
            "conditions": [report.conditions_seen, report.conditions],
            "limits": [report.limits_seen, report.limits],
            "missed": [
                dict(zip(("place", "rule", "what"), line, strict=True)) for line in report.lines
            ],
        }
    if survey is not None:
        said["mutants"] = survey.mutants
        said["survivors"] = [
            {"place": each.place, "rule": each.rule.id, "what": each.words}
            for each in survey.survivors
        ]
    return said


def _plain_result(result: "Result") -> dict[str, Any]:
    case, failure = result.case, result.failure
    said: dict[str, Any] = {
        "name": case.name,
        "file": case.file,
        "line": case.line,
        "passed": result.passed,
    }
    if failure is not None:
        said["failure"] = {
            "line": failure.line,
            "where": failure.where,
            "differences": [
                {"what": each.what, "expected": each.expected, "came": each.came}
                for each in failure.shortfalls
            ],
            "decided_by": failure.decided_by,
            "message": failure.message,
        }
    return said

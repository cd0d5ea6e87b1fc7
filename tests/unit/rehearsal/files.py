"""Policies and test files as short as a test of the room can have them."""

from gateway import policy
from gateway.documents import Problems
from gateway.errors import ConfigError
from gateway.rehearsal.trials import cases
from gateway.rehearsal.trials.cases import Case


def policies(*rules: str, name: str = "policies/a.yaml", extra: str = "") -> policy.PolicySet:
    """Return the policy set of one file with rules in flow style."""
    return policy.load([(name, file(*rules, extra=extra))])


def file(*rules: str, extra: str = "") -> str:
    """Return the text of a policy file with rules in flow style."""
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return f"version: 1\n{extra}rules:\n{lines}"


def case_file(*lines: str, extra: str = "") -> str:
    """Return the text of a test file with cases in flow style."""
    said = "".join(f"  - {line}\n" for line in lines)
    return f"version: 1\n{extra}cases:\n{said}"


def read(found: policy.PolicySet, *lines: str, extra: str = "") -> tuple[Case, ...]:
    """Return the cases of a test file, which must be without mistakes."""
    problems = Problems()
    outline = cases.outline("tests/a.yaml", case_file(*lines, extra=extra), problems)
    assert outline is not None
    made = cases.read(outline, found, problems)
    problems.raise_if_any()
    return made


def mistakes(found: policy.PolicySet, text: str) -> list[str]:
    """Return what is wrong with a test file, a line each."""
    problems = Problems()
    outline = cases.outline("t.yaml", text, problems)
    if outline is not None:
        cases.read(outline, found, problems)
    try:
        problems.raise_if_any()
    except ConfigError as error:
        return str(error).splitlines()
    return []

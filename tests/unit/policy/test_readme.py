"""What policies/README.md promises is what the room does."""

import re

import pytest

from gateway import policy
from gateway.policy.facts import DECLARED, ROUTES, USAGE
from gateway.policy.language.model import CODES
from gateway.wire import ROUTES as ROUTES_SERVED
from tests.unit.policy import cases

README = (cases.DEFAULT.parent / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


def test_every_fact_is_listed_with_its_type_and_its_values() -> None:
    for fact in DECLARED.values():
        if fact.name.startswith(USAGE):
            continue  # one row for all of them, below
        (line,) = [row for row in README.split("\n") if row.startswith(f"| `{fact.name}` |")]
        assert f"| {fact.type} | {fact.about}" in line
        for member in fact.members:
            assert f"`{member}`" in line or not member


def test_usage_is_listed_in_one_row() -> None:
    (row,) = re.findall(r"^\| `usage\.(\S+)` \|", README, re.MULTILINE)
    who, period, unit = [part.split(",") for part in re.findall(r"{([^}]*)}", row)]
    names = {f"usage.{w}.{p}.{u}" for w in who for p in period for u in unit}
    assert names == {name for name in DECLARED if name.startswith(USAGE)}


def test_every_code_is_listed() -> None:
    for code in CODES:
        assert f"`{code}`" in README


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_is_sound(text: str) -> None:
    assert policy.load([("example.yaml", text)]).digest.startswith("sha256:")


def test_the_routes_a_policy_may_name_are_those_that_are_served() -> None:
    assert set(ROUTES) == {route.name for route in ROUTES_SERVED}

"""Approvals and very short turns say too little to be compared."""

import pytest

from gateway.likeness import brevity
from gateway.likeness.normal_form import normal_form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "y",
        "OK, thanks!",
        "Yes, please continue.",
        "go ahead please proceed",
        "yes proceed with the plan",
        "Looks good to me, please proceed.",
        "both",
        "fix observation 99",
    ],
)
def test_these_are_short(text: str) -> None:
    assert brevity.is_short(normal_form(text))


@pytest.mark.parametrize(
    "text",
    [
        "fix observation 99 in the list",
        "yes, but only for the parser",
        "continue with the second migration",
        "proceed with the deployment of everything",
    ],
)
def test_these_are_not(text: str) -> None:
    assert not brevity.is_short(normal_form(text))


@pytest.mark.parametrize(
    ("tokens", "is_under"), [([], True), (["a" * 19], True), (["a" * 20], False)]
)
def test_the_bound_is_of_the_tokens_joined(tokens: list[str], is_under: bool) -> None:  # noqa: FBT001 - a column of the table
    assert brevity.is_under(tokens, 20) is is_under

"""Two prompts at hand are judged as the line would, and the words that decided it are named."""

import pytest

from gateway import likeness

ASK = "Please sort the orders of a customer by date and print the total of each month."


@pytest.mark.parametrize(
    ("earlier", "later", "kind"),
    [
        (ASK, ASK.upper(), "exact"),
        (ASK, f"Hi! {ASK} Thanks a lot.", "near"),
        (ASK, ASK.replace("customer", "supplier"), "new"),
        (ASK, "yes", "short"),
        ("yes", ASK, "new"),
    ],
)
def test_a_pair_is_judged_and_explained_alike(earlier: str, later: str, kind: str) -> None:
    verdict = likeness.judge_pair(earlier, later)
    found = likeness.explain(earlier, later)

    assert verdict.kind == found.kind == kind
    assert verdict.reason == found.reason != ""


def test_the_words_that_decided_it_are_named() -> None:
    found = likeness.explain(ASK, ASK.replace("customer", "supplier"))

    assert (found.earlier_words, found.later_words) == ("customer", "supplier")
    assert found.earlier.startswith("please sort the orders")
    assert found.later.split()[6] == "supplier"
    assert 0.9 < found.similarity < 1


def test_nothing_decides_between_the_same_words() -> None:
    found = likeness.explain(ASK, ASK.upper())

    assert (found.earlier_words, found.later_words, found.similarity) == ("", "", 1.0)

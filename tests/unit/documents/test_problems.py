"""The mistakes of a document: how many are kept, what may be spent, which name is near."""

import pytest

from gateway import documents
from gateway.documents import Problems, problems
from gateway.errors import ConfigError

ROOT = documents.parse("a.yaml", "{}")


def test_reading_ends_once_there_are_too_many_mistakes() -> None:
    found = Problems()
    for number in range(problems.MISTAKES_MAX - 1):
        found.add_at("a.yaml", number, 1, "wrong")
    with pytest.raises(ConfigError) as caught:
        found.add_at("b.yaml", 1, 1, "wrong")
    lines = str(caught.value).split("\n")
    assert len(lines) == problems.MISTAKES_SHOWN_MAX + 1
    assert lines[-1] == "… and at least 900 more"
    with pytest.raises(ConfigError) as again:
        found.add_error(caught.value)
    assert str(again.value) == str(caught.value)


def test_reading_ends_once_it_takes_too_much() -> None:
    found = Problems()
    found.spend(ROOT, problems.COST_MAX)
    with pytest.raises(ConfigError) as caught:
        found.spend(ROOT, 1)
    assert str(caught.value) == (
        "a.yaml:1:1: up to here these files take more to read than all of them may, "
        "expected less: fewer or shorter conditions, lists and patterns"
    )
    with pytest.raises(ConfigError, match=r"^a.yaml:1:1: up to here"):
        found.add_error(caught.value)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("word", "near"),
    [("efect", "effect"), ("Effect", "effect"), ("STARTSWITH", "startsWith"), ("xyz", "")],
)
def test_the_nearest_name_is_found_whatever_its_case(word: str, near: str) -> None:
    hint = documents.nearest(word, ["effect", "startsWith", "by"])
    assert hint == (f"; did you mean {near!r}?" if near else "")


def test_a_name_too_long_for_any_of_ours_is_not_compared() -> None:
    name = "e" * (problems.NAME_LENGTH_MAX + 1)
    assert documents.nearest(name, [name]) == ""

"""Words that say the same, and forms of one word."""

import pytest

from gateway.likeness import synonyms
from tests.unit.likeness.compared import tools, value


def same(old: str, new: str) -> bool:
    left, right = ([value(word) for word in text.split()] for text in (old, new))
    return tools().synonyms.same(left, right)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fix", "repair"),
        ("make sure", "ensure"),
        ("colour", "color"),
        ("cannot", "can not"),
        ("isnt", "is not"),
        ("use", "utilize"),
        ("quickly", "rapidly"),
    ],
)
def test_what_says_the_same_is_known_both_ways(old: str, new: str) -> None:
    assert same(old, new)
    assert same(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minimum", "maximum"),
        ("add", "remove"),
        ("list", "array"),
        ("left", "right"),
        ("get", "set"),
        ("before", "after"),
        ("is", "isnt"),
        ("must", "must not"),
        ("fix", "parser"),
        ("xkcdq", "repair"),
    ],
)
def test_what_differs_technically_is_not(old: str, new: str) -> None:
    assert not same(old, new)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("file", "files"),
        ("write", "writing"),
        ("stop", "stopped"),
        ("query", "queries"),
        ("final", "finally"),
        ("test", "tests"),
        ("shows", "displays"),
        ("repaired", "fixed"),
        ("building", "constructing"),
    ],
)
def test_forms_of_one_word_are_known(left: str, right: str) -> None:
    assert synonyms.are_forms(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("mode", "node"), ("is", "as"), ("number", "numb"), ("car", "care"), ("shows", "hides")],
)
def test_other_words_are_no_forms(left: str, right: str) -> None:
    assert not synonyms.are_forms(left, right)

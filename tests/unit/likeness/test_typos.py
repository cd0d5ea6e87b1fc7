"""A mistyped word is known by its edits, although only a hash is known of the right one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import typos
from tests.unit.likeness.compared import LEXICON, tools, value

WORDS = st.text("abc", max_size=7)


def plain_edits(left: str, right: str) -> int:
    """Optimal string alignment as textbooks have it."""
    rows = [
        [i + j if not i * j else 0 for j in range(len(right) + 1)] for i in range(len(left) + 1)
    ]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            rows[i][j] = min(
                rows[i - 1][j] + 1,
                rows[i][j - 1] + 1,
                rows[i - 1][j - 1] + (left[i - 1] != right[j - 1]),
            )
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@given(left=WORDS, right=WORDS)
def test_edits_are_counted_as_in_textbooks(left: str, right: str) -> None:
    found = plain_edits(left, right)

    assert typos.edits(left, right, 7) == found
    assert typos.edits(left, right, 1) == (found if found <= 1 else 99)


def test_a_dictionary_word_is_looked_up_by_its_value_and_no_other() -> None:
    table = tools().typos

    assert "parser" in table.words_of(value("parser"))
    assert table.words_of(value("parser")) is table.words_of(value("parser"))
    assert table.words_of(value("blorvexian")) == ()
    assert table.edits(value("parser"), "pasrer", 2) == 1
    assert table.edits(value("blorvexian"), "blorvexian", 2) == 99


def test_what_is_remembered_of_the_table_is_bounded() -> None:
    table = typos.Typos(LEXICON)

    for at in range(10_001):
        table.words_of(at << 4 | 5)

    assert len(table._found) < 10


@pytest.mark.parametrize(
    ("known", "word", "allowed"),
    [
        ("is", "si", 0),
        ("the", "teh", 1),
        ("the", "thee", 1),
        ("css", "scss", 0),
        ("list", "lits", 1),
        ("function", "functoin", 2),
        ("documentation", "documentatoin", 3),
    ],
)
def test_the_longer_a_word_the_more_slips_it_may_have(known: str, word: str, allowed: int) -> None:
    assert typos.slips_allowed(known, word) == allowed


@pytest.mark.parametrize("word", ["specsory", "spcestory", "specxstory", "spectstory", "spexstory"])
def test_a_slip_of_a_name_is_found_by_trying(word: str) -> None:
    assert tools().typos.is_slip_of(value("specstory"), word)


@pytest.mark.parametrize("word", ["specstorys", "spexstori", "specstor"])
def test_a_name_with_another_ending_is_another_name(word: str) -> None:
    assert not tools().typos.is_slip_of(value("specstory"), word)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parser", "par ser"),
        ("fix the", "fixthe"),
        ("fix the", "fixt he"),
        ("in november in", "innovember in"),
    ],
)
def test_the_same_letters_with_other_spaces_are_known(old: str, new: str) -> None:
    assert tools().typos.same_letters([value(word) for word in old.split()], new.split())


@pytest.mark.parametrize(
    ("old", "new"),
    [("parser", "par sir"), ("fix the", "fixtha"), ("fix the", "xfixthe"), ("a b", "ab" * 30)],
)
def test_other_letters_are_not(old: str, new: str) -> None:
    assert not tools().typos.same_letters([value(word) for word in old.split()], new.split())


def test_digits_stand_for_letters_and_letters_for_digits() -> None:
    table = tools().typos

    assert table.is_spelt_in_digits(value("to"), "70")
    assert table.is_spelt_in_digits(value("is"), "15")
    assert table.is_spelt_in_digits(value("15"), "is")
    assert not table.is_spelt_in_digits(value("15"), "at")

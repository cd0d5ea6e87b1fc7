"""Letters that pose as Latin ones become those; words of other scripts stay what they are."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import confusables

_LOOKS = str.maketrans(
    {
        "a": "\N{CYRILLIC SMALL LETTER A}",
        "e": "\N{CYRILLIC SMALL LETTER IE}",
        "o": "\N{GREEK SMALL LETTER OMICRON}",
        "p": "\N{CYRILLIC SMALL LETTER ER}",
        "c": "\N{CYRILLIC SMALL LETTER ES}",
        "i": "\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}",
    }
)


@pytest.mark.parametrize(
    ("character", "stands_for"),
    [
        ("\N{RIGHT SINGLE QUOTATION MARK}", "'"),
        ("\N{ZERO WIDTH SPACE}", ""),
        ("\N{SOFT HYPHEN}", ""),
        ("\N{VARIATION SELECTOR-16}", ""),
        ("\N{COMBINING ACUTE ACCENT}", ""),
        ("\N{NO-BREAK SPACE}", " "),
        ("\N{EM DASH}", " "),
        ("\N{ROCKET}", " "),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}", "a"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e"),
        ("\N{LATIN SMALL LETTER O WITH STROKE}", "o"),
        ("\N{LATIN SMALL LETTER SHARP S}", "ss"),
        ("\N{MATHEMATICAL BOLD SMALL A}", "a"),
        ("\N{NEGATIVE SQUARED LATIN CAPITAL LETTER A}", "a"),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", "7"),
        ("\N{NOT EQUAL TO}", "!="),
        ("\ud800", " "),
        ("\N{CYRILLIC SMALL LETTER A}", None),
        ("\N{CJK UNIFIED IDEOGRAPH-4F60}", None),
        ("\N{DEVANAGARI VOWEL SIGN AA}", None),
        ("\N{LATIN LETTER DENTAL CLICK}", None),
    ],
)
def test_a_character_alone(character: str, stands_for: str | None) -> None:
    assert confusables.plain(character) == stands_for


def test_a_double_is_one_letter_that_is_not_ascii_and_not_normalised_away() -> None:
    for double, letter in confusables.doubles().items():
        assert len(double) == len(letter) == 1
        assert letter.isascii()
        assert letter.isalnum()
        assert letter == letter.lower()
        assert not unicodedata.normalize("NFKC", double).isascii()


def test_every_letter_of_the_alphabet_has_doubles() -> None:
    assert set("abcdefghijklmnopqrstuvwxyz") <= set(confusables.doubles().values())


def test_words_that_hold_latin_letters_are_folded() -> None:
    assert confusables.fold("fix the place".translate(_LOOKS)) == "fix the place"


def test_a_word_wholly_of_doubles_is_folded_where_the_text_is_latin() -> None:
    assert confusables.fold("remove the " + "cap".translate(_LOOKS)) == "remove the cap"


@pytest.mark.parametrize(
    "text",
    [
        "исправь ошибку в разборе дат",
        "διόρθωσε το σφάλμα",
        "ошибка в модуле parser",
        "오류를 수정해 주세요",
    ],
)
def test_other_scripts_stay(text: str) -> None:
    assert confusables.fold(text) == unicodedata.normalize("NFKC", text)


def test_characters_of_scripts_without_spaces_are_set_apart() -> None:
    assert confusables.fold("修复API的错误").split() == ["修", "复", "API", "的", "错", "误"]


def test_a_text_of_many_unusual_characters_is_made_plain_in_one_pass() -> None:
    letters = "".join(chr(0x1D41A + offset) for offset in range(26))
    assert confusables.fold(letters) == "abcdefghijklmnopqrstuvwxyz"


def test_marks_piled_on_letters_are_dropped_and_those_scripts_need_are_kept() -> None:
    piled = "f\u0301\u0316\u0327ix й" + "\u0301" * 50
    assert confusables.fold(piled) == "fix й"
    assert confusables.fold("ка" + "\u093c\u094d" * 5_000).startswith("ка")


@given(st.text(alphabet=st.characters(max_codepoint=0x7F)))
def test_ascii_is_itself(text: str) -> None:
    assert confusables.fold(text) == text


@given(st.text())
def test_a_folded_text_folds_to_itself(text: str) -> None:
    once = confusables.fold(text).casefold()
    assert confusables.fold(once).casefold().split() == once.split()

"""A word's value says nothing without the key, and its class with the naked eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import lexicon
from gateway.likeness.lexicon import Lexicon, WordClass

_KEY = b"k" * 32


@pytest.mark.parametrize(
    ("word", "word_class"),
    [
        ("parser", WordClass.WORD),
        ("kubernetes", WordClass.WORD),
        ("the", WordClass.COMMON),
        ("please", WordClass.FILLER),
        ("dont", WordClass.NEGATION),
        ("without", WordClass.NEGATION),
        ("123", WordClass.NUMBER),
        ("٣", WordClass.NUMBER),
        ("getuserid", WordClass.UNKNOWN),
        ("qqw", WordClass.UNKNOWN),
        ("sqlalchemy", WordClass.UNKNOWN),
        ("жизнь", WordClass.UNKNOWN),
        ("жизнь2", WordClass.MIXED),
        ("sha256", WordClass.MIXED),
        ("utf8mb4", WordClass.MIXED),
        ("sha256sum", WordClass.MIXED),
        ("v2", WordClass.MIXED),
        ("k3j9x2", WordClass.NONCE),
        ("a3f9c2d1", WordClass.NONCE),
        ("xkqjzwpf", WordClass.NONCE),
        ("语", WordClass.CHARACTER),
        ("ก", WordClass.CHARACTER),
        ("a" * 65, WordClass.LONG),
        ("!=", WordClass.OPERATOR),
    ],
)
def test_a_word_is_of_a_class(word: str, word_class: WordClass) -> None:
    assert lexicon.classify(word) is word_class
    assert Lexicon(_KEY).value(word) & 15 == word_class


def test_the_dictionary_is_english_and_lower_case() -> None:
    words = lexicon.dictionary()
    assert 30_000 < len(words) < 40_000
    assert all(word.isascii() and word.isalpha() and word == word.lower() for word in words)
    assert lexicon.is_word("parser")
    assert Lexicon(_KEY).is_word("parser")
    assert not Lexicon(_KEY).is_word("parsre")


def test_values_depend_on_the_key() -> None:
    one, other = Lexicon(_KEY), Lexicon(b"o" * 32)
    assert one.value("parser") == Lexicon(_KEY).value("parser")
    assert one.value("parser") != other.value("parser")


def test_a_record_holds_what_depends_on_the_word_alone() -> None:
    words = Lexicon(_KEY)
    value = words.value("parser")
    record = words.records(["parser"])
    assert int.from_bytes(record[:8], "little") == value
    assert int.from_bytes(record[8:12], "little") == (value >> 44) << 4 | value & 15
    assert int.from_bytes(record[12:], "little") >> 20 < lexicon.GROUPS
    assert words.records(["the"])[12:] == b"\xff" * 4


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "_REMEMBERED_MAX", 10)
    words = Lexicon(_KEY)
    before = words.value("word1")
    for number in range(100):
        words.value(f"word{number}")
        words.value("long" * 20 + str(number))
    assert len(words) <= 10
    assert words.value("word1") == before
    assert all(len(word) <= lexicon.LONG_CHARACTERS for word in words)


@given(st.text(alphabet=st.characters(exclude_categories=()), min_size=1))
def test_every_word_has_a_value(word: str) -> None:
    value = Lexicon(_KEY).value(word)
    assert 0 <= value < 1 << 64
    assert WordClass(value & 15) in WordClass

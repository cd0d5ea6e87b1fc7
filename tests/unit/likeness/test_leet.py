"""Digits that stand for letters become letters; names that hold digits keep them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import leet, lexicon

_BASIC = str.maketrans("aeiost", "431057")
_SIGNED = str.maketrans("aso", "@$0")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("fix the pr0mpt", "fix the prompt"),
        ("a h@ck", "a hack"),
        ("1ssue and !ssue", "issue and issue"),
        ("run the promp7", "run the prompt"),
        ("a pr0mpt! and more", "a prompt! and more"),
        ("7h3 list", "the list"),
        ("7h47 list", "that list"),
    ],
)
def test_a_word_that_can_only_be_one_is_read(text: str, read: str) -> None:
    assert leet.fold(text) == read


@pytest.mark.parametrize(
    "text",
    [
        "sha256 utf8 v2 x86 h2o step3 i18n k8s s3 ec2 mp3 h264 log4j base64",
        "model5 item5 col5 num3 30s 100ms 11am x11 1e9 w15 l345 l33 l13 l34 l49 l37",
        "f00d c0de b10b 1a7e9d dead10",
        "@top $table +ill c++ hi! a|b 5 15 70",
        "x" * 70 + "1",
        "1" * 100 + "a1b",
    ],
)
def test_names_and_numbers_stay(text: str) -> None:
    assert leet.fold(text) == text


def test_a_text_that_is_disguised_throughout_is_read_throughout() -> None:
    said = "this is a test of the programs that list all items to see if it fits kubelet"
    assert leet.fold(said.translate(_BASIC)).split() == said.split()


def test_signs_at_the_end_are_read_in_a_disguised_text() -> None:
    said = "these classes have bad names and this class has virtualenvs"
    read = leet.fold(said.translate(_SIGNED) + " p4r$e! w0rd|").split()
    assert [word.strip("!|") for word in read if word not in "!|"] == [
        *said.split(),
        "parse",
        "word",
    ]


def test_numbers_of_a_disguised_text_stay_after_what_is_numbered() -> None:
    assert leet.fold("f1x 7h3 p4rs3r pl3as3, bug 15 no 15").split()[-4:] == [
        "bug",
        "15",
        "no",
        "is",
    ]


def test_a_disguised_text_of_another_language_is_read_by_the_common_signs() -> None:
    said = "corrige errores internos deberian funcionar siempre correctamente nosotros pedimos"
    assert leet.fold(said.translate(_BASIC)).split() == said.split()


def test_what_spells_no_word_in_a_disguised_text_stays_as_far_as_it_cannot_be_read() -> None:
    text = "pr0mpt w1th p4rser " + "z" * 64 + "4 r26t"
    assert leet.fold(text).split()[3:] == ["z" * 64 + "4", "r26t"]


def test_of_many_ones_each_is_read_as_the_likelier_letter() -> None:
    assert leet.fold("pr0mpt w1th p4rser x1x1x1x1x1x1x1") == "prompt with parser " + "xi" * 7


@pytest.mark.parametrize(
    ("text", "odd", "may"),
    [
        ("fix the pr0mpt", ["pr0mpt"], True),
        ("a h@ck", [], True),
        ("fix sha256", ["sha256"], False),
        ("fix it!", [], False),
        ("a1 b1 c1 d1 e1 f1", ["a1", "b1", "c1", "d1", "e1", "f1"], True),
    ],
)
def test_what_may_be_read_is_told_without_reading_it(text: str, odd: list[str], may: bool) -> None:  # noqa: FBT001 - a column of the table
    assert leet.may_fold(text, odd, len(text.split())) is may


def test_texts_of_words_of_the_dictionary_are_read_back() -> None:
    """At least 99 in 100 texts of 40 words, but for words that become mere digits."""
    rng = random.Random(8)
    words = sorted(
        word
        for word in lexicon.dictionary()
        if "l" not in word and not word.translate(_BASIC).isdecimal() and len(word) > 2
    )
    texts = [" ".join(rng.sample(words, 40)) for _ in range(200)]
    read = [leet.fold(text.translate(_BASIC)) for text in texts]
    alike = sum(
        sum(a != b for a, b in zip(text.split(), back.split(), strict=True)) == 0
        for text, back in zip(texts, read, strict=True)
    )
    assert alike >= 0.9 * len(texts)


@given(st.text(alphabet="abct0147$@!|+ .\n"))
def test_reading_never_adds_a_digit(text: str) -> None:
    read = leet.fold(text)
    assert sum(map(str.isdecimal, read)) <= sum(map(str.isdecimal, text))


def test_what_words_can_only_be_is_remembered_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = leet._Known()
    monkeypatch.setattr(leet, "_KNOWN_MAX", 2)
    assert [known[word] for word in ("pr0mpt", "f1x3d", "sha256")] == ["prompt", "fixed", ""]
    assert known["h" + "3" * 64] == ""
    assert list(known) == ["sha256"]

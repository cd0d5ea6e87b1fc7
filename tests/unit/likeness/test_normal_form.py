"""One text in many disguises has one normal form, and another text has another."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import leet, masks
from gateway.likeness import normal_form as normal_form_room
from gateway.likeness.normal_form import CHARACTERS_MAX, normal_form, spell

_WORDS = [
    *("fix", "the", "failing", "parser", "of", "dates", "in", "issue", "123", "please", "keep"),
    *("tests", "green", "sha256", "getuserid", "api", "v2", "don't", "x", "a"),
]
_TEXTS = st.lists(st.sampled_from(_WORDS), min_size=4, max_size=30).map(" ".join)
_SAID = "fix the failing parser of dates in issue 123 and dont break it"
_DISGUISES = {
    "case and punctuation": "Fix the failing parser of dates, in issue #123; and don't break it!",
    "capitals": "FIX THE FAILING PARSER OF DATES IN ISSUE 123 AND DON'T BREAK IT",
    "spacing": "fix the   failing\tparser\nof dates in issue 123 and dont break it",
    "typographic": "fix the failing parser of dates in issue 123 and don\u2019t break it",
    "markdown": "# **Fix** the _failing_ `parser`\n\n- of dates in issue 123\n- and dont break it",
    "list": "1. Fix the failing parser\n2. of dates in issue 123\n 3) and don't break it",
    "tags": "<p>Fix the <b>failing</b> parser<br/>of dates in issue 123 and dont break it</p>",
    "more tags": '<h1>Fix</h1><ul><li>the <span>failing</span> <a href="#">parser</a></li></ul>\n'
    "<div><code>of dates</code> in issue 123 and <a>dont</a> break it</div>",
    "tagged list": "<p>1. Fix the failing parser of dates in issue 123 and dont break it</p>",
    "signs": "fix th\u212e f\u237ailing \u2374arser of dates in issue 123 and dont break it",
    "fence": "```text\nfix the failing parser of dates in issue 123 and dont break it\n```",
    "emoji": "\U0001f680 fix the failing parser of dates in issue 123 and dont break it \U0001f64f",
    "unseen": "f\u200bix the fai\xadling parser of da\u2060tes in issue 123 and dont break it",
    "accents": "f\xedx the f\xe4iling p\xe0rser of dates in issue 123 and d\xf8nt break it",
    "leet": "f1x th3 f4il1ng p4rs3r 0f d4t3s 1n 1ssu3 123 and d0nt br34k it",
    "gaps": "  ".join(" ".join(word) if word.isalpha() else word for word in _SAID.split()),
    "dots": " ".join(".".join(word) if word.isalpha() else word for word in _SAID.split()),
    "stamp": f"[2026-11-23 12:00] {_SAID}",
    "twice": f"{_SAID}\n{_SAID}",
    "reminder": f"<system-reminder>Be brief.</system-reminder>{_SAID}",
}


@pytest.mark.parametrize("kind", _DISGUISES)
def test_disguises_come_to_the_same(kind: str) -> None:
    assert normal_form(_DISGUISES[kind]) == _SAID.split()


def test_full_width_letters_are_plain_ones() -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) if sign.isalnum() else sign for sign in _SAID)
    assert normal_form(wide) == _SAID.split()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("...", []),
        ("U.S.A. and eg x, y, z", ["usa", "and", "eg", "xyz"]),
        ("I, a, I", ["i", "a", "i"]),
        ("b: a i a", ["baia"]),
        ("b: a i a 1 2", ["baia", "1", "2"]),
        ("q " + "w" * 300, ["q", "w" * 300]),
        ("x y z " + "w" * 300, ["xyz", "w" * 300]),
        ("1 2 3 4", ["1", "2", "3", "4"]),
        ("a 1 b 2 c", ["a", "1", "b", "2", "c"]),
        ("1 x y z 2", ["1", "xyz", "2"]),
        ("no no no", ["no", "no", "no"]),
        ("version 2. Then 3", ["version", "2", "then", "3"]),
        ("get_user_id(3.14)", ["get", "user", "id", "3", "14"]),
        ("修复 parser 的错误", ["修", "复", "parser", "的", "错", "误"]),
        ("ИСПРАВЬ ошибку", ["исправь", "ошибку"]),
        ("List<String> items", ["list", "string", "items"]),
    ],
)
def test_what_a_text_comes_to(text: str, tokens: list[str]) -> None:
    assert normal_form(text) == tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fix issue 123", "fix issue 124"),
        ("return a + b now", "return a * b now"),
        ("do it", "dont do it"),
        ("fix the list", "the fix list"),
    ],
)
def test_other_texts_come_to_something_else(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize("times", [2, 3, 7])
def test_repetition_adds_nothing(times: int) -> None:
    assert normal_form(f"{_SAID}\n" * times) == _SAID.split()
    assert normal_form("no " * (4 * times)) == ["no"] * 4
    assert normal_form("fix it " * (2 * times)) == ["fix", "it"] * 2
    assert normal_form("the end of the start " * times + "end") != "the end of the start".split()  # noqa: SIM905 - read as a text


def test_of_a_long_text_the_middle_is_one_token() -> None:
    text = "word " * CHARACTERS_MAX
    tokens = normal_form(text)
    longest = [token for token in tokens if len(token) > 64]
    assert len(longest) == 1
    assert longest[0] in text
    assert len(tokens) < CHARACTERS_MAX // 4
    assert normal_form(text[:-5] + "last ") != tokens
    assert len(spell("word " * 300, 1_000)) == 176
    assert max(map(len, spell("w" * 1_001, 1_000))) > 64


@pytest.mark.parametrize(
    "part",
    [
        *(
            "a",
            "[",
            "1",
            "<",
            "'",
            " ",
            "\n",
            "</",
            "a.",
            "a ",
            "1a",
            "= ",
            "a==b",
            "_a",
            "\N{ROCKET}",
        ),
        *("\u0301\u0316", "\u093c\u094d", "\u200d", "\ud800", "\u1100\u1161", "你", "f\u0456x "),
        *("a1b2", "deadbeef1-", "12345678-1234-", "2026-11-23 ", "h3llo ", "id: ", "[Image: "),
        *("<system-reminder>", "</system-reminder>", "\n1. ", "aB3d", "1l", "conversation "),
    ],
)
def test_a_million_of_anything_ends(part: str) -> None:
    """Each would take minutes if any step took the square of its input."""
    tokens = normal_form(part * (1_000_000 // len(part)))
    assert sum(map(len, tokens)) <= 1_000_000


def test_plain_prose_meets_no_regular_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    for module in (normal_form_room, masks):
        for name, value in list(vars(module).items()):
            if isinstance(value, re.Pattern):
                monkeypatch.setattr(module, name, Refused())
    monkeypatch.setattr(leet, "fold", Refused())
    assert normal_form("Please fix it, and don't (really) break the parser.\n") == (
        ["please", "fix", "it", "and", "dont", "really", "break", "the", "parser"]
    )


@given(st.text(alphabet=st.characters(exclude_characters="0123456789", exclude_categories=("N",))))
def test_a_normal_form_is_its_own(text: str) -> None:
    once = normal_form(text)
    assert normal_form(" ".join(once)) == once


@given(
    st.lists(
        st.sampled_from(
            [
                *("fix", "2026-11-23", "12:00:05", "1763900000", "pr0mpt", "h4ck", "1ssue", "<b>"),
                *("a", "x", "y", "\u2260", "==", "don't", "7h15", "it", "issue", "15", "Mon", "1."),
                *("23 Nov 2026", "```text", "[Image #1]", "the", "\u043d\u0435", "\u4f60", "+"),
            ]
        ),
        max_size=30,
    ).map(" ".join)
)
def test_a_normal_form_of_disguised_words_is_its_own(text: str) -> None:
    once = normal_form(text)
    assert normal_form(" ".join(once)) == once


@given(_TEXTS, st.sampled_from(["upper", "title", "lower"]))
def test_case_says_nothing(text: str, change: str) -> None:
    assert normal_form(getattr(text.replace("'", ""), change)()) == normal_form(text)


@given(_TEXTS, st.data())
def test_spacing_and_invisible_characters_say_nothing(text: str, data: st.DataObject) -> None:
    gaps = st.sampled_from(["  ", "\n", "\t", " \N{ZERO WIDTH SPACE}", "\N{NO-BREAK SPACE}", ", "])
    words = text.split()
    spaced = "".join(word + data.draw(gaps) for word in words)
    assert normal_form(spaced) == normal_form(text)


@given(_TEXTS, st.sampled_from([".", "!", "?", "...", ";", " -", '"', ")", "**", "`", " #", "~"]))
def test_punctuation_at_the_edges_says_nothing(text: str, sign: str) -> None:
    assert normal_form(f"{sign}{text}{sign}") == normal_form(text)

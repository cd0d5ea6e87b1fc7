"""Signs of code stay between what they compare or compute, and marks of a text go."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import lexicon
from gateway.likeness.normal_form import normal_form


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("if a < b and c!=d", "if a < b and c != d"),
        ("return x + y", "return x + y"),
        ("while (i<=n) && !done", "while i <= n && done"),
        ("f(x)==g(y) || (z)", "f x == g y || z"),
        ("x = 5 -> y => z", "x 5 y z"),
        ("x += 5, y-=z; z *= w, w /= 2", "x += 5 y -= z z *= w w /= 2"),
        ("flags |= mask, flags &= other", "flags |= mask flags &= other"),
        ("first + ' ' + last", "first + + last"),
        ("жизнь < смерть, жизнь==смерть", "жизнь < смерть жизнь == смерть"),
    ],
)
def test_signs_of_code_stay_between_what_they_compare(text: str, tokens: str) -> None:
    assert normal_form(text) == tokens.split()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("> quoted\n> again", "quoted again"),
        ("well\n> > quoted\n> > twice", "well quoted twice"),
        ("a > . > b", "a > b"),
        ("one\n* two\n  + three\n* four", "one two three four"),
        ("== marked == and ====", "marked == and"),
        ("a title\n===\nand more", "a title and more"),
        ("- < b and c", "b and c"),
        ("<= start and end >=", "start and end"),
        ("nothing follows == . + !", "nothing follows"),
        ("wow!!! **bold** two*three x==>y", "wow bold two three x y"),
        ("far " + " " * 100 + "== away", "far away"),
        ("near ==" + " " * 100 + " away", "near away"),
    ],
)
def test_signs_that_mark_up_go(text: str, tokens: str) -> None:
    assert normal_form(text) == tokens.split()


@pytest.mark.parametrize("sign", sorted(lexicon.OPERATORS))
@pytest.mark.parametrize(
    "gaps", [("  ", "  "), ("\t", "\t"), (" ", "\n"), (" \t", "  \n"), ("\u2003", "\u2003")]
)
def test_blanks_around_a_sign_say_nothing(sign: str, gaps: tuple[str, str]) -> None:
    assert normal_form(f"x {sign.join(gaps)} y") == ["x", sign, "y"]


@pytest.mark.parametrize("sign", sorted(sign for sign in lexicon.OPERATORS if len(sign) > 1))
def test_a_long_sign_may_begin_a_line_or_touch_what_it_compares(sign: str) -> None:
    assert normal_form(f"one\n    {sign} two") == ["one", sign, "two"]
    assert normal_form(f"one{sign}two(three)") == ["one", sign, "two", "three"]
    assert normal_form(f"one{sign} two") == ["one", "two"]


@given(st.lists(st.sampled_from([*lexicon.OPERATORS, "a", "b", "9", ".", "=", "-", "("])))
def test_what_is_kept_is_kept_again(parts: list[str]) -> None:
    tokens = normal_form(" ".join(parts))
    assert normal_form(" ".join(tokens)) == tokens
    assert not re.match(r"\W", "".join(tokens))

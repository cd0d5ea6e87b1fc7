"""The kinds of value: what each takes, and the patterns that say the same."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents import parse
from gateway.policy.language.kinds import Either, Exactly, Number, Shape, Text, Time, Whole, up_to


@given(st.integers(1, 3_000_000), st.integers(0, 4_000_000))
def test_the_pattern_of_a_bound_takes_the_numbers_up_to_it(most: int, number: int) -> None:
    pattern = up_to(most)
    assert bool(re.fullmatch(pattern, str(number))) == (1 <= number <= most)
    assert re.fullmatch(pattern, str(most))
    assert not re.fullmatch(pattern, str(most + 1))
    assert not re.fullmatch(pattern, f"0{number}")


@given(st.integers(1, 31), st.integers(0, 10_000_000), st.sampled_from("smhdwx"))
def test_a_time_is_what_its_pattern_says(days: int, number: int, unit: str) -> None:
    kind = Time(days_max=days)
    read = kind.read(parse("a", f"{number}{unit}"))
    assert (read is not None) == bool(re.fullmatch(kind.pattern, f"{number}{unit}"))
    if read is not None:
        assert read == number * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
        assert read <= days * 86_400


@pytest.mark.parametrize(
    ("text", "read"),
    [("1", 1), ("5", 5), ("0", None), ("6", None), ("true", None), ("1.0", None), ("'1'", None)],
)
def test_a_whole_number_is_one_within_its_bounds(text: str, read: int | None) -> None:
    assert Whole(least=1, most=5).read(parse("a", text)) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("0.5", "0.5"), ("2", "2"), ("1.50", "1.5"), ("1e0", "1"), ("0.49", None), ("2.1", None),
        ("true", None), ("'1'", None), ("[]", None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_written_but_for_zeros(text: str, read: str | None) -> None:
    found = Number(least=Decimal("0.5"), most=Decimal(2)).read(parse("a", text))
    assert (None if found is None else str(found)) == read


def test_a_version_is_written_in_one_way() -> None:
    kind = Exactly(value=1)
    assert [kind.read(parse("a", text)) for text in ("1", "01", "0x1", "true", "1.0", "2")] == [
        *(1, None, None),
        *(None, None, None),
    ]


def test_a_name_or_a_number_is_either() -> None:
    kind = Either(name="all", number=Number(least=Decimal(0), most=Decimal(1)))
    assert [kind.read(parse("a", text)) for text in ("all", "0.25", "al", "2")] == [
        *("all", Decimal("0.25")),
        *(None, None),
    ]


def test_a_text_that_is_too_long_is_told_how_long_it_is() -> None:
    kind = Text(length_max=3)
    assert kind.read(parse("a", "abc")) == "abc"
    long = parse("a", "abcd")
    assert kind.read(long) is None
    assert kind.wanted(long) == "at most 3 characters, and there are 4"


def test_a_mapping_is_taken_as_it_is_by_who_reads_it_by_its_shape() -> None:
    kind = Shape(what="a thing", about="A thing.", keys=())
    node = parse("a", "5")
    assert kind.read(node) is node
    assert kind.wanted(node) == "a thing: a mapping"

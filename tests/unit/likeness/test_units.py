"""Units: the same five words are the same unit, and nothing that repeats adds any."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness.lexicon import Lexicon, WordClass, classify
from gateway.likeness.units import KEPT_MAX, WORDS, Runs, Units

_LEXICON = Lexicon(b"w" * 32)
_UNITS = Units(b"u" * 32, _LEXICON)
_TEXTS = st.lists(
    st.sampled_from(
        ["fix", "the", "bug", "in", "parser", "of", "dates", "and", "add", "a", "test"]
    ),
    max_size=60,
)


def _runs(*texts: list[str]) -> Runs:
    return _UNITS.runs([_LEXICON.records(text) for text in texts])


def _of(*texts: list[str], root: str = "root") -> tuple[str, ...]:
    return _UNITS.of(_runs(*texts), root)


def _under(key: bytes, words: list[str]) -> tuple[str, ...]:
    units = Units(key * 32, _LEXICON)
    return units.of(units.runs([_LEXICON.records(words)]), "root")


def _words(count: int) -> list[str]:
    """Return words, none like another."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = (f"par{one}{other}er" for one in letters for other in letters)
    return [word for word in made if classify(word) is WordClass.UNKNOWN][:count]


def test_a_text_under_five_words_has_none() -> None:
    assert _of(["fix", "the", "bug", "now"]) == ()
    assert _of() == ()


def test_a_unit_is_16_hex_digits_and_they_are_sorted() -> None:
    units = _of(_words(30))
    assert len(units) == 26
    assert list(units) == sorted(set(units))
    assert all(len(unit) == 16 and int(unit, 16) >= 0 for unit in units)


def test_only_the_smallest_are_kept() -> None:
    words = _words(500)
    every = set().union(*(_of(words[at : at + WORDS]) for at in range(496)))
    assert _of(words) == tuple(sorted(every)[:KEPT_MAX])


def test_another_root_or_key_gives_unrelated_units() -> None:
    words = _words(60)
    assert not set(_of(words)) & set(_of(words, root="other"))
    assert not set(_of(words)) & set(_under(b"v", words))
    assert _of(words) == _under(b"u", words)


def test_the_order_of_words_matters_within_a_run() -> None:
    assert _of(["fix", "the", "bug", "in", "parser"]) != _of(["fix", "the", "parser", "in", "bug"])


_SALT = st.sampled_from(
    [
        "20261105t1007",
        "x9q4z7k2w8j5v1",
        "utf8",
        "please",
        "thanks",
        "id",
        "request",
        "attempt",
        "november",
        "tue",
    ]
)


@given(_TEXTS, st.lists(st.tuples(st.integers(0, 60), _SALT), max_size=5))
def test_what_is_there_to_differ_adds_nothing_wherever_it_stands(
    text: list[str], salts: list[tuple[int, str]]
) -> None:
    """Ids, times, what looks random, what introduces these, politeness."""
    salted = list(text)
    for place, salt in salts:
        salted.insert(place, salt)
    assert _of(salted) == _of(text)


@given(_TEXTS, st.integers(0, 60), st.lists(st.integers(0, 10**9), min_size=1, max_size=5))
def test_numbers_at_a_place_add_one_unit_at_most_whatever_they_are(
    text: list[str], place: int, numbers: list[int]
) -> None:
    """Their words are counted as before, and a text of numbers alone has nothing to count."""
    plain = set(_of(text))
    many = [*text[:place], *map(str, numbers), *text[place:]]
    one = [*text[:place], "7", *text[place:]]
    assert set(_of(many)) == set(_of(one))
    assert plain <= set(_of(one))
    assert len(set(_of(one)) - plain) == int(min(place, len(text)) >= WORDS - 1)


def test_a_number_counts_with_the_four_words_before_it() -> None:
    assert len(_of(["fix", "the", "bug", "in", "12"])) == 1
    assert _of(["fix", "the", "bug", "in", "12"]) == _of(["fix", "the", "bug", "in", "id", "977"])
    assert _of(["fix", "the", "bug", "in", "12"]) != _of(["fix", "the", "bug", "of", "12"])
    assert _of(["fix", "the", "bug", "12", "in"]) == ()


@given(_TEXTS, _TEXTS)
def test_a_text_said_again_adds_nothing(one: list[str], other: list[str]) -> None:
    assert _of(one, other, one, one) == _of(one, other) == _of(other, one)


@given(_TEXTS, st.integers(0, 60), st.integers(0, 60))
def test_the_units_of_a_part_are_among_those_of_the_whole(
    text: list[str], start: int, end: int
) -> None:
    assert set(_of(text[start:end])) <= set(_of(text))


@given(_TEXTS)
def test_a_text_repeated_has_no_more_than_it_has_repeated_twice(text: list[str]) -> None:
    assert _of(text * 5) == _of(text * 4) or len(text) < WORDS

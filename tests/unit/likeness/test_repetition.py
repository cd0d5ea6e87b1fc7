"""A part that is said again changes nothing, unless it is said differently."""

from gateway.likeness import repetition
from gateway.likeness.repetition import Repetition

TEXT = [value << 4 for value in range(10, 40)]
KNOWN = repetition.triples(TEXT)
NUMBER = 99 << 4 | 4


def repeated(run: list[int], before: list[int] | None = None) -> Repetition | None:
    start = before or []
    return repetition.repeated([*start, *run, 7 << 4], len(start), len(run), KNOWN)


def test_a_part_that_stands_in_the_other_text_is_repeated() -> None:
    assert repeated(TEXT[5:15]) == Repetition([], [])
    assert repeated(TEXT[20:] + TEXT[:8]) == Repetition([], [])


def test_what_stands_nowhere_is_not() -> None:
    assert repeated([5 << 4, 6 << 4, *TEXT[3:6]]) is None
    assert repeated(TEXT[::2]) is None
    assert repeated(TEXT[5:8], before=[9 << 4]) is None


def test_at_an_edge_a_few_words_do() -> None:
    assert repeated(TEXT[5:8]) == Repetition([], [])


def test_a_word_that_differs_is_named_with_its_like() -> None:
    run = TEXT[5:15]

    assert repeated([*run[:4], NUMBER, *run[5:]]) == Repetition([(4, 9)], [])
    assert repeated([NUMBER, *run[1:]]) == Repetition([(0, 5)], [])
    assert repeated([*run[:9], NUMBER]) == Repetition([(9, 14)], [])


def test_a_word_that_was_left_out_is_named() -> None:
    assert repeated(TEXT[5:10] + TEXT[11:18]) == Repetition([], [10])
    assert repeated(TEXT[11:18], before=TEXT[5:10]) == Repetition([], [10])


def test_a_stutter_is_no_number_negation_or_sign() -> None:
    words, numbers = [1 << 4, 2 << 4, 2 << 4], [1 << 4, NUMBER, NUMBER]

    assert repetition.is_stutter(words, 1, 1)
    assert repetition.is_stutter(words, 2, 1)
    assert not repetition.is_stutter(words, 0, 1)
    assert not repetition.is_stutter(numbers, 2, 1)
    assert repetition.is_stutter([*numbers, *numbers], 3, 3)

"""What it means that one word stands in another one's place."""

import pytest

from gateway.likeness.findings import NEGATION, NUMBER, SPACING, SYNONYMS, TYPOS, WORDS, Grade
from gateway.likeness.pairing import Pairing
from tests.unit.likeness.compared import tools, values


def pairing(old: str, new: str) -> Pairing:
    return Pairing(tools(), values(old).tolist(), values(new).tolist(), new.split())


@pytest.mark.parametrize(
    ("old", "new", "grade", "reason"),
    [
        ("parser", "parser", Grade.HARMLESS, SPACING),
        ("fix", "repair", Grade.PROVEN, SYNONYMS),
        ("parser", "pasrer", Grade.PROVEN, TYPOS),
        ("any", "ant", Grade.PROVEN, TYPOS),
        ("this", "his", Grade.PROVEN, TYPOS),
        ("mode", "node", Grade.SLIP, WORDS),
        ("minimum", "maximum", Grade.OTHER, WORDS),
        ("not", "nto", Grade.PROVEN, TYPOS),
        ("not", "npt", Grade.SLIP, NEGATION),
        ("parser", "never", Grade.MEANING, NEGATION),
        ("now", "not", Grade.SLIP, NEGATION),
        ("7", "8", Grade.MEANING, NUMBER),
        ("seven", "7", Grade.PROVEN, SYNONYMS),
        ("parser", "kubernetesx", Grade.MEANING, "a name or identifier differs"),
    ],
)
def test_one_word_for_another(old: str, new: str, grade: Grade, reason: str) -> None:
    note = pairing(old, new).pair(0, 0)

    assert (note.grade, note.reason) == (grade, reason)


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ("is not", "isnt", (1, 0)),
        ("not is", "isnt", (0, 0)),
        ("isnt", "is not", (0, 1)),
        ("dont", "do not", (0, 1)),
    ],
)
def test_a_contraction_is_known_though_half_of_it_is_matched_elsewhere(
    old: str, new: str, places: tuple[int, int]
) -> None:
    expected = Grade.PROVEN if old != "not is" else Grade.MEANING

    assert pairing(old, new).pair(*places).grade == expected


def test_words_of_equal_number_are_paired_one_by_one_if_that_explains_them() -> None:
    one_by_one = pairing("upload page", "uplaod paeg").notes([0, 1], [0, 1])
    shifted = pairing("upload page now soon", "hello uplaod paeg now").notes([0, 1, 2], [0, 1, 2])

    assert [note.reason for note in one_by_one] == [TYPOS, TYPOS]
    assert [(note.old, note.new) for note in shifted if note.reason == TYPOS] == [
        ((0,), (1,)),
        ((1,), (2,)),
    ]

"""Where two texts differ, whatever they are, in work bounded by their length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness import difference
from gateway.likeness.difference import Hunk, Values

SEQUENCES = st.lists(st.integers(0, 6), max_size=30)
LONG = st.lists(st.integers(0, 400), min_size=70, max_size=160)


def array(values: list[int]) -> Values:
    return np.array(values, np.uint32)


def differ(old: list[int], new: list[int]) -> list[Hunk]:
    ends = difference.shared_ends(array(old), array(new))
    core = difference.shared_core(array(old), array(new), *ends)
    return difference.hunks(old, new, ends, core) or []


def patched(old: list[int], new: list[int], found: list[Hunk]) -> list[int]:
    """The later text, made of the earlier one and the hunks alone."""
    made: list[int] = []
    at = 0
    for hunk in found:
        made += old[at : hunk.old_start] + new[hunk.new_start : hunk.new_end]
        at = hunk.old_end
    return made + old[at:]


def test_words_are_read_three_bytes_each() -> None:
    found = difference.decode(bytes.fromhex("000001abcdef"))

    assert found.tolist() == [1, 0xABCDEF]
    assert difference.decode(b"").tolist() == []


@given(old=SEQUENCES, new=SEQUENCES)
def test_the_hunks_make_one_text_of_the_other(old: list[int], new: list[int]) -> None:
    assert patched(old, new, differ(old, new)) == new


@given(old=LONG, new=LONG, data=st.data())
def test_so_they_do_for_long_texts(old: list[int], new: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(old)))
    mixed = old[:at] + new[:20] + old[at:]

    assert patched(old, mixed, differ(old, mixed)) == mixed
    assert patched(old, new, differ(old, new)) == new


@pytest.mark.parametrize(
    ("old", "new", "ends"),
    [
        ([], [], (0, 0)),
        ([1, 2, 3], [1, 2, 3], (3, 0)),
        ([1, 2, 3], [1, 9, 3], (1, 1)),
        ([1, 2], [3, 4], (0, 0)),
        ([1, 1], [1, 1, 1], (2, 0)),
        ([1, 2], [9, 1, 2], (0, 2)),
    ],
)
def test_what_both_begin_and_end_with_is_known(
    old: list[int], new: list[int], ends: tuple[int, int]
) -> None:
    assert difference.shared_ends(array(old), array(new)) == ends


def test_a_core_is_found_between_two_salted_ends() -> None:
    core = list(range(10, 40))
    old, new = [1, *core, 2], [3, 4, *core, 5]

    assert difference.shared_core(array(old), array(new), 0, 0) == (1, 2, 30)
    assert differ(old, new) == [Hunk(0, 1, 0, 2), Hunk(31, 32, 32, 33)]


def test_no_core_is_found_where_the_middle_differs_or_lies_askew() -> None:
    old = list(range(10, 40))
    askew = np.frombuffer(b"\0" + array(old).tobytes() + b"\0\0\0", np.uint32)

    assert difference.shared_core(array(old), array(old[::-1]), 0, 0) == (0, 0, 0)
    assert difference.shared_core(array(old), askew, 0, 0) == (0, 0, 0)
    assert difference.shared_core(array(old[:9]), array(old), 0, 0) == (0, 0, 0)


def test_words_left_out_are_hunks_of_their_own() -> None:
    assert differ([1, 2, 3, 4, 5], [1, 3, 5]) == [Hunk(1, 2, 1, 1), Hunk(3, 4, 2, 2)]
    assert differ([1, 3, 5], [1, 2, 3, 4, 5]) == [Hunk(1, 1, 1, 2), Hunk(2, 2, 3, 4)]


def test_what_came_and_what_went_around_one_shared_word_is_one_hunk() -> None:
    """`innovember in` came for `in november in`."""
    old, new = [7, 1, 2, 1, 8], [7, 3, 1, 8]

    assert differ(old, new) == [Hunk(1, 3, 1, 2)] or differ(old, new) == [Hunk(1, 4, 1, 3)]


def test_a_word_here_and_there_is_followed_through_a_long_text() -> None:
    old = list(range(400))
    new = [1000 + at if at % 9 == 4 else value for at, value in enumerate(old)]

    found = differ(old, new)

    assert patched(old, new, found) == new
    assert len([hunk for hunk in found if hunk.old_end - hunk.old_start == 1]) > 35


def test_the_last_few_words_may_all_differ() -> None:
    old = list(range(200))
    new = [1000 + at if at in {10, *range(100, 109), *range(190, 200)} else at for at in old]

    found = differ(old, new)

    assert patched(old, new, found) == new
    assert found[-1] == Hunk(190, 200, 190, 200)

    new[190:] = [*range(190, 197), *range(2000, 2012)]
    assert differ(old, new)[-1] == Hunk(197, 200, 197, 209)


def test_texts_of_the_same_few_words_over_and_over_cost_no_more_than_their_length() -> None:
    """Without anchors they are one hunk; with every pair tried this would be 16 million steps."""
    old, new = [1, 2] * 2000, [2, 1] * 2000

    assert patched(old, new, differ(old, new)) == new


def test_a_shuffled_long_text_is_one_hunk_and_not_a_thousand() -> None:
    random = np.random.default_rng(3)
    old = list(range(1000))
    new = random.permutation(1000).tolist()

    found = differ(old, new)

    assert patched(old, new, found) == new
    assert len(found) < 5


def test_of_long_texts_that_are_far_apart_and_cannot_be_followed_nothing_is_said() -> None:
    old, new = list(range(1000)), [*range(2000, 2400), *range(600, 0, -1)]

    assert difference.hunks(old, new, (0, 0), (0, 0, 0), is_far=True) is None
    assert difference.hunks(old, new, (0, 0), (0, 0, 0))


def test_texts_of_which_every_other_word_differs_are_not_followed_to_the_end() -> None:
    old = list(range(1000))
    new = [5000 + at if at % 2 else at for at in old]

    assert difference.hunks(old, new, (0, 0), (0, 0, 0), is_far=True) is None
    assert patched(old, new, differ(old, new)) == new

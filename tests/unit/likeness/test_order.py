"""Blocks that moved are told from names that changed places."""

import pytest

from gateway.likeness import difference, order
from gateway.likeness.difference import Hunk
from tests.unit.likeness.compared import values


def differ(earlier: str, later: str) -> tuple[list[int], list[int], list[Hunk]]:
    old, new = values(earlier), values(later)
    ends = difference.shared_ends(old, new)
    left, right = old.tolist(), new.tolist()
    return left, right, difference.hunks(left, right, ends, (0, 0, 0)) or []


def test_a_block_that_is_gone_in_one_place_and_come_in_another_has_moved() -> None:
    old, new, found = differ("x a b c y z w v u t s", "x y z w v u t s a b c")

    assert [[old[at] for at in block.old] for block in order.moved(old, new, found)] == [old[1:4]]
    assert order.leftovers(old, new, Hunk(0, len(old), 0, len(new))) == (0, 0)


def test_what_only_went_or_only_came_has_not_moved() -> None:
    old, new, found = differ("a b c d", "a x c d y")

    assert order.moved(old, new, found) == []
    assert order.leftovers(old, new, Hunk(0, len(old), 0, len(new))) == (1, 2)


def test_a_word_mistyped_here_in_one_text_and_there_in_the_other_has_not_moved() -> None:
    old, new, found = differ("sum a b c suum", "smu a b c sum")

    blocks = order.moved(old, new, found)

    assert len(blocks) == 1
    assert order.without_slips(blocks, found) == []
    assert order.without_slips(blocks, []) == blocks


def test_each_word_moves_once() -> None:
    """One `a` went and two came: one of them is new."""
    found = [Hunk(0, 2, 0, 0), Hunk(3, 3, 1, 4)]

    blocks = order.moved([1, 2, 9], [9, 1, 1, 1], found)

    assert [list(block.old) for block in blocks] == [[0]]
    assert [list(block.new) for block in blocks] == [[1]]


def test_the_longest_of_several_places_is_taken() -> None:
    found = [Hunk(0, 5, 0, 0), Hunk(6, 6, 1, 4)]

    blocks = order.moved([1, 7, 1, 2, 3, 9], [9, 1, 2, 3], found)

    assert [list(block.old) for block in blocks] == [[2, 3, 4]]


def test_only_some_of_very_many_places_are_tried() -> None:
    old = [1, 5] * 12 + [1, 2, 3] + [9]

    blocks = order.moved(old, [9, 1, 2, 3], [Hunk(0, 27, 0, 0), Hunk(28, 28, 1, 4)])

    assert sorted(at for block in blocks for at in block.new) == [1, 2, 3]


def test_of_very_many_words_no_blocks_are_made() -> None:
    old = list(range(2000))
    new = old[::-1]

    (block,) = order.moved(old, new, [Hunk(0, 2000, 0, 2000)])

    assert sorted(block.old) == sorted(block.new) == old
    assert order.moved(old, [at + 5000 for at in old], [Hunk(0, 2000, 0, 2000)]) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("convert miles to kilometres for me", "convert kilometres to miles for me"),
        ("from new york to rome by train", "from rome to new york by train"),
        ("alice pays bob and alice thanks bob", "bob pays alice and bob thanks alice"),
    ],
)
def test_names_that_change_places_are_known(earlier: str, later: str) -> None:
    assert order.are_swapped(*differ(earlier, later))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("a b c d e f g h i j k l", "g h i j k l a b c d e f"),
        ("a b c d", "a x c y"),
        ("a b c d e", "a c d x e b"),
    ],
)
def test_nothing_else_is_taken_for_that(earlier: str, later: str) -> None:
    assert not order.are_swapped(*differ(earlier, later))

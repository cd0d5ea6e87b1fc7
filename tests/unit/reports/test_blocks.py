"""Cells about few people are shown with others, whatever is laid beside whatever."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from gateway.reports.blocks import FEW, Block, Place, blocks

PEOPLE = [f"p{number}" for number in range(12)]
LINE = st.tuples(
    st.builds(
        Place,
        st.sampled_from(["", "2026-10", "2026-11"]),
        st.sampled_from(["pay", "web"]),
        st.sampled_from(["", "search"]),
        st.sampled_from(["A-1", "A-2", "A-3"]),
    ),
    st.frozensets(st.sampled_from(PEOPLE), max_size=7),
)


def made(lines: list[tuple[Place, frozenset[str]]], least: int = 5) -> list[Block]:
    return blocks(lines, lambda line: line[0], lambda line: line[1], least)


@given(st.lists(LINE, max_size=12))
def test_each_line_is_in_one_block_and_each_block_is_about_five_people_or_more(
    lines: list[tuple[Place, frozenset[str]]],
) -> None:
    found = made(lines)
    if found:
        assert sorted(at for block in found for at in block.lines) == list(range(len(lines)))
    else:
        assert len(frozenset[str]().union(*(people for _, people in lines))) < 5
    for block in found:
        assert len(block.people) >= 5
        assert block.people == frozenset[str]().union(*(lines[at][1] for at in block.lines))
        for at in block.lines:
            pairs = zip(block.place, lines[at][0], strict=True)
            assert all(shown in (FEW, own) for shown, own in pairs)


@given(st.lists(LINE, max_size=8))
def test_no_two_answers_differ_by_fewer_than_five_people(
    lines: list[tuple[Place, frozenset[str]]],
) -> None:
    """Any answer is a choice of blocks, so what is in one and not in another is blocks too."""
    found = made(lines)
    answers = [
        {index for index, block in enumerate(found) if block.place[column] == value}
        for column in range(4)
        for value in {block.place[column] for block in found}
    ]
    for one, other in combinations(answers, 2):
        rest = one - other
        people = frozenset[str]().union(*(found[index].people for index in rest))
        assert not rest or len(people) >= 5


def test_what_is_about_few_is_shown_with_what_is_nearest() -> None:
    many, few, team = frozenset(PEOPLE[:5]), frozenset(PEOPLE[:2]), frozenset(PEOPLE[5:10])
    month = "2026-11"
    lines = [
        (Place(month, "pay", "search", "A-1"), many),
        (Place(month, "pay", "search", "A-2"), few),
        (Place(month, "pay", "", "A-3"), team),
    ]
    assert {(block.place, tuple(block.lines)) for block in made(lines)} == {
        (Place(month, "pay", "search", FEW), (0, 1)),
        (Place(month, "pay", "", "A-3"), (2,)),
    }


def test_what_is_left_over_hides_in_the_smallest_of_those_that_are_nearest() -> None:
    """Alone it would be what a total and the rest differ by."""
    big, many, few = frozenset(PEOPLE[:9]), frozenset(PEOPLE[:5]), frozenset(PEOPLE[:2])
    lines = [
        (Place("2026-10", "web", "", "A-1"), big),
        (Place("2026-11", "pay", "", "A-2"), many),
        (Place("2026-11", "web", "", "A-3"), few),
    ]
    assert [(block.place, block.lines) for block in made(lines)] == [
        (Place("2026-10", "web", "", "A-1"), [0]),
        (Place("2026-11", FEW, FEW, FEW), [1, 2]),
    ]


def test_all_of_it_is_shown_to_who_may_see_it() -> None:
    lines = [(Place("2026-11", "pay", "", "A-1"), frozenset({"alice"}))]
    assert [block.place.root_id for block in made(lines, 0)] == ["A-1"]
    assert made(lines) == []

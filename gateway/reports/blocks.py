"""
Cells about few people, merged until they are about many.

Every figure of a report is a sum over blocks, and the blocks are the same whatever is asked: by
team, by use case, for one month or for all. So whatever is laid beside whatever else, the most
that can be worked out is what one block came to, and a block is about five people or more.
(Complementary suppression; Willenborg and de Waal, Elements of Statistical Disclosure Control.)
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from gateway.reports.teams import PEOPLE_MIN

FEW: Final = "(few people)"
"""Stands where a block is not of one team, use case or root."""

_Line = TypeVar("_Line")


class Place(NamedTuple):
    """Where a line belongs; from left to right it says more."""

    month: str
    team: str
    use_case: str
    root_id: str


class Block(NamedTuple):
    """Lines that are shown as one."""

    place: Place
    lines: Sequence[int]
    """By their numbers."""
    people: frozenset[str]


def blocks(
    lines: Iterable[_Line],
    place: Callable[[_Line], Place],
    people: Callable[[_Line], Collection[str]],
    least: int = PEOPLE_MIN,
) -> list[Block]:
    """Return lines in blocks about `least` people or more; none when all are about fewer."""
    rest = [
        Block(place(line), [number], frozenset(people(line))) for number, line in enumerate(lines)
    ]
    made: list[Block] = []
    for depth in range(len(Place._fields), -1, -1):
        few: list[Block] = []
        for block in _merged(rest, depth):
            (made if len(block.people) >= least else few).append(block)
        rest = [block for block in few if not _joined(made, block, depth)]
    return made


def _merged(some: Iterable[Block], depth: int) -> list[Block]:
    """Return blocks that are alike in the first parts of their places as one each."""
    found: dict[Place, Block] = {}
    for block in some:
        place = _cut(block.place, depth)
        known = found.get(place)
        found[place] = block._replace(place=place) if known is None else _both(known, block, place)
    return list(found.values())


def _joined(made: list[Block], block: Block, depth: int) -> bool:
    """Put a block to the smallest of those that are nearest to it; return whether one is."""
    near = [each for each in made if each.place[:depth] == block.place[:depth]]
    if not near:
        return False
    smallest = min(near, key=lambda each: (len(each.people), each.place))
    made.remove(smallest)
    made.append(_both(smallest, block, _cut(smallest.place, depth)))
    return True


def _both(one: Block, other: Block, place: Place) -> Block:
    return Block(place, [*one.lines, *other.lines], one.people | other.people)


def _cut(place: Place, depth: int) -> Place:
    return Place(*place[:depth], *[FEW] * (len(place) - depth))

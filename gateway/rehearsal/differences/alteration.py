"""
How one condition became another, told by their trees.

What stands beside each other under `&&` (or `||`) is compared as a set: order and parentheses
mean nothing. A list that a fact must be in is compared by its values.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.policy.conditions import printing
from gateway.policy.conditions.cel import Condition
from gateway.policy.conditions.syntax import Tree

Reach: TypeAlias = Literal["fewer", "more", "others"]
"""How many calls a condition matches now: fewer of the same, more, or not to be told."""


class Alteration(Struct, frozen=True, kw_only=True):
    """What changed between two conditions; reach says what that does."""

    before: str
    after: str
    parts: tuple[str, ...]
    """`no longer asks for …`, `also asks for …`: nothing when all of it is another."""
    reach: Reach


def text(condition: Condition | None) -> str:
    """Return a condition as text; `every call` when there is none."""
    return "every call" if condition is None else printing.text(condition.tree.root)


def alteration(old: Condition | None, new: Condition | None) -> Alteration | None:
    """Return how a condition changed; None when both say the same."""
    if old is None or new is None:
        if old is new:
            return None
        reach: Reach = "fewer" if old is None else "more"
        return Alteration(before=text(old), after=text(new), parts=(), reach=reach)
    before, after = old.tree.root, new.tree.root
    if _meaning(before) == _meaning(after):
        return None
    parts, reach = _compared(before, after)
    return Alteration(before=text(old), after=text(new), parts=parts, reach=reach)


def _meaning(tree: Tree) -> object:
    """Return what a tree says, whatever the order of what && and || connect, and of lists."""
    if tree.name in printing.CHAINS:
        return tree.name, frozenset(_meaning(each) for each in printing.operands(tree))
    if _is_membership(tree):
        return "@in", _meaning(tree.below[0]), frozenset(map(_meaning, tree.below[1].below))
    below = tuple(_meaning(each) for each in tree.below)
    return tree.kind, tree.name, type(tree.value).__name__, tree.value, below


def _is_membership(tree: Tree) -> bool:
    return tree.name == "@in" and tree.below[1].kind == "list"


def _compared(before: Tree, after: Tree) -> tuple[tuple[str, ...], Reach]:
    chains = [each.name for each in (before, after) if each.name in printing.CHAINS]
    sign = "_&&_" if "_&&_" in chains else "".join(chains[:1])
    old = printing.operands(before) if before.name == sign else (before,)
    new = printing.operands(after) if after.name == sign else (after,)
    gone, came = _only_in(old, new), _only_in(new, old)
    if len(gone) == len(came) == 1:
        return _one(gone[0], came[0])
    if len(gone) == len(old) and len(came) == len(new):
        return (), "others"
    return _listed(gone, came, sign)


def _only_in(these: Sequence[Tree], those: Sequence[Tree]) -> list[Tree]:
    known = {_meaning(each) for each in those}
    return [each for each in these if _meaning(each) not in known]


def _listed(gone: Sequence[Tree], came: Sequence[Tree], sign: str) -> tuple[tuple[str, ...], Reach]:
    """Return what was taken out of a chain and what was put into it."""
    lost, found = ("no longer asks for", "also asks for")
    if sign == "_||_":
        lost, found = ("no longer enough:", "also enough:")
    parts = [f"{lost} {printing.text(each)}" for each in gone]
    parts += [f"{found} {printing.text(each)}" for each in came]
    reach: Reach = "others"
    if not gone or not came:
        narrower = bool(came) == (sign == "_&&_")
        reach = "fewer" if narrower else "more"
    return tuple(parts), reach


def _one(gone: Tree, came: Tree) -> tuple[tuple[str, ...], Reach]:
    """Return how one part became another."""
    if gone.name == came.name and gone.name in printing.CHAINS:
        parts, reach = _compared(gone, came)
        if parts:
            return parts, reach
    if _is_membership(gone) and _is_membership(came):
        fact, other = (_meaning(each.below[0]) for each in (gone, came))
        if fact == other:
            return _values(gone, came)
    return (f"{printing.text(gone)} is now {printing.text(came)}",), "others"


def _values(gone: Tree, came: Tree) -> tuple[tuple[str, ...], Reach]:
    old, new = gone.below[1].below, came.below[1].below
    lost, found = _only_in(old, new), _only_in(new, old)
    fact = printing.text(gone.below[0])
    parts = [f"{fact} may no longer be {printing.text(each)}" for each in lost]
    parts += [f"{fact} may also be {printing.text(each)}" for each in found]
    reach: Reach = "others"
    if not lost or not found:
        reach = "more" if found else "fewer"
    return tuple(parts), reach

"""
What a well-typed condition may still not do, read from its syntax tree.

Its size, its loops and its lists are bounded. A fact with a fixed set of values is
compared only with members of that set, and only by `==`, `!=` and `in`: a comparison
with anything else would be a rule that silently never (or always) matches. Names have
no order. Nothing hides its type, or takes a pattern from a call. A fact that only keeps
counters apart is not read at all.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from gateway import documents
from gateway.policy.facts import DECLARED, Fact
from gateway.policy.syntax import Syntax, Tree

NODES_MAX = 500
COMPREHENSIONS_DEEP_MAX = 2
LIST_LENGTH_MAX = 1_000
STEPS_MAX = 20_000

Wrong: TypeAlias = Iterator[tuple[Tree, str]]


def facts_read(root: Tree) -> frozenset[str]:
    """Return the names of the facts a tree reads."""
    return frozenset(node.name for node in root.walk() if _is_fact(node))


def check(tree: Syntax) -> Wrong:
    """Yield what is wrong, and at which node."""
    root = tree.root
    yield from _bounds(root)
    for node in root.walk():
        yield from _counted_only(node)
        yield from _fixed_sets(node)
        if node.kind == "call":
            yield from _call(node, tree.overloads.get(node.id, ()))


def _bounds(root: Tree) -> Wrong:
    nodes = _nodes(root)
    if nodes > NODES_MAX:
        yield root, f"an expression of {nodes} parts, expected at most {NODES_MAX}: split the rule"
    for node in root.walk():
        if node.kind == "list" and len(node.below) > LIST_LENGTH_MAX:
            yield node, f"a list of {len(node.below)}, expected at most {LIST_LENGTH_MAX}"
    steps = _steps(root)
    if _loops(root) > COMPREHENSIONS_DEEP_MAX:
        yield root, f"exists, all, map or filter nested deeper than {COMPREHENSIONS_DEEP_MAX}"
    elif steps > STEPS_MAX:
        yield root, f"up to {steps} steps, expected at most {STEPS_MAX}: shorten the lists"


def _nodes(tree: Tree) -> int:
    """Return how many nodes there are, not counting the constants of a list."""
    below = tree.below
    if tree.kind == "list":
        below = tuple(item for item in below if item.kind != "constant")
    return 1 + sum(_nodes(node) for node in below)


def _loops(tree: Tree) -> int:
    """Return how deep comprehensions stand in each other."""
    deepest = max((_loops(node) for node in tree.below), default=0)
    return deepest + (tree.kind == "comprehension")


def _steps(tree: Tree) -> int:
    """Return an upper estimate of the nodes evaluated."""
    if tree.kind != "comprehension":
        return 1 + sum(_steps(node) for node in tree.below)
    over, *rest = tree.below
    return _steps(over) + max(_size(over), 1) * sum(_steps(node) for node in rest)


def _size(tree: Tree) -> int:
    """Return how many items a list can have."""
    if tree.kind in ("list", "map"):
        return len(tree.below)
    if tree.kind == "comprehension":
        return _size(tree.below[0])
    return LIST_LENGTH_MAX


def _call(node: Tree, overloads: Sequence[str]) -> Wrong:
    if node.name in ("dyn", "type"):
        yield node, f"{node.name}() hides a type, expected a plain comparison"
    if node.name == "matches" and not isinstance(node.below[-1].value, str):
        yield node, "matches() of something computed, expected a pattern in quotes"
    if node.name == "@in" and node.below[1].kind == "list" and not node.below[1].below:
        yield node, "'in' an empty list is never true, expected values in the list"
    if node.name in _ORDERS and any(each.endswith(("_string", "_bool")) for each in overloads):
        hint = _ORDER_HINTS.get(_first_name(node), "")
        yield node, f"{node.name.strip('_')!r} between names, which have no order{hint}"


_ORDERS = frozenset({"_<_", "_<=_", "_>_", "_>=_"})
_ORDER_HINTS = {"task.evidence": ": use task.evidence_rank (0 none … 3 verified)"}


def _first_name(node: Tree) -> str:
    return next((each.name for each in node.below if each.kind == "name"), "")


def _counted_only(node: Tree) -> Wrong:
    if _is_fact(node) and DECLARED[node.name].counted_only:
        named = f"name it in a quota's 'by', as in {{calls: 10, per: 1m, by: [{node.name}]}}"
        yield node, f"{node.name} can be counted by, not compared: {named}"


def _fixed_sets(node: Tree) -> Wrong:
    """Yield each use, right below a node, of a fixed-set fact that is no such comparison."""
    for name in filter(_is_fact, node.below):
        fact = DECLARED[name.name]
        if not fact.members or node.name in _ORDERS:
            continue
        others = _compared_with(node)
        if others is None:
            wanted = f"expected ==, != or in with these, in quotes: {_listed(fact)}"
            yield name, f"{fact.name} has a fixed set of values, {wanted}"
            continue
        for other in others:
            yield from _member(fact, other)


def _compared_with(node: Tree) -> tuple[Tree, ...] | None:
    """Return the constants a call compares a fact with; None when it is no such call."""
    if node.kind != "call" or node.name not in ("_==_", "_!=_", "@in"):
        return None
    others = tuple(each for each in node.below if not _is_fact(each))
    if node.name == "@in" and others and others[0].kind == "list":
        others = others[0].below
    elif len(others) != 1:
        return None
    return others if all(each.kind == "constant" for each in others) else None


def _member(fact: Fact, other: Tree) -> Wrong:
    value = str(other.value)
    if value not in fact.members:
        hint = documents.nearest(value, fact.members) or f"; it is one of {_listed(fact)}"
        yield other, f"{fact.name} is never {value!r}{hint}"


def _listed(fact: Fact) -> str:
    return ", ".join(repr(member) for member in fact.members)


def _is_fact(node: Tree) -> bool:
    return node.kind == "name" and node.name in DECLARED

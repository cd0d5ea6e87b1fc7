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
from gateway.policy.conditions import patterns
from gateway.policy.conditions.syntax import Syntax, Tree
from gateway.policy.facts import DECLARED, Fact

NODES_MAX = 500
COMPREHENSIONS_DEEP_MAX = 2
LIST_LENGTH_MAX = 1_000
STEPS_MAX = 20_000
"""A step takes about 0.15 µs, so that no evaluation takes more than about 5 ms."""
PATTERN_STEPS = 16
"""For each unit of a pattern's size: RE2 reads it again at every evaluation."""

Wrong: TypeAlias = Iterator[tuple[Tree, str]]


def facts_read(tree: Syntax) -> frozenset[str]:
    """Return the names of the facts an expression reads."""
    return frozenset(node.name for node in tree.nodes if _is_fact(node))


def patterns_of(tree: Syntax) -> list[tuple[Tree, str]]:
    """Return the patterns an expression matches texts with, and where they stand."""
    found = ((node, _pattern(node)) for node in tree.nodes if node.name == "matches")
    return [(node.below[-1], pattern) for node, pattern in found if pattern is not None]


def check(tree: Syntax) -> Wrong:
    """Yield what is wrong, and at which node."""
    yield from _bounds(tree)
    yield from _grown(tree)
    for node in tree.nodes:
        yield from _counted_only(node)
        yield from _fixed_sets(node)
        yield from _starred(node)
        if node.kind == "call":
            yield from _call(node, tree.overloads.get(node.id, ()) if node.name in _ORDERS else ())
        elif node.kind == "map" and node.name:
            yield node, f"{node.name}{{…}} hides a type, expected a plain comparison"


def _bounds(tree: Syntax) -> Wrong:
    root = tree.root
    nodes = _nodes(root)
    if nodes > NODES_MAX:
        yield root, f"an expression of {nodes} parts, expected at most {NODES_MAX}: split the rule"
    for node in tree.nodes:
        if node.kind == "list" and len(node.below) > LIST_LENGTH_MAX:
            yield node, f"a list of {len(node.below)}, expected at most {LIST_LENGTH_MAX}"
    steps = _steps(root)
    if _loops(root) > COMPREHENSIONS_DEEP_MAX:
        yield root, f"exists, all, map or filter nested deeper than {COMPREHENSIONS_DEEP_MAX}"
    elif steps > STEPS_MAX:
        said = f"up to {steps} steps, expected at most {STEPS_MAX}: shorten lists and patterns"
        yield root, said


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
        return 1 + _pattern_steps(tree) + sum(_steps(node) for node in tree.below)
    over, *rest = tree.below
    size = max(_size(over), 1)
    copied = size * size // 4 if rest[0].kind == "list" else 0  # map and filter: a list an item
    return _steps(over) + size * sum(_steps(node) for node in rest) + copied


def _pattern_steps(tree: Tree) -> int:
    pattern = _pattern(tree)
    return 0 if pattern is None else patterns.size(pattern) * PATTERN_STEPS


def _pattern(tree: Tree) -> str | None:
    """Return the pattern of a call of matches()."""
    value = tree.below[-1].value if tree.name == "matches" and tree.below else None
    return value if isinstance(value, str) else None


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
    if node.name == "matches":
        yield from _matches(node)
    if node.name == "@in" and node.below[1].kind == "list" and not node.below[1].below:
        yield node, "'in' an empty list is never true, expected values in the list"
    if node.name in _ORDERS and any(each.endswith(("_string", "_bool")) for each in overloads):
        hint = _ORDER_HINTS.get(_first_name(node), "")
        yield node, f"{node.name.strip('_')!r} between names, which have no order{hint}"


def _matches(node: Tree) -> Wrong:
    pattern = _pattern(node)
    size = patterns.size(pattern or "")
    if pattern is None:
        yield node, "matches() of something computed, expected a pattern in quotes"
    elif size > patterns.SIZE_MAX:
        said = f"a pattern of size {size}, expected at most {patterns.SIZE_MAX}"
        yield node.below[-1], f"{said}: use smaller counts {{n}}, no \\p classes, a shorter text"
    if not _is_fact(node.below[0]):
        yield node, "matches() of no fact, expected one, as in call.model.matches('^gpt-5')"


def _grown(tree: Syntax) -> Wrong:
    """Yield what makes a text or a list longer without bound: joining in a loop."""
    found: dict[int, Tree] = {}
    for loop in tree.nodes:
        if loop.kind == "comprehension":
            found |= {node.id: node for node in loop.walk() if _joins(tree, node)}
    for node in found.values():
        yield node, "'+' between texts or lists inside exists, all, map or filter, expected none"


def _joins(tree: Syntax, node: Tree) -> bool:
    """Return whether a node joins texts or lists, and not for a macro, which adds an item."""
    if node.name != "_+_" or node.below[0].name == "@result":
        return False
    return any(each in _JOINS for each in tree.overloads.get(node.id, ()))


_JOINS = frozenset({"add_string", "add_bytes", "add_list"})
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


def _starred(node: Tree) -> Wrong:
    """Yield each text with a star at an end that a free text is compared with."""
    for name in filter(_is_fact, node.below):
        if DECLARED[name.name].members:
            continue
        for other in _compared_with(node) or ():
            value = other.value if isinstance(other.value, str) else ""
            if value.endswith("*") and len(value) > 1:
                how = f"expected a whole text, or {name.name}.startsWith({value[:-1]!r})"
                yield other, f"a '*' stands for itself in {value!r}, {how}"


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

"""
A condition gone wrong in every small way: what a slip of the hand would make of it.

Each twist changes one thing: an operator to its neighbour, a constant to one beside it, a part
or a member of a list left out. Tests that still pass with one in place did not look there.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from gateway.policy.conditions import cel, printing
from gateway.policy.conditions.cel import Condition
from gateway.policy.conditions.syntax import Constant, Tree
from gateway.policy.facts import DECLARED

_NEIGHBOURS: Mapping[str, tuple[str, ...]] = {
    "_==_": ("_!=_",),
    "_!=_": ("_==_",),
    "_<_": ("_<=_", "_>=_"),
    "_<=_": ("_<_", "_>_"),
    "_>_": ("_>=_", "_<=_"),
    "_>=_": ("_>_", "_<_"),
    "_&&_": ("_||_",),
    "_||_": ("_&&_",),
    "_+_": ("_-_",),
    "_-_": ("_+_",),
    "_*_": ("_/_",),
    "_/_": ("_*_",),
    "_%_": ("_*_",),
}
_MACROS: Mapping[str, str] = {"exists": "all", "all": "exists", "exists_one": "all"}
_MARK = "~"
"""Put behind a text to make it another."""


class Twist(Struct, frozen=True, kw_only=True):
    """One way for a condition to go wrong."""

    words: str
    condition: Condition


def twists(condition: Condition) -> Iterator[Twist]:
    """Yield every condition that differs in one thing, each once."""
    known = {printing.text(condition.tree.root)}
    for was, becomes, root in _everywhere(condition.tree.root, ()):
        text = printing.text(root)
        if text in known:
            continue
        known.add(text)
        try:
            made = cel.compile_condition(text)
        except cel.Mistakes:  # what could not be loaded needs no test against it
            continue
        words = f"{printing.text(was)} becomes {printing.text(becomes)}"
        yield Twist(words=words, condition=made)


_Change = tuple[Tree, Tree, Tree]
"""A part, what it becomes, and the whole with that in its place."""


def _everywhere(tree: Tree, members: Sequence[str]) -> Iterator[_Change]:
    """Yield each change of a tree or of a part of it; `members` are those a constant may be."""
    for becomes in _here(tree, members):
        yield tree, becomes, becomes
    allowed = _members(tree) or (members if tree.kind == "list" else ())
    for path in _paths(tree):
        part = _at(tree, path)
        for was, becomes, changed in _everywhere(part, allowed):
            yield was, becomes, _with(tree, path, changed)


def _here(tree: Tree, members: Sequence[str]) -> Iterator[Tree]:
    """Yield what a node itself may become."""
    if tree.kind == "constant":
        yield from (structs.replace(tree, value=value) for value in _others(tree, members))
    elif tree.kind == "comprehension":
        yield from _other_macro(tree)
    elif tree.kind == "call":
        yield from _other_call(tree)


def _other_call(tree: Tree) -> Iterator[Tree]:
    below = tree.below
    for name in _NEIGHBOURS.get(tree.name, ()):
        yield structs.replace(tree, name=name)
    if tree.name in printing.CHAINS:
        yield from below
    elif tree.name == "!_":
        yield below[0]
    elif tree.name == "_?_:_":
        yield structs.replace(tree, below=(below[0], below[2], below[1]))
    elif tree.name == "@in":
        yield Tree(id=0, kind="call", name="!_", below=(tree,))
        if below[1].kind == "list" and len(below[1].below) > 1:
            for at in range(len(below[1].below)):
                members = below[1].below[:at] + below[1].below[at + 1 :]
                less = structs.replace(below[1], below=members)
                yield structs.replace(tree, below=(below[0], less))


def _other_macro(tree: Tree) -> Iterator[Tree]:
    """Yield a comprehension as another: as text, since macros leave their expansion in trees."""
    name, arguments = printing.macro(tree)
    if name not in _MACROS:
        return
    over, said = printing.text(tree.below[0]), printing.text(arguments[0])
    try:
        yield cel.compile_condition(f"{over}.{_MACROS[name]}({tree.name}, {said})").tree.root
    except cel.Mistakes:  # it stands in another one, and reads that one's variable
        return


def _others(tree: Tree, members: Sequence[str]) -> Iterator[Constant]:
    """Yield constants beside one."""
    value = tree.value
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield members[(members.index(value) + 1) % len(members)] if members else value + _MARK
    elif isinstance(value, int):
        yield value + 1
        if value or tree.name != "uint":
            yield value - 1
    elif isinstance(value, float):
        step = abs(value) / 10 or 0.1
        yield value + step
        yield value - step


def _members(tree: Tree) -> Sequence[str]:
    """Return the values that constants right below a node may have, when they are few."""
    facts = [DECLARED[each.name] for each in tree.below if each.name in DECLARED]
    return next((fact.members for fact in facts if fact.members), ())


def _paths(tree: Tree) -> tuple[tuple[int, ...], ...]:
    """Return where the parts of a node are that may change."""
    if tree.kind == "comprehension":
        return _macro_paths(tree)
    if tree.name == "@in" and tree.below[1].kind == "list" and len(tree.below[1].below) > 1:
        return ((0,),)  # its members are left out, one by one
    return tuple((at,) for at in range(len(tree.below)))


def _macro_paths(tree: Tree) -> tuple[tuple[int, ...], ...]:
    """Return where a macro's list and arguments are within its expansion."""
    over, step = (0,), 3
    name, arguments = printing.macro(tree)
    if name in ("exists", "all"):
        return over, (step, 1)
    if name == "map" and len(arguments) == 1:
        return over, (step, 1, 0)
    if name == "map":
        return over, (step, 0), (step, 1, 1, 0)
    return over, (step, 0)


def _at(tree: Tree, path: Sequence[int]) -> Tree:
    for at in path:
        tree = tree.below[at]
    return tree


def _with(tree: Tree, path: Sequence[int], part: Tree) -> Tree:
    """Return a tree with another part in a place."""
    if not path:
        return part
    at, *rest = path
    below = list(tree.below)
    below[at] = _with(below[at], rest, part)
    return structs.replace(tree, below=tuple(below))

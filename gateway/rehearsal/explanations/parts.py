"""
A condition taken apart: each sub-expression, its value, and which of them decided.

Each part is evaluated by itself, by the evaluator that decides calls, so it says exactly what
it says within the condition. `&&` stops at the first false side and `||` at the first true
one: what stands behind was not needed. Inside `exists` and its like nothing is taken apart.
"""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from msgspec import Struct, structs

from gateway.policy.conditions import cel, printing
from gateway.policy.conditions.syntax import Tree
from gateway.policy.facts import DECLARED
from gateway.values import Facts


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sub-expression, what it came to, and those within it."""

    text: str
    value: Any
    """As JSON holds it; null when it erred."""
    error: str = ""
    """What went wrong: `divide by zero`."""
    decided: bool = False
    """Whether the condition's answer hangs on it: another answer here could turn it."""
    needed: bool = True
    """False: the answer was there before it was looked at."""
    connects: Literal["", "&&", "||", "!", "?:"] = ""
    """How it makes one condition of those below; empty: it is a comparison, or no condition."""
    below: tuple["Part", ...] = ()

    @property
    def shown(self) -> str:
        """Return the value as CEL writes it, or `error: …`."""
        return f"error: {self.error}" if self.error else shown(self.value)


def shown(value: object) -> str:
    """Return a value as CEL writes it."""
    if isinstance(value, str):
        return printing.quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(shown, cast('list[object]', value)))}]"
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return "{" + ", ".join(f"{shown(key)}: {shown(each)}" for key, each in pairs) + "}"
    return repr(value)


class Taker:
    """Takes conditions apart over the facts of one call."""

    def __init__(self, facts: Facts) -> None:
        """Keep the facts, all of which must be there."""
        self._facts = facts
        self._activation = cel.activation(facts)

    def take(self, root: Tree) -> Part:
        """Return a condition's parts."""
        return self._take(root, needed=True, decides=True)

    def _take(self, tree: Tree, *, needed: bool, decides: bool) -> Part:
        if tree.name in printing.CHAINS:
            below = self._chain(tree, needed=needed, decides=decides)
        elif tree.name == "_?_:_":
            below = self._choice(tree, needed=needed, decides=decides)
        elif tree.name == "!_" and _connects(tree.below[0]):
            below = (self._take(tree.below[0], needed=needed, decides=decides),)
        else:
            return self._said(
                tree, self._facts_in(tree, needed=needed), needed=needed, decides=decides
            )
        said = self._said(tree, below, needed=needed, decides=False)
        return structs.replace(said, connects=_SIGNS[tree.name])

    def _chain(self, tree: Tree, *, needed: bool, decides: bool) -> tuple[Part, ...]:
        """Return the sides of a chain; the first one that stops it decides it alone."""
        sides = printing.operands(tree)
        values = [self._value(side) for side in sides]
        stop = tree.name == "_||_"
        last = next((at for at, value in enumerate(values) if value is stop), None)
        erring = [at for at, value in enumerate(values) if isinstance(value, cel.Erred)]
        deciding: Sequence[int] = range(len(sides))
        if last is not None or erring:
            deciding = erring[:1] if last is None else [last]
        return tuple(
            self._take(
                side,
                needed=needed and (last is None or at <= last),
                decides=decides and at in deciding,
            )
            for at, side in enumerate(sides)
        )

    def _choice(self, tree: Tree, *, needed: bool, decides: bool) -> tuple[Part, ...]:
        """Return the parts of `a ? b : c`: of b and c only one is needed."""
        asked, *either = tree.below
        chosen = {True: 0, False: 1}.get(self._value(asked))
        return (
            self._take(asked, needed=needed, decides=decides),
            *(
                self._take(each, needed=needed and at == chosen, decides=decides and at == chosen)
                for at, each in enumerate(either)
            ),
        )

    def _facts_in(self, tree: Tree, *, needed: bool) -> tuple[Part, ...]:
        """Return what a comparison is made of: the facts in it, and what is worked out of them."""
        if tree.kind == "comprehension":
            facts = dict.fromkeys(node.name for node in tree.walk() if _is_fact(node))
            return tuple(
                Part(text=name, value=_plain(self._facts[name]), needed=needed) for name in facts
            )
        return tuple(
            self._said(each, self._facts_in(each, needed=needed), needed=needed, decides=False)
            for each in tree.below
            if _reads(each)
        )

    def _said(self, tree: Tree, below: tuple[Part, ...], *, needed: bool, decides: bool) -> Part:
        value = self._value(tree)
        erred = isinstance(value, cel.Erred)
        return Part(
            text=printing.text(tree),
            value=None if erred else _plain(value),
            error=value.why if erred else "",
            decided=decides,
            needed=needed,
            below=below,
        )

    def _value(self, tree: Tree) -> Any:
        if _is_fact(tree):
            return self._facts[tree.name]
        return cel.evaluate(printing.text(tree), self._activation)


_SIGNS: Mapping[str, Literal["&&", "||", "!", "?:"]] = {
    "_&&_": "&&",
    "_||_": "||",
    "!_": "!",
    "_?_:_": "?:",
}


def _connects(tree: Tree) -> bool:
    """Return whether a tree connects conditions, rather than being one."""
    return tree.name in _SIGNS


def _reads(tree: Tree) -> bool:
    return any(_is_fact(node) for node in tree.walk())


def _is_fact(tree: Tree) -> bool:
    return tree.kind == "name" and tree.name in DECLARED


def _plain(value: object) -> Any:
    """Return a value of CEL as JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {str(key): _plain(each) for key, each in pairs}
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return f"{value.total_seconds()}s" if isinstance(value, datetime.timedelta) else value

"""
Conditions: CEL, type-checked when loaded, and read as a tree.

The one file that knows `cel-expr-python`. A condition that gets past `compile_condition`
is true or false, names only declared facts, and keeps the rules of `checks`, so
that what can still go wrong on the line is arithmetic (a division by zero, an overflow).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from weakref import WeakValueDictionary

from cel_expr_python import cel
from msgspec import Struct

from gateway.policy.conditions import checks, patterns, slips, syntax, wording
from gateway.policy.conditions.slips import Mistake
from gateway.policy.facts import DECLARED, Fact
from gateway.values import Facts

LENGTH_MAX = 4_096
FORM_BYTES_MAX = 100_000
"""Of a checked expression: one that keeps the bounds of `checks` has half of it."""


# Measured, in the units of `Condition.cost`: for each character of an expression that is no
# CEL, of one that is not ASCII, for each unit of a pattern's size, and how many times as
# much a mistaken one counts: few of its kind are worth reading.
FAILED_COST = 12
NOT_ASCII_COST = 15
PATTERN_COST = 4
MISTAKEN_COST = 4


class Mistakes(Exception):
    """An expression cannot be used; `found` says why, `cost` what it took to find out."""

    def __init__(self, found: list[Mistake], cost: int) -> None:
        super().__init__("; ".join(mistake.message for mistake in found))
        self.found = found[: slips.MISTAKES_MAX]
        self.cost = cost * MISTAKEN_COST


class Condition:
    """A checked expression over the facts it `reads`."""

    def __init__(self, text: str, compiled: Any, tree: syntax.Syntax, cost: int) -> None:
        self.text = text
        self.tree = tree
        self.cost = cost
        """What it took to read it, in units of about a third of a microsecond."""
        self.reads = checks.facts_read(tree)
        self._compiled = compiled

    def holds(self, activation: Any) -> bool | None:
        """Return what it says of an activation; None when it errs."""
        try:
            value = self._compiled.eval(activation).value()
        except RuntimeError:  # a text that is not Unicode (half a surrogate pair)
            return None
        return value if value is True or value is False else None


class Erred(Struct, frozen=True):
    """What an expression comes to that has no value."""

    why: str


def evaluate(text: str, activation: Any) -> Any:
    """Return what an expression of any type comes to, exactly as within a condition; or Erred."""
    try:
        value = _expression(text).eval(activation)
    except RuntimeError:  # as in `holds`
        return Erred("a text that is not Unicode")
    found = value.plain_value()
    return Erred(str(found).partition(": ")[2]) if value.type() == cel.Type.ERROR else found


@lru_cache(maxsize=4_096)
def _expression(text: str) -> Any:
    return _environment().compile(text)


def activation(facts: Facts) -> Any:
    """Return facts in the form conditions take; one does for all conditions of a call."""
    return _environment().Activation(facts)


def compile_condition(text: str) -> Condition:
    """
    Return the condition an expression states.

    Raises:
        Mistakes: all that is wrong with it, each with its place in the expression.

    """
    condition = _KEPT.get(text)
    if condition is None:
        condition = _KEPT[text] = _compiled(text)
    return condition


_KEPT: WeakValueDictionary[str, Condition] = WeakValueDictionary()
"""Those of the policies in force: a reload reads only what changed."""


def _compiled(text: str) -> Condition:
    if len(text) > LENGTH_MAX:
        said = f"an expression of {len(text)} characters, expected at most {LENGTH_MAX}: split it"
        raise Mistakes([Mistake(1, 1, said)], 0)
    unfit = list(slips.unfit(text))
    if unfit:
        raise Mistakes(unfit, len(text))
    try:
        compiled = _environment().compile(text)
    except RuntimeError as error:
        raise Mistakes(wording.explained(text, str(error)), len(text) * FAILED_COST) from None
    form: bytes = compiled.serialize()
    cost = len(form) + (0 if text.isascii() else len(text) * NOT_ASCII_COST)
    cost += len(text) * ("matches" in text) * PATTERN_COST
    if len(form) > FORM_BYTES_MAX:
        said = f"an expression of far more than {checks.NODES_MAX} parts, expected less: split it"
        raise Mistakes([Mistake(1, 1, said)], cost)
    tree = syntax.read(form)
    found = _wrong(text, compiled, tree)
    if not found:
        matched = checks.patterns_of(tree)
        cost += sum(patterns.size(pattern) for _, pattern in matched) * PATTERN_COST
        found = list(islice(_unread(text, tree, matched), slips.MISTAKES_MAX))
    if found:
        raise Mistakes(found, cost)
    return Condition(text, compiled, tree, cost)


def _wrong(text: str, compiled: Any, tree: syntax.Syntax) -> list[Mistake]:
    """Return what is wrong with an expression that is CEL."""
    has = "has" in text and _HAS.search(_STRING.sub(lambda found: " " * len(found[0]), text))
    if has:  # the macro leaves no trace in the tree
        said = "has() is never needed: every fact is always there (an absent one is empty)"
        return [Mistake(*slips.place(text, has.start()), said)]
    if compiled.return_type() != cel.Type.BOOL:
        kind = compiled.return_type().name().lower()
        what = tree.root.name if tree.root.kind == "name" else "the condition"
        said = f"{what} is {wording.SHOWN.get(kind, 'a value')}, expected true or false: compare it"
        return [Mistake(1, 1, said)]
    return [
        Mistake(*slips.place(text, _offset(tree, node)), said) for node, said in checks.check(tree)
    ]


@lru_cache(maxsize=1)
def _environment() -> Any:
    return cel.NewEnv(variables={name: _type(fact) for name, fact in DECLARED.items()})


def _type(fact: Fact) -> Any:
    kinds = {
        "text": cel.Type.STRING,
        "whole": cel.Type.INT,
        "number": cel.Type.DOUBLE,
        "flag": cel.Type.BOOL,
    }
    return kinds[fact.type]


_STRING = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")
_HAS = re.compile(r"\bhas\s*\(")


def _offset(tree: syntax.Syntax, node: syntax.Tree) -> int:
    """Return where a node begins; the checker places a dotted name at its last dot."""
    return tree.offsets.get(node.id, 0) - len(node.name.rpartition(".")[0]) * (node.kind == "name")


def _unread(
    text: str, tree: syntax.Syntax, matched: list[tuple[syntax.Tree, str]]
) -> Iterator[Mistake]:
    """Yield the patterns of matches() that are no RE2, by trying them."""
    for node, pattern in matched:
        tried = _environment_of_patterns().eval(data={"pattern": pattern}).value()
        if not isinstance(tried, bool):
            said = str(tried).removeprefix("INVALID_ARGUMENT: ")
            yield Mistake(*slips.place(text, _offset(tree, node)), f"{said}, expected RE2 syntax")


@lru_cache(maxsize=1)
def _environment_of_patterns() -> Any:
    return cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile('"".matches(pattern)')

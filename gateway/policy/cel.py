"""
Conditions: CEL, type-checked when loaded, and read as a tree.

The one file that knows `cel-expr-python`. A condition that gets past `compile_condition`
is true or false, names only declared facts, and keeps the rules of `policy.checks`, so
that what can still go wrong on the line is arithmetic (a division by zero, an overflow).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from msgspec import Struct

from gateway import documents
from gateway.policy import checks, syntax
from gateway.policy.facts import DECLARED, Fact
from gateway.values import Facts

LENGTH_MAX = 4_096


class Mistake(Struct, frozen=True):
    """What is wrong with an expression. Line and column are within it, from 1."""

    line: int
    col: int
    message: str


class Mistakes(Exception):
    """An expression cannot be used; `found` says why, completely."""

    def __init__(self, found: list[Mistake]) -> None:
        super().__init__("; ".join(mistake.message for mistake in found))
        self.found = found


class Condition:
    """A checked expression over the facts it `reads`."""

    def __init__(self, text: str, compiled: Any, tree: syntax.Syntax) -> None:
        self.text = text
        self.tree = tree
        self.reads = checks.facts_read(tree.root)
        self._compiled = compiled

    def holds(self, activation: Any) -> bool | None:
        """Return what it says of an activation; None when it errs."""
        try:
            value = self._compiled.eval(activation).value()
        except RuntimeError:  # a text that is not Unicode (half a surrogate pair)
            return None
        return value if value is True or value is False else None


def activation(facts: Facts) -> Any:
    """Return facts in the form conditions take; one does for all conditions of a call."""
    return _environment().Activation(facts)


def compile_condition(text: str) -> Condition:
    """
    Return the condition an expression states.

    Raises:
        Mistakes: all that is wrong with it, each with its place in the expression.

    """
    if len(text) > LENGTH_MAX:
        said = f"an expression of {len(text)} characters, expected at most {LENGTH_MAX}"
        raise Mistakes([Mistake(1, 1, said)])
    try:
        compiled = _environment().compile(text)
    except RuntimeError as error:
        raise Mistakes(list(_explained(text, str(error)))) from None
    if compiled.return_type() != cel.Type.BOOL:
        kind = compiled.return_type().name().lower()
        said = f"the condition is a value ({kind}), expected true or false: compare it"
        raise Mistakes([Mistake(1, 1, said)])
    tree = syntax.read(compiled.serialize())
    found = [
        Mistake(*_place(text, _offset(tree, node)), said)
        for node, said in (*checks.check(tree), *_patterns(tree.root))
    ]
    has = _HAS.search(_STRING.sub(lambda found: " " * len(found[0]), text))
    if has:  # the macro leaves no trace in the tree
        said = "has() is never needed: every fact is always there (an absent one is empty)"
        found.append(Mistake(*_place(text, has.start()), said))
    if found:
        raise Mistakes(found)
    return Condition(text, compiled, tree)


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


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def _patterns(root: syntax.Tree) -> Iterator[tuple[syntax.Tree, str]]:
    """Yield the patterns of matches() that are no RE2, by trying them."""
    for node in root.walk():
        if node.name == "matches" and isinstance(node.below[-1].value, str):
            tried = _environment_of_patterns().eval(data={"pattern": node.below[-1].value})
            if not isinstance(tried.value(), bool):
                yield node.below[-1], f"{_last_part(str(tried.value()))}, expected RE2 syntax"


@lru_cache(maxsize=1)
def _environment_of_patterns() -> Any:
    return cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile('"".matches(pattern)')


def _last_part(said: str) -> str:
    return said.removeprefix("INVALID_ARGUMENT: ")


# --- the checker's own messages, said better ------------------------------------------------

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '(?P<name>[^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '(?P<op>[^']*)' applied to '(?P<types>.*)'")
_NUMBER_AFTER = re.compile(r"\W*?\s*(-?\d+(?:\.\d+)?)\b")
_NUMBER_BEFORE = re.compile(r"(-?\d+(?:\.\d+)?)\s*$")
_FUNCTIONS = (
    *("contains", "startsWith", "endsWith", "matches", "size", "exists", "exists_one", "all"),
    *("map", "filter", "int", "double", "string", "timestamp", "duration"),
)


def _explained(text: str, said: str) -> Iterator[Mistake]:
    errors = _ERROR.findall(said)
    if not errors:
        what = said.partition(": ")[2].partition(" [")[0] or said
        yield Mistake(1, 1, f"this is no CEL: {what}")
    for line, col, message in errors:
        said = message.removesuffix(" [INVALID_ARGUMENT]")
        yield _better(text, max(int(line), 1), max(int(col), 1), said)


def _better(text: str, line: int, col: int, message: str) -> Mistake:
    source = text.split("\n")[line - 1]
    undeclared = _UNDECLARED.search(message)
    if undeclared is not None:
        return _undeclared(undeclared["name"], source, line, col)
    overload = _OVERLOAD.search(message)
    if overload is not None:
        operator, types = overload["op"].replace("_", "").strip("@"), overload["types"]
        hint = _number_hint(source, col, operator, types)
        return Mistake(line, col, f"{operator!r} cannot be applied to {types}{hint}")
    what = message.partition(" expecting {")[0]
    return Mistake(line, col, f"this is no CEL: {what}")


def _undeclared(name: str, source: str, line: int, col: int) -> Mistake:
    if source[col - 1 : col] == "(":
        others = [each for each in _FUNCTIONS if each != name]
        hint = documents.nearest(name, others) or "; policies/README.md lists the functions"
        return Mistake(line, col - len(name), f"unknown function {name!r}{hint}")
    hint = documents.nearest(name, DECLARED) or "; policies/README.md lists the facts"
    start = max(col - max(name.rfind("."), 0), 1)
    return Mistake(line, start, f"unknown fact {name!r}{hint}")


def _number_hint(source: str, col: int, operator: str, types: str) -> str:
    """Return how to write the number, when whole and fractional ones were mixed."""
    if types not in ("(double, int)", "(int, double)"):
        return ""
    found = _NUMBER_AFTER.match(source, col - 1 + len(operator))
    found = found or _NUMBER_BEFORE.search(source[: col - 1])
    if found is None:
        return "; convert one: double(…) or int(…)"
    number = found[1]
    if "." not in number:
        return f"; write {number}.0"
    whole, _, fraction = number.partition(".")
    return f"; write {whole}" if not fraction.strip("0") else "; write a whole number"

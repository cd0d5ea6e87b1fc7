"""What CEL's checker says of an expression, said better: what to write instead."""

import re
from collections.abc import Mapping

from gateway import documents
from gateway.policy.conditions import slips
from gateway.policy.conditions.slips import MISTAKES_MAX, Mistake
from gateway.policy.facts import DECLARED

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '(?P<name>[^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '(?P<op>[^']*)' applied to '(?P<types>.*)'")


def explained(text: str, said: str) -> list[Mistake]:
    """Return what is wrong with an expression the checker refused, the first few in order."""
    errors = _ERROR.findall(said)
    found: list[Mistake] = []
    if not errors or any(_is_syntax(message) for _, _, message in errors):
        found = slips.find(text)
    if not found and not errors:
        found = [Mistake(1, 1, f"this is no CEL: {_plain(said.partition(': ')[2] or said)}")]
    for line, col, message in errors:
        if len(found) < MISTAKES_MAX and not (found and _is_syntax(message)):
            found.append(_better(text, max(int(line), 1), max(int(col), 1), message))
    return list(dict.fromkeys(found))


def _is_syntax(message: str) -> bool:
    return not _UNDECLARED.search(message) and not _OVERLOAD.search(message)


def _better(text: str, line: int, col: int, message: str) -> Mistake:
    source = text.split("\n")[line - 1]
    undeclared = _UNDECLARED.search(message)
    if undeclared is not None:
        return _undeclared(undeclared["name"], source, line, col)
    overload = _OVERLOAD.search(message)
    if overload is not None:
        operator = overload["op"].replace("_", "").strip("@")
        types = overload["types"].removeprefix("(").removesuffix(")")
        shown = " and ".join(_NAMES.sub(lambda found: _TYPES[found[0]], types).split(", "))
        hint = _hint(source, col, operator, types)
        return Mistake(line, col, f"{operator!r} cannot be applied to {shown}{hint}")
    return Mistake(line, col, f"this is no CEL: {_plain(message)}")


def _plain(message: str) -> str:
    """Return what a parser says, as far as it helps."""
    if "recursion" in message:
        return "nested deeper than 32 (so is a chain of 32 signs like +), expected less: split it"
    read = _READ.search(message)
    if read is None:
        return message.partition(" [INVALID")[0]
    return f"read {'its end' if read[1] == '<EOF>' else repr(read[1])}, where it cannot stand"


_READ = re.compile(r"(?:input|at:?) '(.*?)'(?: expecting .*)?(?: \[INVALID.*)?$")


# --- names ------------------------------------------------------------------------------------

_FUNCTIONS = (
    *("contains", "startsWith", "endsWith", "matches", "size"),
    *("exists", "exists_one", "all", "map", "filter"),
    *("int", "double", "string", "timestamp", "duration"),
)
_MACROS = frozenset({"exists", "exists_one", "all", "map", "filter"})
_ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("len", "length", "count"), "size"),
    **dict.fromkeys(("any", "some"), "exists"),
    **dict.fromkeys(("includes", "has"), "contains"),
    **dict.fromkeys(("regex", "match", "like"), "matches"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("float", "number"), "double"),
}
_USED: Mapping[str, str] = {
    name: f"call.model.{name}('gpt')" for name in ("contains", "startsWith", "endsWith", "matches")
}
_NO_NULL = "there is no null: what is absent is empty ('') or 0"
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("yes", "on", "True", "TRUE"), "write true"),
    **dict.fromkeys(("no", "off", "False", "FALSE"), "write false"),
    **dict.fromkeys(("None", "nil", "NULL", "Null", "undefined"), _NO_NULL),
}
_MEMBERS = frozenset(member for fact in DECLARED.values() for member in fact.members if member)


def _undeclared(name: str, source: str, line: int, col: int) -> Mistake:
    if source[col - 1 : col] == "(":
        return Mistake(line, col - len(name), f"unknown function {name!r}{_function(name)}")
    start = max(col - max(name.rfind("."), 0), 1)
    written = _WRITTEN.match(source, start - 1)
    if written is not None and "-" in written[0]:  # one name to its author, a minus to CEL
        name = written[0]
    return Mistake(line, start, f"unknown fact {name!r}{_fact(name)}")


_WRITTEN = re.compile(r"[A-Za-z_][\w.-]*\w")


def _function(name: str) -> str:
    if name in _MACROS:
        return f": it takes a name and a condition, as in [1, 2].{name}(x, x > call.choices)"
    if name in _FUNCTIONS:
        return f": it is used as in {_USED.get(name, f'{name}(call.choices)')}"
    if name in ("lower", "upper", "lowerAscii", "toLower"):
        return "; compare with a pattern that ignores case: call.model.matches('(?i)^gpt')"
    if name in _ELSEWHERE:
        return f"; did you mean {_ELSEWHERE[name]!r}?"
    return documents.nearest(name, _FUNCTIONS) or "; policies/README.md lists the functions"


def _fact(name: str) -> str:
    if name in _WORDS:
        return f"; {_WORDS[name]}"
    if name in _MEMBERS:
        return f"; a text goes in quotes: '{name}'"
    below = [each for each in DECLARED if each.startswith(f"{name}.")]
    if below:
        return f"; it has {', '.join(below[:6])}{', …' if len(below) > 6 else ''}"  # noqa: PLR2004  # a few
    if "." in name:
        near = documents.nearest(name.replace("-", "_"), DECLARED)
        return near or "; policies/README.md lists the facts"
    lasts = {each.rpartition(".")[2]: each for each in reversed(list(DECLARED))}
    near = documents.nearest(name, lasts)
    if near:
        last = near.split("'")[1]
        return near.replace(last, lasts[last])
    return f"; a text goes in quotes ('{name[:40]}'), and policies/README.md lists the facts"


# --- types ------------------------------------------------------------------------------------

_TYPES: Mapping[str, str] = {
    "string": "text",
    "int": "whole number",
    "uint": "unsigned number",
    "double": "number",
    "bool": "true/false",
    "null_type": "null",
    "list": "list",
    "map": "map",
}
SHOWN: Mapping[str, str] = {
    **{kind: f"a {name}" for kind, name in _TYPES.items()},
    "uint": "an unsigned number",
}
_NAMES = re.compile(rf"\b(?:{'|'.join(_TYPES)})\b")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_NUMBER_AFTER = re.compile(rf"\W*?\s*({_NUMBER})(?![\w.])")
_NUMBER_BEFORE = re.compile(rf"({_NUMBER})\s*$")
_FACT_BEFORE = re.compile(r"([a-z_]+(?:\.[a-z_]+)+)\s*$")
_ORDERS = ("<", "<=", ">", ">=")


def _hint(source: str, col: int, operator: str, types: str) -> str:
    """Return what to write instead of values of types that do not go together."""
    if "null_type" in types:
        return f"; {_NO_NULL}"
    if types in ("double, int", "int, double"):
        return _mixed(source, col, operator)
    if operator == "in":
        return _in_hint(types)
    if operator in ("==", "!=", "+", *_ORDERS):
        return _compared(source, col, operator, types)
    if operator == "contains" and types.startswith("list"):
        return _IN_LIST
    return _OPERATORS.get(operator, "")


_IN_LIST = "; whether it is in a list is asked by in, as in call.model in ['a', 'b']"
_EACH_SIDE = "; each side is a condition: name the fact again, as in a == 'x' || a == 'y'"
_OPERATORS: Mapping[str, str] = {
    "&&": _EACH_SIDE,
    "||": _EACH_SIDE,
    "!": "; it goes before a condition in parentheses, as in !(task.id == '')",
    "[]": "; a text has no parts: ask startsWith, endsWith or contains",
    **dict.fromkeys(
        ("contains", "startsWith", "endsWith", "matches"), "; it takes one text in quotes"
    ),
}


def _compared(source: str, col: int, operator: str, types: str) -> str:
    first, _, second = types.partition(", ")
    found = _FACT_BEFORE.search(source[: col - 1])
    fact = DECLARED.get(found[1]) if found is not None else None
    if first == "bool" and fact is not None and fact.type == "flag":
        return f"; write {fact.name} or !{fact.name} alone"
    if first == "bool":
        return "; compare two values at a time and join: 1 < x && x < 5"
    if "list" in types:
        return _IN_LIST
    if fact is not None and fact.members:
        return f"; {fact.name} is one of {', '.join(map(repr, fact.members))}"
    if "uint" in types:
        return "; write the number without u"
    if fact is not None and second == "string" and fact.type != "text":
        return f"; {fact.name} is a number: {fact.about}"
    number = _number(source, col, operator)
    if number and operator not in _ORDERS and {first, second} <= {"string", "int", "double"}:
        return f"; a text goes in quotes: '{number}'"
    return "; compare a number with a number, and a text in quotes with a text"


def _in_hint(types: str) -> str:
    if types == "string, string":
        return "; a part of a text is found by call.model.contains('gpt'), a whole one by =="
    if types == "double, list(int)":
        return "; write the numbers of the list with a point: 1.0"
    if types == "int, list(double)":
        return "; write the numbers of the list without a point: 1"
    return "; it goes before a list of values like the one on its left"


def _mixed(source: str, col: int, operator: str) -> str:
    """Return how to write the number, when whole and fractional ones were mixed."""
    number = _number(source, col, operator)
    if not number:
        return "; convert one: double(…) or int(…)"
    if number.lstrip("-").isdigit():
        return f"; write {number}.0"
    value = float(number)
    return f"; write {value:.0f}" if value.is_integer() else "; write a whole number"


def _number(source: str, col: int, operator: str) -> str:
    found = _NUMBER_AFTER.match(source, col - 1 + len(operator))
    found = found or _NUMBER_BEFORE.search(source[: col - 1])
    return found[1] if found else ""

"""Policy files that someone wrote to make reading them expensive, as long as is asked."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

SIZE = 999_990
"""Just under what a set of files may have, so that it is read and not only measured."""

Make: TypeAlias = Callable[[int], str]


def _filled(unit: str, size: int, before: str = "", after: str = "") -> str:
    """Return as many of a text as fit."""
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


def _numbered(unit: str, size: int, before: str = "") -> str:
    """Return as many of a text as fit, each with a number of its own in the place of `#`."""
    parts = [before]
    length = len(before)
    number = 0
    while True:
        part = unit.replace("#", str(number))
        length += len(part)
        if length > size:
            return "".join(parts)
        parts.append(part)
        number += 1


RULES = "version: 1\nrules:\n"


def _rules(rule: str) -> Make:
    """Return files of one rule again and again, in one line each, `#` being its number."""
    return lambda size: _numbered(f"- {{{rule}}}\n", size, RULES)


def _when(condition: str, rule: str = "effect: forbid") -> Make:
    """Return files of one condition again and again, with another comment each time."""
    quoted = f"{condition} //#".replace("'", "''")
    return _rules(f"id: r#, {rule}, when: '{quoted}'")


def _nested(size: int) -> str:
    return RULES + "".join(" " * depth + "-\n" for depth in range(int((2 * size) ** 0.5) - 20))


_LIST = ",".join(f'"{number}"' for number in range(680))
_NEAR = "prinicpal.taem_of_the_prinicpals_tasks"

HOSTILE: Mapping[str, Make] = {
    # YAML itself
    "bomb of aliases": lambda size: _numbered("k#: [*a, *a, *a]\n", size, "a: &a [x, x]\n"),
    "open lists": lambda size: "[" * size,
    "open mappings": lambda size: "{" * size,
    "deep indentation": _nested,
    "lists in one line": lambda size: _filled("- ", size),
    "keys asked for": lambda size: _filled("? ", size),
    "keys by the ten thousand": lambda size: _numbered("k#: v\n", size),
    "one key again and again": lambda size: _filled("a: b\n", size),
    "one long text": lambda size: "a: '" + "x" * (size - 5) + "'",
    "one long text in a block": lambda size: _filled("  x\n", size, "a: >\n"),
    "a block of empty lines": lambda size: _filled("\n", size, "a: |\n"),
    "blocks without a text": lambda size: _numbered("k#: |\n", size),
    "quotes that stay open": lambda size: _filled('"\n', size),
    "one line of words": lambda size: _filled("word ", size, "a: "),
    "comments": lambda size: _filled("# x\n", size),
    "one long comment": lambda size: "#" * size,
    "long tag": lambda size: "!" + "a" * (size - 3) + " x",
    "tags": lambda size: _filled("!a!b ", size, "a: "),
    "many documents": lambda size: _filled("---\n", size),
    "directives": lambda size: _filled("%YAML 1.2\n", size),
    "escapes": lambda size: _filled("\\u0041", size, 'a: "', '"'),
    "huge numbers": lambda size: _filled("9" * 30_000 + ", ", size, "a: [", "1]"),
    "numbers with huge exponents": lambda size: _filled("1e999999999, ", size, "a: [", "1]"),
    "characters nobody sees": lambda size: _filled("\x00", size, "a: "),
    "half pairs": lambda size: _filled("\ud800", size, "a: "),
    "other line breaks": lambda size: _filled("\u2028", size, "a: "),
    "carriage returns": lambda size: _filled("\r", size, "a: 1"),
    "tabs": lambda size: _filled("\t", size, "a:\n"),
    "wide characters": lambda size: _filled("💥", size, "a: "),
    "long flow list": lambda size: _filled("a,", size, "a: [", "]"),
    # what a policy says
    "rules that are empty": lambda size: _filled("- {}\n", size, RULES),
    "rules that are texts": lambda size: _filled("- x\n", size, RULES),
    "rules with a mistake each": _rules("id: r#, efect: forbid"),
    "one rule again and again": _rules("id: r, effect: forbid"),
    "keys that are nearly right": _rules(
        "descriptoin#: a, efffect#: b, obligatoins#: c, mesage#: d, budgett#: e, quotta#: f"
    ),
    "long names that are nearly right": _rules(f"id: r#, quota: {{calls: 1, by: [{_NEAR}#]}}"),
    "routes that contradict": _rules("id: r#, route: {model: m#}"),
    "headers that contradict": _rules(
        "id: r#, effect: permit, obligations: {reply_headers: {x-a: b#}}"
    ),
    "limits": _rules("id: r#, quota: {calls: 1, per: 1m, by: [principal, task, cluster]}"),
    # conditions
    "conditions that are right": _when('principal.team == "t#"'),
    "conditions in parentheses": _when("(" * 2_000 + "true" + ")" * 2_000),
    "open parentheses": _when("(" * 4_000),
    "one fact that does not exist": _when(f"{_NEAR} || " * 90 + "true"),
    "facts that do not exist": _when(f"{_NEAR}# == ''"),
    "signs without values": _when("|| " * 1_300),
    "characters that are no CEL": _when("@" * 4_000),
    "quotes within": _when('"' * 4_001),
    "escaped quotes within": _when('"' + '\\"' * 2_000),
    "types that do not fit": _when(" || ".join(["1 == ''"] * 350)),
    "loops side by side": _when(" && ".join(["[1].all(a, true)"] * 48)),
    "too many loops side by side": _when(" && ".join(["[1].all(a, true)"] * 200)),
    "loops within loops": _when("[1].all(a, " * 30 + "true" + ")" * 30),
    "long lists": _when(f"call.model in [{_LIST}]"),
    "long lists of lists": _when(f"[{','.join(['[]'] * 1_300)}].size() == 1"),
    "long maps": _when("{" + ",".join(f"{number}: 1" for number in range(480)) + "}.size() == 1"),
    "many signs": _when(" || ".join(["call.stream"] * 240)),
    "patterns with counts": _when("call.model.matches('a{999}')"),
    "patterns too large": _when("call.model.matches('" + "x{1000}" * 500 + "')"),
    "patterns that nest": _when("call.model.matches('" + "(" * 900 + "a" + ")*" * 900 + "')"),
    "patterns of classes": _when("call.model.matches('" + "\\\\pL" * 700 + "')"),
    "patterns that are broken": _when(" || ".join(["call.model.matches('(')"] * 100)),
    "conditions in another script": _when("call.model == '" + "é" * 3_900 + "'"),
    "conditions of empty lines": lambda size: _numbered(
        "- id: r#\n  effect: forbid\n  when: |\n" + "\n" * 3_900 + "    true\n", size, RULES
    ),
    "conditions with a null character": (
        lambda size: _numbered('- {id: r#, effect: forbid, when: "task.id == \\0"}\n', size, RULES)
    ),
}

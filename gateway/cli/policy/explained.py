"""
How an explanation is shown: the answer first, then what decided it, then what else there is.

On a terminal with colour, in a pipe without; the words are the same.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from gateway.cli import terminal

if TYPE_CHECKING:
    from gateway.rehearsal.explanations.bearing import Conclusion
    from gateway.rehearsal.explanations.explanation import Explanation, Said
    from gateway.rehearsal.explanations.parts import Part

Line: TypeAlias = list[tuple[str, str]]
"""Pieces of a line, each with its style."""

TEXT_MAX = 64
"""Longer conditions are cut; --json has them whole."""
_VERBS = {"forbid": "refused", "throttle": "slowed", "permit": "permitted"}
_COLOURS = {"forbid": "bold red", "throttle": "bold yellow", "permit": "bold green"}
_VALUES = {"true": "green", "false": "red"}


def show(found: "Explanation", *, every: bool) -> None:
    """Print an explanation; `every`: with the rules that do not match."""
    _print([*_lines(found, every=every)])


def _lines(found: "Explanation", *, every: bool) -> Iterator[Line]:
    conclusion = found.conclusion
    yield [(_answer(conclusion), _COLOURS[conclusion.effect])]
    yield [(_call(found), "dim")]
    for rule in found.rules:
        if rule.decided and rule.standing is None:
            yield from _rule(rule)
    limits = [rule for rule in found.rules if rule.standing is not None]
    for rule in limits:
        if rule.decided:
            yield from _rule(rule)
    rest = [rule for rule in found.rules if not rule.decided]
    if every:
        for rule in rest:
            yield from _rule(rule)
    yield from _limits([rule for rule in limits if not rule.decided and not every])
    yield from _closing(found, rest, every=every)


def _answer(conclusion: "Conclusion") -> str:
    verb = _VERBS[conclusion.effect]
    if not conclusion.permitted:
        place = f" ({conclusion.place})" if conclusion.place else ""
        by = f" by {conclusion.rule}{place}" if conclusion.rule else ""
        message = conclusion.message.removesuffix(
            f" Policy: {conclusion.rule} ({conclusion.place})."
        )
        return f"{verb}{by}: {message or conclusion.code}"
    terms = conclusion.terms
    parts = [verb]
    if terms.rule:
        to = " at ".join(each for each in (terms.model, terms.provider) if each)
        parts.append(f"sent to {to} by {terms.rule} ({terms.place})")
    if terms.output_tokens_max is not None:
        parts.append(f"at most {terms.output_tokens_max} output tokens")
    if conclusion.would_have:
        parts.append(f"otherwise if {', '.join(conclusion.would_have)} were enforced")
    if conclusion.unasked:
        parts.append(f"if there is room in {', '.join(conclusion.unasked)}")
    return "; ".join(parts)


def _call(found: "Explanation") -> str:
    """Return who called, with what, for what, and when."""
    facts = found.facts
    task = facts.get("task.id") or "no task"
    if facts.get("task.id"):
        task = f"{task} ({facts.get('task.evidence', '')})"
    said = [
        f"{facts.get('principal.id', '')} of {facts.get('principal.team', '')}",
        f"{facts.get('call.model', '')} by {facts.get('call.route', '')}",
        task,
        found.at,
    ]
    if found.alike:
        said.insert(3, f"{facts.get('likeness.kind', '')} of {found.alike}")
    return " · ".join(said)


def _rule(rule: "Said") -> Iterator[Line]:
    yield []
    where = ", in shadow" if rule.shadow else ""
    came_to = rule.came_to or rule.verdict
    yield [
        (rule.rule, "bold"),
        (f" ({rule.place}{where}) ", "dim"),
        (came_to, ""),
    ]
    if rule.standing is not None:
        yield [(f"    {rule.standing.words}", "")]
    if rule.parts is not None:
        yield from _parts(rule.parts)


def _parts(root: "Part") -> Iterator[Line]:
    rows = list(_rows(root))
    width = max(len(text) for _, text in rows)
    for part, text in rows:
        value = _cut(part.shown)
        style = "red" if part.error else _VALUES.get(value, "")
        yield [
            ("  > " if part.decided else "    ", "bold"),
            (text.ljust(width + 2), "" if part.needed else "dim"),
            (value.ljust(5), style if part.needed else "dim"),
            ("  " + _because(part), "dim"),
        ]


def _rows(part: "Part", depth: int = -1) -> Iterator[tuple["Part", str]]:
    """Yield the parts worth a line; of the whole only those it connects, at the margin."""
    if depth >= 0 or part.connects not in ("&&", "||"):
        depth = max(depth, 0)
        yield part, "  " * depth + _cut(part.text)
    if part.connects:
        for below in part.below:
            yield from _rows(below, depth + 1)


def _because(part: "Part") -> str:
    """Return the facts a part is about, and whether it was needed."""
    said = [] if part.needed else ["not needed"]
    if not part.connects:
        facts = dict(_facts(part))
        said += [f"{name} = {_cut(value)}" for name, value in facts.items() if name != part.text]
    return ", ".join(said)


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def _facts(part: "Part") -> Iterator[tuple[str, str]]:
    for below in part.below:
        if below.below:
            yield from _facts(below)
        else:
            yield below.text, below.shown


def _limits(rules: Sequence["Said"]) -> Iterator[Line]:
    if not rules:
        return
    yield []
    yield [("Quotas and budgets", "bold")]
    width = max(len(rule.rule) for rule in rules)
    for rule in rules:
        assert rule.standing is not None
        yield [(f"    {rule.rule.ljust(width)}  ", ""), (rule.standing.words, "dim")]


def _closing(found: "Explanation", rest: Sequence["Said"], *, every: bool) -> Iterator[Line]:
    yield []
    for note in found.notes:
        yield [(note, "yellow")]
    if found.now_in_force is not None:
        yield [(f"Under the policy in force now: {_answer(found.now_in_force)}", "bold")]
    silent = [rule for rule in rest if rule.standing is None]
    if silent and not every:
        matching = sum(rule.verdict == "matches" for rule in silent)
        others = len(silent) - matching
        said = [f"{others} {'does' if others == 1 else 'do'} not match"] if others else []
        said += [f"{matching} match{'es' * (matching == 1)} without effect"] if matching else []
        yield [(f"Of the other rules {' and '.join(said)}; --all shows them.", "dim")]
    yield [(f"policy {found.conclusion.policy}", "dim")]


def _print(lines: Sequence[Line]) -> None:
    if not sys.stdout.isatty():
        for line in lines:
            print("".join(terminal.plain(text) for text, _ in line).rstrip())
        return
    # Imported here: in a pipe nobody should wait 40 ms for colours.
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.text import Text  # noqa: PLC0415  # as above

    console = Console(highlight=False)
    for line in lines:
        pieces = [(terminal.plain(text), style) for text, style in line]
        console.print(Text.assemble(*pieces), soft_wrap=True)

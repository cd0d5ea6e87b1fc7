"""
Test files: which calls come, one after the other, and what each should come to.

A file is read as strictly as a policy: an unknown key, fact, value or rule is an error with
its file:line:col and the nearest name, and all of them are told at once. Every call's facts
are whole once a file is read, so that running a case is nothing but asking.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from gateway.documents import Fields, Node, Problems, nearest, parse
from gateway.errors import ConfigError
from gateway.policy import PolicySet
from gateway.policy.facts import DECLARED, USAGE, Fact
from gateway.rehearsal.trials import expectations, situations
from gateway.rehearsal.trials.expectations import Expected
from gateway.values import Facts, ServedKind, Usage

VERSION: Final = 1
TIMES_MAX: Final = 10_000
CALLS_MAX: Final = 100_000
"""Of all cases of one file."""
FILE_SIZE_MAX: Final = 500_000
WHOLE_MAX: Final = 2**53
EARLIEST: Final = 946_684_800.0
"""The year 2000: …"""
LATEST: Final = 32_503_680_000.0
"""… up to the year 3000 is when a case may play."""
NANO: Final = 10**9
SHARED: Final = ("coalesced", "reused")

FILE_KEYS: Final = ("version", "policies", "defaults", "cases")
CASE_KEYS: Final = ("name", "description", "facts", "at", "expect", "steps")
STEP_KEYS: Final = (
    *("facts", "after", "at", "times", "used", "open", "close", "shared", "failed", "expect"),
)
USED_KEYS: Final = ("input_tokens", "output_tokens", "cost_usd")

AT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[-+][0-9]{2}:[0-9]{2})")
SPAN: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_SPAN_S: Mapping[str, float] = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Used(Struct, frozen=True, kw_only=True):
    """What a call came to."""

    usage: Usage
    cost_nano_usd: int


class Step(Struct, frozen=True, kw_only=True):
    """Some calls alike, at one instant."""

    line: int
    now: float
    """Unix seconds."""
    times: int
    facts: Facts
    """Every declared fact of each of the calls."""
    given: frozenset[str]
    """The `usage.*` facts that are as written, whatever was counted."""
    used: Used | None
    """None: what was reserved."""
    opens: str
    """A name under which the calls stay under way; empty: they end at once."""
    closes: str
    """The name of calls that end before these begin."""
    served: ServedKind
    failed: bool
    expected: tuple[Expected, ...]


class Case(Struct, frozen=True, kw_only=True):
    """One story: its calls in order, from counters at nothing."""

    name: str
    file: str
    line: int
    steps: tuple[Step, ...]

    @property
    def calls(self) -> int:
        """Return how many calls it makes."""
        return sum(step.times for step in self.steps)

    @property
    def rules(self) -> frozenset[str]:
        """Return the ids of the rules it expects something of."""
        return frozenset(
            rule for step in self.steps for each in step.expected for rule in each.rules
        )


class Outline(Struct, frozen=True, kw_only=True):
    """A test file as far as it can be read before its policies are."""

    name: str
    root: Node
    policies: tuple[str, ...]
    """Paths relative to the file; none: the folder above it."""


def outline(name: str, text: str, problems: Problems) -> Outline | None:
    """Return what a test file says of itself; None (and why in `problems`) when it is none."""
    try:
        root = parse(name, text, size_max=FILE_SIZE_MAX)
    except ConfigError as error:
        problems.add_error(error)
        return None
    fields = Fields(root, problems, "a test file")
    if "rules" in fields:
        said = "this is a policy file, expected a test file: name the folder with `tests/` in it"
        problems.add(root, said, key="rules")
        return None
    fields.only(*FILE_KEYS)
    if fields.need("version"):
        version = fields.items["version"]
        if version.value != VERSION or version.text != str(VERSION):
            fields.expected("version", str(VERSION))
    if not fields.need("cases"):
        return None
    return Outline(name=name, root=root, policies=fields.texts("policies"))


def read(found: Outline, policies: PolicySet, problems: Problems) -> tuple[Case, ...]:
    """Return a file's cases against the policies they are about; mistakes go to `problems`."""
    return _Reader(found, policies, problems).cases()


class _Reader:
    """Reads one file's cases."""

    def __init__(self, found: Outline, policies: PolicySet, problems: Problems) -> None:
        self._file = found.name
        self._problems = problems
        self._rules = tuple(rule.id for rule in policies.rules)
        self._fields = Fields(found.root, problems, "a test file")
        self._at = situations.AT
        self._defaults: Facts = {}
        self._names: dict[str, int] = {}

    def cases(self) -> tuple[Case, ...]:
        if "defaults" in self._fields:
            inner = Fields(self._fields.items["defaults"], self._problems, "defaults")
            inner.only("at", "facts")
            self._at = read_instant(inner, self._at)
            self._defaults = read_facts(inner)
        nodes = self._fields.nodes("cases")
        found = [case for node in nodes if (case := self._case(node)) is not None]
        if not nodes:
            self._fields.expected("cases", "at least one case")
        calls = sum(case.calls for case in found)
        if calls > CALLS_MAX:
            said = f"{calls} calls in all cases, expected at most {CALLS_MAX}: lower `times`"
            self._problems.add(self._fields.node, said, key="cases")
        return tuple(found)

    def _case(self, node: Node) -> Case | None:
        before = len(self._problems)
        fields = Fields(node, self._problems, "a case")
        fields.only(*CASE_KEYS)
        name = self._name(fields)
        at = read_instant(fields, self._at)
        facts = self._defaults | read_facts(fields)
        if ("expect" in fields) == ("steps" in fields):
            said = "a case has 'expect', or 'steps' with one in some of them"
            self._problems.add(node, said, key="steps")
            return None
        telling = _Telling(self._problems, self._rules, facts)
        if "steps" in fields:
            steps = telling.steps(fields.nodes("steps"), at)
            self._expects_something(fields, steps, before)
        else:
            steps = (telling.only_step(fields, at),)
        if len(self._problems) > before:
            return None
        return Case(name=name, file=self._file, line=node.line, steps=steps)

    def _name(self, fields: Fields) -> str:
        fields.text("description")
        fields.need("name")
        name = " ".join(fields.text("name").split())
        if "name" in fields and not name:
            fields.expected("name", "a name")
        line = self._names.setdefault(name, fields.node.line)
        if name and line != fields.node.line:
            fields.expected("name", f"another name: the case on line {line} has it")
        return name

    def _expects_something(self, fields: Fields, steps: Sequence[Step], before: int) -> None:
        if len(self._problems) == before and not any(step.expected for step in steps):
            said = "no step expects anything, expected 'expect' in at least one"
            self._problems.add(fields.node, said, key="steps")


class _Telling:
    """Reads the steps of one case, while its clock goes on."""

    def __init__(self, problems: Problems, rules: Sequence[str], facts: Facts) -> None:
        self._problems = problems
        self._rules = rules
        self._facts = facts
        self._open: set[str] = set()

    def only_step(self, fields: Fields, now: float) -> Step:
        """Return the one call of a case that has no steps."""
        return self._made(fields, now, {})

    def steps(self, nodes: Sequence[Node], now: float) -> tuple[Step, ...]:
        """Return the steps of a case, the first not before `now`."""
        return tuple(self._steps(nodes, now))

    def _steps(self, nodes: Sequence[Node], now: float) -> Iterator[Step]:
        for node in nodes:
            fields = Fields(node, self._problems, "a step")
            fields.only(*STEP_KEYS)
            now = self._moved(fields, now)
            yield self._made(fields, now, read_facts(fields))

    def _moved(self, fields: Fields, now: float) -> float:
        """Return the time of a step, given that of the one before."""
        if "at" in fields and "after" in fields:
            said = "a step has 'at' or 'after', and not both"
            self._problems.add(fields.node, said, key="after")
        if "after" in fields:
            then = now + _span_s(fields, "after")
            if then < LATEST:
                return then
            fields.expected("after", "a time before the year 3000")
            return now
        at = read_instant(fields, now)
        if at < now:
            fields.expected("at", "no time before that of the step before: cases go forward")
        return at

    def _made(self, fields: Fields, now: float, facts: Facts) -> Step:
        given = self._facts | facts
        self._calendar(fields, given, now)
        self._evidence(fields, given)
        closes, opens = fields.text("close"), fields.text("open")
        if "close" in fields and closes not in self._open:
            hint = nearest(closes, self._open) or "; name what an earlier step has in 'open'"
            fields.expected("close", f"the name of a call under way{hint}")
        self._open.discard(closes)
        if opens in self._open:
            fields.expected("open", f"another name: {opens!r} is under way")
        self._open.update((opens,) if opens else ())
        times = fields.integer("times", 1)
        if times > TIMES_MAX:
            fields.expected("times", f"at most {TIMES_MAX}")
        expected = expectations.read(fields, self._rules)
        if expected and not times:
            fields.expected("times", "at least 1 in a step that expects something")
        return Step(
            line=fields.node.line,
            now=now,
            times=times,
            facts=situations.whole(given, now),
            given=frozenset(name for name in given if name.startswith(USAGE)),
            used=_used(fields),
            opens=opens,
            closes=closes,
            served=_served(fields),
            failed=fields.flag("failed", default=False),
            expected=expected,
        )

    def _calendar(self, fields: Fields, given: Facts, now: float) -> None:
        """Note the facts of the time that the time contradicts."""
        for name, value in situations.calendar(now).items():
            if given.get(name, value) != value:
                at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                said = f"{name} is given as {given[name]!r}, and is {value!r} at {at}: set 'at'"
                self._problems.add(fields.node, said, key="facts")

    def _evidence(self, fields: Fields, given: Facts) -> None:
        rank = situations.follows(given, 0)["task.evidence_rank"]
        if given.get("task.evidence_rank", rank) != rank:
            said = f"task.evidence_rank contradicts task.evidence, expected {rank} or neither"
            self._problems.add(fields.node, said, key="facts")


def read_facts(fields: Fields) -> Facts:
    """Return the facts given under `facts`, each of its type and among its members."""
    if "facts" not in fields:
        return {}
    inner = Fields(fields.items["facts"], fields.problems, "facts")
    found: Facts = {}
    for name, node in inner.items.items():
        fact = DECLARED.get(name)
        if fact is None:
            hint = nearest(name, DECLARED) or "; policies/README.md lists the facts"
            inner.problems.add(inner.node, f"unknown fact {name[:60]!r}{hint}", key=name)
            continue
        value, wanted = _value(fact, node)
        if value is None:
            inner.problems.add(node, f"read {node.shown} in {name!r}, expected {wanted}")
        else:
            found[name] = value
    return found


def _value(fact: Fact, node: Node) -> tuple[str | int | float | bool | None, str]:
    """Return a fact's value, or None and what was expected."""
    value = node.value
    if isinstance(value, bool):
        return (value if fact.type == "flag" else None), _WANTED[fact.type]
    if isinstance(value, str) and fact.type == "text":
        if not fact.members or value in fact.members:
            return value, ""
        named = ", ".join(repr(each) for each in fact.members)
        return None, f"one of {named}{nearest(value, fact.members)}"
    if isinstance(value, int) and fact.type == "whole" and 0 <= value <= WHOLE_MAX:
        return value, ""
    if isinstance(value, int | Decimal) and fact.type == "number" and value >= 0:
        return float(value), ""
    return None, _WANTED[fact.type]


_WANTED: Mapping[str, str] = {
    "text": "a text (put it in quotes)",
    "whole": f"a whole number from 0 to {WHOLE_MAX}",
    "number": "a number, at least 0",
    "flag": "true or false",
}


def read_instant(fields: Fields, default: float) -> float:
    """Return the Unix seconds of `at`, an RFC 3339 time."""
    if "at" not in fields:
        return default
    text = fields.text("at")
    try:
        at = datetime.fromisoformat(text) if AT.fullmatch(text) else None
    except ValueError:
        at = None
    if at is None or not EARLIEST <= at.timestamp() < LATEST:
        fields.expected("at", "a time with its zone, such as 2026-03-02T10:00:00Z")
        return default
    return at.timestamp()


def _span_s(fields: Fields, key: str) -> float:
    found = SPAN.fullmatch(fields.text(key))
    if found is None:
        fields.expected(key, "a time such as 500ms, 6s, 1m, 6h or 1d")
        return 0.0
    return int(found[1]) * _SPAN_S[found[2]]


def _used(fields: Fields) -> Used | None:
    if "used" not in fields:
        return None
    inner = Fields(fields.items["used"], fields.problems, "used")
    inner.only(*USED_KEYS)
    usage = Usage(
        input_tokens=inner.integer("input_tokens"), output_tokens=inner.integer("output_tokens")
    )
    cost = inner.decimal("cost_usd") or Decimal(0)
    return Used(usage=usage, cost_nano_usd=int(cost * NANO))


def _served(fields: Fields) -> ServedKind:
    shared = fields.choice("shared", SHARED, "")
    if shared and fields.flag("failed", default=False):
        said = "a call that shares a reply fails with the call it shares with: remove 'failed'"
        fields.problems.add(fields.node, said, key="failed")
    if shared == "coalesced":
        return "coalesced"
    return "reused" if shared else "forwarded"

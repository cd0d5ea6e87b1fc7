"""
Hostile policies: a megabyte of anything is read or refused, and the work is bounded.

What is counted is values, conditions compiled, patterns tried, names compared: seconds say
more of the machine than of the program (`python -m benchmarks.loading` takes them).
"""

import difflib
from collections import Counter
from collections.abc import Iterator

import pytest

from gateway import policy
from gateway.documents import problems, strict
from gateway.errors import ConfigError
from gateway.policy.conditions import cel
from gateway.policy.language import document
from tests.unit.policy.hostile import HOSTILE, SIZE

SMALL_FILES = 30
ONE_CONDITION_COST_MAX = 600_000
"""The one that ends the reading has been compiled."""
MISTAKES_PAST_MAX = 100
"""One condition, or one value, may find a few more before reading ends."""


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count what costs time."""
    counted: Counter[str] = Counter()
    compiled, near = cel._compiled, difflib.get_close_matches
    node, unread = strict._Composer._node, cel._unread

    def counting_compiled(text: str) -> cel.Condition:
        counted["conditions"] += 1
        counted["characters"] += len(text)
        try:
            condition = compiled(text)
        except cel.Mistakes as mistakes:
            counted["cost"] += mistakes.cost
            raise
        counted["cost"] += condition.cost
        return condition

    def counting_near(word: str, names: list[str], n: int, cutoff: float) -> list[str]:
        counted["names compared"] += len(names)
        return near(word, names, n=n, cutoff=cutoff)

    def counting_node(*given: object) -> object:
        counted["values"] += 1
        return node(*given)  # type: ignore[arg-type]  # passed on as it came

    def counting_unread(*given: object) -> object:
        counted["patterns"] += 1
        return unread(*given)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(cel, "_compiled", counting_compiled)
    monkeypatch.setattr(difflib, "get_close_matches", counting_near)
    monkeypatch.setattr(strict._Composer, "_node", counting_node)
    monkeypatch.setattr(cel, "_unread", counting_unread)
    return counted


def told(files: list[tuple[str, str]]) -> list[str]:
    """Return the lines of a refusal; none when the files make a policy set."""
    try:
        policy.load(files)
    except ConfigError as error:
        return str(error).split("\n")
    return []


def check(files: list[tuple[str, str]], work: Counter[str]) -> None:
    lines = told(files)
    assert len(lines) <= problems.MISTAKES_SHOWN_MAX + 1
    assert all(len(line) < 500 for line in lines)
    assert all(line.startswith(("a", "…")) for line in lines)
    assert work["values"] <= problems.COST_MAX // strict.VALUE_COST + strict.VALUES_MAX
    assert work["conditions"] <= document.RULES_MAX + problems.MISTAKES_MAX
    assert work["cost"] <= problems.COST_MAX + ONE_CONDITION_COST_MAX
    assert work["characters"] <= document.SIZE_MAX
    assert work["names compared"] <= 200 * (problems.MISTAKES_MAX + MISTAKES_PAST_MAX)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_is_read_or_refused(name: str, work: Counter[str]) -> None:
    text = HOSTILE[name](SIZE)
    assert 0.97 * SIZE < len(text) <= document.SIZE_MAX
    check([("a.yaml", text)], work)


IN_A_FOLDER = (
    "long flow list",
    "comments",
    "keys by the ten thousand",
    "rules with a mistake each",
    "keys that are nearly right",
    "routes that contradict",
    "limits",
    "conditions that are right",
    "facts that do not exist",
    "characters that are no CEL",
    "many signs",
    "patterns with counts",
)


@pytest.mark.parametrize("name", IN_A_FOLDER)
def test_a_folder_of_hostile_files_is_read_or_refused(name: str, work: Counter[str]) -> None:
    text = HOSTILE[name](SIZE // SMALL_FILES)
    check([(f"a{number:02}.yaml", text) for number in range(SMALL_FILES)], work)


def test_files_that_are_too_many_characters_together_are_refused() -> None:
    files = [(f"a{number}.yaml", "# x\n" * 100_000) for number in range(4)]
    assert told(files)[-1] == (
        "a2.yaml:1:1: 1200000 characters of policies up to here, "
        "expected at most 1000000 in all files: fewer or shorter rules"
    )


def test_rules_that_are_too_many_are_refused() -> None:
    lines = "".join(f"- {{id: r{number}, effect: forbid}}\n" for number in range(2_501))
    other = lines.replace("id: r", "id: s")
    files = [(f"{name}.yaml", f"version: 1\nrules:\n{text}") for name, text in
             (("a", lines), ("b", other))]  # fmt: skip
    assert told(files) == ["b.yaml:2502:3: more than 5000 rules in all files, expected fewer"]


def test_a_thousand_plain_rules_are_far_within_the_bounds(work: Counter[str]) -> None:
    rule = (
        "- id: rule-{0}\n  description: Rule number {0}\n"
        '  when: task.evidence in ["none", "inferred"] && principal.team == "team-{0}"'
        ' && call.model.startsWith("gpt-5")\n'
        "  quota: {{calls: 60, per: 1m, by: [principal, task, model]}}\n"
        "  message: Too many calls.\n  code: quota_exceeded\n"
    )
    text = "version: 1\nrules:\n" + "".join(rule.format(number) for number in range(1_000))
    policies = policy.load([("a.yaml", text)])
    assert len(policies.rules) == 1_000
    cost = sum(each.condition.cost for each in policies.rules if each.condition is not None)
    assert cost + work["values"] * strict.VALUE_COST < 0.65 * problems.COST_MAX
    again = policy.load([("a.yaml", text)])
    assert work["conditions"] == 1_000  # a reload compiles only what changed
    assert again.digest == policies.digest

"""Rules that contradict each other are told at the later one; what is apart may stand."""

import pytest

from gateway import policy
from gateway.errors import ConfigError
from gateway.policy.language import conflicts
from tests.unit.policy import cases


def told(*files: tuple[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        policy.load(files)
    return str(caught.value).split("\n")


def file(*rules: str, team: str = "") -> str:
    head = f"version: 1\n{f'team: {team}' if team else ''}\nrules:\n"
    return head + "".join(f"  - {rule}\n" for rule in rules)


def test_two_routes_of_one_priority_that_can_both_match_are_told_at_the_later_one() -> None:
    one = file("{id: z, route: {model: x}}")
    two = file("{id: a, when: call.stream, route: {model: x}}")
    assert told(("b.yaml", two), ("a.yaml", one)) == [
        (
            "b.yaml:4:32: the route of 'a' and that of 'z' (a.yaml:4) both have priority 0 and can "
            "match one call, expected another priority, or conditions that exclude each other"
        )
    ]


def test_of_three_each_pair_is_told() -> None:
    rules = [f"{{id: r{n}, route: {{model: x, priority: 7}}}}" for n in range(3)]
    lines = told(("a.yaml", file(*rules)))
    assert [line.split(":")[1] for line in lines] == ["5", "6", "6"]
    assert all("both have priority 7" in line for line in lines)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("route: {model: x}", "route: {model: y, priority: 1}"),
        ("route: {model: x}", "route: {model: y}, mode: shadow"),
        ("route: {model: x}, when: call.stream", "route: {model: y}, when: '!call.stream'"),
        ("route: {model: x}, when: 'task.value < 0.2'",
         "route: {model: y}, when: 'task.value >= 0.2'"),
        ("obligations: {reply_headers: {x-a: b}}",
         "obligations: {reply_headers: {x-a: b, x-b: c}}"),
        ("obligations: {reply_headers: {x-a: b}}", "obligations: {provider_headers: {x-a: c}}"),
        ("obligations: {reply_headers: {x-a: b}}, when: 'call.model == \"m\"'",
         "obligations: {reply_headers: {x-a: c}}, when: 'call.model in [\"n\", \"o\"]'"),
        ("obligations: {max_output_tokens: 5}", "obligations: {max_output_tokens: 6, note: x}"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_in_each_others_way_may_stand(one: str, two: str) -> None:
    assert len(cases.load(f"{{id: a, {one}}}", f"{{id: b, {two}}}").rules) == 2


def test_the_files_of_two_teams_are_apart_and_that_of_everybody_is_not() -> None:
    header = "{id: %s, obligations: {reply_headers: {x-a: of-%s}}}"
    mine = ("teams/a.yaml", file(header % ("a", "a"), team="a"))
    theirs = ("teams/b.yaml", file(header % ("b", "b"), team="b"))
    assert len(policy.load([mine, theirs]).rules) == 2
    lines = told(mine, theirs, ("all.yaml", file(header % ("c", "c"))))
    assert [line.split(": ")[0] for line in lines] == ["teams/a.yaml:4:13", "teams/b.yaml:4:13"]


@pytest.mark.parametrize("where", ["reply_headers", "provider_headers"])
def test_two_values_of_one_header_are_told_at_the_later_rule(where: str) -> None:
    one = f"{{id: a, obligations: {{{where}: {{x-a: b, x-c: d}}}}}}"
    two = f"{{id: b, when: call.stream, obligations: {{{where}: {{x-a: c, x-c: d}}}}}}"
    assert told(("a.yaml", file(one, two))) == [
        (
            f"a.yaml:5:32: 'b' and 'a' (a.yaml:4) set the header 'x-a' in {where!r} to two values "
            "and can match one call, expected one value, or conditions that exclude each other"
        )
    ]


def test_more_than_can_be_compared_is_refused_and_not_looked_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conflicts, "COMPARED_MAX", 2)
    routes = [f"{{id: r{n}, route: {{model: x, priority: {n}}}}}" for n in range(3)]
    duties = [f"{{id: d{n}, obligations: {{reply_headers: {{x-a: v{n}}}}}}}" for n in range(3)]
    assert told(("a.yaml", file(*routes))) == [
        "a.yaml:6:14: 3 routes to compare with each other, expected at most 2"
    ]
    assert told(("a.yaml", file(*duties))) == [
        "a.yaml:6:14: 3 rules that set one header to compare with each other, expected at most 2"
    ]


def test_a_thousand_routes_of_a_thousand_tasks_are_told_apart() -> None:
    rules = [f"{{id: r{n}, when: 'task.id == \"T{n}\"', route: {{model: x}}}}" for n in range(1000)]
    assert len(cases.load(*rules).rules) == 1_000

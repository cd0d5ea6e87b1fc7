"""What a well-typed condition may still not do."""

import pytest

from gateway.policy.conditions import cel

REFUSED = [
    ('task.evidence == "nnoe"', 1, 18, "never 'nnoe'; did you mean 'none'?"),
    ('task.evidence != "zzz"', 1, 18, "never 'zzz'; it is one of 'none', 'inferred'"),
    ('task.evidence in ["none", "claimd"]', 1, 27, "never 'claimd'; did you mean 'claimed'?"),
    ("task.problem in []", 1, 14, "'in' an empty list is never true"),
    ('task.evidence >= "claimed"', 1, 15, "have no order: use task.evidence_rank"),
    ('"claimed" <= task.evidence', 1, 11, "have no order: use task.evidence_rank"),
    ('call.model > "g"', 1, 12, "'>' between names, which have no order"),
    ("call.stream < call.metered", 1, 13, "'<' between names, which have no order"),
    ('task.evidence.startsWith("n")', 1, 1, "task.evidence has a fixed set of values"),
    ("task.evidence == task.id", 1, 1, "task.evidence has a fixed set of values"),
    ("task.evidence == string(1)", 1, 1, "task.evidence has a fixed set of values"),
    ("task.evidence in [task.id]", 1, 1, "task.evidence has a fixed set of values"),
    ('task.evidence in {"none": 1}', 1, 1, "task.evidence has a fixed set of values"),
    ('(call.stream ? task.evidence : "x") == "none"', 1, 16, "has a fixed set of values"),
    ('["a"].exists(x, x == task.evidence)', 1, 22, "has a fixed set of values"),
    ('"a" in [task.evidence]', 1, 9, "has a fixed set of values"),
    ('likeness.kind == "same"', 1, 18, "never 'same'; it is one of 'new', 'short', 'near'"),
    ('likeness.kind < "near"', 1, 15, "'<' between names, which have no order"),
    ('likeness.cluster == "a1"', 1, 1, "can be counted by, not compared: name it in a quota's"),
    ('call.stream && likeness.cluster != ""', 1, 16, "likeness.cluster can be counted by, not"),
    ('["a"].exists(x, x == likeness.cluster)', 1, 22, "by: [likeness.cluster]}"),
    ("dyn(call.choices) == 1", 1, 4, "dyn() hides a type"),
    ("type(call.choices) == int", 1, 5, "type() hides a type"),
    ("google.protobuf.Int32Value{value: 1} == 1", 1, 1, "Int32Value{…} hides a type"),
    ("call.model.matches(task.id)", 1, 19, "expected a pattern in quotes"),
    ("||".join(["true&&false"] * 300), 1, 0, "parts, expected at most 500"),
    (f"call.choices in [{'1,' * 1001}]", 1, 17, "a list of 1001, expected at most 1000"),
    ("[1].all(x, [1].all(y, [1].all(z, true)))", 1, 8, "nested deeper than 2"),
    (f"[{'1,' * 150}].all(x, [{'1,' * 150}].all(y, x < y))", 1, 0, "steps, expected at most"),
    (f"[{'1,' * 900}].map(x, x).all(x, x + x + x + x + x + x > 1)", 1, 0, "steps, expected"),
    (f"[[1]].all(x, x.all(y, {' + '.join('y' * 20)} > 1))", 1, 0, "steps, expected at most"),
    (f"[{'1,' * 300}].map(x, x) == []", 1, 0, "steps, expected at most"),
    ("[1, 2].exists(x, call.model.matches('a{900}'))", 1, 0, "steps, expected at most"),
    ("call.model.matches('a{1000}')", 1, 20, "a pattern of size 1001, expected at most 1000"),
    ("string(call.choices).matches('1')", 1, 29, "matches() of no fact, expected one"),
    ("['a'].exists(x, x.matches('a'))", 1, 26, "matches() of no fact, expected one"),
    ("['a'].map(x, x + 'b') == []", 1, 16, "'+' between texts or lists inside exists"),
    ("[[1]].filter(x, x + [2] == [1, 2]) == []", 1, 19, "'+' between texts or lists inside"),
]  # fmt: skip


def mistakes(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(cel.Mistakes) as caught:
        cel.compile_condition(text)
    return [(each.line, each.col, each.message) for each in caught.value.found]


@pytest.mark.parametrize(("text", "line", "col", "said"), REFUSED)
def test_a_rule_that_could_never_mean_it_is_refused_with_its_place(
    text: str, line: int, col: int, said: str
) -> None:
    found = mistakes(text)
    assert any(said in message for _, _, message in found), found
    if col:
        assert (line, col) in [(at, column) for at, column, message in found if said in message]


@pytest.mark.parametrize(
    "text",
    [
        '"none" == task.evidence',
        'task.problem != ""',
        'task.evidence in ["none", "verified"] && !(principal.role in ["admin"])',
        "[1, 2].exists(x, [3, 4].all(y, x < y))",
        "call.choices > 1 && task.value <= 0.5",
        "principal.team == task.team",
        "[1, 2].map(x, x + 1) == [2, 3]",
        'task.id + "/" + task.root == principal.team',
        'call.model.matches("^(gpt|o)-[0-9]{1,3}(-mini)?$")',
    ],
)
def test_what_can_be_meant_is_accepted(text: str) -> None:
    assert cel.compile_condition(text).text == text


def test_every_mistake_of_an_expression_is_told() -> None:
    found = mistakes('task.evidence == "nnoe" && call.model > "a" && task.problem == "open"')
    assert len(found) == 3

"""Conditions gone wrong: every twist one may make, and none that says the same."""

import pytest

from gateway.policy.conditions import cel
from gateway.rehearsal.trials.operators import twists


def texts(text: str) -> list[str]:
    return [twist.condition.text for twist in twists(cel.compile_condition(text))]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("call.model == 'a'", ['call.model != "a"', 'call.model == "a~"']),
        ("call.model != ''", ['call.model == ""', 'call.model != "~"']),
        (
            "call.choices < 2",
            [
                "call.choices <= 2",
                "call.choices >= 2",
                "call.choices < 3",
                "call.choices < 1",
            ],
        ),
        (
            "call.choices >= 2",
            ["call.choices > 2", "call.choices < 2", "call.choices >= 3", "call.choices >= 1"],
        ),
        (
            "task.value <= 2.0",
            ["task.value < 2.0", "task.value > 2.0", "task.value <= 2.2", "task.value <= 1.8"],
        ),
        (
            "task.value > 0.0",
            ["task.value >= 0.0", "task.value <= 0.0", *["task.value > 0.1", "task.value > -0.1"]],
        ),
        (
            "call.stream && !call.metered",
            [
                "call.stream || !call.metered",
                "call.stream",
                "!call.metered",
                "call.stream && call.metered",
            ],
        ),
        (
            "call.stream || call.metered",
            ["call.stream && call.metered", "call.stream", "call.metered"],
        ),
        ("call.stream == true", ["call.stream != true", "call.stream == false"]),
        (
            "task.problem == 'closed'",
            ['task.problem != "closed"', 'task.problem == "not_yours"'],
        ),
        ("task.problem == 'stale'", ['task.problem != "stale"', 'task.problem == ""']),
        (
            "task.evidence in ['none', 'inferred']",
            [
                '!(task.evidence in ["none", "inferred"])',
                'task.evidence in ["inferred"]',
                'task.evidence in ["none"]',
            ],
        ),
        (
            "task.evidence in ['none']",
            ['!(task.evidence in ["none"])', 'task.evidence in ["inferred"]'],
        ),
        ("call.model.startsWith('gpt')", ['call.model.startsWith("gpt~")']),
        (
            "call.stream ? call.metered : call.choices == 1",
            [
                "call.stream ? call.choices == 1 : call.metered",
                "call.stream ? call.metered : call.choices != 1",
                "call.stream ? call.metered : call.choices == 2",
                "call.stream ? call.metered : call.choices == 0",
            ],
        ),
        (
            "call.choices * 2 == 4",
            [
                "call.choices * 2 != 4",
                "call.choices / 2 == 4",
                "call.choices * 3 == 4",
                "call.choices * 1 == 4",
                "call.choices * 2 == 5",
                "call.choices * 2 == 3",
            ],
        ),
        (
            "uint(call.choices) == 0u",
            ["uint(call.choices) != 0u", "uint(call.choices) == 1u"],
        ),
    ],
)
def test_one_thing_is_changed_at_a_time(text: str, becomes: list[str]) -> None:
    assert texts(text) == becomes


@pytest.mark.parametrize(
    ("text", "one_of_them"),
    [
        ("['a'].exists(x, x == call.model)", '["a"].all(x, x == call.model)'),
        ("['a'].exists(x, x == call.model)", '["a"].exists(x, x != call.model)'),
        ("['a'].exists(x, x == call.model)", '["a~"].exists(x, x == call.model)'),
        ("['a'].all(x, x != call.model)", '["a"].exists(x, x != call.model)'),
        ("['a'].all(x, x != call.model)", '["a"].all(x, x == call.model)'),
        ("['a'].exists_one(x, x == call.model)", '["a"].all(x, x == call.model)'),
        ("['a'].exists_one(x, x == call.model)", '["a"].exists_one(x, x != call.model)'),
        ("[1].map(x, x + 1) == [2]", "[1].map(x, x - 1) == [2]"),
        ("[1].map(x, x > 0, x + 1) == [2]", "[1].map(x, x >= 0, x + 1) == [2]"),
        ("[1].map(x, x > 0, x + 1) == [2]", "[1].map(x, x > 0, x + 2) == [2]"),
        ("[1].filter(x, x > 0) == [2]", "[1].filter(x, x >= 0) == [2]"),
        ("[1].filter(x, x > 0) == [2]", "[2].filter(x, x > 0) == [2]"),
        (
            "[[1]].exists(x, x.exists(y, y == call.choices))",
            "[[1]].exists(x, x.exists(y, y != call.choices))",
        ),
    ],
)
def test_what_stands_in_a_macro_is_changed_and_the_macro_stays_one(
    text: str, one_of_them: str
) -> None:
    assert one_of_them in texts(text)


def test_what_says_the_same_or_could_not_be_loaded_is_none() -> None:
    found = texts("call.model.matches('a\\\\\\\\') && call.stream && call.stream")

    assert len(found) == len(set(found))
    assert "call.stream && call.stream" in found
    assert texts("null == null") == ["null != null"]
    assert texts("call.model + 'a' == 'b'") == [
        'call.model + "a" != "b"',
        'call.model + "a~" == "b"',
        'call.model + "a" == "b~"',
    ]


def test_a_twist_says_what_became_of_what() -> None:
    (twist, *_) = twists(cel.compile_condition("call.stream && task.value < 1.0"))

    assert twist.words == (
        "call.stream && task.value < 1.0 becomes call.stream || task.value < 1.0"
    )

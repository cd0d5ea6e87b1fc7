"""The syntax tree of a condition, as the checker serialises it."""

import pytest

from gateway.policy.conditions import cel
from gateway.policy.conditions.syntax import Tree


def shape(tree: Tree) -> object:
    if tree.kind == "constant":
        return tree.value
    if tree.kind == "name":
        return tree.name
    return (tree.name or tree.kind, *(shape(each) for each in tree.below))


def tree_of(text: str) -> Tree:
    return cel.compile_condition(text).tree.root


def test_calls_names_lists_and_constants_are_read() -> None:
    tree = tree_of('call.metered && task.evidence in ["none", "claimed"]')
    assert shape(tree) == (
        "_&&_",
        "call.metered",
        ("@in", "task.evidence", ("list", "none", "claimed")),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("call.choices == -7", -7),
        ("call.choices == 9223372036854775807", 2**63 - 1),
        ("uint(call.choices) == 7u", 7),
        ("task.value == -1.5", -1.5),
        ("call.stream == true", True),
        ('call.model == "é💥"', "é💥"),
        ("bytes(call.model) == b'\\x00a'", b"\x00a"),
    ],
)
def test_a_constant_keeps_its_value_and_type(text: str, value: object) -> None:
    found = tree_of(text).below[1].value
    assert found == value
    assert type(found) is type(value)


def test_null_is_a_constant() -> None:
    assert tree_of("[null].size() == 1").below[0].below[0].below[0].value is None


def test_members_come_before_arguments() -> None:
    assert shape(tree_of('call.model.startsWith("g")')) == ("startsWith", "call.model", "g")


def test_maps_and_fields_are_read() -> None:
    assert shape(tree_of('{"a": 1}.a == 1')) == ("_==_", ("a", ("map", "a", 1)), 1)


def test_a_comprehension_begins_with_its_range() -> None:
    tree = tree_of("[1, 2].exists(each, each == call.choices)")
    assert (tree.kind, tree.name) == ("comprehension", "each")
    assert shape(tree.below[0]) == ("list", 1, 2)
    assert "call.choices" in [node.name for node in tree.walk()]


def test_a_node_knows_where_it_stands_and_which_overload_was_chosen() -> None:
    condition = cel.compile_condition("call.stream &&\n  call.choices > 2")
    tree = condition.tree
    greater = tree.root.below[1]
    assert tree.overloads[greater.id] == ("greater_int64",)
    assert tree.offsets[greater.below[1].id] == len("call.stream &&\n  call.choices > ")

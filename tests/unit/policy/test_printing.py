"""Trees printed as CEL: the same tree again, and nothing in it that is not needed."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy.conditions import cel, printing, syntax
from gateway.policy.conditions.syntax import Tree
from gateway.policy.facts import DECLARED
from tests.unit.policy.cases import DEFAULT

POLICIES = DEFAULT.parent


def tree_of(text: str) -> Tree:
    """Return the tree of an expression of any type."""
    return syntax.read(cel._environment().compile(text).serialize()).root


def typed(tree: Tree) -> object:
    """Return a tree's shape with the type of each constant, for 1 == True == 1.0 here."""
    if tree.kind == "constant":
        return type(tree.value).__name__, tree.name, tree.value
    return tree.kind, tree.name, *(typed(each) for each in tree.below)


AS_WRITTEN = [
    'call.metered && task.evidence in ["none", "inferred"]',
    "call.stream && call.metered && task.lenient && call.tool_results_only && call.choices > 1",
    "call.stream && (call.metered && task.lenient)",
    "(call.stream && call.metered) && (task.lenient && call.stream && call.metered)",
    "call.stream || call.metered && task.lenient",
    "(call.stream || call.metered) && task.lenient",
    "!(call.stream || call.metered)",
    "!(!call.stream)",
    '!call.model.startsWith("gpt-5") && size(call.model) > 3',
    "-call.choices < 1",
    "-(-call.choices) < 1",
    "-(1) < call.choices",
    "-(-1) < call.choices",
    "call.choices - -1 == 2",
    "1 - (2 - 3) == 1",
    "1 - 2 - 3 == 1",
    "2 * (3 + 4) % 5 / 6 == 1",
    "(call.stream ? 1 : 2) + 1 == 2",
    "call.stream ? call.metered : task.lenient ? true : false",
    "(call.stream ? call.metered : task.lenient) ? true : false",
    "call.stream ? (call.metered ? true : false) : false",
    "1 < 2 == true",
    "true == (1 < 2)",
    "task.value == 1e+100 && task.value < 1e999 && task.value > -1e999",
    "uint(call.choices) == 7u",
    "size([null]) == 1",
    'bytes(call.model) == b"\\x00a\\x22\\x5c\\xc3"',
    'call.model == "\\"\\\\\\n\\r\\t\\u0000é💥\\u2028\\U000e0001"',
    "[1, 2].exists(x, x == call.choices)",
    "[1, 2].all(x, x > 0 && x < 3)",
    "[1, 2].exists_one(x, x == 1)",
    "[1, 2].map(x, x + 1) == [2, 3]",
    "[1, 2].map(x, x > 1, x + 1) == [3]",
    "[1, 2].filter(x, x > 1) == [2]",
    "[[1], [2]].exists(x, x.exists(y, y == 2))",
    "[call.stream ? [1] : [2], [3]][0][0] == 1",
    "size(call.stream ? [1] : [2]) == 1",
    '{"a": {"b": 1}}.a.b == 1',
    '{"in": 1, "a-b": 2}.`in` == 1',
    '{"a-b": 2}.`a-b` == {1: 2}[1]',
    "size([{}]) == 1",
    'timestamp("2026-01-01T00:00:00Z").getHours("UTC") == 1',
    'double(now.hour) / 2.0 > 0.5 && string(1) == "1"',
]


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_what_is_written_plainly_is_printed_as_it_was_written(text: str) -> None:
    assert printing.text(tree_of(text)) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("((call.stream)) && (((call.metered)))", "call.stream && call.metered"),
        ("call.model.size() == 3", "size(call.model) == 3"),
        ("call.model=='x'", 'call.model == "x"'),
        ("(call.choices*2)+1 > 0x10", "call.choices * 2 + 1 > 16"),
        ("!(call.stream)", "!call.stream"),
        ("((call.stream && call.metered) && task.lenient)", None),
    ],
)
def test_what_is_not_needed_goes(text: str, printed: str | None) -> None:
    wanted = printed or "call.stream && call.metered && task.lenient"
    assert printing.text(tree_of(text)) == wanted


def test_each_part_of_a_condition_can_stand_alone() -> None:
    root = tree_of("call.choices * (2 + 3) > 4 && !call.stream")
    assert [printing.text(each) for each in root.walk()] == [
        "call.choices * (2 + 3) > 4 && !call.stream",
        "call.choices * (2 + 3) > 4",
        "call.choices * (2 + 3)",
        "call.choices",
        "2 + 3",
        "2",
        "3",
        "4",
        "!call.stream",
        "call.stream",
    ]


def test_a_chain_is_told_by_its_operands_whatever_its_parentheses() -> None:
    root = tree_of("call.stream && (call.metered && (task.lenient || call.stream))")
    said = [printing.text(each) for each in printing.operands(root)]
    assert said == ["call.stream", "call.metered", "task.lenient || call.stream"]
    assert printing.operands(root.below[0]) == (root.below[0],)


def shipped() -> list[str]:
    names = sorted(POLICIES.rglob("*.yaml"))
    files = [(path.name, path.read_text()) for path in names if "tests" not in path.parts]
    found = [
        rule.condition.text
        for file in files
        for rule in policy.load([file]).rules
        if rule.condition
    ]
    assert found
    return found


def test_every_shipped_condition_comes_back() -> None:
    for text in shipped():
        tree = cel.compile_condition(text).tree.root
        assert typed(cel.compile_condition(printing.text(tree)).tree.root) == typed(tree)


# --- generated ------------------------------------------------------------------------------

FACTS = {
    kind: [name for name, fact in DECLARED.items() if fact.type == kind and not fact.counted_only]
    for kind in ("text", "whole", "number", "flag")
}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6).map(printing.quoted)
ORDERS = st.sampled_from(["<", "<=", ">", ">="])


def p(text: str) -> str:
    return f"({text})"


def whole(depth: int) -> st.SearchStrategy[str]:
    leaf = st.one_of(st.integers(-(2**63), 2**63 - 1).map(str), st.sampled_from(FACTS["whole"]))
    if depth == 0:
        return leaf
    inner = whole(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(inner, st.sampled_from("+-*/%"), inner).map(
            lambda each: f"({each[0]}) {each[1]} ({each[2]})"
        ),
        inner.map(lambda each: f"-({each})"),
        text(depth - 1).map(lambda each: f"size({each})"),
        st.tuples(flag(depth - 1), inner, inner).map(lambda e: f"({e[0]}) ? ({e[1]}) : ({e[2]})"),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: f"[({'), ('.join(each)})][0]"),
        st.tuples(TEXTS, inner).map(lambda each: f"{{{each[0]}: {each[1]}}}[{each[0]}]"),
    )


def number(depth: int) -> st.SearchStrategy[str]:
    finite = st.floats(allow_nan=False, allow_infinity=False).map(repr)
    leaf = st.one_of(finite, st.sampled_from(FACTS["number"]))
    if depth == 0:
        return leaf
    inner = number(depth - 1)
    return st.one_of(
        leaf,
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(
            lambda each: f"({each[0]}) {each[1]} ({each[2]})"
        ),
        whole(depth - 1).map(lambda each: f"double({each})"),
    )


def text(depth: int) -> st.SearchStrategy[str]:
    leaf = st.one_of(TEXTS, st.sampled_from(FACTS["text"]))
    if depth == 0:
        return leaf
    inner = text(depth - 1)
    return st.one_of(leaf, st.tuples(inner, inner).map(lambda each: f"({each[0]}) + ({each[1]})"))


def flag(depth: int) -> st.SearchStrategy[str]:
    leaf = st.one_of(st.sampled_from(["true", "false"]), st.sampled_from(FACTS["flag"]))
    if depth == 0:
        return leaf
    inner = flag(depth - 1)
    chain = st.lists(inner, min_size=2, max_size=6)
    return st.one_of(
        leaf,
        st.tuples(chain, st.sampled_from([" && ", " || "])).map(
            lambda each: each[1].join(map(p, each[0]))
        ),
        inner.map(lambda each: f"!({each})"),
        st.tuples(inner, st.sampled_from(["==", "!="]), inner).map(
            lambda each: f"({each[0]}) {each[1]} ({each[2]})"
        ),
        st.tuples(whole(depth - 1), ORDERS, whole(depth - 1)).map(
            lambda each: f"({each[0]}) {each[1]} ({each[2]})"
        ),
        st.tuples(number(depth - 1), ORDERS, number(depth - 1)).map(
            lambda each: f"({each[0]}) {each[1]} ({each[2]})"
        ),
        st.tuples(text(depth - 1), st.lists(text(0), min_size=1, max_size=3)).map(
            lambda each: f"({each[0]}) in [{', '.join(each[1])}]"
        ),
        st.tuples(
            text(depth - 1), st.sampled_from(["startsWith", "contains", "endsWith"]), text(0)
        ).map(lambda each: f"({each[0]}).{each[1]}({each[2]})"),
        st.tuples(
            st.lists(text(0), min_size=1, max_size=3),
            st.sampled_from(["exists", "all", "exists_one"]),
            st.sampled_from(string.ascii_lowercase),
            inner,
        ).map(lambda e: f"[{', '.join(e[0])}].{e[1]}({e[2]}, {e[2]} == '' || ({e[3]}))"),
        st.tuples(st.sampled_from(["filter(x, {})", "map(x, {}, x + x)", "map(x, {})"]), inner).map(
            lambda each: f"size([1, 2].{each[0].format(p(each[1]))}) > 1"
        ),
    )


@given(flag(3))
def test_whatever_is_printed_compiles_to_the_same_tree(written: str) -> None:
    try:
        tree = tree_of(written)
    except RuntimeError:  # CEL itself nests at most 32 deep
        return
    printed = printing.text(tree)
    assert typed(tree_of(printed)) == typed(tree)
    assert printing.text(tree_of(printed)) == printed


@given(flag(2))
def test_no_parenthesis_is_needless(written: str) -> None:
    """Taking any pair of parentheses away changes the tree, or is no CEL."""
    printed = printing.text(tree_of(written))
    for opening, closing in pairs(printed):
        if opening and (printed[opening - 1].isalnum() or printed[opening - 1] == "_"):
            continue  # a function's
        without = printed[:opening] + printed[opening + 1 : closing] + printed[closing + 1 :]
        try:
            other = tree_of(without)
        except RuntimeError:
            continue
        assert typed(other) != typed(tree_of(printed)), (printed, without)


def pairs(printed: str) -> list[tuple[int, int]]:
    """Return where each parenthesis opens and closes, outside of texts."""
    found: list[tuple[int, int]] = []
    opened: list[int] = []
    at, quoted = 0, False
    while at < len(printed):
        char = printed[at]
        if quoted and char == "\\":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "(" and not quoted:
            opened.append(at)
        elif char == ")" and not quoted:
            found.append((opened.pop(), at))
        at += 1
    return found

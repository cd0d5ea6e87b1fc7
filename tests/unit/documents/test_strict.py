"""Strict YAML: what is read, what is refused, and what a hostile file costs."""

import sys
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import documents
from gateway.documents import Node
from gateway.errors import ConfigError


def plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    return node.value


def read(text: str) -> object:
    return plain(documents.parse("a.yaml", text))


def refusal(text: str, **bounds: int) -> str:
    with pytest.raises(ConfigError) as caught:
        documents.parse("a.yaml", text, **bounds)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  a\n", "a\n"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("007", 7),
        ("-3", -3),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.0", Decimal("1.0")),
        ("-.5e3", Decimal(-500)),
        ("0.0e99", Decimal("0e98")),
        ("1_000", "1_000"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    found = documents.parse("a.yaml", f"key: {text}\n").value
    assert isinstance(found, dict)
    assert found["key"].value == value
    assert type(found["key"].value) is type(value)


def test_every_value_knows_its_place() -> None:
    root = documents.parse("a.yaml", "one: 1\ntwo:\n  - x\n  - {y: z}\n")
    assert isinstance(root.value, dict)
    assert (root.line, root.col) == (1, 1)
    assert root.key_places == {"one": (1, 1), "two": (2, 1)}
    items = root.value["two"].value
    assert isinstance(items, list)
    assert [(each.line, each.col) for each in items] == [(3, 5), (4, 5)]
    assert items[1].place == "a.yaml:4"
    assert items[1].key_places == {"y": (4, 6)}


def test_an_empty_document_holds_nothing() -> None:
    assert documents.parse("a.yaml", "# only a comment\n").value is None


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("a: 1\nb: 2\na: 3", "3:1", "the key 'a' again (first on line 1)"),
        ("a: &x 1", "1:4", "an anchor"),
        ("a: *x", "1:4", "an alias"),
        ("<<: {a: 1}", "1:1", "the merge key"),
        ("a: !int 1", "1:4", "a tag"),
        ("a: !!str 1", "1:4", "a tag"),
        ("1: a", "1:1", "the number '1' as a key"),
        ("~: a", "1:1", "nothing as a key"),
        ("? [a]\n: b", "1:3", "a mapping or list as a key"),
        ("? {a: b}\n: b", "1:3", "a mapping or list as a key"),
        ("a: 1\n---\nb: 2", "2:1", "a second document"),
        ("%YAML 1.1\n---\na: 1", "2:1", "a % directive"),
        ("%TAG ! x\n---\na: 1", "2:1", "a % directive"),
        ("a: .nan", "1:4", "which is no number"),
        ("a: -.inf", "1:4", "which is no number"),
        ("a: 1e41", "1:4", "within 10 to the ±40"),
        (f"a: {'9' * 41}", "1:4", "a number that long"),
        ("a: [1", "1:6", "expected"),
        ("a: b: c", "1:5", "mapping values are not allowed here"),
        ("\ta: b", "1:1", "cannot start any token"),
        ("a: 1\nb: \x01", "2:4", "may not stand in YAML"),
        ('a: "\\ud800"', "1:4", "half of a surrogate pair"),
        ('a: "\\UFFFFFFFF"', "1:1", "this is no YAML"),
        ("a: !x!y z", "1:4", "undefined tag handle"),
    ],
)
def test_what_is_not_strict_is_refused_with_its_place(text: str, at: str, said: str) -> None:
    told = refusal(text)
    assert told.startswith(f"a.yaml:{at}: ")
    assert said in told
    assert "\n" not in told


def test_a_quoted_merge_key_is_a_key_like_any_other() -> None:
    assert read('"<<": 1') == {"<<": 1}


def test_depth_size_and_number_of_values_are_bounded() -> None:
    assert "nesting deeper than 2" in refusal("[[[1]]]", depth_max=2)
    assert read("[[1]]") == [[1]]
    assert "expected at most 5" in refusal("a: bcd", size_max=5)
    assert "more than 3 values" in refusal("[1, 2, 3, 4]", values_max=3)
    assert "words, expected at most" in refusal("a " * 120_001)
    assert "lines, expected at most" in refusal("\n" * 100_001)
    assert refusal("a: b\n" + "c" * 100_001).startswith("a.yaml:2:1: a line of 100001 characters")


HOSTILE = {
    "alias bomb": "a: &a [x, x]\n" + "".join(f"k{i}: [*a, *a]\n" for i in range(60_000)),
    "open lists": "[" * 500_000,
    "open mappings": "{" * 500_000,
    "block lists": "- " * 499_000,
    "one long text": "a: '" + "x" * 990_000 + "'",
    "many words": "a: " + "\n x y z w" * 99_000,
    "many keys": "".join(f"k{i}: v\n" for i in range(80_000)),
    "just under the bound of keys": "".join(f"k{i}: v\n" for i in range(45_000)),
    "just under the bound of words": "a: " + "\n xxxxx y" * 49_000 + "\n" * 40_000,
    "many items": "[" + "a," * 400_000,
    "long tag": "!" + "a" * 990_000 + " x",
    "many lines": "a: >\n" + " x\n" * 300_000,
    "escapes": 'a: "' + "\\u0041" * 160_000 + '"',
    "comments": "# x\n" * 240_000,
    "documents": "---\n" * 99_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_of_a_megabyte_costs_under_two_seconds(text: str) -> None:
    allowed_s = 2 if sys.gettrace() is None else 12  # measuring coverage slows it
    start = time.process_time()
    told = read_or_told(text[:1_000_000])
    assert time.process_time() - start < allowed_s
    assert len(told) < 300


def read_or_told(text: str) -> str:
    """Return what a refusal says; nothing when the text is read."""
    try:
        return documents.parse("a.yaml", text).name.removeprefix("a.yaml")
    except ConfigError as error:
        return str(error)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"%@#?,~<\\ \n\tU0", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    told = read_or_told(text)
    assert told == "" or told.startswith("a.yaml:")


@pytest.mark.parametrize(
    ("text", "line", "col"),
    [
        ("k: some text", 1, 5),
        ("k: 'some text'", 1, 6),
        ("k: |\n    some text\n", 2, 6),
        ("k: |\n\n   some text\n", 3, 5),
    ],
)
def test_a_place_inside_a_text_is_found_in_its_file(text: str, line: int, col: int) -> None:
    root = documents.parse("a.yaml", text)
    assert isinstance(root.value, dict)
    node = root.value["k"]
    assert isinstance(node.value, str)
    inner = node.value.split("\n").index("some text") + 1 if "\n" in node.value else 1
    assert node.at(inner, 2) == (line, col)


@pytest.mark.parametrize("text", ["k: a\n  b", "k: >\n  a\n  b\n", 'k: "\\x61"', "k: 'it''s'"])
def test_a_text_that_is_folded_or_escaped_is_placed_where_it_begins(text: str) -> None:
    root = documents.parse("a.yaml", text)
    assert isinstance(root.value, dict)
    assert root.value["k"].at(1, 2) == (1, 4)

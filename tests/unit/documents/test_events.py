"""What is no YAML: said in our words, and alike by the fast reader and the slow one."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import documents
from gateway.documents import Node, events, strict
from gateway.errors import ConfigError


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as where PyYAML was built without libyaml."""
    monkeypatch.setattr(yaml, "__with_libyaml__", False)


def said(text: str) -> str:
    """Return what a refusal says, without the file's name; nothing when the text is read."""
    try:
        documents.parse("f", text)
    except ConfigError as error:
        return str(error).removeprefix("f:")
    return ""


MESSAGES = [
    (
        "a: b: c",
        ("1:5: read ':' where no key can be, expected one 'key: value' on a line: "
        "put a text that holds ': ' in quotes"),
    ),
    (
        "id: x\n  effect: y",
        ("2:9: read ':' where no key can be, expected one 'key: value' on a line: "
        "indent the line as its neighbours, and see that the one above has its ':'"),
    ),
    (
        "a:1\nb: 2",
        ("2:2: read ':' where no key can be, expected one 'key: value' on a line: "
        "put a space after the ':' in the line above"),
    ),
    ("b: 2\na:1", "2:1: read 'a:1', expected 'key: value': put a space after the ':'"),
    ("rules:\n  - id: x\n    effect\n    mode: z", "3:5: read 'effect', expected 'key: value'"),
    (
        'a: "x" y',
        ("1:8: read 'y', expected a key, indented as line 1 (column 1): "
        'a value that begins with " ends with it; put all of it in quotes'),
    ),
    (
        "when: 'it's'",
        ("1:11: read \"s'\", expected a key, indented as line 1 (column 1): "
        "a value that begins with ' ends with it; put all of it in quotes"),
    ),
    (
        "rules:\n  - id: x\n    effect: y\n - id: z",
        "4:2: read '-', expected a key, indented as line 1 (column 1)",
    ),
    (
        "rules:\n  - id: x\n   effect: y\n",
        (
            "3:4: read 'effect:', expected '- ', indented as line 2 (column 3): if it belongs to "
            "the item above, indent it as that one's first key (column 5)"
        ),
    ),
    (
        "rules:\n  - id: x\n    when: y\n  effect: z\n",
        (
            "4:3: read 'effect:', expected '- ', indented as line 2 (column 3): if it belongs to "
            "the item above, indent it as that one's first key (column 5)"
        ),
    ),
    (
        "a: [1",
        "1:6: read the end of the line, expected ',' or the bracket that closes the '[' of line 1",
    ),
    (
        "- {id: x,\n  by: y\n- {id: y}",
        "3:3: read '{id:', expected ',' or the bracket that closes the '{' of line 1",
    ),
    (
        'a: 1\nb: "x\nc: 2\n',
        '2:4: read a quote " that is never closed, expected it at the end of the text',
    ),
    (
        "a:\n\tb: 1",
        "2:1: read a tab before a value, expected spaces: YAML indents with spaces alone",
    ),
    (
        "a:\n  b: 1\n\tc: 2",
        "3:1: read a tab before a value, expected spaces: YAML indents with spaces alone",
    ),
    ("a: @x", "1:4: read '@x' as the beginning of a value, expected it in quotes"),
    ("a: `x`", "1:4: read '`x`' as the beginning of a value, expected it in quotes"),
    ("a: }", "1:4: read '}', expected a value"),
    (
        "  a: 1\nb: 2",
        ("2:1: read 'b:' after the end of the document, "
        "expected one document, all of it indented alike"),
    ),
    (
        "a: - b",
        "1:4: read '-' behind other text, expected each item of a list on a line of its own",
    ),
    ("a: ? b", "1:4: read '?' where no key can be, expected 'key: value'"),
    ("a: |x", "1:5: read 'x' behind '|' or '>', expected the text on the lines below"),
    (
        'a: "x\n---\nb"',
        "2:1: read '---' within a text in quotes, expected the closing quote before",
    ),
    ("a: *", "1:5: read an alias (*), expected a text that begins with * in quotes"),
    ("a: &", "1:5: read an anchor (&), expected a text that begins with & in quotes"),
    (
        "when: !task.lenient",
        "1:7: read a tag, expected a value without one (put a text that begins with ! in quotes)",
    ),
    (
        "a: !x!y z",
        "1:4: read a tag, expected a value without one (put a text that begins with ! in quotes)",
    ),
    ("a: 1\nb: \x01", "2:4: read the character U+0001, which nobody sees, expected printable text"),
    ("a: b\u2028c", "1:5: read the character U+2028, which nobody sees, expected printable text"),
    ("a: '\ufeff'", "1:5: read the character U+FEFF, which nobody sees, expected printable text"),
    ("a: \ud800", "1:4: read the character U+D800, which nobody sees, expected printable text"),
    ("a: 💥 c: d", ("1:7: read ':' where no key can be, expected one 'key: value' on a line: "
     "put a text that holds ': ' in quotes")),
]  # fmt: skip
ESCAPES = ('a: "\\q"', 'a: "\\UFFFFFFFF"', 'a: "\\ud800"', 'a: "\\x4"')


@pytest.mark.parametrize(("text", "told"), MESSAGES)
def test_a_mistake_is_told_in_words_that_lead_to_the_remedy(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize(("text", "told"), MESSAGES)
@pytest.mark.usefixtures("slow")
def test_the_slow_reader_says_the_same(text: str, told: str) -> None:
    assert said(text) == told


@pytest.mark.parametrize("text", ESCAPES)
def test_what_is_no_escape_is_told_with_both_ways_out(text: str) -> None:
    assert said(text).endswith(
        "read a \\ in double quotes that begins no escape, "
        "expected \\\\ for the character itself (or a text in single quotes)"
    )


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.usefixtures("slow")
def test_the_slow_reader_refuses_such_escapes_too(text: str) -> None:
    assert "escape" in said(text) or "surrogate" in said(text)


@pytest.mark.parametrize(
    ("problem", "context", "told"),
    [
        ("found incompatible YAML document", "", "read a % directive, expected none"),
        ("did not find expected whitespace", "while scanning a %TAG directive", "read a % direct"),
        ("something new", "while doing something", "this is no YAML here, expected YAML 1.2"),
    ],
)
def test_what_a_reader_may_say_one_day_is_told_too(problem: str, context: str, told: str) -> None:
    assert events._told(problem, context).startswith(told)


PARTS = ["a", "key", "no", "1", "1.5", '"', "'", "x y", '"q"', "'s'", ": ", ":", "- ", "\n", "\n  ",
         "\n    ", "\n ", " ", "[", "]", "{", "}", ",", ", ", " # c",
         ">", "|-\n", ">\n", "&x ", "*x",
         "!t ", "? ", "\\/", "\\n", "%", "@", "---", "...", "é", "💥", "~", "null", "<<", "\r\n",
         "key: ", "- a: ", '""', "a:b", "http://x", "=", "?", ";", "!"]  # fmt: skip


def read(text: str, *, fast: bool) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", fast and yaml.__with_libyaml__)
        try:
            return shape(strict.parse("f", text))
        except ConfigError:
            return "refused"


def shape(node: Node) -> object:
    """Return a node's values with their places (those of nothing vary)."""
    place = (node.line, node.col) if node.value is not None else None
    if isinstance(node.value, dict):
        keys = [(key, node.key_places[key], shape(each)) for key, each in node.value.items()]
        return ("mapping", place, keys)
    if isinstance(node.value, list):
        return ("list", place, [shape(each) for each in node.value])
    return (node.value, type(node.value), node.text, place, node.stretches)


@given(st.lists(st.sampled_from(PARTS), max_size=14))
@settings(max_examples=600, deadline=None)
def test_both_readers_read_the_same_or_refuse(parts: list[str]) -> None:
    text = "a:\n  - " + "".join(parts) + "\nz: 1\n"
    assert read(text, fast=True) == read(text, fast=False)


def test_the_fast_reader_is_there() -> None:
    assert yaml.__with_libyaml__

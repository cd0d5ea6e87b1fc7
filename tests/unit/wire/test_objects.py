"""JSON objects, read so that nobody can read them differently."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.wire import objects

names = st.text(max_size=6) | st.sampled_from(["a", "b", 'q"q', "n\n", "\\", "ü", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
spaces = st.text(alphabet=" \t\r\n", max_size=3)


@st.composite
def written(draw: st.DrawFn, pairs: list[tuple[str, Any]]) -> bytes:
    """Draw one way of writing an object down: any spaces, any escapes."""
    parts: list[str] = []
    for name, value in pairs:
        literal = json.dumps(name, ensure_ascii=draw(st.booleans()))
        if name and name[0].isascii() and name[0].isalpha() and draw(st.booleans()):
            literal = f'"\\u{ord(name[0]):04x}' + literal[2:]
        text = json.dumps(value, ensure_ascii=draw(st.booleans()))
        parts.append(draw(spaces) + literal + draw(spaces) + ":" + draw(spaces) + text)
    body = ",".join(part + draw(spaces) for part in parts)
    return (draw(spaces) + "{" + (body or draw(spaces)) + "}" + draw(spaces)).encode()


@st.composite
def objects_written(draw: st.DrawFn, *, repeat: bool = False) -> tuple[dict[str, Any], bytes]:
    """Draw an object and its bytes; `repeat` says one of its names twice."""
    held = draw(st.dictionaries(names, values, min_size=1 if repeat else 0, max_size=5))
    pairs = list(held.items())
    if repeat:
        again = draw(st.sampled_from(sorted(held)))
        value = draw(st.just(held[again]) | values)
        pairs.insert(draw(st.integers(0, len(pairs))), (again, value))
    return held, draw(written(pairs))


@given(objects_written())
def test_every_way_of_writing_an_object_is_read_the_same(case):
    held, data = case
    fields = objects.read(data)
    assert {name: json.loads(bytes(raw)) for name, raw in fields.items()} == held


@given(objects_written())
def test_every_value_is_found_in_its_place(case):
    held, data = case
    found = objects.entries(data, objects.read(data))
    assert [entry.name for entry in found] == list(held)
    for entry in found:
        assert json.loads(data[entry.value_start : entry.end]) == held[entry.name]
        assert data[entry.start : entry.start + 1] == b'"'


@given(objects_written(repeat=True))
def test_a_name_said_twice_is_always_refused(case):
    _, data = case
    with pytest.raises(InvalidRequest, match="twice"):
        objects.read(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":12,"a":1}',
        b'{"a":1,"a":12}',
        b'{"a":12,"a":1,"b":2}',
        b'{"a":1,"b":2,"a":1}',
        b'{"a":1,"b":2,"b":2}',
        b'{ "a" : 1 , "\\u0061" : 1 }',
        b'{"a":{},"a":{"x":1}}',
    ],
)
def test_no_duplicate_hides_behind_a_prefix_an_escape_or_a_length(data):
    with pytest.raises(InvalidRequest, match="twice"):
        objects.read(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":[Infinity]}', "not JSON"),
        (b'{"a":1}{', "not JSON"),
        (b'{"a":1', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_object_is_refused_in_one_line(data, says):
    with pytest.raises(InvalidRequest, match=says) as refused:
        objects.read(data)
    assert "\n" not in str(refused.value)


def test_a_list_nested_too_deeply_is_refused():
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        objects.read_list(b"[" * 5000 + b"]" * 5000, "`prompt`")


def test_text_must_be_utf8_without_a_mark():
    assert objects.check_text(b"{}") == 2
    assert objects.check_text("{ü}".encode()) == 3
    with pytest.raises(InvalidRequest, match="byte-order mark"):
        objects.check_text(b"\xef\xbb\xbf{}")
    with pytest.raises(InvalidRequest, match=r"not UTF-8 \(byte 2\)"):
        objects.check_text(b'{"\xff":1}')


@pytest.mark.parametrize("name", ["MODEL", "Model", "\u212aey", "ta\u017fk"])
def test_a_name_that_differs_by_case_alone_is_refused(name):
    fields = {"model": msgspec.Raw(b'"m"'), name: msgspec.Raw(b"1")}
    with pytest.raises(InvalidRequest, match="only by case"):
        objects.refuse_lookalikes(fields, ["model", "key", "task"])


def test_other_names_may_be_written_in_any_case():
    fields = {"model": msgspec.Raw(b'"m"'), "topK": msgspec.Raw(b"1")}
    objects.refuse_lookalikes(fields, ["model"])
    assert list(fields) == ["model", "topK"]

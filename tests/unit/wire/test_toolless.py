"""Which replies call no tool."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire

SAID = {"role": "assistant", "content": "Plain words."}
FREE = [
    {"choices": [{"message": SAID, "finish_reason": "stop"}]},
    {"choices": [{"message": {**SAID, "tool_calls": None, "function_call": None}}]},
    {"choices": [{"message": {**SAID, "tool_calls": []}}]},
    {"output": [{"type": "message"}], "parallel_tool_calls": True, "max_tool_calls": 4},
    {"tools": [{"type": "function", "name": "f"}], "tool_choice": "auto", "output": []},
    {"content": [{"type": "text", "text": "hi"}], "usage": {"server_tool_use": None}},
    {"choices": [{"message": {"content": 'The "tool_calls" of a reply, \u00fc and \\u0041'}}]},
    {"data": [{"embedding": [0.1]}]},
]
CALLING = [
    {"choices": [{"message": {**SAID, "tool_calls": [{"id": "c"}]}}]},
    {"choices": [{"message": {**SAID, "function_call": {"name": "f"}}}]},
    {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    {"output": [{"type": "function_call", "name": "f"}]},
    {"output": [{"type": "web_search_call"}]},
    {"output": [{"type": "custom_tool_call"}]},
    {"output": [{"type": "mcp_list_tools"}]},
    {"output": [{"type": "mcp_approval_request"}]},
    {"content": [{"type": "tool_use", "name": "Read"}]},
    {"content": [{"type": "server_tool_use"}]},
    {"content": [{"type": "web_search_tool_result"}]},
    {"stop_reason": "tool_use"},
    {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]},
    {"choices": [{"message": {"content": "<tool_call>{}</tool_call>"}}]},
]


def stream(reply: object) -> bytes:
    """Return a reply as one event of a stream."""
    return b"event: x\ndata: " + msgspec.json.encode(reply) + b"\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize("reply", FREE)
def test_a_reply_without_a_call_is_tool_free(reply):
    assert wire.is_tool_free(msgspec.json.encode(reply))
    assert wire.is_tool_free(json.dumps(reply, indent=1).encode())
    assert wire.is_tool_free(stream(reply))


@pytest.mark.parametrize("reply", CALLING)
def test_a_reply_with_a_call_is_not(reply):
    assert not wire.is_tool_free(msgspec.json.encode(reply))
    assert not wire.is_tool_free(json.dumps(reply, indent=1).encode())
    assert not wire.is_tool_free(stream({}) + stream(reply))


@pytest.mark.parametrize("reply", CALLING[:-1])
@given(data=st.data())
def test_no_escape_hides_a_call(reply, data):
    """JSON lets every letter of a name be written as an escape."""
    written = msgspec.json.encode(reply).decode()
    letters = [place for place, letter in enumerate(written) if letter.isalpha() or letter == "_"]
    chosen = data.draw(st.sets(st.sampled_from(letters), min_size=1))
    upper = data.draw(st.booleans())
    code = "\\u{:04X}" if upper else "\\u{:04x}"
    escaped = "".join(
        code.format(ord(letter)) if place in chosen else letter
        for place, letter in enumerate(written)
    )
    assert json.loads(escaped) == reply
    assert not wire.is_tool_free(escaped.encode())


@pytest.mark.parametrize("letter", ["a", "z", "_", "o"])
def test_a_name_with_an_escaped_letter_is_not_trusted(letter):
    for code in (f"{ord(letter):04x}", f"{ord(letter):04X}"):
        assert not wire.is_tool_free(b'{"\\u%b":1}' % code.encode())


@pytest.mark.parametrize("body", [b"", b"\x1f\x8b\x08", b"[1]", b"<html>", b"\xef\xbb\xbf{}"])
def test_what_is_neither_an_object_nor_a_stream_is_not_trusted(body):
    assert not wire.is_tool_free(body)

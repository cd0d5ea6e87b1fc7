"""Replies read as they pass."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.values import Figures, Usage
from gateway.wire import anthropic, openai, replies, sse
from tests.unit.wire import streams
from tests.unit.wire.calls import call, pieces

CHAT_USAGE = Usage(input_tokens=20, output_tokens=7, cache_read_tokens=8, reasoning_tokens=2)


def _asked(route: str = "chat") -> wire.Reader:
    """Return a reader for a caller who sees everything."""
    asked = call(route, stream=True, stream_options={"include_usage": True})
    return wire.reader(asked, status=200, stream=True)


def _unasked(route: str = "chat") -> wire.Reader:
    """Return a reader for a caller who did not ask for usage."""
    return wire.reader(call(route, stream=True), status=200, stream=True)


def _pass(watching: wire.Reader, stream: bytes, size: int = 1 << 20) -> bytes:
    passed = b"".join(watching.feed(chunk) for chunk in pieces(stream, size))
    return passed + watching.close()


def _whole(route: str, reply: object, status: int = 200) -> Figures:
    watching = wire.reader(call(route), status=status, stream=False)
    body = json.dumps(reply).encode()
    assert _pass(watching, body, 100) == body
    return watching.figures()


def test_a_chat_stream_is_read():
    watching = _asked()
    assert _pass(watching, streams.CHAT) == streams.CHAT
    assert watching.figures() == Figures(
        usage=CHAT_USAGE, text_bytes=streams.CHAT_TEXT_BYTES, text_events=2, ended=True
    )


def test_the_usage_chunk_is_hidden_from_a_caller_who_did_not_ask():
    watching = _unasked()
    assert _pass(watching, streams.CHAT) == streams.CHAT_HEAD + streams.CHAT_DONE
    assert watching.figures().usage == CHAT_USAGE


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_a_stream_cut_anywhere_passes_and_tells_the_same(ending):
    stream = streams.CHAT.replace(b"\n", ending)
    bare = (streams.CHAT_HEAD + streams.CHAT_DONE).replace(b"\n", ending)
    expected = _asked()
    _pass(expected, stream)
    for size in [*range(1, 60), 150, 500]:
        for watching, passed in ((_asked(), stream), (_unasked(), bare)):
            assert _pass(watching, stream, size) == passed
            assert watching.figures() == expected.figures()


SAMPLES = {
    "chat": streams.CHAT + streams.CHAT_TOOLS,
    "completions": b'data: {"choices":[{"text":"Hi"}]}\n\ndata: [DONE]\n\n',
    "responses": streams.RESPONSES,
    "messages": streams.MESSAGES + streams.MESSAGES_STOP,
}


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_bytes_pass_untouched_and_at_once_wherever_nothing_is_hidden(route, data):
    stream = SAMPLES[route]
    watching, whole = _asked(route), _asked(route)
    _pass(whole, stream)
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, 400))
        chunk = stream[position : position + size]
        assert watching.feed(chunk) == chunk
        position += size
    assert watching.close() == b""
    assert watching.figures() == whole.figures()


@pytest.mark.parametrize("route", sorted(SAMPLES))
def test_a_stream_split_in_two_at_any_byte_tells_the_same(route):
    stream = SAMPLES[route]
    whole = _unasked(route)
    passed = _pass(whole, stream)
    for cut in range(len(stream) + 1):
        watching = _unasked(route)
        assert watching.feed(stream[:cut]) + _pass(watching, stream[cut:]) == passed
        assert watching.figures() == whole.figures()


def test_hiding_holds_no_more_than_an_unfinished_event():
    watching = _unasked()
    first, second = streams.CHAT_HEAD.split(b"\n\n")[:2]
    assert watching.feed(first + b"\n\n" + second[:10]) == first + b"\n\n"
    assert watching.feed(second[10:] + b"\n\n") == second + b"\n\n"


def test_hiding_passes_on_what_is_no_usage_chunk():
    azure = b'data: {"choices":[],"prompt_filter_results":[]}\n\n'
    last = b'data: {"choices":[{"delta":{}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    bare = b'data: {"choices":[],"usage":null}\n\n'
    stream = azure + last + bare + b"data: {broken\n\n" + b"id: 7\n\n" + b"data: unfinish"
    watching = _unasked()
    assert _pass(watching, stream) == stream
    assert watching.figures().usage == Usage(input_tokens=3, output_tokens=1)


def test_a_usage_chunk_without_its_blank_line_is_hidden_and_read():
    watching = _unasked()
    assert _pass(watching, streams.CHAT_HEAD + streams.CHAT_USAGE.rstrip()) == streams.CHAT_HEAD
    assert watching.figures().usage == CHAT_USAGE
    assert not watching.ended


def test_an_unbelievable_usage_chunk_is_hidden_too():
    watching = _unasked()
    assert _pass(watching, b'data: {"choices":[],"usage":{"prompt_tokens":-1}}\n\n') == b""
    assert watching.figures().usage is None


def test_tool_calls_refusals_and_reasoning_are_generated_text():
    watching = _asked()
    _pass(watching, streams.CHAT_TOOLS)
    figures = watching.figures()
    assert (figures.text_bytes, figures.text_events) == (streams.CHAT_TOOLS_TEXT_BYTES, 5)
    assert not watching.ended


def test_a_models_text_cannot_end_or_bill_a_stream():
    forged = 'x\n\ndata: [DONE]\n\ndata: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
    event = json.dumps({"choices": [{"delta": {"content": forged}}]}).encode()
    watching = _unasked()
    stream = b"data: " + event + b"\n\n"
    assert _pass(watching, stream) == stream
    assert watching.figures() == Figures(text_bytes=len(forged), text_events=1)


def test_the_last_believable_usage_wins():
    reports = [
        {"prompt_tokens": 5, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": 9},
        {"prompt_tokens": -5, "completion_tokens": 9},
        {"prompt_tokens": 10**10},
        {"prompt_tokens": 1.5},
        {"prompt_tokens": True},
        "many",
    ]
    watching = _asked()
    for report in reports:
        watching.feed(b"data: " + json.dumps({"choices": [], "usage": report}).encode() + b"\n\n")
    assert watching.figures().usage == Usage(input_tokens=5, output_tokens=9)


def test_parts_are_never_more_than_the_whole():
    reply = {
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 99, "cache_write_tokens": 99},
            "completion_tokens_details": {"reasoning_tokens": 99},
        }
    }
    assert _whole("chat", reply).usage == Usage(
        input_tokens=10, output_tokens=4, cache_read_tokens=10, reasoning_tokens=4
    )


def test_reasoning_counted_in_the_total_alone_is_output():
    reply = {"usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 50}}
    usage = _whole("chat", reply).usage
    assert usage is not None
    assert usage.output_tokens == 40


def test_an_error_event_ends_and_fails_a_stream():
    for route, event in (
        ("chat", b'data: {"error":{"message":"overloaded"}}\n\n'),
        ("chat", b'data: {"error":{"message":"overloaded"},"choices":5}\n\n'),
        ("responses", b'event: error\ndata: {"type":"error","code":"x"}\n\n'),
        ("responses", b'data: {"type":"response.failed","response":{"usage":null}}\n\n'),
        (
            "messages",
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
        ),
    ):
        watching = _asked(route)
        watching.feed(event)
        assert watching.ended
        assert watching.figures().failed


def test_a_chunk_of_unknown_shape_still_tells_what_it_can():
    watching = _asked()
    watching.feed(b'data: {"choices":[{"delta":{"content":[{"type":"text","text":"Hi"}]}}]}\n\n')
    watching.feed(b'data: {"choices":{"odd":1},"usage":{"prompt_tokens":3}}\n\n')
    watching.feed(b'data: {"choices":5,"usage":\xff}\n\n')
    figures = watching.figures()
    assert figures.text_events == 2
    assert figures.text_bytes > len('{"odd":1}')
    assert figures.usage == Usage(input_tokens=3)


def test_a_responses_stream_is_read():
    watching = _unasked("responses")
    assert _pass(watching, streams.RESPONSES) == streams.RESPONSES
    assert watching.figures() == Figures(
        usage=Usage(
            input_tokens=30,
            output_tokens=9,
            cache_read_tokens=10,
            cache_write_tokens=5,
            reasoning_tokens=4,
        ),
        text_bytes=len("Hello{}"),
        text_events=2,
        ended=True,
    )


def test_an_incomplete_response_ends_without_failing():
    watching = _asked("responses")
    watching.feed(b'data: {"type":"response.incomplete","response":5}\n\n')
    assert watching.figures() == Figures(ended=True)


def test_a_responses_stream_may_end_with_done():
    watching = _asked("responses")
    watching.feed(b"data: nothing\n\n")
    assert not watching.ended
    watching.feed(b"data: [DONE]\n\n")
    assert watching.ended


def test_a_messages_stream_is_read_with_its_cache_in_the_input():
    watching = _unasked("messages")
    assert watching.feed(streams.MESSAGES) == streams.MESSAGES
    assert not watching.ended
    watching.feed(streams.MESSAGES_STOP)
    assert watching.figures() == Figures(
        usage=Usage(input_tokens=20, output_tokens=15, cache_read_tokens=5, cache_write_tokens=3),
        text_bytes=len('Hello{"a"So'),
        text_events=3,
        ended=True,
    )


def test_a_later_anthropic_report_replaces_what_it_names():
    before = Usage(input_tokens=20, output_tokens=1, cache_read_tokens=5, cache_write_tokens=3)
    raw = openai.Raw(b'{"input_tokens":100,"cache_read_input_tokens":7,"output_tokens":-4}')
    assert anthropic.usage(raw, before) == Usage(
        input_tokens=110, output_tokens=1, cache_read_tokens=7, cache_write_tokens=3
    )
    assert anthropic.usage(openai.Raw(b'{"output_tokens":5}'), None) is None


@pytest.mark.parametrize("route", ["chat", "completions", "responses", "messages"])
@given(garbage=st.binary(max_size=200) | st.text(alphabet='{}[]":,data\n ', max_size=80))
def test_garbage_never_fails_and_passes_untouched(route, garbage):
    stream = garbage if isinstance(garbage, bytes) else garbage.encode()
    stream = b"data: " + stream + b"\n\ndata: [[" + stream + b"\n\n"
    watching = _asked(route)
    assert _pass(watching, stream) == stream
    assert watching.figures().usage is None


def test_json_nested_too_deeply_is_garbage():
    deep = b'{"choices":' + b"[" * 5000
    for route in ("chat", "responses", "messages"):
        watching = _asked(route)
        assert _pass(watching, b"data: " + deep + b"\n\n") == b"data: " + deep + b"\n\n"
        assert watching.figures() == Figures()


def test_an_event_too_large_is_passed_on_unread():
    hiding = replies._Stripping(openai.chunk, 60)
    large = b'data: {"choices":[],"usage":{"prompt_tokens":3}, "pad":"' + b"x" * 100 + b'"}\n\n'
    assert _pass(hiding, large + streams.CHAT_DONE, 9) == large + streams.CHAT_DONE
    assert hiding.figures() == Figures(ended=True)
    assert sse.EVENT_BYTES_MAX > 1_000_000


def test_plain_replies_are_read():
    figures = _whole("chat", {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
    assert figures == Figures(usage=Usage(input_tokens=9, output_tokens=2), ended=True)
    figures = _whole("responses", {"output": [], "usage": {"input_tokens": 9, "output_tokens": 2}})
    assert figures.usage == Usage(input_tokens=9, output_tokens=2)
    figures = _whole("embeddings", {"data": [], "usage": {"prompt_tokens": 9, "total_tokens": 9}})
    assert figures.usage == Usage(input_tokens=9)
    figures = _whole("messages", {"content": [], "usage": {"input_tokens": 9, "output_tokens": 2}})
    assert figures.usage == Usage(input_tokens=9, output_tokens=2)


@pytest.mark.parametrize(
    ("route", "reply", "text"),
    [
        (
            "chat",
            {"choices": [{"message": {"role": "assistant", "content": "Hello", "refusal": None}}]},
            "Hello",
        ),
        ("chat", {"choices": [{"message": {"content": [{"type": "text", "text": "ü"}]}}]}, "ü"),
        ("completions", {"choices": [{"text": "Hi"}]}, "Hi"),
        (
            "responses",
            {
                "output": [
                    {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                ]
            },
            "Hello{}",
        ),
        (
            "messages",
            {"content": [{"type": "text", "text": "So"}, {"type": "tool_use", "input": {"a": 1}}]},
            'So{"a":1}',
        ),
    ],
)
def test_a_plain_reply_without_usage_tells_its_text(route, reply, text):
    assert _whole(route, reply) == Figures(text_bytes=len(text.encode()), text_events=1, ended=True)


def test_a_plain_reply_that_is_an_error_has_failed():
    assert _whole("chat", {"error": {"message": "no"}}).failed
    assert _whole("messages", {"type": "error", "error": {}}).failed


@pytest.mark.parametrize("route", ["chat", "messages"])
def test_a_plain_reply_cut_short_tells_its_size_and_no_end(route):
    watching = wire.reader(call(route), status=200, stream=False)
    watching.feed(b'{"choices":[{"mess')
    assert watching.figures() == Figures(text_bytes=18, text_events=1)
    watching.feed(b'age":{}}],"content":[]}')
    assert watching.figures().ended
    assert not watching.ended
    assert watching.close() == watching.close() == b""
    assert watching.ended


def test_an_empty_reply_tells_nothing():
    watching = wire.reader(call("chat"), status=200, stream=False)
    watching.close()
    assert watching.figures() == Figures()


def test_a_plain_reply_too_large_is_passed_on_unread():
    watching = replies._Plain(openai.whole, 10)
    assert _pass(watching, b"x" * 30, 8) == b"x" * 30
    assert watching.figures() == Figures(text_bytes=30, text_events=1, ended=True)


def test_counting_tokens_is_free():
    assert _whole("count_tokens", {"input_tokens": 900}) == Figures(usage=Usage(), ended=True)
    watching = wire.reader(call("count_tokens"), status=200, stream=False)
    watching.feed(b'{"input')
    assert watching.figures() == Figures(usage=Usage())


def test_a_provider_error_passes_and_has_failed():
    for stream in (True, False):
        watching = wire.reader(call("chat", stream=True), status=529, stream=stream)
        assert watching.feed(b"<html>") == b"<html>"
        assert watching.figures() == Figures(failed=True)
        assert watching.close() == b""
        assert watching.figures() == Figures(failed=True, ended=True)


def test_a_plain_reply_to_a_streaming_call_is_read_as_plain():
    watching = wire.reader(call("chat", stream=True), status=200, stream=False)
    body = b'{"usage":{"prompt_tokens":1}}'
    assert _pass(watching, body, 5) == body
    assert watching.figures().usage == Usage(input_tokens=1)
